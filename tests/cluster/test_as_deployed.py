"""The operator as the chart deploys it for a whole cluster: its arguments, environment and rights.

The other cluster tests give it some namespaces, and most of them no Lease. Here two replicas are
started with the rendered Deployment's own command line and environment. They agree on which one
works, serve a cluster of their own, name it by the uid of kube-system, and hold a key for those who
have none.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.argo_health import Situation, expect_health
from tests.support.chart import installed_rbac, render
from tests.support.definition import define
from tests.support.operator import eventually, manifest
from together_local.cluster.control_plane import ControlPlane
from together_local.cluster.ports import free_ports
from together_local.cluster.supervision import Supervisor
from together_local.simulator import Options, start_simulator
from together_local.simulator.process import SimulatorProcess
from together_operator.controller.identity import CONFIGMAP
from together_operator.controller.lease import NAME as LEASE

pytestmark = pytest.mark.timeout(300)

OPERATOR = "together-operator"
SHARED_KEY = "simulated-key-of-the-operator"
KEY_FILE = "/etc/together-operator/key/api-key"
# Not for a chart: they make a minute last a second, and say where the cluster is.
FOR_TESTS = {
    "TIME_SCALE": "30",
    "POLL_INTERVAL": "1",
    "POLL_INTERVAL_TRANSITION": "0.3",
}


class Pod:
    """One replica: the Deployment's container, started again whenever it ends, as a kubelet would.

    At this pace a Lease lasts four seconds, and on a machine under load that may be too short.

    Attributes:
        name: What it is called here.
        ports: Where it serves health and metrics.
    """

    def __init__(
        self,
        name: str,
        ports: dict[str, int],
        supervisor: Supervisor,
        command: list[str],
        environment: Mapping[str, str],
        folder: Path,
    ) -> None:
        self.name = name
        self.ports = ports
        self.log = folder / f"{name}.log"
        self._supervisor = supervisor
        self._command = command
        self._environment = environment
        self._folder = folder
        self._over = threading.Event()
        self._start()
        self._kubelet = threading.Thread(target=self._tend, name=f"kubelet-{name}", daemon=True)
        self._kubelet.start()

    def _start(self) -> None:
        started = self._supervisor.start(
            self.name,
            self._command,
            env=self._environment,
            cwd=self._folder,
            log=self.log,
        )
        self._process = started

    def _tend(self) -> None:
        while not self._over.wait(0.5):
            if self._supervisor.exit_code(self.name) is not None:
                self._start()

    def kill(self) -> None:
        """End its process as an out-of-memory killer would."""
        self._process.signal(signal.SIGKILL)

    def stop(self) -> bool:
        """End it for good; whether SIGTERM was enough, within the pod's grace period."""
        self._over.set()
        self._kubelet.join()
        return self._supervisor.stop(self.name, grace=90)

    def ask(self, server: str, path: str) -> str:
        """What it answers over HTTP; empty if it does not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[server]}{path}") as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            return ""

    @property
    def leads(self) -> bool:
        """Whether it says that it leads."""
        told = self.ask("metrics", "/metrics").splitlines()
        return "together_operator_leading 1.0" in told


class Deployed:
    """A cluster with the operator in it.

    Attributes:
        cluster: The cluster.
        simulator: The simulated Together.
        pods: The operator's replicas.
    """

    def __init__(self, cluster: ControlPlane, simulator: SimulatorProcess, pods: list[Pod]) -> None:
        self.cluster = cluster
        self.simulator = simulator
        self.pods = pods

    def leader(self) -> Pod:
        """Wait until one of them leads; that one."""

        def look() -> Pod | None:
            return next((pod for pod in self.pods if pod.leads), None)

        found: Pod = eventually("one leads", look)
        return found

    @property
    def holder(self) -> str:
        """Who leads, by the Lease."""
        return str(self.read("lease", LEASE, "-n", OPERATOR)["spec"]["holderIdentity"])

    def read(self, *args: str) -> dict[str, Any]:
        """What `kubectl get -o json` says."""
        found: dict[str, Any] = json.loads(self.cluster.kubectl("get", *args, "-o", "json").stdout)
        return found


def values(simulator: SimulatorProcess, ports: dict[str, int]) -> dict[str, Any]:
    """What a person would put into values.yaml."""
    return {
        "replicas": 2,
        "auth": {"existingSecret": "together"},
        "settings": {
            "baseURL": simulator.base_url,
            "defaultKeyNamespaces": ["trusted"],
            **{f"{name}Port": number for name, number in ports.items()},
        },
    }


def command(helm: Path, given: dict[str, Any], key: Path) -> tuple[list[str], dict[str, str]]:
    """The rendered container's arguments and environment, with the key's volume at a path."""
    objects = render(helm, given, namespace=OPERATOR)
    [deployment] = [item for item in objects if item["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    arguments = [argument.replace(KEY_FILE, str(key)) for argument in container["args"]]
    environment = {
        entry["name"]: OPERATOR if "valueFrom" in entry else entry["value"]
        for entry in container["env"]
    }
    return arguments, environment


@pytest.fixture
def deployed(
    private_control_plane: ControlPlane, helm_binary: Path, tmp_path: Path
) -> Iterator[Deployed]:
    cluster = private_control_plane
    define(cluster.kubectl)
    for name in (OPERATOR, "ordinary", "trusted", "untrusted"):
        cluster.kubectl("create", "namespace", name)
    # Before the operator is there, as when people install in the other order.
    create_secret = ("create", "secret", "generic", "together", "--from-literal=api-key=k")
    cluster.kubectl("-n", "ordinary", *create_secret)
    cluster.kubectl("-n", "ordinary", "apply", "-f", "-", input=json.dumps(manifest("own-key")))
    early = cluster.kubectl("-n", "ordinary", "get", "tep", "own-key", "-o", "json").stdout
    expect_health(Situation.NOT_SEEN, json.loads(early))
    key = tmp_path / "api-key"
    key.write_text(SHARED_KEY)
    names = "first", "second"
    free = free_ports([f"{name}-{port}" for name in names for port in ("health", "metrics")])
    with (
        start_simulator(Options(speed=60, seed=1)) as simulator,
        installed_rbac(cluster, helm_binary, OPERATOR, values(simulator, {})) as account,
        Supervisor(tmp_path / "processes.json", tmp_path / "supervisor.log") as supervisor,
    ):
        kubeconfig = cluster.service_account_kubeconfig(OPERATOR, account, tmp_path / "kubeconfig")
        for_tests = {f"TOGETHER_OPERATOR_{name}": value for name, value in FOR_TESTS.items()}
        made = Deployed(cluster, simulator, [])
        try:
            for name in names:
                # On this machine they share an address; pods have one each.
                ports = {port: free[f"{name}-{port}"] for port in ("health", "metrics")}
                arguments, environment = command(helm_binary, values(simulator, ports), key)
                assert "no-leader-elect" not in str(arguments)
                assert environment["TOGETHER_OPERATOR_LEADER_ELECT"] == "true"
                started = [sys.executable, "-m", "together_operator", *arguments]
                own = {**os.environ, **environment, **for_tests, "KUBECONFIG": str(kubeconfig)}
                made.pods.append(Pod(name, ports, supervisor, started, own, tmp_path))
            for pod in made.pods:
                eventually(f"{pod.name} is ready", lambda pod=pod: pod.ask("health", "/readyz"))
            yield made
        finally:
            stopped = [pod.stop() for pod in made.pods]
            for pod in made.pods:
                print(pod.log.read_text()[-8000:])
    assert all(stopped), "SIGTERM is enough, well within the pod's grace period"


def test_the_whole_cluster(deployed: Deployed) -> None:
    kubectl = deployed.cluster.kubectl
    shared = manifest("shared-key")
    del shared["spec"]["apiKeySecretRef"]
    for namespace in ("trusted", "untrusted"):
        kubectl("-n", namespace, "apply", "-f", "-", input=json.dumps(shared))

    ready = ("--for=condition=Ready", "--timeout=60s")
    kubectl("-n", "ordinary", "wait", "tep/own-key", *ready)
    kubectl("-n", "trusted", "wait", "tep/shared-key", *ready)
    kubectl(*("-n", "untrusted", "wait", "tep/shared-key", "--for=condition=Ready=false"))
    assert len(deployed.simulator.admin.live()) == 2, "the operator's key serves who may use it"

    identity = deployed.read("configmap", CONFIGMAP, "-n", OPERATOR)["data"]
    assert list(identity.values()) == [deployed.read("ns", "kube-system")["metadata"]["uid"]]
    copies = deployed.read("secrets", "-n", OPERATOR, "-l", "together-operator.io/key-copy")
    assert len(copies["items"]) == 2
    for pod in deployed.pods:
        assert pod.ask("health", "/healthz")
        assert "together_operator_" in pod.ask("metrics", "/metrics")

    holder = deployed.holder
    deployed.leader().kill()
    eventually("the next one leads", lambda: deployed.holder not in ("", holder))
    stop = ("patch", "tep", "own-key", "--type=merge", "-p", '{"spec":{"state":"Stopped"}}')
    kubectl("-n", "ordinary", *stop)
    kubectl(
        "-n", "ordinary", "wait", "tep/own-key", "--for=jsonpath={.status.state}=STOPPED", ready[1]
    )
    assert len(deployed.simulator.admin.live()) == 2, "nothing is ordered anew"

    kubectl("-n", "ordinary", "delete", "tep", "own-key", "--timeout=60s")
    kubectl("-n", "trusted", "delete", "tep", "shared-key", "--timeout=60s")
    assert deployed.simulator.admin.live() == []
    gone = "the copies of the keys go with the endpoints"
    selector = ("secrets", "-n", OPERATOR, "-l", "together-operator.io/key-copy")
    eventually(gone, lambda: not deployed.read(*selector)["items"])
