"""Two clusters with one Together account, and even one key: neither touches what is the other's.

Each operator has a namespace, rights and a cluster id of its own and knows nothing of the other;
that both live on one API server here makes no difference to them. Their resources have the same
name and ask for the same thing, so that only the cluster's part of the mark tells them apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.contract import conditions
from tests.support.judge import Judge
from tests.support.operator import Object, OperatorProcess, manifest
from tests.support.running import running_operator
from together_local.cluster.cluster import Cluster

pytestmark = pytest.mark.timeout(600)

POST = {"method": "POST", "path_regex": "^/v1/endpoints$"}


@pytest.fixture(scope="module")
def clusters(
    control_plane: Cluster, helm_binary: Path, crd: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[OperatorProcess, OperatorProcess]]:
    """The operators of two clusters, with one account."""
    folder = tmp_path_factory.mktemp("clusters")
    with (
        running_operator(control_plane, helm_binary, folder / "one") as one,
        running_operator(control_plane, helm_binary, folder / "two", shared=one.simulator) as two,
    ):
        yield one, two


def served(operator: OperatorProcess, name: str) -> Object:
    """A resource that serves; it is the same in each cluster."""
    operator.space.apply(manifest(name, displayName="Mixtral"))
    return operator.space.until(name, "Serving")


def untouched(operator: OperatorProcess, found: Object) -> None:
    """A resource's endpoint is as it was, and its operator has had nothing to tell."""
    judge = Judge.of(operator, operator.space, found["metadata"]["name"])
    endpoint = found["status"]["endpointID"]
    judge.one(endpoint)
    assert judge.touched(endpoint) == []
    now = operator.space.read(found["metadata"]["name"])
    assert now is not None
    assert now["status"] == found["status"]
    strange = {"UnknownEndpoint", "DriftCorrected", "EndpointClaimed"}
    assert not strange & set(operator.space.events(found["metadata"]["name"]))


def test_neither_touches_the_others_endpoints(
    clusters: tuple[OperatorProcess, OperatorProcess],
) -> None:
    one, two = clusters
    ours = served(one, "mixtral")
    theirs = served(two, "mixtral")
    assert len({request["key_id"] for request in one.writes("POST")}) == 1, "one key sees all"
    marks = {e["display_name"].split(" tep-")[1][:6] for e in one.live()}
    assert len(marks) == 2, "the cluster's part of the mark differs"

    # An order whose answer is lost is settled by looking, at the other's endpoints as well.
    one.simulator.admin.arm({**POST, "fault": "reset_after"})
    one.space.apply(manifest("second", displayName="Mixtral"))
    second = one.space.until("second", "Serving")
    judge = Judge.of(one, one.space, "second")
    judge.one(second["status"]["endpointID"])
    assert len(judge.posts()) == 1

    # A status that is lost is found again, and it is one's own.
    one.stop()
    found = one.space.read("mixtral")
    assert found is not None
    one.space.kubectl(
        "replace", "--subresource=status", "-f", "-", document={**found, "status": {}}
    )
    one.start()
    again = one.space.awaits(
        "mixtral", "it has its endpoint again", lambda it: it["status"].get("endpointID")
    )
    assert again["status"]["endpointID"] == ours["status"]["endpointID"]

    # Changed, stopped, deleted: whatever is done in one is done to one's own.
    one.space.spec("mixtral", autoscaling={"minReplicas": 2}, displayName="Other")
    one.space.spec("second", state="Stopped")
    one.space.until("mixtral", "Serving")
    one.space.until("second", "Stopped")
    one.space.delete("mixtral")
    one.space.delete("second")
    one.space.gone("mixtral")
    one.space.gone("second")
    assert [e["id"] for e in one.live()] == [theirs["status"]["endpointID"]]
    untouched(two, theirs)
    two.space.delete("mixtral")
    two.space.gone("mixtral")
    assert one.live() == []


def test_a_resource_carried_over_to_another_cluster_asks_before_it_takes_anything(
    clusters: tuple[OperatorProcess, OperatorProcess],
) -> None:
    """With its annotations and its status, as a tool that moves clusters does."""
    one, two = clusters
    ours = served(one, "moved")
    two.stop()
    document = {
        **{field: ours[field] for field in ("apiVersion", "kind", "spec")},
        "metadata": {"name": "moved", "annotations": ours["metadata"]["annotations"]},
    }
    two.space.kubectl("create", "-f", "-", document=document)
    copied = json.loads(two.space.kubectl("get", "tep", "moved", "-o", "json"))
    two.space.kubectl(
        "replace", "--subresource=status", "-f", "-", document={**copied, "status": ours["status"]}
    )
    two.start()
    asked = two.space.until("moved", "RestoredCopy")
    assert "together-operator.io/restored-copy" in conditions(asked)["Ready"]["message"]
    two.space.annotate("moved", "restored-copy", "New")
    made = two.space.awaits(
        "moved",
        "it has an endpoint of its own",
        lambda it: it["status"].get("endpointID") not in (None, ours["status"]["endpointID"]),
    )
    two.space.until("moved", "Serving")
    Judge.of(two, two.space, "moved").one(made["status"]["endpointID"])
    two.space.delete("moved")
    two.space.gone("moved")
    untouched(one, ours)
