"""One component of a control plane: start, wait until ready, stop, and break on purpose."""

from __future__ import annotations

import http.client
import os
import signal
import ssl
import time
from pathlib import Path

from together_local.cluster.certificates import APISERVER_TO_ETCD
from together_local.cluster.errors import StartError
from together_local.cluster.flags import ETCD, Settings, command_line
from together_local.cluster.layout import Layout
from together_local.cluster.processes import Process
from together_local.cluster.supervision import GRACE_SECONDS, Supervisor

_POLL_SECONDS = 0.05
_READY_SECONDS = 120.0
_LOG_BYTES = 3000
_HEALTH_PATH = {"kube-controller-manager": "/healthz"}


def log_tail(path: Path) -> str:
    """The last lines of a log, for a message."""
    if not path.exists():
        return ""
    return path.read_bytes()[-_LOG_BYTES:].decode(errors="replace").strip()


def is_ready(name: str, layout: Layout, settings: Settings) -> bool:
    """Ask a component whether it is ready, by its own health route.

    Args:
        name: The component.
        layout: Its files.
        settings: Its port.
    """
    context = ssl.create_default_context(cafile=str(layout.ca))
    if name == ETCD:
        context.load_cert_chain(
            layout.certificate(APISERVER_TO_ETCD), layout.key(APISERVER_TO_ETCD)
        )
    connection = http.client.HTTPSConnection(
        "127.0.0.1", settings.ports[name], timeout=5, context=context
    )
    try:
        connection.request("GET", _HEALTH_PATH.get(name, "/readyz"))
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Component:
    """A component under a supervisor.

    Args:
        name: Its name, also that of its binary.
        layout: Its files.
        settings: Its ports and flags.
        supervisor: Who starts it.
    """

    def __init__(
        self, name: str, layout: Layout, settings: Settings, supervisor: Supervisor
    ) -> None:
        self.name = name
        self._layout = layout
        self._settings = settings
        self._supervisor = supervisor
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The process of the last start.

        Raises:
            StartError: It was never started.
        """
        if self._process is None:
            raise StartError(f"{self.name} was not started")
        return self._process

    @property
    def pid(self) -> int:
        """The process id of the last start."""
        return self.process.pid

    @property
    def port(self) -> int:
        """Its loopback port, the same over restarts."""
        return self._settings.ports[self.name]

    @property
    def log(self) -> Path:
        """Its log since the last start; the one before is kept beside it."""
        return self._layout.log(self.name)

    @property
    def running(self) -> bool:
        """Whether its process is there, be it paused."""
        return self._process is not None and self._process.alive

    @property
    def ready(self) -> bool:
        """Whether it says so itself."""
        return is_ready(self.name, self._layout, self._settings)

    def start(self, *, wait: bool = True) -> None:
        """Start it; nothing when it runs.

        Args:
            wait: Whether to wait until it is ready.

        Raises:
            StartError: It ended, or did not become ready; the message has its log.
        """
        if not self.running:
            if self.log.exists():
                self.log.replace(self.log.with_suffix(".log.1"))
            self._process = self._supervisor.start(
                self.name,
                command_line(self.name, self._layout, self._settings),
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(self._layout.root)},
                cwd=self._layout.root,
                log=self.log,
            )
        if wait:
            self.wait_ready()

    def wait_ready(self, seconds: float = _READY_SECONDS) -> None:
        """Wait until it is ready.

        Args:
            seconds: For how long at most.

        Raises:
            StartError: It ended, or the time is over; the message has its log.
        """
        deadline = time.monotonic() + seconds
        while not self.ready:
            if not self.running:
                raise StartError(f"{self.name} ended. Its log:\n{log_tail(self.log)}")
            if time.monotonic() > deadline:
                raise StartError(
                    f"{self.name} is not ready after {seconds:.0f} s. Its log:\n"
                    f"{log_tail(self.log)}"
                )
            time.sleep(_POLL_SECONDS)

    def stop(self, grace: float = GRACE_SECONDS) -> bool:
        """Stop it by SIGTERM, then SIGKILL.

        Args:
            grace: Seconds between the two.

        Returns:
            Whether SIGTERM was enough.
        """
        return self._supervisor.stop(self.name, grace)

    def kill(self) -> None:
        """Kill it with SIGKILL, as an out-of-memory killer would, and wait for its end."""
        self.process.signal(signal.SIGKILL)
        self.process.wait(GRACE_SECONDS)

    def restart(self, *, wait: bool = True) -> None:
        """Stop and start it on the same port.

        Args:
            wait: Whether to wait until it is ready again.
        """
        self.stop()
        self.start(wait=wait)

    def pause(self) -> None:
        """Freeze it (SIGSTOP): connections stay open and nobody answers."""
        self.process.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self.process.signal(signal.SIGCONT)
