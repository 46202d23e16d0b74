"""Where a control plane keeps its files: one folder, of its owner alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Layout:
    """The files of one control plane.

    Attributes:
        root: The state folder.
    """

    root: Path

    def create(self) -> None:
        """Make the folders, readable by their owner only: they hold keys."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for folder in (self.certificates, self.logs, self.etcd_data):
            folder.mkdir(exist_ok=True, mode=0o700)

    @property
    def certificates(self) -> Path:
        """Certificates and keys."""
        return self.root / "certificates"

    @property
    def ca(self) -> Path:
        """The certificate that all others are signed by."""
        return self.certificates / "ca.crt"

    @property
    def logs(self) -> Path:
        """One log per component."""
        return self.root / "logs"

    @property
    def etcd_data(self) -> Path:
        """All that the API server stores; etcd insists on mode 0700."""
        return self.root / "etcd"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.root / "kubeconfig"

    @property
    def settings(self) -> Path:
        """Ports and binaries, kept over a restart."""
        return self.root / "settings.json"

    @property
    def processes(self) -> Path:
        """The running processes, written by the supervisor."""
        return self.root / "processes.json"

    @property
    def lock(self) -> Path:
        """Held by whoever starts, owns or stops this control plane."""
        return self.root / "lock"

    def certificate(self, name: str) -> Path:
        """The certificate of a component."""
        return self.certificates / f"{name}.crt"

    def key(self, name: str) -> Path:
        """The private key of a component."""
        return self.certificates / f"{name}.key"

    def component_kubeconfig(self, name: str) -> Path:
        """The kubeconfig of a component."""
        return self.certificates / f"{name}.kubeconfig"

    def log(self, name: str) -> Path:
        """The log of a component."""
        return self.logs / f"{name}.log"
