"""The small process between an owner and what it runs, which outlives the owner.

A test session, a demo or a build can be killed with SIGKILL at any instruction,
also between starting a process and writing its pid down. So the owner never
starts one itself: this supervisor does, in a session of its own that Ctrl-C does
not reach. When the owner's pipe closes or the owner is gone, it ends everything
in reverse order and leaves. It needs the standard library only.

It reads one JSON request per line and answers each with one line:

    {"op": "start", "name", "argv", "env", "cwd", "log"} -> {"pid", "born"}
    {"op": "stop", "name", "grace"}                      -> {"clean": bool}
    {"op": "detach"}                                     -> {} and it leaves all running
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from together_local.cluster.processes import Process, born

_LOOK_SECONDS = 0.5


class _OwnerGoneError(Exception):
    """Nobody is left to answer to."""


class _Children:
    """The processes started here, oldest first, mirrored into a file.

    Args:
        record: The file that names them for a later `down`.
    """

    def __init__(self, record: Path) -> None:
        self._record = record
        self._running: dict[str, tuple[Process, subprocess.Popen[bytes]]] = {}

    def start(self, request: dict[str, Any]) -> dict[str, Any]:
        """Start one process, its output appended to a log."""
        former = self._running.get(request["name"])
        if former is not None and former[0].alive:
            return {"error": f"{request['name']} is running already"}
        with Path(request["log"]).open("ab") as log:
            try:
                # Reaped by `reap` and `stop`; a detached one by init.
                child = subprocess.Popen(
                    request["argv"],
                    env=request["env"],
                    cwd=request["cwd"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                return {"error": str(error)}
        started = born(child.pid) or ""
        self._running[request["name"]] = (Process(child.pid, started), child)
        self._write()
        return {"pid": child.pid, "born": started}

    def stop(self, name: str, grace: float) -> bool:
        """End one process; True when it went by itself in time.

        It keeps its place, so that one started again is still ended in its turn.
        """
        process, child = self._running[name]
        clean = process.stop(grace)
        child.wait()
        self._write()
        return clean

    def exit_code(self, name: str) -> int | None:
        """How a process ended: its exit code, or minus the signal; None while it runs."""
        return self._running[name][1].poll()

    def stop_all(self, grace: float = 10) -> None:
        """End all, the youngest first."""
        for name in reversed(list(self._running)):
            self.stop(name, grace)

    def reap(self) -> None:
        """Collect those that ended by themselves, so that they are not zombies."""
        for _process, child in self._running.values():
            child.poll()

    def _write(self) -> None:
        running = {
            name: {"pid": process.pid, "born": process.born}
            for name, (process, child) in self._running.items()
            if child.poll() is None
        }
        partial = self._record.with_suffix(".partial")
        # A folder that was removed meanwhile has no reader, and must not keep what runs alive.
        with contextlib.suppress(FileNotFoundError):
            partial.write_text(json.dumps(running, indent=2))
            partial.replace(self._record)


class _Asked:
    """Whether a signal asked to leave.

    A handler that raised could cut a start in two, between the birth of a process
    and its record; so it only leaves a note, read between requests.
    """

    to_leave = False

    def __call__(self, _number: int, _frame: object) -> None:
        self.to_leave = True


def _request(owner: Process, children: _Children, asked: _Asked) -> dict[str, Any]:
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], _LOOK_SECONDS)
        children.reap()
        # A child that the owner forked may hold the pipe open after its death.
        if asked.to_leave or not (readable or owner.alive):
            raise _OwnerGoneError
        if readable:
            line = sys.stdin.buffer.readline()
            if not line:
                raise _OwnerGoneError
            request: dict[str, Any] = json.loads(line)
            return request


def _answer(reply: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise _OwnerGoneError from error


def main(record: str, owner_pid: str, owner_born: str) -> None:
    """Serve one owner until it detaches or is gone.

    Args:
        record: The file in which to name the running processes.
        owner_pid: The owner's process id.
        owner_born: When the owner started, see `processes.born`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asked = _Asked()
    signal.signal(signal.SIGTERM, asked)
    signal.signal(signal.SIGHUP, asked)
    owner = Process(int(owner_pid), owner_born)
    children = _Children(Path(record))
    try:
        while True:
            request = _request(owner, children, asked)
            match request["op"]:
                case "start":
                    _answer(children.start(request))
                case "stop":
                    _answer({"clean": children.stop(request["name"], request["grace"])})
                case "exit_code":
                    _answer({"code": children.exit_code(request["name"])})
                case "detach":
                    _answer({})
                    return
    except _OwnerGoneError:
        children.stop_all()


if __name__ == "__main__":
    main(*sys.argv[1:])
    # Python would complain about a standard output whose reader is gone.
    os._exit(0)
