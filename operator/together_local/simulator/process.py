"""The simulator as a process of its own.

Why: the operator under test and the official clients run in other processes, and a
simulator that shares a test's event loop would hide that. The process ends when its
starter ends, however that happens, because it watches a pipe from it.
"""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from together_local.simulator.client import AdminClient
from together_local.simulator.world import Options

_LISTENING = re.compile(r"^Simulated Together on (http://\S+)/v1 ")


class SimulatorStartError(RuntimeError):
    """The process did not come up; the message carries what it printed."""


class SimulatorProcess:
    """A running simulator; use it as a context manager or call :meth:`stop`.

    Attributes:
        url: The server's root, which clients of API v2 are given.
        admin: The admin routes as methods.
    """

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self._process = process
        self.url = url
        self.admin = AdminClient(url)

    @property
    def base_url(self) -> str:
        """The base URL that clients of API v1 are given."""
        return f"{self.url}/v1"

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def stop(self) -> int:
        """End it and return its exit code; harmless when it has ended."""
        self.admin.close()
        if self._process.poll() is None:
            self._process.terminate()
        try:
            return self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the process."""
        self.stop()


def start_simulator(
    options: Options | None = None,
    port: int = 0,
    timeout: float = 60,
    env: Mapping[str, str] | None = None,
) -> SimulatorProcess:
    """Start a simulator and wait until it listens.

    Args:
        options: How it begins.
        port: TCP port on loopback; 0 takes a free one.
        timeout: Seconds to wait for it.
        env: Its environment; None: this process's.

    Raises:
        SimulatorStartError: It ended, or did not listen in time.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "together_local.simulator", *_arguments(options or Options(), port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(os.environ if env is None else env),
    )
    lines: queue.Queue[str | None] = queue.Queue()
    # Read to the end: a full pipe would stop the simulator.
    threading.Thread(target=_drain, args=(process, lines), daemon=True).start()
    printed: list[str] = []
    while True:
        try:
            line = lines.get(timeout=timeout)
        except queue.Empty:
            process.kill()
            process.wait()
            raise SimulatorStartError(f"no simulator after {timeout} s: {printed}") from None
        if line is None:
            code = process.wait()
            raise SimulatorStartError(f"the simulator ended with code {code}:\n{''.join(printed)}")
        printed.append(line)
        listening = _LISTENING.match(line)
        if listening:
            return SimulatorProcess(process, listening.group(1))


def _drain(process: subprocess.Popen[str], lines: queue.Queue[str | None]) -> None:
    assert process.stdout is not None  # noqa: S101 - it was asked for above
    with process.stdout as stdout:
        for line in stdout:
            lines.put(line)
    lines.put(None)


def _arguments(options: Options, port: int) -> list[str]:
    arguments = ["--port", str(port), "--profile", options.profile.value]
    arguments += ["--speed", str(options.speed), "--stop-with-stdin"]
    if options.seed is not None:
        arguments += ["--seed", str(options.seed)]
    for key in options.denied_keys:
        arguments += ["--deny-key", key]
    for key, project in options.projects.items():
        arguments += ["--project", f"{key}={project}"]
    for name, value in options.assumptions.items():
        arguments += ["--assume", f"{name}={_written(value)}"]
    return arguments


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
