"""What removes all resources at once deletes no endpoint: the CRD, the operator, its Helm release.

Judged by Together's books, and by what the events say is left there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.resources import PROJECT
from tests.support.judge import Judge
from tests.support.operator import (
    Object,
    eventually,
    manifest,
    running_operator,
)
from tests.support.team import Team
from together_local.cluster.binaries import Binaries
from together_local.cluster.control_plane import ControlPlane
from together_operator.resource.names import DEFINITION, KEY_COPY_LABEL

pytestmark = pytest.mark.timeout(400)

POST = {"method": "POST", "path_regex": "^/v1/endpoints$"}


@pytest.fixture(scope="module")
def plane(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A cluster whose CRD may go."""
    with ControlPlane.start(tmp_path_factory.mktemp("plane"), binaries) as plane:
        yield plane


@pytest.fixture(params=[True, False], ids=["in-the-cluster", "in-a-namespace"])
def team(
    request: pytest.FixtureRequest, plane: ControlPlane, helm_binary: Path, tmp_path: Path
) -> Iterator[Team]:
    """A team on an operator that may read the CRD, and on one that may not."""
    define(plane)
    with running_operator(
        plane, helm_binary, tmp_path, secret=False, clusterwide=request.param
    ) as operator:
        team = Team(operator, operator.space)
        team.secret(team.key)
        yield team
        define(plane)


def define(plane: ControlPlane) -> None:
    """Install the CRD."""
    plane.kubectl("apply", "--server-side", "-k", str(PROJECT / "crds"))
    plane.kubectl("wait", "--for=condition=Established", f"crd/{DEFINITION}", "--timeout=60s")


def definition(team: Team) -> Object | None:
    """The CRD."""
    text = team.cluster.kubectl("get", "crd", DEFINITION, "-o", "json", "--ignore-not-found").stdout
    return json.loads(text) if text.strip() else None


def undefine(team: Team) -> None:
    """Delete the CRD, without waiting."""
    team.cluster.kubectl("delete", "crd", DEFINITION, "--wait=false")


def undefined(team: Team) -> None:
    """Wait until the CRD is gone."""
    eventually("the CRD is gone", lambda: definition(team) is None, within=120, every=0.3)


def copies(team: Team) -> list[str]:
    """The key copies that the operator keeps."""
    return team.cluster.kubectl(
        *("get", "secrets", "-n", team.operator.namespace, "-o", "name"),
        *("-l", f"{KEY_COPY_LABEL}=true"),
    ).stdout.split()


def left(team: Team, name: str) -> str:
    """What the event says of an endpoint that stays."""
    return team.until_told("EndpointRetained", name)


def test_deleting_the_crd_deletes_no_endpoint(team: Team) -> None:
    """Whatever the policy, and however far each of them has come."""
    for name, policy in {"deletes": None, "stops": "Stop", "retains": "Retain"}.items():
        team.apply(manifest(name, **({"deletionPolicy": policy} if policy else {})))
    made = {
        name: team.until(name, "Serving")["status"]["endpointID"]
        for name in ("deletes", "stops", "retains")
    }
    team.spec("deletes", suspend=True)
    # One whose create is not resolved: what it made is found, and written down, while the CRD goes.
    team.together.arm(
        {**POST, "fault": "reset_after"},
        {
            "method": "GET",
            "fault": "hide_in_list",
            "path_regex": "/endpoints$",
            "seconds": 3,
            "times": -1,
        },
    )
    team.apply(manifest("unclear"))
    judge = Judge.of(team.operator, team, "unclear")
    judge.until_posted()
    before = writes(team)

    undefine(team)
    undefined(team)
    assert writes(team) == before
    assert any(
        "took over" in message.lower() for message in team.told("unclear")["EndpointClaimed"]
    )
    (unclear,) = judge.live()
    made["unclear"] = unclear["id"]
    assert {e["id"] for e in team.live()} == set(made.values())
    for name, endpoint_id in made.items():
        said = left(team, name)
        assert f"{endpoint_id} is left as it is at Together" in said
        assert name == "unclear" or "$10.80 per hour" in said
        assert ("CRD" in said) == (name != "retains")
        told = f"EndpointRetained: {said}"
        (logged,) = [line for line in team.operator.lines() if line["message"] == told]
        assert logged["level"] == ("info" if name == "retains" else "warning")
    eventually("the key copies are gone", lambda: copies(team) == [])

    # The operator is there for whoever brings the CRD back; what was left is nobody's.
    define(team.cluster)
    team.apply(manifest("again"))
    eventually("it serves", lambda: team.reason("again") == "Serving", within=90, every=0.5)
    team.delete("again")
    team.gone("again")
    assert {e["id"] for e in team.live()} == set(made.values())


def test_who_was_deleted_before_the_crd_takes_the_endpoint_along(team: Team) -> None:
    for name in ("goes", "stays"):
        team.apply(manifest(name))
    goes, stays = (
        team.until(name, "Serving")["status"]["endpointID"] for name in ("goes", "stays")
    )
    team.together.arm({"method": "DELETE", "fault": "status", "status": 503, "times": -1})
    team.delete("goes")
    eventually("Together is asked", lambda: team.requests("DELETE"))
    # The API server counts in seconds.
    eventually("another second", lambda: second(team) > deleted_at(team.read("goes")), every=0.2)
    undefine(team)
    assert deleted_at(definition(team)) > deleted_at(team.read("goes"))
    team.together.clear_faults()
    undefined(team)
    assert [e["id"] for e in team.live()] == [stays]
    assert goes not in json.dumps(team.told("goes").get("EndpointRetained", []))
    assert stays in left(team, "stays")


def writes(team: Team) -> list[Object]:
    """The changes of endpoints that were asked for."""
    return [*team.requests("PATCH"), *team.requests("DELETE")]


def deleted_at(found: Object | None) -> str:
    """When something was deleted, as the API server tells it."""
    assert found is not None
    return str(found["metadata"]["deletionTimestamp"])


def second(team: Team) -> str:
    """The API server's time, as it tells it."""
    name = "what-time-is-it"
    team.kubectl("create", "configmap", name)
    found = json.loads(team.kubectl("get", "configmap", name, "-o", "json"))
    team.kubectl("delete", "configmap", name)
    return str(found["metadata"]["creationTimestamp"])
