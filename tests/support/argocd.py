"""A real Argo CD for tests: its repo-server and application-controller, against the control plane.

    def test_it(argocd, namespace):
        repository = argocd.repository("shop")
        repository.write("app/thing.yaml", "...")
        repository.commit("a thing")
        argocd.create_application("shop", repository, "app", namespace)
        argocd.wait_for("shop", sync="Synced", health="Healthy")

A suite that needs entries in argocd-cm (health checks and so on) defines the
fixture `argocd_config` in its conftest. `make test-argocd` runs such tests.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.support.cluster import visible
from tests.support.git import GitRepository
from together_local.cluster.binaries import BinaryCache
from together_local.cluster.cluster import Cluster
from together_local.cluster.component import log_tail
from together_local.cluster.errors import ClusterError, PrerequisiteError
from together_local.cluster.kubeconfig import write_kubeconfig
from together_local.cluster.ports import free_ports
from together_local.cluster.processes import Process
from together_local.cluster.supervision import Supervisor

NAMESPACE = "argocd"
_PART_OF = {"app.kubernetes.io/part-of": "argocd"}
_POLL_SECONDS = 0.25
_START_SECONDS = 60.0
_CONFIG_MAPS = (
    "argocd-rbac-cm",
    "argocd-cmd-params-cm",
    "argocd-gpg-keys-cm",
    "argocd-ssh-known-hosts-cm",
    "argocd-tls-certs-cm",
)


class ArgoCD:
    """An Argo CD that runs as long as its `with` block, or its owner.

    Args:
        cluster: Where it keeps its Applications, and where they are deployed to.
        folder: The cache's folder with its binaries and CRDs.
        directory: A folder for its files and logs.
        config: Entries of argocd-cm.

    Raises:
        PrerequisiteError: redis-server or git is missing.
        ClusterError: A part of it did not start; the message has its log.
    """

    def __init__(
        self, cluster: Cluster, folder: Path, directory: Path, config: Mapping[str, str]
    ) -> None:
        self.cluster = cluster
        self._folder = folder
        self._directory = directory
        redis = _command("redis-server")
        _command("git")
        self._install(config)
        ports = free_ports(("redis", "repo", "repo-metrics", "controller-metrics"))
        self._supervisor = Supervisor(directory / "processes.json", directory / "supervisor.log")
        try:
            self._start(redis, ports)
        except BaseException:
            self.stop()
            raise

    # Starting

    def _install(self, config: Mapping[str, str]) -> None:
        kubectl = self.cluster.kubectl
        kubectl("apply", "--server-side", "-k", str(self._folder / "crds"))
        kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(self._crd_file))
        self._apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        for name in _CONFIG_MAPS:
            self._apply(_object("ConfigMap", name, data={}))
        self._apply(_object("ConfigMap", "argocd-cm", data=dict(config)))
        secret_key = {"server.secretkey": base64.b64encode(os.urandom(32)).decode()}
        self._apply(_object("Secret", "argocd-secret", stringData=secret_key))
        self._apply(self._target())
        self._apply(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "AppProject",
                "metadata": {"name": "default", "namespace": NAMESPACE},
                "spec": {
                    "sourceRepos": ["*"],
                    "destinations": [{"server": "*", "namespace": "*"}],
                    "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
                },
            }
        )

    @property
    def _crd_file(self) -> Path:
        return self._folder / "crds/application-crd.yaml"

    def _target(self) -> dict[str, Any]:
        """The cluster as Argo CD knows it; its in-cluster name needs variables of a pod."""
        user = self.cluster.administrator
        access = {
            "tlsClientConfig": {
                "caData": base64.b64encode(self.cluster.ca.read_bytes()).decode(),
                "certData": user["client-certificate-data"],
                "keyData": user["client-key-data"],
            }
        }
        return _object(
            "Secret",
            "cluster-local",
            labels={"argocd.argoproj.io/secret-type": "cluster"},
            stringData={
                "name": "local",
                "server": self.cluster.server,
                "config": json.dumps(access),
            },
        )

    def _start(self, redis: str, ports: Mapping[str, int]) -> None:
        home = self._directory / "home"
        for name in ("tls", "ssh", "gnupg", "tmp"):
            (home / name).mkdir(parents=True)
        kubeconfig = self._directory / "kubeconfig"
        write_kubeconfig(
            kubeconfig,
            server=self.cluster.server,
            ca=self.cluster.ca,
            user=self.cluster.administrator,
            namespace=NAMESPACE,
        )
        environment = {
            **self.cluster.environment(kubeconfig),
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "ARGOCD_GPG_ENABLED": "false",
            "ARGOCD_TLS_DATA_PATH": str(home / "tls"),
            "ARGOCD_SSH_DATA_PATH": str(home / "ssh"),
            "ARGOCD_GNUPGHOME": str(home / "gnupg"),
        }
        stores = f"127.0.0.1:{ports['redis']}"
        loopback = "127.0.0.1"

        def run(name: str, *argv: str, ready: Callable[[], bool]) -> None:
            log = self._directory / f"{name}.log"
            process = self._supervisor.start(
                name, argv, env=environment, cwd=self._directory, log=log
            )
            _wait(name, process, log, ready)

        run(
            "redis",
            *(redis, "--port", str(ports["redis"]), "--bind", loopback),
            *("--save", "", "--appendonly", "no", "--dir", str(self._directory)),
            ready=lambda: _redis_answers(ports["redis"]),
        )
        run(
            "argocd-repo-server",
            *(str(self._folder / "argocd-repo-server"), f"--redis={stores}", "--disable-tls"),
            *(f"--address={loopback}", f"--port={ports['repo']}"),
            *(f"--metrics-address={loopback}", f"--metrics-port={ports['repo-metrics']}"),
            ready=lambda: _answers(ports["repo-metrics"]),
        )
        run(
            "argocd-application-controller",
            *(str(self._folder / "argocd-application-controller"), f"--namespace={NAMESPACE}"),
            *(f"--redis={stores}", f"--repo-server={loopback}:{ports['repo']}"),
            *("--repo-server-plaintext", f"--metrics-port={ports['controller-metrics']}"),
            *("--app-resync=10", "--app-resync-jitter=0", f"--kubeconfig={kubeconfig}"),
            ready=lambda: _answers(ports["controller-metrics"]),
        )

    # Using

    def repository(self, name: str) -> GitRepository:
        """Make an empty git repository that it can read."""
        return GitRepository(self._directory / "repositories" / name)

    def create_application(
        self,
        name: str,
        repository: GitRepository,
        path: str,
        namespace: str,
        *,
        automated: bool = True,
        sync_options: Sequence[str] = (),
        spec: Mapping[str, Any] | None = None,
    ) -> None:
        """Create an Application.

        Args:
            name: Its name.
            repository: Where its manifests are, on branch main.
            path: The folder of the manifests in the repository.
            namespace: Where they go to, unless they say so themselves.
            automated: Whether it syncs, prunes and heals by itself.
            sync_options: Such as `ServerSideApply=true`.
            spec: Further entries of its spec, such as `ignoreDifferences`.
        """
        policy: dict[str, Any] = {"syncOptions": list(sync_options)}
        if automated:
            policy["automated"] = {"prune": True, "selfHeal": True}
        self._apply(
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "kind": "Application",
                "metadata": {
                    "name": name,
                    "namespace": NAMESPACE,
                    "finalizers": ["resources-finalizer.argocd.argoproj.io"],
                },
                "spec": {
                    "project": "default",
                    "source": {
                        "repoURL": repository.url,
                        "path": path,
                        "targetRevision": "main",
                    },
                    "destination": {"server": self.cluster.server, "namespace": namespace},
                    "syncPolicy": policy,
                    **(spec or {}),
                },
            }
        )

    def application(self, name: str) -> dict[str, Any]:
        """Read an Application."""
        found = self.cluster.kubectl("-n", NAMESPACE, "get", "application", name, "-o", "json")
        content: dict[str, Any] = json.loads(found.stdout)
        return content

    def refresh(self, name: str) -> None:
        """Make it look at the repository now, not at its next turn."""
        self.cluster.kubectl(
            *("-n", NAMESPACE, "annotate", "application", name, "--overwrite"),
            "argocd.argoproj.io/refresh=normal",
        )

    def sync(self, name: str, *, prune: bool = False) -> None:
        """Begin a sync, as the button does."""
        operation = {"operation": {"sync": {"prune": prune, "revision": "main"}}}
        self.cluster.kubectl(
            *("-n", NAMESPACE, "patch", "application", name, "--type=merge"),
            *("-p", json.dumps(operation)),
        )

    def wait_for(
        self,
        name: str,
        *,
        sync: str | None = None,
        health: str | None = None,
        revision: str | None = None,
        seconds: float = 90,
    ) -> dict[str, Any]:
        """Wait until an Application is as said, and return it.

        Args:
            name: The Application.
            sync: `Synced` or `OutOfSync`; any when None.
            health: `Healthy`, `Progressing`, `Degraded` and so on; any when None.
            revision: The commit that it must have compared with; any when None.
            seconds: For how long at most.

        Raises:
            AssertionError: The time is over; the message has its status.
        """
        deadline = time.monotonic() + seconds
        wanted = (sync, health, revision)
        while True:
            found = self.application(name)
            status = found.get("status", {})
            compared = status.get("sync", {})
            seen = (
                compared.get("status"),
                status.get("health", {}).get("status"),
                compared.get("revision"),
            )
            if all(want in (None, have) for want, have in zip(wanted, seen, strict=True)):
                return found
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"Application {name} is {seen}, not {wanted}, after {seconds:.0f} s:\n"
                    f"{json.dumps(status, indent=1)}"
                )
            time.sleep(_POLL_SECONDS)

    def delete_application(self, name: str) -> None:
        """Delete an Application and all it deployed, and wait for it."""
        self.cluster.kubectl("-n", NAMESPACE, "delete", "application", name)

    def log(self, name: str = "argocd-application-controller") -> str:
        """The whole log of a part."""
        return (self._directory / f"{name}.log").read_text(errors="replace")

    def _apply(self, manifest: Mapping[str, Any]) -> None:
        self.cluster.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(manifest))

    # Ending

    def stop(self) -> None:
        """End its processes; what it wrote into the cluster ends with the cluster."""
        self._supervisor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def _object(
    kind: str, name: str, labels: Mapping[str, str] | None = None, **rest: Any
) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {**_PART_OF, **(labels or {})}}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **rest}


def _command(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise PrerequisiteError(
            f"Argo CD needs {name}, which is not on PATH. Install it, on Debian by "
            f"`apt-get install {name}`, on macOS by `brew install {name.removesuffix('-server')}`."
        )
    return path


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _redis_answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _wait(name: str, process: Process, log: Path, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not ready():
        if not process.alive or time.monotonic() > deadline:
            raise ClusterError(f"{name} did not start. Its log:\n{log_tail(log)}")
        time.sleep(_POLL_SECONDS)


@pytest.fixture(scope="session")
def argocd_config() -> dict[str, str]:
    """Entries of argocd-cm; a suite overrides it."""
    return {}


@pytest.fixture(scope="session")
def argocd(
    request: pytest.FixtureRequest,
    control_plane: Cluster,
    argocd_config: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ArgoCD]:
    """An Argo CD that the session's tests share."""
    if request.config.getoption("cluster") == "existing":
        pytest.fail("Argo CD's tests install it; choose `--cluster local` or `--cluster kind`")
    with visible(request.config) as progress:
        folder = BinaryCache().ensure(["argocd"], progress)["argocd"].parent
    with ArgoCD(control_plane, folder, tmp_path_factory.mktemp("argocd"), argocd_config) as running:
        yield running
