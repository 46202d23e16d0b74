"""A process is known for certain, and ends for certain."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from together_local.cluster.ports import is_free
from together_local.cluster.processes import Process, born, stop_recorded

_IGNORES_SIGTERM = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
signal.pause()
"""

_ITS_FIRST_THREAD_ENDS = """
import ctypes, socket, threading, time
server = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=time.sleep, args=(600,)).start()
print(server.getsockname()[1], flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as child:
        yield child
        child.kill()


def test_a_process_is_alive_until_it_ended(sleeper: subprocess.Popen[bytes]) -> None:
    process = Process.of(sleeper.pid)
    assert process.alive
    sleeper.kill()
    assert process.wait(10), "an unreaped process counts as ended"
    sleeper.wait()
    assert born(sleeper.pid) is None


@pytest.mark.skipif(sys.platform != "linux", reason="/proc shows the first thread as the process")
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


def test_a_recycled_pid_is_never_signalled(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    stranger = Process(sleeper.pid, "an earlier start")
    assert not stranger.alive
    stranger.signal(signal.SIGKILL)
    assert stranger.stop(grace=1)
    record = tmp_path / "processes.json"
    record.write_text(json.dumps({"etcd": {"pid": sleeper.pid, "born": "an earlier start"}}))
    assert stop_recorded(record) == []
    assert sleeper.poll() is None


def test_one_that_ignores_sigterm_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _IGNORES_SIGTERM], stdout=subprocess.PIPE, start_new_session=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"deaf\n"
        assert Process.of(child.pid).stop(grace=0.2) is False
        assert child.wait(10) == -signal.SIGKILL


def test_a_paused_one_is_ended_politely(sleeper: subprocess.Popen[bytes]) -> None:
    process = Process.of(sleeper.pid)
    process.signal(signal.SIGSTOP)
    assert process.alive
    assert process.stop(grace=10) is True
    assert sleeper.wait(10) == -signal.SIGTERM


def test_no_such_process() -> None:
    with pytest.raises(ProcessLookupError):
        Process.of(2**22 + 1)
