"""A control plane of one's own: etcd, kube-apiserver, kube-controller-manager."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from together_local.cluster.binaries import Binaries
from together_local.cluster.certificates import (
    ADMIN,
    CONTROLLER_MANAGER,
    create_certificates,
    write_private,
)
from together_local.cluster.cluster import Cluster
from together_local.cluster.component import Component
from together_local.cluster.errors import InUseError
from together_local.cluster.flags import APISERVER, ETCD, ORDER, PORTS, Settings
from together_local.cluster.kubeconfig import certificate_user, write_kubeconfig
from together_local.cluster.layout import Layout
from together_local.cluster.locking import FileLock
from together_local.cluster.ports import free_ports, is_free
from together_local.cluster.processes import stop_recorded
from together_local.cluster.progress import Progress, Quiet
from together_local.cluster.supervision import Supervisor


def load_settings(layout: Layout) -> Settings | None:
    """Read the settings of an earlier start; None when there was none."""
    if not layout.settings.exists():
        return None
    content = json.loads(layout.settings.read_text())
    return Settings(**{**content, "apiserver_flags": tuple(content["apiserver_flags"])})


def _decide_settings(
    layout: Layout, binaries: Binaries, durable: bool, apiserver_flags: tuple[str, ...]
) -> Settings:
    earlier = load_settings(layout)
    if earlier is not None and all(is_free(port) for port in earlier.ports.values()):
        ports = dict(earlier.ports)
    else:
        ports = free_ports(PORTS)
    settings = Settings(
        ports=ports,
        binaries={name: str(binaries[name]) for name in ORDER},
        durable=durable,
        apiserver_flags=apiserver_flags,
    )
    write_private(layout.settings, json.dumps(asdict(settings), indent=2).encode())
    return settings


def take(layout: Layout, seconds: float = 0, progress: Progress | None = None) -> FileLock:
    """Lock a state folder.

    Args:
        layout: The folder, which must exist.
        seconds: How long to wait for whoever has it.
        progress: Where to show the wait.

    Raises:
        InUseError: Somebody still has it.
    """
    lock = FileLock(layout.lock)
    shown = progress or Quiet()
    if not lock.acquire(seconds, lambda pid: shown.say(f"Waiting for process {pid}")):
        raise InUseError(
            f"{layout.root} is in use by process {lock.holder}. Wait for it, end it, or choose "
            f"another folder with --dir"
        )
    return lock


class ControlPlane(Cluster):
    """A running control plane that ends with its owner; make one by `start`.

    Attributes:
        components: etcd, kube-apiserver and kube-controller-manager by name.
    """

    def __init__(
        self, layout: Layout, settings: Settings, binaries: Binaries, lock: FileLock
    ) -> None:
        super().__init__(layout.root, layout.kubeconfig, binaries)
        self._layout = layout
        self._lock = lock
        self._supervisor = Supervisor(
            layout.processes, layout.log("supervisor"), keep_open=lock.descriptor
        )
        self.components = {
            name: Component(name, layout, settings, self._supervisor) for name in ORDER
        }

    @classmethod
    def start(
        cls,
        directory: Path,
        binaries: Binaries,
        *,
        progress: Progress | None = None,
        durable: bool = False,
        apiserver_flags: tuple[str, ...] = (),
        lock: FileLock | None = None,
    ) -> Self:
        """Start a control plane, with the state of an earlier one in the same folder.

        It ends on `stop`, at the end of a `with` block, and when this process dies.

        Args:
            directory: Its state folder, made when missing.
            binaries: The binaries of `recipes.CONTROL_PLANE`.
            progress: Where to show the wait.
            durable: Whether an outage of the machine may not lose data.
            apiserver_flags: Further flags of kube-apiserver.
            lock: The folder's lock if the caller has it; it is taken over.

        Raises:
            InUseError: Another process has the folder.
            StartError: A component did not start; the message has its log.
        """
        layout = Layout(directory.absolute())
        layout.create()
        lock = lock or take(layout)
        try:
            # Of an owner whose supervisor was killed with it.
            stop_recorded(layout.processes)
            create_certificates(layout)
            settings = _decide_settings(layout, binaries, durable, apiserver_flags)
            _write_kubeconfigs(layout, settings)
            plane = cls(layout, settings, binaries, lock)
        except BaseException:
            lock.release()
            raise
        try:
            with (progress or Quiet()).task("Starting etcd, kube-apiserver and its controllers"):
                for component in plane.components.values():
                    component.start()
        except BaseException:
            plane.stop()
            raise
        return plane

    @property
    def etcd(self) -> Component:
        """The store."""
        return self.components[ETCD]

    @property
    def apiserver(self) -> Component:
        """The API server."""
        return self.components[APISERVER]

    @property
    def controller_manager(self) -> Component:
        """The controllers: namespace deletion, garbage collection and so on."""
        return self.components[CONTROLLER_MANAGER]

    @property
    def supervisor_pid(self) -> int:
        """The process that ends the others when this one dies."""
        return self._supervisor.pid

    def stop(self) -> None:
        """Stop all, the last started first, and wait for each; harmless when repeated."""
        try:
            self._supervisor.close()
        finally:
            self._lock.release()

    def detach(self) -> None:
        """Leave it running after this process; `local down` ends it."""
        self._supervisor.detach()
        self._lock.release()

    def save_etcd(self, target: Path) -> None:
        """Copy all that is stored, as of now, with etcd stopped meanwhile.

        etcd is killed: it replays its log, so nothing it acknowledged is lost, while
        a polite stop waits seven seconds for the API server to let go.

        Args:
            target: A folder that does not exist yet.
        """
        self.etcd.kill()
        shutil.copytree(self._layout.etcd_data, target)
        self.etcd.start()
        self.apiserver.wait_ready()

    def restore_etcd(self, source: Path) -> None:
        """Go back to an earlier state of all that is stored, as after a disaster.

        The API server and the controllers are restarted, as the etcd documentation
        asks: their caches know revisions that are in the future now.

        Args:
            source: What `save_etcd` wrote.
        """
        for component in reversed(self.components.values()):
            component.stop()
        fresh = self._layout.etcd_data.with_name(f"etcd-{os.getpid()}")
        shutil.copytree(source, fresh)
        shutil.rmtree(self._layout.etcd_data)
        fresh.rename(self._layout.etcd_data)
        for component in self.components.values():
            component.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _write_kubeconfigs(layout: Layout, settings: Settings) -> None:
    for user, path in (
        (ADMIN, layout.kubeconfig),
        (CONTROLLER_MANAGER, layout.component_kubeconfig(CONTROLLER_MANAGER)),
    ):
        write_kubeconfig(
            path,
            server=settings.server,
            ca=layout.ca,
            user=certificate_user(layout.certificate(user), layout.key(user)),
        )
