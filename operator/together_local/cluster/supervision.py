"""The owner's end of a supervisor: start and stop processes that never outlive it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from together_local.cluster.errors import StartError
from together_local.cluster.processes import Process, stop_recorded

# Every component is given this long before SIGKILL: kube-apiserver without its
# etcd has been seen to linger for an hour.
GRACE_SECONDS = 10.0


class Supervisor:
    """Processes that end when this object closes or when its owner dies, however it dies.

    Args:
        record: The file that names what runs, for whoever comes later.
        log: Where the supervisor itself may complain.
        keep_open: A file descriptor that the supervisor shall hold too, such as a
            lock that must last until everything ended.
    """

    def __init__(self, record: Path, log: Path, keep_open: int | None = None) -> None:
        self._record = record
        owner = Process.of(os.getpid())
        with log.open("ab") as complaints:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    # Not from the current folder, whatever lies there.
                    "-P",
                    "-m",
                    "together_local.cluster.supervisor",
                    str(record),
                    str(owner.pid),
                    owner.born,
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                start_new_session=True,
                pass_fds=() if keep_open is None else (keep_open,),
            )
        self.pid = self._process.pid
        self._turn = threading.Lock()
        self._detached = False

    def start(
        self, name: str, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path
    ) -> Process:
        """Start a process, its output appended to `log`.

        Args:
            name: What to call it; a later start of the same name replaces it.
            argv: The command line.
            env: Its whole environment.
            cwd: Its working folder.
            log: The file for both its outputs.

        Raises:
            StartError: The operating system refused.
        """
        reply = self._ask(
            op="start", name=name, argv=list(argv), env=dict(env), cwd=str(cwd), log=str(log)
        )
        if "error" in reply:
            raise StartError(f"{argv[0]} could not be started: {reply['error']}")
        return Process(reply["pid"], reply["born"])

    def stop(self, name: str, grace: float = GRACE_SECONDS) -> bool:
        """Stop a process by SIGTERM and, after `grace` seconds, SIGKILL.

        Returns:
            Whether SIGTERM was enough.
        """
        return bool(self._ask(op="stop", name=name, grace=grace)["clean"])

    def exit_code(self, name: str) -> int | None:
        """How a process ended: its exit code, or minus the signal; None while it runs.

        Args:
            name: What it was started as.
        """
        code: int | None = self._ask(op="exit_code", name=name)["code"]
        return code

    def detach(self) -> None:
        """Leave everything running for good, and end the supervisor."""
        self._ask(op="detach")
        self._detached = True
        self._end()

    def close(self) -> None:
        """Stop everything, the youngest first, and wait for it; nothing after `detach`."""
        if self._detached:
            return
        self._end()
        # Only a supervisor that was itself killed leaves something to do here.
        stop_recorded(self._record)

    def _end(self) -> None:
        pipe, replies = self._process.stdin, self._process.stdout
        assert pipe is not None  # noqa: S101 - asked for in the constructor
        assert replies is not None  # noqa: S101
        try:
            pipe.close()
        except BrokenPipeError:
            return
        finally:
            self._process.wait()
            replies.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        pipe, replies = self._process.stdin, self._process.stdout
        assert pipe is not None  # noqa: S101
        assert replies is not None  # noqa: S101
        with self._turn:
            try:
                pipe.write(json.dumps(request).encode() + b"\n")
                pipe.flush()
                line = replies.readline()
            except (BrokenPipeError, ValueError):
                line = b""
        if not line:
            raise StartError(
                f"The supervisor (pid {self.pid}) is gone: somebody ended it from outside"
            )
        reply: dict[str, Any] = json.loads(line)
        return reply

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
