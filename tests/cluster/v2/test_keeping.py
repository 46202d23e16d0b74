"""Policies, suspension, keys and the ConfigMap, where what runs is a deployment within an endpoint.

The promises are those of the first generation. What differs is what they hold for: two things at
Together instead of one, several requests where there was one, and a stop that is a size.
"""

from __future__ import annotations

import json

import pytest

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.operator import Object, OperatorProcess, eventually
from tests.support.team_v2 import JudgeV2, TeamV2, bounds, manifest_v2, of_state
from together_local.simulator.accounts import key_id

ZERO = {"autoscaling": bounds(0, 0)}


def serving(team: TeamV2, **spec: object) -> Object:
    """A resource that serves."""
    team.apply(manifest_v2(**spec))
    return team.until("mixtral", "Serving")


def billing(team: TeamV2) -> bool:
    """Whether what the team has costs something with every minute."""

    def billed() -> float:
        return sum(float(one["billed_cents"]) for one in team.endpoints())

    before = billed()
    team.together.advance(600)
    return billed() > before


def test_stop_leaves_a_stopped_one(team: TeamV2) -> None:
    serving(team, deletionPolicy="Stop")
    team.delete()
    team.gone()
    assert team.patches()[1:] == [ZERO]
    assert team.requests("DELETE") == []
    assert team.deployment()["state"] == of_state("STOPPED")
    assert len(team.homes()) == 1
    assert not billing(team)


def test_retain_leaves_it_running_and_routed(team: TeamV2) -> None:
    found = serving(team, deletionPolicy="Retain")
    changes = [r for r in team.requests() if r["method"] != "GET"]
    team.delete()
    team.gone()
    assert [r for r in team.requests() if r["method"] != "GET"] == changes
    assert team.split() == {team.deployment()["id"]: 100}
    assert billing(team)
    # The name is taken now, by what is nobody's, and nobody touches that.
    team.apply(manifest_v2())
    team.until("mixtral", "NameTaken")
    assert [r for r in team.requests() if r["method"] != "GET"] == changes
    assert team.home()["id"] == found["status"]["endpointID"]


def test_one_that_is_gone_already_is_no_obstacle(team: TeamV2) -> None:
    found = serving(team)
    team.together.delete(found["status"]["endpointID"])
    team.delete()
    team.gone()
    assert team.live() == []


def test_a_deletion_that_together_does_not_answer_is_repeated(team: TeamV2) -> None:
    serving(team)
    team.together.arm({"method": "DELETE", "fault": "status", "status": 503, "times": 2})
    team.delete()
    team.gone()
    team.until_homeless()


@pytest.mark.parametrize("fault", ["reset_after", "delay"])
def test_answers_to_deletions_are_lost(team: TeamV2, fault: str) -> None:
    serving(team)
    team.together.arm({"method": "DELETE", "fault": fault, "seconds": 2, "times": 2})
    team.delete()
    team.gone()
    team.until_homeless()


def test_a_deletion_without_a_working_key_says_what_is_left(team: TeamV2) -> None:
    made = serving(team)["status"]["endpointID"]
    team.together.keys(deny=[team.key])
    team.delete()
    blocked = team.until("mixtral", "DeletionBlocked")
    expect_health(Situation.DELETION_BLOCKED, blocked)
    message = conditions(blocked)["Stalled"]["message"]
    assert made in message
    assert "together-operator.io/release" in message
    team.together.keys(allow=[team.key])
    team.gone()
    team.until_homeless()


# -- suspended -------------------------------------------------------------------------------------


def test_nothing_is_created_while_suspended(team: TeamV2) -> None:
    team.apply(manifest_v2(suspend=True))
    suspended = team.until("mixtral", "Suspended")
    expect_health(Situation.SUSPENDED_CHANGING, suspended)
    assert [r for r in team.requests() if r["method"] != "GET"] == []
    team.spec("mixtral", suspend=False)
    team.until("mixtral", "Serving")


def test_suspended_while_serving(team: TeamV2) -> None:
    serving(team)
    before = [r for r in team.requests() if r["method"] != "GET"]
    team.spec("mixtral", suspend=True)
    suspended = team.awaits(
        "mixtral", "suspended", lambda it: conditions(it)["Reconciling"]["reason"] == "Suspended"
    )
    assert_row(
        suspended, "Serving", why="Suspended",
        ready=True, available=True, reconciling=False, stalled=False, synced=True,
    )  # fmt: skip
    team.spec("mixtral", autoscaling={"minReplicas": 2})
    pending = team.until("mixtral", "Suspended")
    assert "waiting with: Scaling" in conditions(pending)["Ready"]["message"]
    # Out of the traffic by a person's hand: that waits as well.
    team.route({})
    team.polled(3)
    assert team.split() == {}
    assert [r for r in team.requests() if r["method"] != "GET"] == before
    team.spec("mixtral", suspend=False)
    team.until("mixtral", "Serving")
    assert team.split() == {team.deployment()["id"]: 100}
    assert team.deployment()["autoscaling"] == {"min_replicas": 2, "max_replicas": 2}


def test_deleted_while_suspended_until_it_is_released(team: TeamV2) -> None:
    serving(team)
    before = [r for r in team.requests() if r["method"] != "GET"]
    team.spec("mixtral", suspend=True)
    team.delete()
    held = team.until("mixtral", "DeletionSuspended")
    expect_health(Situation.DELETION_SUSPENDED, held)
    team.polled(3)
    assert [r for r in team.requests() if r["method"] != "GET"] == before
    team.spec("mixtral", suspend=False)
    team.gone()
    team.until_homeless()


def test_suspended_before_anything_runs(team: TeamV2) -> None:
    """The endpoint is made, and what is to run in it waits."""
    team.together.arm(
        {"fault": "status", "status": 503, "path_regex": "/deployments$", "times": -1}
    )
    team.apply(manifest_v2())
    team.awaits("mixtral", "on record", lambda it: it["status"].get("endpointID"))
    team.spec("mixtral", suspend=True)
    team.awaits(
        "mixtral", "suspended", lambda it: conditions(it)["Reconciling"]["reason"] == "Suspended"
    )
    team.together.clear_faults()
    team.polled(3)
    assert team.live() == []
    team.spec("mixtral", suspend=False)
    JudgeV2.of(team).one(team.until("mixtral", "Serving"))


# -- keys ------------------------------------------------------------------------------------------


def test_a_rotated_key_is_taken_into_use(operator: OperatorProcess, team: TeamV2) -> None:
    before = serving(team)
    fresh = f"{team.key}-fresh"
    team.together.keys(projects={fresh: team.name})
    team.secret(fresh)
    team.together.keys(deny=[team.key])

    def with_fresh(method: str) -> list[Object]:
        return [
            r
            for r in team.together.ledger()["requests"]
            if r["key_id"] == key_id(fresh) and r["method"] == method
        ]

    eventually("it is polled with", lambda: len(with_fresh("GET")) > 3, within=30)
    found = team.until("mixtral", "Serving")
    assert found["status"]["endpointID"] == before["status"]["endpointID"]
    team.kubectl("scale", "tep", "mixtral", "--replicas=2")
    team.awaits("mixtral", "scaled", lambda it: it["status"].get("readyReplicas") == 2)
    assert len(with_fresh("PATCH")) == 1
    team.delete()
    team.gone()
    team.until_homeless()


def test_a_key_of_another_project_is_not_taken_into_use(team: TeamV2) -> None:
    serving(team)
    other = f"{team.key}-other"
    team.together.keys(projects={other: f"{team.name}-other"})
    team.secret(other)
    team.annotate("mixtral", "reconcile-requested-at", "1")
    found = team.until("mixtral", "CredentialMismatch")
    assert conditions(found)["Stalled"]["status"] == "True"
    team.delete()
    team.gone()
    team.until_homeless()


def test_without_its_secret_it_can_be_stopped_and_deleted_and_not_started(team: TeamV2) -> None:
    serving(team)
    team.kubectl("delete", "secret", "together")
    team.annotate("mixtral", "reconcile-requested-at", "1")
    team.until("mixtral", "SecretMissing")
    before = team.patches()
    team.spec("mixtral", autoscaling={"minReplicas": 3})
    team.until("mixtral", "SecretMissing")
    assert team.patches() == before
    team.spec("mixtral", state="Stopped")
    team.until_remote("it is stopped", state=of_state("STOPPED"))
    team.spec("mixtral", state="Started")
    team.until("mixtral", "SecretMissing")
    team.polled(2)
    assert team.patches()[len(before) :] == [ZERO]
    team.delete()
    team.gone()
    team.until_homeless()


# -- how applications find it ----------------------------------------------------------------------


def test_the_configmap_names_what_never_changes(team: TeamV2) -> None:
    found = serving(team, connection={"configMapName": "where"})
    told = json.loads(team.kubectl("get", "configmap", "where", "-o", "json"))
    assert told["data"] == {
        "OPENAI_BASE_URL": found["status"]["inference"]["baseURL"],
        "OPENAI_MODEL": team.home()["name"],
    }
    judge = JudgeV2.of(team)
    judge.fail(team.deployment()["id"])
    team.until("mixtral", "EndpointFailed")
    team.annotate("mixtral", "restart-requested-at", "now")
    team.until("mixtral", "Serving")
    again = json.loads(team.kubectl("get", "configmap", "where", "-o", "json"))
    assert again["metadata"]["resourceVersion"] == told["metadata"]["resourceVersion"]
