"""Compile one binary, visibly, and never half.

The compiler runs under a supervisor, so that Ctrl-C or the caller's death ends
it too: a forgotten Go build takes the whole machine for minutes.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from together_local.cluster.errors import BuildError, PrerequisiteError
from together_local.cluster.processes import Process
from together_local.cluster.progress import Progress, Update
from together_local.cluster.recipes import Recipe
from together_local.cluster.supervision import Supervisor
from together_local.cluster.toolchain import Toolchain, go_environment

_LOOK_SECONDS = 0.2
_SHOWN_LINES = 20


class Builder:
    """Compiles recipes with one toolchain.

    Args:
        toolchain: The Go to use.
        progress: Where to show what is going on.
        keep_open: The descriptor of the cache's lock, held until the compiler ended.
    """

    def __init__(self, toolchain: Toolchain, progress: Progress, keep_open: int) -> None:
        self._toolchain = toolchain
        self._progress = progress
        self._keep_open = keep_open

    def build(self, recipe: Recipe, target: Path, position: str) -> None:
        """Compile a recipe and put binary, data and links into a folder.

        The binary comes last and by a rename: a folder that has it has everything.

        Args:
            recipe: What to build.
            target: The folder.
            position: Which of how many this is, such as `1 of 4`.

        Raises:
            BuildError: The compiler refused.
            PrerequisiteError: The disk filled up meanwhile, or no module could be fetched.
        """
        self._toolchain.check_space(target)
        target.mkdir(parents=True, exist_ok=True)
        for forgotten in target.glob(".building-*"):
            shutil.rmtree(forgotten)
        title = f"Building {recipe.name} {recipe.version} ({position})"
        with tempfile.TemporaryDirectory(prefix=".building-", dir=target) as folder:
            partial = Path(folder)
            with self._progress.task(title) as update:
                self._go(
                    recipe,
                    partial,
                    [
                        *("build", "-v", "-mod=readonly", "-trimpath"),
                        *("-ldflags", recipe.ldflags, "-o", str(partial / recipe.name)),
                        recipe.package,
                    ],
                    update,
                )
                for name, source in recipe.data.items():
                    self._keep(recipe, partial, name, source, target)
            for link in recipe.links:
                (target / link).unlink(missing_ok=True)
                (target / link).symlink_to(recipe.name)
            (partial / recipe.name).rename(target / recipe.name)

    def _keep(self, recipe: Recipe, partial: Path, name: str, source: str, target: Path) -> None:
        """Copy a folder of the module's source, for example manifests, into the target."""
        listing = partial / "module"
        self._go(
            recipe,
            partial,
            ["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", recipe.requirement],
            lambda _detail: None,
            log=listing,
        )
        folder = Path(listing.read_text().strip().splitlines()[-1]) / source
        shutil.rmtree(target / name, ignore_errors=True)
        shutil.copytree(folder, target / name, copy_function=shutil.copyfile)
        for path in (target / name, *(target / name).rglob("*")):
            # The module cache is read-only, folders too; a copy must stay removable.
            path.chmod(0o755 if path.is_dir() else 0o644)

    def _go(
        self,
        recipe: Recipe,
        partial: Path,
        arguments: Sequence[str],
        update: Update,
        log: Path | None = None,
    ) -> None:
        output = log or partial / "log"
        result = partial / "result"
        result.unlink(missing_ok=True)
        environment: Mapping[str, str] = {**go_environment(), "TMPDIR": str(partial)}
        # A shell keeps the exit status, which only a parent process learns.
        shell = ["sh", "-c", '"$@"; echo $? > "$0"', str(result)]
        with Supervisor(
            partial / "processes.json", partial / "supervisor.log", self._keep_open
        ) as supervisor:
            process = supervisor.start(
                "go",
                [*shell, "nice", self._toolchain.go, *arguments],
                env=environment,
                cwd=recipe.module,
                log=output,
            )
            _follow(process, output, update)
        if not result.exists() or result.read_text().strip() != "0":
            raise _failure(recipe, output.read_text(errors="replace"))


def _follow(process: Process, output: Path, update: Update) -> None:
    """Show the compiler's last step until it ends."""
    while process.alive:
        lines = output.read_text(errors="replace").splitlines() if output.exists() else []
        fetched = sum(line.startswith("go: downloading ") for line in lines)
        compiled = len(lines) - fetched
        if compiled:
            update(f"{compiled} packages compiled")
        elif fetched:
            update(f"{fetched} modules fetched")
        time.sleep(_LOOK_SECONDS)


def _failure(recipe: Recipe, log: str) -> BuildError | PrerequisiteError:
    lines = [line for line in log.splitlines() if re.search(r"[:\s]", line.strip())]
    said = "\n".join(f"  {line}" for line in lines[-_SHOWN_LINES:] if "go: downloading" not in line)
    what = f"{recipe.name} {recipe.version} could not be built"
    if "no space left on device" in log:
        return PrerequisiteError(f"{what}: the disk is full. Make room and try again.\n{said}")
    if re.search(r"dial tcp|connection refused|no such host|i/o timeout|proxyconnect", log):
        return PrerequisiteError(
            f"{what}: its Go modules could not be fetched. Check the network, or GOPROXY "
            f"(`go env GOPROXY`).{recipe.alternative}\n{said}"
        )
    return BuildError(f"{what} in {recipe.module}:\n{said or '  (the compiler was ended)'}")
