"""The operator as the chart deploys it for a whole cluster: its arguments, environment and rights.

The other cluster tests give it some namespaces. Here it is started with the rendered Deployment's
own command line and environment, serves a cluster of its own, names it by the uid of kube-system,
and holds a key for those who have none.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.argo_health import Situation, expect_health
from tests.support.chart import ROOT, installed_rbac, render
from tests.support.operator import eventually, manifest
from together_local.cluster.control_plane import ControlPlane
from together_local.cluster.ports import free_ports
from together_local.cluster.supervision import Supervisor
from together_local.simulator import Options, start_simulator
from together_local.simulator.process import SimulatorProcess
from together_operator.controller.identity import CONFIGMAP

OPERATOR = "together-operator"
SHARED_KEY = "simulated-key-of-the-operator"
KEY_FILE = "/etc/together-operator/key/api-key"
# Not for a chart: they make a minute last a second, and say where the cluster is. At that pace a
# Lease lasts four seconds, and no kubelet would start an operator again that was late.
FOR_TESTS = {
    "TIME_SCALE": "30",
    "POLL_INTERVAL": "1",
    "POLL_INTERVAL_TRANSITION": "0.3",
    "LEADER_ELECT": "false",
}


class Deployed:
    """A cluster with the operator in it.

    Attributes:
        cluster: The cluster.
        simulator: The simulated Together.
        ports: Where the operator serves health and metrics.
    """

    def __init__(
        self, cluster: ControlPlane, simulator: SimulatorProcess, ports: dict[str, int]
    ) -> None:
        self.cluster = cluster
        self.simulator = simulator
        self.ports = ports

    def ask(self, server: str, path: str) -> str:
        """What the operator answers over HTTP; empty if it does not."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[server]}{path}") as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            return ""

    def read(self, *args: str) -> dict[str, Any]:
        """What `kubectl get -o json` says."""
        found: dict[str, Any] = json.loads(self.cluster.kubectl("get", *args, "-o", "json").stdout)
        return found


def values(simulator: SimulatorProcess, ports: dict[str, int]) -> dict[str, Any]:
    """What a person would put into values.yaml."""
    return {
        "auth": {"existingSecret": "together"},
        "settings": {
            "baseURL": simulator.base_url,
            "defaultKeyNamespaces": ["trusted"],
            "healthPort": ports["health"],
            "metricsPort": ports["metrics"],
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
    cluster.kubectl("apply", "--server-side", "-k", str(ROOT / "crds"))
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
    ports = free_ports(("health", "metrics"))
    with (
        start_simulator(Options(speed=60, seed=1)) as simulator,
        installed_rbac(cluster, helm_binary, OPERATOR, values(simulator, ports)) as account,
        Supervisor(tmp_path / "processes.json", tmp_path / "supervisor.log") as supervisor,
    ):
        kubeconfig = cluster.service_account_kubeconfig(OPERATOR, account, tmp_path / "kubeconfig")
        arguments, environment = command(helm_binary, values(simulator, ports), key)
        for_tests = {f"TOGETHER_OPERATOR_{name}": value for name, value in FOR_TESTS.items()}
        log = tmp_path / "operator.log"
        supervisor.start(
            "operator",
            [sys.executable, "-m", "together_operator", *arguments],
            env={**os.environ, **environment, **for_tests, "KUBECONFIG": str(kubeconfig)},
            cwd=tmp_path,
            log=log,
        )
        made = Deployed(cluster, simulator, ports)
        try:
            eventually("it is ready", lambda: made.ask("health", "/readyz"))
            yield made
        finally:
            print(log.read_text()[-8000:])
            stopped = supervisor.stop("operator", grace=90)
    assert stopped, "SIGTERM is enough, well within the pod's grace period"


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
    assert deployed.ask("health", "/healthz")
    assert "together_operator_" in deployed.ask("metrics", "/metrics")

    kubectl("-n", "ordinary", "delete", "tep", "own-key", "--timeout=60s")
    kubectl("-n", "trusted", "delete", "tep", "shared-key", "--timeout=60s")
    assert deployed.simulator.admin.live() == []
    gone = "the copies of the keys go with the endpoints"
    selector = ("secrets", "-n", OPERATOR, "-l", "together-operator.io/key-copy")
    eventually(gone, lambda: not deployed.read(*selector)["items"])
