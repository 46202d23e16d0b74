"""A cluster in containers, by kind: real nodes, for who has a container engine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from together_local.cluster.binaries import Binaries, BinaryCache
from together_local.cluster.cluster import Cluster
from together_local.cluster.errors import CommandError, PrerequisiteError
from together_local.cluster.progress import Progress, Quiet

_NAME = "together-operator-test"
_ENGINES = ("docker", "podman", "nerdctl")
_CREATE_SECONDS = 600.0


def container_engine() -> str:
    """Find a container engine that works.

    Raises:
        PrerequisiteError: None is there, or none answers; the message has what each said.
    """
    said = []
    for engine in _ENGINES:
        path = shutil.which(engine)
        if path is None:
            said.append(f"{engine}: not on PATH")
            continue
        asked = subprocess.run(
            [path, "info"], capture_output=True, text=True, timeout=60, check=False
        )
        if asked.returncode == 0:
            return engine
        complaint = (asked.stderr or asked.stdout).strip().splitlines()
        said.append(f"{engine}: {complaint[-1] if complaint else 'does not answer'}")
    raise PrerequisiteError(
        "kind needs a container engine that runs (Docker, Podman or nerdctl). Start one, or "
        "choose `--cluster local`, which needs none.\n  " + "\n  ".join(said)
    )


def find_kind(progress: Progress | None = None) -> Path:
    """Find kind on PATH, or build it.

    Args:
        progress: Where to show a build.
    """
    installed = shutil.which("kind")
    return Path(installed) if installed else BinaryCache().ensure(["kind"], progress)["kind"]


class KindCluster(Cluster):
    """A kind cluster of our own, deleted by `stop`.

    It always has the same name: one that a killed session left behind is replaced.

    Args:
        directory: A folder for the files about it.
        binaries: Where kubectl is.
        progress: Where to show the wait.

    Raises:
        PrerequisiteError: There is no container engine.
        CommandError: kind refused.
    """

    def __init__(
        self, directory: Path, binaries: Binaries, progress: Progress | None = None
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__(directory, directory / "kubeconfig", binaries)
        shown = progress or Quiet()
        self._engine = container_engine()
        self._kind = find_kind(shown)
        try:
            with shown.task(f"Creating the kind cluster {_NAME} with {self._engine}"):
                self._run_kind("delete", "cluster")
                self._run_kind("create", "cluster", "--wait", "180s")
        except BaseException:
            self.stop()
            raise

    def _run_kind(self, *args: str) -> None:
        command = [str(self._kind), *args, "--name", _NAME, "--kubeconfig", str(self.kubeconfig)]
        result = subprocess.run(
            command,
            env={**os.environ, "KIND_EXPERIMENTAL_PROVIDER": self._engine},
            capture_output=True,
            text=True,
            timeout=_CREATE_SECONDS,
            check=False,
        )
        if result.returncode != 0:
            raise CommandError(command, result.returncode, result.stdout, result.stderr)

    def stop(self) -> None:
        """Delete the cluster."""
        self._run_kind("delete", "cluster")
