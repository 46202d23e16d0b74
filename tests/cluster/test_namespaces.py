"""Namespaces are borders: keys, projects and endpoints of one mean nothing in another.

And one that is deleted takes its endpoints with it, whatever else in it goes first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.contract import conditions
from tests.support.definition import define
from tests.support.judge import Judge
from tests.support.operator import Namespace, Object, OperatorProcess, eventually, manifest
from tests.support.running import running_operator
from tests.support.team import Team
from together_local.cluster.cluster import Cluster
from together_local.cluster.control_plane import ControlPlane
from together_local.simulator.accounts import key_id

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def pair(
    control_plane: Cluster, helm_binary: Path, crd: str, tmp_path: Path
) -> Iterator[tuple[Team, Team]]:
    """Two namespaces of one operator, each with a key and a project of its own."""
    with running_operator(control_plane, helm_binary, tmp_path, spaces=2, secret=False) as operator:
        first, second = (Team(operator, space) for space in operator.spaces)
        for team in (first, second):
            team.secret(team.key)
        yield first, second


def test_each_namespace_sees_and_touches_only_its_own(pair: tuple[Team, Team]) -> None:
    for team in pair:
        team.apply(manifest())
    for team in pair:
        team.until("mixtral", "Serving")
        team.spec("mixtral", autoscaling={"minReplicas": 2})
    for team in pair:
        found = team.until("mixtral", "Serving")
        assert [e["id"] for e in team.live()] == [found["status"]["endpointID"]]
        assert found["status"]["owner"] == team.name
    pair[0].delete()
    pair[0].gone()
    assert pair[0].live() == []
    assert pair[1].reason() == "Serving"
    _only_its_own(*pair)


def _only_its_own(*teams: Team) -> None:
    """Every request about an endpoint carried the key of that endpoint's project."""
    ledger = teams[0].together.ledger()
    project = {endpoint["id"]: endpoint["project"] for endpoint in ledger["endpoints"]}
    keys = {key_id(team.key): team.name for team in teams}
    about = [r for r in ledger["requests"] if r["path"].startswith("/v1/endpoints/")]
    assert about
    for request in about:
        assert keys[request["key_id"]] == project[request["path"].rpartition("/")[2]], request


def test_the_operators_own_key_is_for_some_namespaces_only(
    control_plane: Cluster, helm_binary: Path, crd: str, tmp_path: Path
) -> None:
    key = "simulated-key-of-the-operator"
    with running_operator(
        control_plane,
        helm_binary,
        tmp_path,
        spaces=2,
        secret=False,
        start=False,
        environment={"TOGETHER_API_KEY": key},
    ) as operator:
        allowed, other = operator.spaces
        operator.start("--default-key-namespaces", allowed.name)
        document = manifest()
        del document["spec"]["apiKeySecretRef"]
        for space in (allowed, other):
            space.apply(document)
        allowed.until("mixtral", "Serving")
        found = other.until("mixtral", "SecretMissing")
        assert other.name in conditions(found)["Ready"]["message"]
        assert "spec.apiKeySecretRef" in conditions(found)["Ready"]["message"]
        assert "finalizers" not in found["metadata"]
        assert len(operator.posts()) == 1
        assert operator.posts()[0]["key_id"] == key_id(key)

        # A key of one's own is always welcome.
        other.secret()
        other.spec("mixtral", apiKeySecretRef={"name": "together"})
        other.until("mixtral", "Serving")
        # The endpoint outlives the permission, and so does its deletion.
        operator.stop()
        operator.start()
        allowed.delete()
        allowed.gone()
        assert len(operator.live()) == 1
        text = operator.log.read_text() + operator.metrics()
        assert key not in text + json.dumps(operator.space.stream.all_versions())


def test_a_namespace_that_is_not_served_is_left_alone(
    operator: OperatorProcess, team: Team, namespace: str
) -> None:
    strange = Namespace(team.cluster, namespace, team.stream)
    strange.secret(team.key)
    strange.apply(manifest())
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.polled()
    found = strange.read()
    assert found is not None
    assert "finalizers" not in found["metadata"]
    assert found["status"] == {"observedGeneration": -1}
    assert len(team.posts()) == 1


def test_a_deleted_namespace_takes_its_endpoints_with_it(
    private_control_plane: ControlPlane, helm_binary: Path, tmp_path: Path
) -> None:
    cluster = private_control_plane
    define(cluster.kubectl)
    with running_operator(
        cluster, helm_binary, tmp_path, spaces=2, secret=False, clusterwide=True
    ) as operator:
        going, staying = (Team(operator, space) for space in operator.spaces)
        for team in (going, staying):
            team.secret(team.key)
            team.apply(manifest("first"))
            team.apply(manifest("second"))
        judges = [Judge.of(operator, going, name) for name in ("first", "second")]
        # One of them is still on its way.
        going.until("first", "Serving")
        cluster.kubectl("delete", "namespace", going.name, "--wait=false")
        eventually(f"{going.name} is gone", lambda: not _exists(cluster, going.name))
        for judge in judges:
            judge.none()
        assert going.live() == []
        for name in ("first", "second"):
            staying.until(name, "Serving")
        assert len(staying.live()) == 2
        eventually("the key copies went", lambda: len(_copies(operator)) == 2)


def _exists(cluster: Cluster, namespace: str) -> bool:
    return bool(cluster.kubectl("get", "namespace", namespace, "--ignore-not-found").stdout)


def _copies(operator: OperatorProcess) -> list[Object]:
    text = operator.cluster.kubectl("-n", operator.namespace, "get", "secrets", "-o", "json").stdout
    return list(json.loads(text)["items"])
