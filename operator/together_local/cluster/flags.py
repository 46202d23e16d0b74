"""The command lines of etcd, kube-apiserver and kube-controller-manager.

Flags are as in kubeadm where they matter to the operator (RBAC, the admission
plugins, the controllers that delete namespaces and collect garbage), and as in
envtest where they only make it start faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from together_local.cluster.certificates import (
    APISERVER_TO_ETCD,
    SERVER,
    SERVICE_ACCOUNTS,
)
from together_local.cluster.layout import Layout

ETCD = "etcd"
APISERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"

ORDER = (ETCD, APISERVER, CONTROLLER_MANAGER)
"""The components in the order of their start."""

PORTS = (ETCD, "etcd-peer", APISERVER, CONTROLLER_MANAGER)
"""What needs a port."""


@dataclass(frozen=True)
class Settings:
    """What is decided once and kept over restarts.

    Attributes:
        ports: A loopback port for each of `PORTS`.
        binaries: Each component's binary.
        durable: Whether etcd waits for the disk. Without, it is faster, and an
            outage of the machine (not of the process) loses data.
        apiserver_flags: Further flags of kube-apiserver, such as an audit log's.
    """

    ports: Mapping[str, int]
    binaries: Mapping[str, str]
    durable: bool = True
    apiserver_flags: tuple[str, ...] = ()

    @property
    def server(self) -> str:
        """The API server's URL."""
        return f"https://127.0.0.1:{self.ports[APISERVER]}"


def command_line(name: str, layout: Layout, settings: Settings) -> list[str]:
    """The command line of a component.

    Args:
        name: One of `ORDER`.
        layout: Its files.
        settings: Its ports and binary.
    """
    flags = {ETCD: _etcd, APISERVER: _apiserver, CONTROLLER_MANAGER: _controller_manager}
    return [str(Path(settings.binaries[name])), *flags[name](layout, settings)]


def _etcd(layout: Layout, settings: Settings) -> list[str]:
    client = f"https://127.0.0.1:{settings.ports[ETCD]}"
    peer = f"https://127.0.0.1:{settings.ports['etcd-peer']}"
    tls = [
        flag
        for prefix in ("", "peer-")
        for flag in (
            f"--{prefix}cert-file={layout.certificate(SERVER)}",
            f"--{prefix}key-file={layout.key(SERVER)}",
            f"--{prefix}trusted-ca-file={layout.ca}",
            f"--{prefix}client-cert-auth",
        )
    ]
    return [
        "--name=local",
        f"--data-dir={layout.etcd_data}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=local={peer}",
        *tls,
        "--log-level=warn",
        *([] if settings.durable else ["--unsafe-no-fsync"]),
    ]


def _apiserver(layout: Layout, settings: Settings) -> list[str]:
    return [
        f"--etcd-servers=https://127.0.0.1:{settings.ports[ETCD]}",
        f"--etcd-cafile={layout.ca}",
        f"--etcd-certfile={layout.certificate(APISERVER_TO_ETCD)}",
        f"--etcd-keyfile={layout.key(APISERVER_TO_ETCD)}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={settings.ports[APISERVER]}",
        f"--cert-dir={layout.certificates}",
        f"--tls-cert-file={layout.certificate(SERVER)}",
        f"--tls-private-key-file={layout.key(SERVER)}",
        f"--client-ca-file={layout.ca}",
        f"--service-account-key-file={layout.certificate(SERVICE_ACCOUNTS)}",
        f"--service-account-signing-key-file={layout.key(SERVICE_ACCOUNTS)}",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--authorization-mode=RBAC",
        # It would make each pod wait for a token that no kubelet asks for.
        "--disable-admission-plugins=ServiceAccount",
        # No Service leads to a loopback address.
        "--endpoint-reconciler-type=none",
        # Without, one open watch keeps a stopping server for a minute.
        "--shutdown-watch-termination-grace-period=1s",
        *settings.apiserver_flags,
    ]


def _controller_manager(layout: Layout, settings: Settings) -> list[str]:
    kubeconfig = layout.component_kubeconfig(CONTROLLER_MANAGER)
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--bind-address=127.0.0.1",
        f"--secure-port={settings.ports[CONTROLLER_MANAGER]}",
        f"--cert-dir={layout.certificates}",
        f"--tls-cert-file={layout.certificate(SERVER)}",
        f"--tls-private-key-file={layout.key(SERVER)}",
        f"--service-account-private-key-file={layout.key(SERVICE_ACCOUNTS)}",
        f"--root-ca-file={layout.ca}",
        "--use-service-account-credentials",
        # There are no nodes.
        "--controllers=*,-nodelifecycle,-nodeipam",
        # Alone, it need not wait for the lease of a killed predecessor.
        "--leader-elect=false",
    ]
