"""`spec.deletionPolicy`: what is left at Together when the resource has gone, and what it costs."""

from __future__ import annotations

import json
from typing import Any

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.operator import eventually, manifest
from tests.support.team import Team
from together_operator.resource.names import KEY_COPY_LABEL


def key_copies(team: Team) -> list[Any]:
    """The key copies that the operator keeps for a team."""
    text = team.cluster.kubectl(
        "get", "secrets", "-n", team.operator.namespace, "-l", f"{KEY_COPY_LABEL}=true",
        "-o", "json",
    ).stdout  # fmt: skip
    return [copy for copy in json.loads(text)["items"] if team.name in json.dumps(copy["metadata"])]


def billing(team: Team) -> bool:
    """Whether the team's endpoint costs something with every minute."""

    def billed() -> float:
        return float(team.endpoints()[0]["billed_cents"])

    before = billed()
    team.together.advance(600)
    return billed() > before


def test_delete_leaves_nothing(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    assert len(key_copies(team)) == 1
    team.delete()
    team.gone()
    assert team.live() == []
    assert not billing(team)
    (deletion,) = team.requests("DELETE")
    # Gone is what two complete LISTs that span the lag do not show, and a GET does not find.
    after = [r for r in team.requests("GET") if r["at"] > deletion["at"]]
    assert len([r for r in after if r["path"] == "/v1/endpoints"]) >= 2
    assert 404 in {r["status"] for r in after if r["path"] != "/v1/endpoints"}
    eventually("the key copy is gone", lambda: key_copies(team) == [], within=20, every=0.3)


def test_stop_leaves_a_stopped_one(team: Team) -> None:
    team.apply(manifest(deletionPolicy="Stop"))
    team.until("mixtral", "Serving")
    team.delete()
    team.gone()
    assert team.patches() == [{"state": "STOPPED"}]
    assert team.requests("DELETE") == []
    assert team.endpoint()["state"] == "STOPPED"
    assert not billing(team)
    eventually("the key copy is gone", lambda: key_copies(team) == [], within=20, every=0.3)


def test_stop_of_one_that_is_stopped_sends_nothing(team: Team) -> None:
    team.apply(manifest(deletionPolicy="Stop", state="Stopped"))
    team.until("mixtral", "Stopped")
    team.delete()
    team.gone()
    assert team.patches() == []
    assert team.endpoint()["state"] == "STOPPED"


def test_retain_leaves_it_running_and_billed(team: Team) -> None:
    team.apply(manifest(deletionPolicy="Retain"))
    team.until("mixtral", "Serving")
    changes = len(team.requests("PATCH")) + len(team.requests("DELETE"))
    team.delete()
    team.gone()
    assert changes == len(team.requests("PATCH")) + len(team.requests("DELETE")) == 0
    assert team.endpoint()["state"] == "STARTED"
    assert billing(team)
    # It is nobody's now, and nobody touches it.
    team.apply(manifest())
    team.until("mixtral", "Serving")
    assert len(team.live()) == 2


def test_the_policy_can_be_changed_until_the_end(team: Team) -> None:
    team.apply(manifest(deletionPolicy="Retain"))
    team.until("mixtral", "Serving")
    team.spec("mixtral", deletionPolicy="Delete")
    team.delete()
    team.gone()
    assert team.live() == []


def test_one_that_is_gone_already_is_no_obstacle(team: Team) -> None:
    team.apply(manifest())
    serving = team.until("mixtral", "Serving")
    team.together.delete(serving["status"]["endpointID"])
    team.delete()
    team.gone()
    assert team.live() == []


def test_a_deletion_that_together_does_not_answer_is_repeated(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.together.arm({"method": "DELETE", "fault": "status", "status": 503, "times": 2})
    team.delete()
    team.gone()
    assert team.live() == []
    assert len(team.requests("DELETE")) >= 3


def test_an_accepted_deletion_is_not_believed_until_it_shows(team: Team) -> None:
    team.together.assume(delete_list_lag_seconds=180)
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.delete()
    eventually("it is deleted there", lambda: team.live() == [], within=20)
    deleted = team.endpoints()[0]["deleted_at"]
    team.gone()
    lists = [r["at"] for r in team.lists() if r["at"] > deleted]
    assert lists[-1] - deleted >= 3, "it went although Together still listed the endpoint"


def test_a_deletion_without_a_working_key_says_what_is_left(team: Team) -> None:
    team.apply(manifest())
    serving = team.until("mixtral", "Serving")
    made = serving["status"]["endpointID"]
    team.together.keys(deny=[team.key])
    team.delete()
    blocked = team.until("mixtral", "DeletionBlocked")
    assert_row(
        blocked, "DeletionBlocked",
        ready=False, available=True, reconciling=False, stalled=True, synced=False,
    )  # fmt: skip
    expect_health(Situation.DELETION_BLOCKED, blocked)
    message = conditions(blocked)["Stalled"]["message"]
    assert made in message
    assert "together-operator.io/release" in message
    # Another answer than the one that is asked for changes nothing.
    team.annotate("mixtral", "release", "endpoint-of-somebody-else")
    team.polled(1)
    assert team.read() is not None
    team.annotate("mixtral", "release", made)
    team.gone()
    team.together.keys(allow=[team.key])
    assert team.endpoint()["id"] == made


def test_a_blocked_deletion_goes_on_when_the_key_works_again(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.together.keys(deny=[team.key])
    team.delete()
    team.until("mixtral", "DeletionBlocked")
    team.together.keys(allow=[team.key])
    team.gone()
    assert team.live() == []
