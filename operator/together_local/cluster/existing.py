"""A cluster that somebody else runs, used only when it was chosen explicitly."""

from __future__ import annotations

import os
from pathlib import Path

from together_local.cluster.binaries import Binaries
from together_local.cluster.certificates import write_private
from together_local.cluster.cluster import Cluster
from together_local.cluster.errors import ClusterError, PrerequisiteError


class ExistingCluster(Cluster):
    """The cluster of the current kubeconfig.

    Its kubeconfig is copied, current context only: a later `kubectl config
    use-context` of the person must not turn a running test towards another cluster.

    Args:
        directory: A folder for the files about it.
        binaries: Where kubectl is.

    Raises:
        PrerequisiteError: No kubeconfig leads to a cluster that answers.
    """

    def __init__(self, directory: Path, binaries: Binaries) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        copy = directory / "kubeconfig"
        super().__init__(directory, copy, binaries)
        chosen = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config")
        # KUBECONFIG may be a list of files, which kubectl merges.
        view = self.kubectl(
            *("config", "view", "--raw", "--minify", "--flatten"),
            check=False,
            kubeconfig=Path(chosen),
        )
        if view.returncode != 0:
            raise PrerequisiteError(
                f"KUBECONFIG={chosen} has no usable current context: {view.stderr.strip()} "
                f"Set KUBECONFIG to the cluster to use, or choose `--cluster local`."
            )
        write_private(copy, view.stdout.encode())
        try:
            self.kubectl("get", "--raw", "/readyz", timeout=30)
        except ClusterError as error:
            raise PrerequisiteError(
                f"The cluster {self.server} of KUBECONFIG={chosen} does not answer: {error}"
            ) from error
