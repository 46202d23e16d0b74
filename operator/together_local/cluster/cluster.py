"""What demo and tests need of any cluster, whoever runs it."""

from __future__ import annotations

import base64
import os
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from together_local.cluster.binaries import Binaries
from together_local.cluster.errors import ClusterError, CommandError
from together_local.cluster.kubeconfig import token_user, write_kubeconfig

_COMMAND_SECONDS = 120.0


class Cluster:
    """A cluster to which we are administrator.

    Args:
        directory: A folder for the files about it.
        kubeconfig: The administrator's kubeconfig; its current context counts.
        binaries: Where kubectl, and helm if wanted, are.
    """

    def __init__(self, directory: Path, kubeconfig: Path, binaries: Binaries) -> None:
        self.directory = directory
        self.kubeconfig = kubeconfig
        self.binaries = binaries

    @property
    def bin(self) -> Path:
        """The folder that has kubectl (and helm, once asked for), to put on PATH."""
        return self.binaries.bin

    def _context(self) -> tuple[dict[str, str], dict[str, str]]:
        content = yaml.safe_load(self.kubeconfig.read_text())
        contexts = {entry["name"]: entry["context"] for entry in content["contexts"]}
        context = contexts[content["current-context"]]
        clusters = {entry["name"]: entry["cluster"] for entry in content["clusters"]}
        users = {entry["name"]: entry["user"] for entry in content["users"]}
        return clusters[context["cluster"]], users[context["user"]]

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._context()[0]["server"]

    @property
    def port(self) -> int:
        """The API server's port."""
        return urlsplit(self.server).port or 443

    @property
    def ca(self) -> Path:
        """A file with the certificate of the cluster's CA."""
        cluster, _user = self._context()
        if "certificate-authority" in cluster:
            return Path(cluster["certificate-authority"])
        if "certificate-authority-data" not in cluster:
            raise ClusterError(f"{self.kubeconfig} names no certificate authority")
        path = self.directory / "cluster-ca.crt"
        # Whole at once: somebody else may be reading it.
        with tempfile.NamedTemporaryFile(dir=self.directory, delete=False) as file:
            file.write(base64.b64decode(cluster["certificate-authority-data"]))
        return Path(file.name).rename(path)

    @property
    def administrator(self) -> dict[str, str]:
        """The administrator's credentials, as a kubeconfig's user entry."""
        return self._context()[1]

    def environment(self, kubeconfig: Path | None = None) -> dict[str, str]:
        """The environment in which kubectl and helm know this cluster and no other.

        Nothing of the person's own configuration takes part: no cached discovery of
        another server on the same port, no plugins, no kuberc.

        Args:
            kubeconfig: The kubeconfig to use; the administrator's by default.
        """
        return {
            **os.environ,
            "KUBECONFIG": str(kubeconfig or self.kubeconfig),
            "PATH": f"{self.bin}{os.pathsep}{os.environ.get('PATH', '')}",
            "KUBECACHEDIR": str(self.directory / "kubectl-cache"),
            "KUBERC": "off",
            "HELM_CACHE_HOME": str(self.directory / "helm/cache"),
            "HELM_CONFIG_HOME": str(self.directory / "helm/config"),
            "HELM_DATA_HOME": str(self.directory / "helm/data"),
        }

    def kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - as subprocess.run calls it
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout: float = _COMMAND_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl.

        Args:
            args: Its arguments.
            input: What to give it as standard input, for `-f -`.
            check: Whether a non-zero exit is an error.
            kubeconfig: Whom to act as; the administrator by default.
            timeout: Seconds until it is ended.

        Raises:
            CommandError: It returned non-zero.
            subprocess.TimeoutExpired: It took too long.
        """
        command = [str(self.binaries["kubectl"]), *args]
        return self._run(command, input, check, kubeconfig, timeout)

    def helm(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - as subprocess.run calls it
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout: float = 2 * _COMMAND_SECONDS,
    ) -> subprocess.CompletedProcess[str]:
        """Run helm, which must be among the binaries; arguments as for `kubectl`."""
        command = [str(self.binaries["helm"]), *args]
        return self._run(command, input, check, kubeconfig, timeout)

    def _run(
        self,
        command: list[str],
        given: str | None,
        check: bool,
        kubeconfig: Path | None,
        timeout: float,
    ) -> subprocess.CompletedProcess[str]:
        # Without input it must not read the caller's.
        result = subprocess.run(
            command,
            input=given or "",
            env=self.environment(kubeconfig),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and result.returncode != 0:
            raise CommandError(command, result.returncode, result.stdout, result.stderr)
        return result

    def service_account_kubeconfig(
        self, namespace: str, name: str, path: Path, *, duration: str = "8h"
    ) -> Path:
        """Write a kubeconfig that acts as a ServiceAccount, with its RBAC and no more.

        Args:
            namespace: The ServiceAccount's namespace, also the context's.
            name: The ServiceAccount, which must exist.
            path: The file to write.
            duration: How long the token is good for, such as `10m`.

        Returns:
            `path`.
        """
        token = self.kubectl("create", "token", name, "-n", namespace, "--duration", duration)
        write_kubeconfig(
            path,
            server=self.server,
            ca=self.ca,
            user=token_user(token.stdout.strip()),
            namespace=namespace,
        )
        return path

    def stop(self) -> None:
        """Give the cluster up; one that is not ours stays as it is."""
