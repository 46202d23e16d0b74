"""The control plane that outlives the command that started it.

`up` owns it like everybody else until all of it is ready, so that Ctrl-C or a
crash leaves nothing; only then it lets go.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from together_local.cluster.binaries import BinaryCache
from together_local.cluster.component import is_ready
from together_local.cluster.control_plane import ControlPlane, load_settings, take
from together_local.cluster.flags import APISERVER, ORDER
from together_local.cluster.layout import Layout
from together_local.cluster.processes import recorded, stop_recorded
from together_local.cluster.progress import Progress
from together_local.cluster.recipes import CONTROL_PLANE, RECIPES

# Longer than another `up` or `down` takes that nothing disturbs.
_LOCK_SECONDS = 10.0


@dataclass(frozen=True)
class Part:
    """One component as it is.

    Attributes:
        name: Its name.
        version: The version of its binary.
        pid: Its process id; None when it does not run.
        port: Its port; None when it never ran.
        condition: `ready`, `not ready` or `stopped`.
    """

    name: str
    version: str
    pid: int | None
    port: int | None
    condition: str


@dataclass(frozen=True)
class State:
    """A control plane as it is.

    Attributes:
        parts: Its components.
        kubeconfig: The administrator's kubeconfig.
        bin: The folder that has kubectl and helm.
    """

    parts: tuple[Part, ...]
    kubeconfig: Path
    bin: Path

    @property
    def running(self) -> bool:
        """Whether every component is ready."""
        return all(part.condition == "ready" for part in self.parts)

    @property
    def condition(self) -> str:
        """All in one word or two: `running`, `stopped` or `not ready`."""
        if self.running:
            return "running"
        return "stopped" if not any(part.pid for part in self.parts) else "not ready"

    @property
    def version(self) -> str:
        """The version of kube-apiserver."""
        return next(part.version for part in self.parts if part.name == APISERVER)


def _version(binary: str) -> str:
    if not Path(binary).exists():
        return "removed"
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"v?(\d+\.\d+\.\d+\S*)", said.stdout)
    return f"v{found[1]}" if found else "unknown"


def status(directory: Path) -> State:
    """Look at the control plane of a folder, without touching it.

    Args:
        directory: The state folder, which need not exist.
    """
    layout = Layout(directory)
    settings = load_settings(layout)
    processes = recorded(layout.processes)
    parts = []
    for name in ORDER:
        if settings is None:
            parts.append(Part(name, RECIPES[name].version, None, None, "stopped"))
            continue
        process = processes.get(name)
        alive = process is not None and process.alive
        ready = alive and is_ready(name, layout, settings)
        parts.append(
            Part(
                name,
                _version(settings.binaries[name]),
                process.pid if process is not None and alive else None,
                settings.ports[name],
                "ready" if ready else "not ready" if alive else "stopped",
            )
        )
    return State(tuple(parts), layout.kubeconfig, BinaryCache().bin)


def up(directory: Path, progress: Progress) -> State:
    """Start a control plane that keeps running, or find it running.

    Args:
        directory: Its state folder.
        progress: Where to show builds and waits.

    Raises:
        ClusterError: What went wrong and what to do.
    """
    if (state := status(directory)).running:
        progress.say(f"The control plane in {directory} is running already")
        return state
    binaries = BinaryCache().ensure((*CONTROL_PLANE, "helm"), progress)
    layout = Layout(directory)
    layout.create()
    lock = take(layout, _LOCK_SECONDS, progress)
    try:
        # Whoever had the lock before may have started it.
        if (state := status(directory)).running:
            progress.say(f"The control plane in {directory} is running already")
            return state
        if state.condition == "not ready":
            progress.say("Some of it is not ready; all of it is started anew")
        with ControlPlane.start(
            layout.root, binaries, progress=progress, durable=True, lock=lock
        ) as plane:
            plane.detach()
    finally:
        lock.release()
    return status(directory)


def down(directory: Path, progress: Progress) -> list[str]:
    """Stop the control plane of a folder.

    Args:
        directory: Its state folder, which need not exist.
        progress: Where to show the wait.

    Returns:
        The names of what still ran.

    Raises:
        InUseError: A process that still runs owns it.
    """
    layout = Layout(directory)
    if not layout.root.exists():
        return []
    lock = take(layout, _LOCK_SECONDS, progress)
    try:
        if not any(process.alive for process in recorded(layout.processes).values()):
            return []
        with progress.task(f"Stopping the control plane in {directory}"):
            return stop_recorded(layout.processes)
    finally:
        lock.release()
