"""What a team sees that keeps its TogetherEndpoints in git, with the operator at work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.argocd.comparing import compare_again
from tests.support.argocd import ArgoCD
from tests.support.chart import ROOT
from tests.support.cluster import Run
from tests.support.definition import define
from tests.support.git import GitRepository
from tests.support.operator import HARDWARE, OperatorProcess, eventually
from tests.support.running import running_operator
from together_local.cluster.cluster import Cluster

QUICKSTART = (ROOT / "examples/quickstart.yaml").read_text()
WAVE = "argocd.argoproj.io/sync-wave"
FILE = "app/endpoint.yaml"


class Team:
    """A team's repository, its Application and what becomes of them.

    Attributes:
        argocd: The Argo CD.
        operator: The operator, which serves the team's namespace.
        repository: The repository; what it syncs is in the folder `app`.
        application: The Application's name.
    """

    def __init__(self, argocd: ArgoCD, operator: OperatorProcess) -> None:
        self.argocd = argocd
        self.operator = operator
        self.application = operator.space.name
        self.repository: GitRepository = argocd.repository(self.application)

    def starts(self, **options: Any) -> None:
        """Create the Application, after the first commit."""
        self.argocd.create_application(
            self.application, self.repository, "app", self.operator.space.name, **options
        )

    def commits(self, message: str) -> None:
        """Publish what was written, and make Argo CD look."""
        revision = self.repository.commit(message)
        self.argocd.refresh(self.application)
        self.argocd.wait_for(self.application, revision=revision)

    def sees(self, health: str, *, sync: str = "Synced") -> dict[str, Any]:
        """Wait until the Application is so."""
        return self.argocd.wait_for(self.application, sync=sync, health=health)

    def operation(self) -> dict[str, Any]:
        """The state of the last sync."""
        found = self.argocd.application(self.application)
        # Right after its creation it has no status at all.
        state: dict[str, Any] = found.get("status", {}).get("operationState", {})
        return state

    def has(self, kind: str, name: str) -> bool:
        """Whether an object is in the namespace."""
        return bool(self.operator.space.kubectl("get", kind, name, "--ignore-not-found"))


@pytest.fixture
def operator(
    control_plane: Cluster, helm_binary: Path, kubectl: Run, tmp_path: Path
) -> Iterator[OperatorProcess]:
    """An operator with one namespace and its own simulated Together."""
    define(kubectl)
    with running_operator(control_plane, helm_binary, tmp_path) as running:
        yield running


@pytest.fixture
def team(argocd: ArgoCD, operator: OperatorProcess) -> Iterator[Team]:
    """A team with an empty repository; what it left is deleted while the operator still runs."""
    made = Team(argocd, operator)
    try:
        yield made
    finally:
        operator.simulator.admin.clear_faults()
        operator.simulator.admin.capacity({HARDWARE: None})
        argocd.cluster.kubectl(
            *("-n", "argocd", "delete", "application", made.application, "--ignore-not-found"),
            "--wait=false",
        )


def endpoint(hardware: str = HARDWARE, **annotations: str) -> str:
    """The quickstart's resource with annotations."""
    document = yaml.safe_load(QUICKSTART)
    document["metadata"]["annotations"] = annotations
    document["spec"]["hardware"] = hardware
    return yaml.safe_dump(document)


def consumer(**annotations: str) -> str:
    """Something that uses the endpoint."""
    metadata = {"name": "consumer", "annotations": annotations}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


@pytest.mark.parametrize(
    "options",
    [{}, {"sync_options": ["ServerSideApply=true"]}],
    ids=["client-side", "server-side"],
)
def test_from_a_commit_to_serving_and_from_a_removal_to_no_bill(
    team: Team, options: dict[str, Any]
) -> None:
    together = team.operator.simulator.admin
    together.capacity({HARDWARE: 0})
    team.repository.write(FILE, QUICKSTART)
    team.repository.write("app/consumer.yaml", consumer())
    team.repository.commit("the quickstart")
    team.starts(**options)
    team.sees("Progressing")
    team.operator.space.until("mixtral", "WaitingForCapacity")
    team.sees("Progressing")

    together.capacity({HARDWARE: None})
    team.sees("Healthy")
    assert [e["state"] for e in team.operator.live()] == ["STARTED"]

    # Status, finalizer and annotations of ours are no difference, and nothing is synced again.
    synced = len(team.argocd.application(team.application)["status"]["history"])
    for _ in range(3):
        assert compare_again(team.argocd, team.application) == "Synced"
    after = team.argocd.application(team.application)["status"]
    assert len(after["history"]) == synced == 1
    assert after["health"]["status"] == "Healthy"

    team.repository.remove(FILE)
    team.commits("no endpoint any more")
    eventually("the endpoint is deleted", lambda: not team.operator.live(), within=60)
    eventually("the resource is gone", lambda: not team.has("tep", "mixtral"), within=60)
    team.sees("Healthy")
    assert len(team.operator.posts()) == 1
    assert len(team.operator.writes("DELETE")) == 1


def test_a_refusal_is_degraded_and_a_correction_mends_it(team: Team) -> None:
    team.repository.write(FILE, QUICKSTART.replace(HARDWARE, "2x_nvidia_h100_80gb_sxmm"))
    team.repository.commit("a typo in hardware")
    team.starts()
    team.sees("Degraded")
    stalled = team.operator.space.until("mixtral", "InvalidHardware")
    [said] = [c for c in stalled["status"]["conditions"] if c["type"] == "Stalled"]
    assert HARDWARE in said["message"], "the message names what can be had instead"
    assert team.operator.live() == []

    team.repository.write(FILE, QUICKSTART)
    team.commits("the right hardware")
    team.sees("Healthy")
    assert len(team.operator.live()) == 1


def test_a_later_wave_waits_until_the_endpoint_serves(team: Team) -> None:
    together = team.operator.simulator.admin
    together.capacity({HARDWARE: 0})
    team.repository.write(FILE, endpoint(**{WAVE: "0"}))
    team.repository.write("app/consumer.yaml", consumer(**{WAVE: "1"}))
    team.repository.commit("an endpoint and who uses it")
    team.starts()
    eventually("the first wave is there", lambda: team.has("tep", "mixtral"))
    team.operator.space.until("mixtral", "WaitingForCapacity")
    eventually(
        "the sync waits for the endpoint",
        lambda: "waiting for healthy state" in team.operation().get("message", ""),
    )
    assert not team.has("configmap", "consumer")

    together.capacity({HARDWARE: None})
    serving = team.operator.space.until("mixtral", "Serving")
    eventually("the second wave arrives", lambda: team.has("configmap", "consumer"))
    found = json.loads(team.operator.space.kubectl("get", "configmap", "consumer", "-o", "json"))
    [ready] = [c for c in serving["status"]["conditions"] if c["type"] == "Ready"]
    assert found["metadata"]["creationTimestamp"] >= ready["lastTransitionTime"]
    team.sees("Healthy")


def test_a_refused_endpoint_fails_the_sync_and_keeps_later_waves_out(team: Team) -> None:
    team.repository.write(FILE, endpoint("no_such_hardware", **{WAVE: "0"}))
    team.repository.write("app/consumer.yaml", consumer(**{WAVE: "1"}))
    team.repository.commit("an endpoint that cannot be")
    team.starts(spec={"syncPolicy": {"automated": {}, "retry": {"limit": 0}}})
    failed = eventually(
        "the sync fails",
        lambda: team.operation() if team.operation().get("phase") == "Failed" else None,
    )
    assert "one or more synchronization tasks completed unsuccessfully" in failed["message"]
    assert not team.has("configmap", "consumer")
    team.argocd.wait_for(team.application, health="Degraded")


def test_what_the_operator_makes_is_not_argo_cds(team: Team) -> None:
    """The connection ConfigMap is no difference, and is neither pruned nor adopted."""
    document = yaml.safe_load(QUICKSTART)
    document["spec"]["connection"] = {"configMapName": "mixtral-connection"}
    team.repository.write(FILE, yaml.safe_dump(document))
    team.repository.commit("an endpoint with a connection")
    team.starts()
    team.sees("Healthy")
    eventually("it is there", lambda: team.has("configmap", "mixtral-connection"))
    team.argocd.sync(team.application, prune=True)
    eventually("the sync ends", lambda: team.operation().get("phase") == "Succeeded")
    assert compare_again(team.argocd, team.application) == "Synced"
    assert team.has("configmap", "mixtral-connection")


def test_deleting_the_application_ends_the_bill(team: Team) -> None:
    team.repository.write(FILE, QUICKSTART)
    team.repository.commit("the quickstart")
    team.starts()
    team.sees("Healthy")
    team.argocd.delete_application(team.application)
    assert team.operator.live() == []
    assert not team.has("tep", "mixtral")
