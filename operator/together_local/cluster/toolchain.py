"""The Go toolchain, and what a machine must have before a build is begun.

A build that is bound to fail is refused at once, with the way to make it work:
nobody should wait three minutes to read `no space left on device`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from together_local.cluster.errors import PrerequisiteError
from together_local.cluster.recipes import Recipe

# A cold build fills the module cache with 1.3 GB and the build cache with 3 GB;
# a warm one needs little. Below this even a warm one is not worth beginning.
_FREE_BYTES = 2 * 1024**3


def go_environment() -> dict[str, str]:
    """The environment of a Go command: the caller's, with only what the recipe needs.

    The proxy, the flags and the folders stay what the machine says. The toolchain
    stays the installed one, and cgo off, so that a C compiler is not needed. What is
    built is for this machine and of its own go.mod, whatever the caller works on.
    """
    kept = {name: value for name, value in os.environ.items() if name not in ("GOOS", "GOARCH")}
    return {**kept, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOWORK": "off"}


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


@dataclass(frozen=True)
class Toolchain:
    """A Go installation that is good enough.

    Attributes:
        go: The `go` command.
        version: Its version, such as `go1.26.8`.
        caches: The folders that a build fills.
    """

    go: str
    version: str
    caches: tuple[Path, ...]

    @classmethod
    def find(cls, recipe: Recipe) -> Toolchain:
        """Find Go on PATH.

        Args:
            recipe: What is to be built.

        Raises:
            PrerequisiteError: There is no Go, or it is too old.
        """
        go = shutil.which("go")
        how = (
            f"Install Go {recipe.go} or newer (https://go.dev/dl/) and put it on PATH."
            f"{recipe.alternative}"
        )
        if go is None:
            raise PrerequisiteError(
                f"Go is needed to build {recipe.name}, and is not on PATH. {how}"
            )
        found = subprocess.run(
            [go, "env", "-json", "GOVERSION", "GOCACHE", "GOMODCACHE"],
            env=go_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if found.returncode != 0:
            raise PrerequisiteError(f"`{go} env` failed: {found.stderr.strip()} {how}")
        facts: Mapping[str, str] = json.loads(found.stdout)
        version = facts["GOVERSION"]
        if _numbers(version) < _numbers(recipe.go):
            raise PrerequisiteError(
                f"Go {recipe.go} or newer is needed to build {recipe.name}; {go} is {version}. "
                f"{how}"
            )
        return cls(go, version, (Path(facts["GOCACHE"]), Path(facts["GOMODCACHE"])))

    def check_space(self, target: Path) -> None:
        """Refuse to begin on a full disk.

        Args:
            target: The folder that the binaries go to.

        Raises:
            PrerequisiteError: A folder that the build fills has less than 2 GiB free.
        """
        for folder in (target, *self.caches):
            existing = next(path for path in (folder, *folder.parents) if path.exists())
            free = shutil.disk_usage(existing).free
            if free < _FREE_BYTES:
                raise PrerequisiteError(
                    f"{folder} has {free / 1024**3:.1f} GiB free; a build needs at least "
                    f"{_FREE_BYTES / 1024**3:.0f} GiB, the first one about 5 GiB. Make room, or "
                    f"set TOGETHER_OPERATOR_CACHE, GOCACHE and GOMODCACHE to folders on another "
                    f"disk."
                )
