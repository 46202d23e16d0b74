"""A create request that nobody answers clearly: never two endpoints, and in the end one.

Every way in which the answer can be lost is tried, and every answer that a person may give when the
evidence is not enough. All within the bounds that the protocol assumes, but for the last test.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.contract import conditions
from tests.support.judge import Judge
from tests.support.operator import HARDWARE, MODEL, OperatorProcess, eventually, manifest
from tests.support.team import Team

pytestmark = pytest.mark.timeout(300)

POST = {"method": "POST", "path_regex": "^/v1/endpoints$"}

LOST: dict[str, tuple[int, dict[str, Any]]] = {
    "cut-after-the-effect": (1, {"fault": "reset_after"}),
    "cut-before-the-effect": (2, {"fault": "reset_before"}),
    "error-500": (2, {"fault": "status", "status": 500}),
    "conflict-409": (2, {"fault": "status", "status": 409}),
    "text-503": (2, {"fault": "status", "status": 503, "body": "upstream connect error"}),
    "unreadable-200": (2, {"fault": "status", "status": 200, "body": "<html>"}),
    "late-effect": (1, {"fault": "late_effect", "seconds": 3}),
    "slower-than-the-timeout": (1, {"fault": "delay", "seconds": 4}),
}
"""What becomes of the first create request, and how many there are in the end."""


def test_no_clear_answer_whatever_the_way(operator: OperatorProcess, team: Team) -> None:
    """All at once: each resource also sees what the others' lost requests made."""
    # A new endpoint is missing from the list for nearly as long as the protocol allows.
    lag = {"fault": "hide_in_list", "method": "GET", "seconds": 1.5, "times": -1}
    team.together.arm(lag)
    judges = {}
    for name, (_, fault) in LOST.items():
        team.together.arm({**POST, **fault})
        team.apply(manifest(name))
        judges[name] = Judge.of(operator, team, name)
        judges[name].until_posted()

    for name, (posts, _) in LOST.items():
        found = team.until(name, "Serving")
        assert "Claiming" in team.reasons(name), name
        assert len(judges[name].posts()) == posts, name
        judges[name].one(found["status"]["endpointID"])
    assert len(team.live()) == len(LOST)


def test_attempts_run_out(operator: OperatorProcess, team: Team) -> None:
    """After three a person is asked, and looking goes on meanwhile."""
    team.together.arm({**POST, "fault": "reset_before", "times": 6})
    judges = {}
    for name in ("nothing", "late"):
        team.apply(manifest(name))
        judges[name] = Judge.of(operator, team, name)
    for name, judge in judges.items():
        found = team.until(name, "AttemptsExhausted", within=120)
        assert conditions(found)["Stalled"]["status"] == "True"
        assert "together-operator.io/claim" in conditions(found)["Ready"]["message"]
        assert len(judge.posts()) == 3

    team.annotate("nothing", "claim", "none")
    found = team.until("nothing", "Serving")
    assert len(judges["nothing"].posts()) == 4
    judges["nothing"].one(found["status"]["endpointID"])
    team.awaits("nothing", "the answer is taken off", lambda it: not answer(it))

    late = judges["late"]
    made = team.together.create({**late.posts()[1]["body"], "project": team.name})
    found = team.until("late", "Serving")
    assert found["status"]["endpointID"] == made["id"]
    assert len(late.posts()) == 3
    late.one(made["id"])


def test_a_person_says_which_endpoint_it_is(operator: OperatorProcess, team: Team) -> None:
    judge, theirs = unclear(operator, team)
    team.annotate("mixtral", "claim", theirs)
    found = team.until("mixtral", "Serving")
    assert found["status"]["endpointID"] == theirs
    assert len(judge.posts()) == 1
    assert [e["id"] for e in team.live()] == [theirs]
    # From now on it is to be recognised.
    team.until_remote("it carries the mark", display_name=judge.posts()[0]["body"]["display_name"])
    team.awaits("mixtral", "the answer is taken off", lambda it: not answer(it))

    team.delete()
    team.gone()
    assert team.live() == []


def test_a_person_says_that_it_is_none_of_them(operator: OperatorProcess, team: Team) -> None:
    judge, theirs = unclear(operator, team)
    team.annotate("mixtral", "claim", "none")
    found = team.until("mixtral", "Serving")
    assert found["status"]["endpointID"] != theirs
    assert len(judge.posts()) == 2
    judge.one(found["status"]["endpointID"])

    team.delete()
    team.gone()
    judge.none()
    assert [e["id"] for e in team.live()] == [theirs]
    assert judge.touched(theirs) == []


def test_names_that_do_not_come_back_leave_no_second_attempt(
    operator: OperatorProcess, team: Team
) -> None:
    team.together.assume(display_names_kept=False)
    team.apply(manifest("first"))
    team.until("first", "Serving")
    team.together.arm({**POST, "fault": "reset_before"})
    team.apply(manifest("second"))
    judge = Judge.of(operator, team, "second")
    found = team.until("second", "MarkersLost")
    assert conditions(found)["Stalled"]["status"] == "True"
    assert len(judge.posts()) == 1

    team.annotate("second", "claim", "none")
    found = team.until("second", "Serving")
    judge.one(found["status"]["endpointID"])
    assert len(team.live()) == 2


def test_an_effect_long_after_its_time_is_taken_back(operator: OperatorProcess, team: Team) -> None:
    team.together.arm({**POST, "fault": "late_effect", "seconds": 16})
    team.apply(manifest())
    judge = Judge.of(operator, team)
    found = team.until("mixtral", "Serving")
    recorded = found["status"]["endpointID"]
    assert len(judge.posts()) == 2

    eventually("the late one comes", lambda: len(judge.endpoints()) == 2)
    eventually("it is removed", lambda: len(judge.live()) == 1)
    assert judge.live()[0]["id"] == recorded
    assert operator.writes("DELETE", f"/v1/endpoints/{recorded}") == []
    assert team.reason() == "Serving"
    team.awaits(
        "mixtral",
        "nothing is left to remove",
        lambda it: not it["status"]["operation"].get("removing"),
    )


def answer(found: dict[str, Any]) -> str | None:
    """A person's answer, as long as it stands."""
    answered: str | None = found["metadata"]["annotations"].get("together-operator.io/claim")
    return answered


def unclear(operator: OperatorProcess, team: Team) -> tuple[Judge, str]:
    """A lost request, and an endpoint just like the one ordered that somebody else made."""
    team.together.arm({**POST, "fault": "reset_before"})
    team.apply(manifest())
    judge = Judge.of(operator, team)
    judge.until_posted()
    bounds = {"min_replicas": 1, "max_replicas": 1}
    body = {"model": MODEL, "hardware": HARDWARE, "autoscaling": bounds, "project": team.name}
    theirs = str(team.together.create(body)["id"])
    found = team.until("mixtral", "InconclusiveScan")
    assert conditions(found)["Stalled"]["status"] == "True"
    message = conditions(found)["Ready"]["message"]
    assert theirs in message
    assert "together-operator.io/claim" in message
    assert len(judge.posts()) == 1
    return judge, theirs
