"""A process whose first thread has ended; only Linux shows that, and only there can it be seen."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

from together_local.cluster.ports import is_free
from together_local.cluster.processes import Process

_ITS_FIRST_THREAD_ENDS = """
import ctypes, socket, threading, time
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=time.sleep, args=(600,)).start()
print(server.getsockname()[1], flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


def test_a_process_is_alive_as_long_as_one_of_its_threads() -> None:
    """They hold its port, on which the next one of its name would not start."""
    with subprocess.Popen(
        [sys.executable, "-c", _ITS_FIRST_THREAD_ENDS], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        port = int(child.stdout.readline())
        shown = Path(f"/proc/{child.pid}/stat")
        try:
            process = Process.of(child.pid)
            while shown.read_text().rpartition(")")[2].split()[0] != "Z":
                time.sleep(0.01)
            assert process.alive
            assert not is_free(port)
        finally:
            child.send_signal(signal.SIGKILL)
        assert process.wait(10)
        assert is_free(port)
