"""Migration: an endpoint of API v1 moves to v2, and applications move in their own time.

Both endpoints are there until a person confirms that nobody asks for the former name any more.
Until then the first one is not touched, so that to call it off at any moment costs nobody anything.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.contract import assert_row, conditions
from tests.support.judge import Judge
from tests.support.load import Load
from tests.support.operator import Object, eventually, manifest
from tests.support.team_v2 import JudgeV2, TeamV2, of_state
from together_operator.resource import names

CONFIRMED = {"confirm": True}


def on_v1(team: TeamV2, **spec: Any) -> tuple[Object, str]:
    """A resource that serves in v1, and its endpoint."""
    team.apply(manifest(**{"api": "V1", **spec}))
    found = team.until("mixtral", "Serving")
    assert found["status"]["api"] == "V1"
    return found, found["status"]["endpointID"]


def unconfirmed(team: TeamV2, **spec: Any) -> tuple[Object, str, str]:
    """A resource that serves in both, and its two endpoints, that of v1 first."""
    _, first = on_v1(team, **spec)
    team.spec("mixtral", api="V2")
    found = team.until("mixtral", "MigrationUnconfirmed")
    return found, first, found["status"]["migration"]["endpointID"]


def of(team: TeamV2, generation: str) -> list[Object]:
    """What lives in a generation: the endpoints of v1, the deployments of v2."""
    return [one for one in team.live() if one["generation"] == generation]


def touched(team: TeamV2, endpoint_id: str) -> list[Object]:
    """The changes of an endpoint of v1 that were asked for."""
    return [
        r
        for r in team.of_v1()
        if r["method"] in ("PATCH", "DELETE") and r["path"].endswith(endpoint_id)
    ]


def moved(team: TeamV2, endpoint_id: str) -> Object:
    """Wait until the resource has one endpoint again, which serves."""
    found = team.until("mixtral", "Serving")
    assert "migration" not in found["status"]
    assert found["status"]["endpointID"] == endpoint_id
    return found


def test_no_request_fails_and_both_answer_until_it_is_confirmed(team: TeamV2) -> None:
    before, first = on_v1(team, connection={"configMapName": "model"})
    judges = Judge.of(team.operator, team), JudgeV2.of(team)
    with Load.of(team, before) as former:
        team.spec("mixtral", api="V2")
        found = team.until("mixtral", "MigrationUnconfirmed")
        second = found["status"]["migration"]["endpointID"]
        assert_row(
            found, "MigrationUnconfirmed",
            ready=True, available=True, reconciling=False, stalled=False, synced=True,
        )  # fmt: skip
        status = found["status"]
        assert (status["api"], status["endpointID"]) == ("V1", first)
        assert (status["migration"]["api"], status["migration"]["phase"]) == ("V2", "Building")
        assert status["name"] == before["status"]["name"]
        assert status["inference"]["model"] == status["migration"]["name"] != status["name"]
        eventually(
            "the name is published", lambda: _published(team) == status["inference"]["model"]
        )
        message = conditions(found)["Ready"]["message"]
        for part in (first, second, "spec.migration.confirm", "per hour"):
            assert part in message, message
        assert message.count("$") == 2
        with Load.of(team, found) as latter:
            eventually("both answer", lambda: min(len(latter.answers), len(former.answers)) > 20)
    (unit,) = of(team, "v2")
    assert touched(team, first) == []

    with Load.of(team, found):
        team.spec("mixtral", migration=CONFIRMED)
        found = moved(team, second)
    assert found["status"]["api"] == "V2"
    assert found["status"]["inference"] == status["inference"]
    assert of(team, "v1") == []
    judges[1].one(found)
    assert [r["method"] for r in touched(team, first)] == ["DELETE"]
    assert of(team, "v2")[0]["id"] == unit["id"]
    told = team.told()
    for word in ("MigrationStarted", "MigrationUnconfirmed", "MigrationConfirmed"):
        assert word in told, told
    assert first in team.until_told("MigrationEnded")
    assert len(judges[0].posts()) == len(team.posts()) == 1
    team.delete()
    team.gone()
    assert team.live() == team.homes() == []


def _published(team: TeamV2) -> str:
    path = "jsonpath={.data.OPENAI_MODEL}"
    return team.kubectl("get", "configmap", "model", "-o", path, "--ignore-not-found")


def test_called_off_while_it_is_being_made(team: TeamV2) -> None:
    before, first = on_v1(team)
    team.together.assume(starting_seconds=600)
    with Load.of(team, before):
        team.spec("mixtral", api="V2")
        team.awaits(
            "mixtral",
            "a deployment is starting",
            lambda it: _state(it) in (of_state("PROVISIONING"), of_state("SCALING")),
        )
        found = team.until("mixtral", "Migrating")
        assert_row(
            found, "Migrating",
            ready=False, available=True, reconciling=True, stalled=False, synced=True,
        )  # fmt: skip
        team.spec("mixtral", api="V1")
        moved(team, first)
        team.until_told("MigrationCalledOff")
        eventually("nothing is left in v2", lambda: not of(team, "v2") and not team.homes())
    assert touched(team, first) == []


def _state(found: Object) -> str | None:
    deployments = found["status"].get("migration", {}).get("deployments") or [{}]
    state: str | None = deployments[0].get("state")
    return state


def test_called_off_when_both_serve(team: TeamV2) -> None:
    found, first, _ = unconfirmed(team, connection={"configMapName": "model"})
    eventually(
        "the name is published", lambda: _published(team) == found["status"]["inference"]["model"]
    )
    team.spec("mixtral", api="Auto")
    found = moved(team, first)
    assert found["status"]["inference"]["model"] == found["status"]["name"] == _published(team)
    assert team.homes() == []
    # What was called off can be begun anew.
    team.spec("mixtral", api="V2")
    again = team.until("mixtral", "MigrationUnconfirmed")
    assert len(of(team, "v1")) == len(of(team, "v2")) == 1
    assert again["status"]["endpointID"] == first


@pytest.mark.parametrize("policy", ["Stop", "Retain"])
def test_the_policy_says_what_becomes_of_the_first(team: TeamV2, policy: str) -> None:
    _, first, second = unconfirmed(team, deletionPolicy=policy)
    team.spec("mixtral", migration=CONFIRMED)
    moved(team, second)
    (left,) = of(team, "v1")
    assert left["id"] == first
    assert left["state"] == ("STOPPED" if policy == "Stop" else "STARTED")
    assert first in team.until_told("EndpointRetained")


@pytest.mark.parametrize("policy", ["Delete", "Stop", "Retain"])
def test_deleted_while_both_serve(team: TeamV2, policy: str) -> None:
    _, first, _ = unconfirmed(team, deletionPolicy=policy)
    team.delete()
    team.gone()
    if policy == "Delete":
        assert team.live() == team.homes() == []
        return
    (former,), (unit,) = of(team, "v1"), of(team, "v2")
    assert former["id"] == first
    running = {"v1": "STARTED", "v2": of_state("READY")}
    assert (former["state"] == running["v1"]) is (policy == "Retain")
    assert (unit["state"] == running["v2"]) is (policy == "Retain")


def test_deleted_while_the_second_is_being_made(team: TeamV2) -> None:
    """What nobody uses yet is not kept, whatever becomes of the other one."""
    _, first = on_v1(team, deletionPolicy="Retain")
    team.together.assume(starting_seconds=600)
    team.spec("mixtral", api="V2")
    team.awaits("mixtral", "a deployment is on record", lambda it: _state(it) is not None)
    team.delete()
    team.gone()
    (left,) = team.live()
    assert (left["id"], left["state"]) == (first, "STARTED")
    assert team.homes() == []


def test_what_v2_cannot_do_is_said_and_the_first_serves_on(team: TeamV2) -> None:
    before, first = on_v1(team, speculativeDecoding="Enabled")
    with Load.of(team, before) as load:
        team.spec("mixtral", api="V2")
        found = team.until("mixtral", "Unsupported")
        assert_row(
            found, "Unsupported",
            ready=False, available=True, reconciling=False, stalled=True, synced=True,
        )  # fmt: skip
        message = conditions(found)["Stalled"]["message"]
        assert first in message
        assert "spec.api" in message
        team.spec("mixtral", api="V1")
        moved(team, first)
        eventually("there was some load", lambda: len(load.answers) > 20)
    assert team.posts() == [] or team.homes() == []


def test_a_choice_of_configs_is_made_in_the_midst_of_it(team: TeamV2) -> None:
    _, first = on_v1(team, model="openai/gpt-oss-120b")
    team.spec("mixtral", api="V2")
    found = team.until("mixtral", "ConfigRequired")
    message = conditions(found)["Stalled"]["message"]
    config = next(word for word in message.split() if word.startswith("cr_"))
    team.spec("mixtral", v2={"configID": config})
    found = team.until("mixtral", "MigrationUnconfirmed")
    assert found["status"]["endpointID"] == first
    patch = '{"spec":{"v2":{"configID":"cr_other"}}}'
    refused = team.kubectl("patch", "tep", "mixtral", "--type=merge", "-p", patch, check=False)
    assert "configID" in refused


def test_the_first_is_scaled_stopped_and_started_meanwhile(team: TeamV2) -> None:
    _, first, _ = unconfirmed(team)
    team.spec("mixtral", autoscaling={"minReplicas": 2})
    team.until("mixtral", "MigrationUnconfirmed")
    for generation in ("v1", "v2"):
        (one,) = of(team, generation)
        assert one["autoscaling"] == {"min_replicas": 2, "max_replicas": 2}, one
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "MigrationUnconfirmed")
    eventually(
        "both have stopped",
        lambda: {one["state"] for one in team.live()} == {"STOPPED", of_state("STOPPED")},
    )
    assert len(touched(team, first)) == 2


def test_the_first_is_gone_before_it_is_confirmed(team: TeamV2) -> None:
    found, first, second = unconfirmed(team)
    team.together.delete(first)
    now = moved(team, second)
    assert now["status"]["api"] == "V2"
    assert now["status"]["inference"] == found["status"]["inference"]


def test_an_endpoint_that_was_taken_over_is_left_to_whoever_made_it(team: TeamV2) -> None:
    _, first = on_v1(team, deletionPolicy="Retain")
    team.delete()
    team.gone()
    (left,) = team.live()
    team.together.force(first, display_name="by hand")
    team.apply(
        manifest("taken", adopt={"endpointID": left["id"]}, apiKeySecretRef={"name": "together"})
    )
    team.until("taken", "Serving")
    team.spec("taken", api="V2", migration=CONFIRMED)
    found = team.awaits("taken", "is in v2", lambda it: it["status"].get("api") == "V2")
    found = team.until("taken", "Serving")
    assert "adopted" not in found["status"]
    assert [one["id"] for one in of(team, "v1")] == [first]
    assert of(team, "v1")[0]["state"] == "STARTED"


def test_the_operator_is_killed_at_every_stage(team: TeamV2) -> None:
    _, first = on_v1(team)
    judge = JudgeV2.of(team)
    stages = [
        ("POST", r"^/v2/.*/endpoints$"),
        ("POST", r"^/v2/.*/deployments$"),
        ("PATCH", r"^/v2/.*/deployments/"),
        ("PATCH", r"^/v2/.*/endpoints/[^/]+$"),
    ]
    for method, path in stages:
        team.together.arm({"fault": "delay", "seconds": 2, "method": method, "path_regex": path})
    team.spec("mixtral", api="V2", migration=CONFIRMED)
    for number, (method, path) in enumerate(stages):
        eventually(f"stage {number}", lambda m=method, p=path: _sent(team, m, p), within=60)
        team.operator.kill()
        team.operator.start()
    found = team.awaits(
        "mixtral", "is in v2", lambda it: it["status"].get("api") == "V2", within=90
    )
    found = team.until("mixtral", "Serving")
    judge.one(found)
    assert of(team, "v1") == []
    assert first != found["status"]["endpointID"]


def _sent(team: TeamV2, method: str, path: str) -> bool:
    return any(r["method"] == method and re.search(path, r["path"]) for r in team.requests(method))


def test_the_status_is_wiped_while_both_serve(team: TeamV2) -> None:
    _, first, second = unconfirmed(team)
    team.kubectl(
        "patch", "tep", "mixtral", "--subresource=status", "--type=merge", "-p",
        '{"status":{"operation":null,"endpointID":null,"api":null,"migration":null}}',
    )  # fmt: skip
    found = team.awaits(
        "mixtral",
        "both are on record again",
        lambda it: it["status"].get("migration", {}).get("endpointID") == second,
        within=120,
    )
    assert found["status"]["endpointID"] == first
    team.until("mixtral", "MigrationUnconfirmed")
    assert len(team.live()) == 2


def test_the_one_that_is_given_up_can_be_let_go(team: TeamV2) -> None:
    _, first, second = unconfirmed(team)
    team.together.arm(
        {"fault": "status", "status": 403, "method": "DELETE", "path_regex": "^/v1/", "times": -1}
    )
    team.spec("mixtral", migration=CONFIRMED)
    team.awaits(
        "mixtral",
        "says what is in the way",
        lambda it: names.RELEASE in conditions(it)["Ready"]["message"],
        within=90,
    )
    team.kubectl("annotate", "tep", "mixtral", f"{names.RELEASE}={first}")
    moved(team, second)
    assert [one["id"] for one in of(team, "v1")] == [first]
