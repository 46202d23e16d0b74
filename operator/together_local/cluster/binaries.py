"""Find the binaries of a cluster, or build them once for this machine.

The order is: what KUBEBUILDER_ASSETS points to, what the cache has, and only
then a build. The cache is shared by all checkouts of one user: an entry is named
by its version and by a hash of its recipe, so that no checkout disturbs another.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from together_local.cluster.build import Builder
from together_local.cluster.errors import PrerequisiteError
from together_local.cluster.locking import FileLock
from together_local.cluster.progress import Progress, Quiet
from together_local.cluster.recipes import CONTROL_PLANE, RECIPES, Recipe
from together_local.cluster.toolchain import Toolchain

# The commands that a person types: they get a place to put on PATH.
_COMMANDS = ("kubectl", "helm")


def cache_root() -> Path:
    """The folder of the cache: TOGETHER_OPERATOR_CACHE, or the user's cache folder."""
    chosen = os.environ.get("TOGETHER_OPERATOR_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return platformdirs.user_cache_path("together-operator")


@dataclass(frozen=True)
class Binaries:
    """Where the binaries are.

    Attributes:
        paths: Each binary's file by its name.
        bin: The folder to put on PATH for kubectl and helm.
    """

    paths: Mapping[str, Path]
    bin: Path

    def __getitem__(self, name: str) -> Path:
        return self.paths[name]


class BinaryCache:
    """The binaries of this machine.

    Args:
        root: The cache's folder; `cache_root()` by default.
        recipes: What can be built.
    """

    def __init__(
        self, root: Path | None = None, recipes: Mapping[str, Recipe] | None = None
    ) -> None:
        self.root = root or cache_root()
        self._recipes = RECIPES if recipes is None else recipes

    @property
    def bin(self) -> Path:
        """The folder that holds kubectl and helm once they were asked for."""
        return self.root / "bin"

    def folder(self, name: str) -> Path:
        """Where the cache keeps a binary and what belongs to it, built or not."""
        recipe = self._recipes[name]
        machine = f"{platform.system()}-{platform.machine()}".lower()
        return self.root / f"{recipe.name}-{recipe.version}-{machine}-{recipe.digest}"

    def find(self, name: str) -> Path | None:
        """A binary that is there already: in KUBEBUILDER_ASSETS, else in the cache."""
        assets = os.environ.get("KUBEBUILDER_ASSETS") if name in CONTROL_PLANE else None
        for folder in (Path(assets) if assets else None, self.folder(name)):
            if folder is not None and os.access(folder / name, os.X_OK):
                return folder / name
        return None

    def ensure(self, names: Iterable[str], progress: Progress | None = None) -> Binaries:
        """Find binaries, and build what is missing.

        Args:
            names: The binaries, by the names in `RECIPES`.
            progress: Where to show a build; it can take minutes.

        Raises:
            PrerequisiteError: What a build needs is not on this machine.
            BuildError: The compiler refused.
        """
        wanted = list(names)
        if set(wanted) & set(CONTROL_PLANE):
            check_assets(self._recipes)
        if any(self.find(name) is None for name in wanted):
            self._build(wanted, progress or Quiet())
        paths = {name: path for name in wanted if (path := self.find(name))}
        for name in _COMMANDS:
            if name in paths:
                self._link(paths[name])
        return Binaries(paths, self.bin)

    def _build(self, wanted: list[str], progress: Progress) -> None:
        lock = FileLock(self.root / "build.lock")
        lock.acquire(
            on_wait=lambda pid: progress.say(
                f"Waiting for process {pid}, which is building into {self.root}"
            )
        )
        try:
            # Whoever held the lock before may have built just these.
            missing = [name for name in wanted if self.find(name) is None]
            for position, name in enumerate(missing, start=1):
                recipe = self._recipes[name]
                toolchain = Toolchain.find(recipe)
                if position == 1:
                    progress.say(
                        f"Building {', '.join(missing)} with {toolchain.version} into "
                        f"{self.root}, once; this takes some minutes"
                    )
                builder = Builder(toolchain, progress, lock.descriptor)
                builder.build(recipe, self.folder(name), f"{position} of {len(missing)}")
        finally:
            lock.release()

    def _link(self, path: Path) -> None:
        self.bin.mkdir(parents=True, exist_ok=True)
        link = self.bin / path.name
        if link.is_symlink() and link.readlink() == path:
            return
        fresh = self.bin / f".{path.name}-{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(path)
        fresh.replace(link)


def check_assets(recipes: Mapping[str, Recipe] = RECIPES) -> None:
    """Refuse a KUBEBUILDER_ASSETS that cannot work together with what is built here.

    setup-envtest has no kube-controller-manager, so that one comes from the cache,
    and Kubernetes does not support one that is newer than its API server.

    Raises:
        PrerequisiteError: The folder has no kube-apiserver, or one of another minor version.
    """
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if not assets:
        return
    server = Path(assets) / "kube-apiserver"
    ours = recipes["kube-apiserver"].version
    minor = ".".join(ours.split(".")[:2]).removeprefix("v")
    how = (
        f"Unset it, or use binaries of Kubernetes {minor}: "
        f"export KUBEBUILDER_ASSETS=$(setup-envtest use {minor}.x -p path)"
    )
    if not os.access(server, os.X_OK):
        raise PrerequisiteError(f"KUBEBUILDER_ASSETS={assets} has no kube-apiserver. {how}")
    said = subprocess.run([server, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"v\d+\.\d+", said.stdout)
    if (Path(assets) / "kube-controller-manager").exists():
        return
    if found is None or found[0].removeprefix("v") != minor:
        raise PrerequisiteError(
            f"KUBEBUILDER_ASSETS={assets} has {said.stdout.strip() or 'an unknown kube-apiserver'} "
            f"and no kube-controller-manager; the one built here is {ours}. {how}"
        )
