"""What can be built, and how: the one list of binaries with their Go modules.

Versions live in the go.mod files beside this module and nowhere else; `go.sum`
pins every byte. Kubernetes says `v0.0.0-master` of itself unless the linker is
told its version, and kubectl then refuses to compare versions with the server.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MODULES = Path(__file__).with_name("modules")


def _kubernetes_stamp(version: str) -> dict[str, str]:
    major, minor, _ = version.removeprefix("v").split(".", 2)
    return {
        f"{package}.{name}": value
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
        for name, value in (("gitVersion", version), ("gitMajor", major), ("gitMinor", minor))
    }


def _helm_stamp(version: str) -> dict[str, str]:
    return {"helm.sh/helm/v4/internal/version.version": version}


def _argocd_stamp(version: str) -> dict[str, str]:
    return {"github.com/argoproj/argo-cd/v3/common.version": version.removeprefix("v")}


def _no_stamp(_version: str) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Recipe:
    """How to build one binary.

    Attributes:
        name: The binary's file name.
        module: The folder with its go.mod and go.sum.
        package: The Go package of its `main`.
        requirement: The Go module that carries its version.
        stamp: The linker's variables for a version.
        data: Folders of the requirement to keep beside the binary, by their new name.
        links: Further names of the same binary, for one that acts by its name.
    """

    name: str
    module: Path
    package: str
    requirement: str
    stamp: Callable[[str], Mapping[str, str]] = _no_stamp
    data: Mapping[str, str] = field(default_factory=dict)
    links: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The version that go.mod requires, such as `v1.36.3`."""
        text = (self.module / "go.mod").read_text()
        found = re.search(rf"\s{re.escape(self.requirement)} (v\S+)", text)
        if found is None:
            raise ValueError(f"{self.module / 'go.mod'} does not require {self.requirement}")
        return found[1]

    @property
    def go(self) -> str:
        """The Go version that go.mod asks for, such as `1.26.0`."""
        found = re.search(r"^go (\S+)$", (self.module / "go.mod").read_text(), re.MULTILINE)
        if found is None:
            raise ValueError(f"{self.module / 'go.mod'} has no go line")
        return found[1]

    @property
    def ldflags(self) -> str:
        """The linker's flags: no debug tables, and the version."""
        stamps = (f"-X {name}={value}" for name, value in self.stamp(self.version).items())
        return " ".join(("-s", "-w", *stamps))

    @property
    def alternative(self) -> str:
        """Where else one may get it, as the end of a message; empty when nowhere."""
        if self.name not in CONTROL_PLANE:
            return ""
        minor = ".".join(RECIPES["kube-apiserver"].version.removeprefix("v").split(".")[:2])
        return (
            f" Or set KUBEBUILDER_ASSETS to a folder that has {', '.join(CONTROL_PLANE)} of "
            f"Kubernetes {minor} (`setup-envtest use {minor}.x -p path` prints one that lacks "
            f"only kube-controller-manager)."
        )

    @property
    def digest(self) -> str:
        """A hash of all that decides what comes out, so that a changed recipe builds anew."""
        content = hashlib.sha256()
        for part in ("go.mod", "go.sum"):
            content.update((self.module / part).read_bytes())
        content.update(f"{self.package} {self.ldflags} {sorted(self.data.items())}".encode())
        return content.hexdigest()[:12]


def _kubernetes(name: str) -> Recipe:
    return Recipe(
        name,
        MODULES / "kubernetes",
        f"k8s.io/kubernetes/cmd/{name}",
        "k8s.io/kubernetes",
        _kubernetes_stamp,
    )


RECIPES: Mapping[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("etcd", MODULES / "etcd", "go.etcd.io/etcd/server/v3", "go.etcd.io/etcd/server/v3"),
        _kubernetes("kube-apiserver"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kubectl"),
        Recipe(
            "helm", MODULES / "helm", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4", _helm_stamp
        ),
        Recipe(
            "argocd",
            MODULES / "argocd",
            "github.com/argoproj/argo-cd/v3/cmd",
            "github.com/argoproj/argo-cd/v3",
            _argocd_stamp,
            data={"crds": "manifests/crds"},
            links=("argocd-application-controller", "argocd-repo-server"),
        ),
        Recipe("kind", MODULES / "kind", "sigs.k8s.io/kind", "sigs.k8s.io/kind"),
    )
}

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
"""The binaries of a control plane of one's own, in the order of their start."""
