"""The operator dies at the worst moment, and is started again: one endpoint, or none left.

The worst moment is between the request that costs money and the record of what it bought. What
happened is judged by Together's books.
"""

from __future__ import annotations

import random

import pytest

from tests.support.contract import conditions
from tests.support.judge import Judge
from tests.support.operator import Object, OperatorProcess, manifest
from tests.support.team import Team

KILLS = 10


def test_killed_while_together_holds_the_answer_back(operator: OperatorProcess, team: Team) -> None:
    team.together.arm({"fault": "delay", "method": "POST", "seconds": 1.5})
    team.apply(manifest())
    judge = Judge.of(operator, team)
    judge.until_posted()
    operator.kill()
    (made,) = judge.live()
    status = team.status()
    assert status["operation"]["phase"] == "Open"
    assert "endpointID" not in status

    operator.start()
    found = team.until("mixtral", "Serving")
    assert found["status"]["endpointID"] == made["id"]
    assert len(judge.posts()) == 1
    judge.one(made["id"])
    assert "EndpointClaimed" in team.events()


def test_killed_before_the_order_took_effect(operator: OperatorProcess, team: Team) -> None:
    team.together.arm({"fault": "reset_before", "method": "POST", "seconds": 1.5})
    team.apply(manifest())
    judge = Judge.of(operator, team)
    judge.until_posted()
    operator.kill()
    assert judge.live() == []

    operator.start()
    team.until("mixtral", "Claiming")
    found = team.until("mixtral", "Serving")
    assert len(judge.posts()) == 2
    judge.one(found["status"]["endpointID"])


def test_killed_after_the_connection_was_cut(operator: OperatorProcess, team: Team) -> None:
    team.together.arm(
        {"fault": "reset_after", "method": "POST"},
        {"fault": "hide_in_list", "method": "GET", "seconds": 3, "times": -1},
    )
    team.apply(manifest())
    judge = Judge.of(operator, team)
    team.until("mixtral", "Claiming")
    operator.kill()

    operator.start()
    found = team.until("mixtral", "Serving")
    assert len(judge.posts()) == 1
    judge.one(found["status"]["endpointID"])


def test_killed_again_and_again_while_it_starts(operator: OperatorProcess, team: Team) -> None:
    operator.kill()
    team.apply(manifest())
    judge = Judge.of(operator, team)
    chance = random.Random(3)
    for _ in range(5):
        operator.launch()
        operator.kill_within(1.2, chance, least=0.3)

    operator.start()
    found = team.until("mixtral", "Serving")
    judge.one(found["status"]["endpointID"])


def test_killed_while_a_deletion_is_answered(operator: OperatorProcess, team: Team) -> None:
    team.apply(manifest())
    judge = Judge.of(operator, team)
    made = team.until("mixtral", "Serving")["status"]["endpointID"]
    team.together.arm({"fault": "delay", "method": "DELETE", "seconds": 2})
    team.delete()
    judge.until_gone()
    operator.kill()
    assert team.read() is not None

    operator.start()
    team.gone()
    judge.none()
    assert len(operator.writes("DELETE", f"/v1/endpoints/{made}")) == 1


def test_the_record_is_lost(operator: OperatorProcess, team: Team) -> None:
    team.apply(manifest())
    judge = Judge.of(operator, team)
    made = team.until("mixtral", "Serving")["status"]["endpointID"]
    operator.kill()
    team.kubectl(
        "patch", "tep", "mixtral", "--subresource=status", "--type=json",
        "--patch-file=/dev/stdin", document=[{"op": "remove", "path": "/status"}],
    )  # fmt: skip

    operator.start()
    found = team.until("mixtral", "Serving")
    assert found["status"]["endpointID"] == made
    assert len(judge.posts()) == 1
    judge.one(made)


def test_restarted_while_together_is_away(operator: OperatorProcess, team: Team) -> None:
    """What nobody can see just now is told as it was."""
    team.apply(manifest())
    before, probes = team.until("mixtral", "Serving"), team.probes()
    operator.kill()
    team.together.arm({"fault": "status", "status": 503, "times": -1})
    operator.start()
    team.awaits("mixtral", "it is out of sync", lambda it: condition(it, "Synced") == "False")
    team.together.clear_faults()
    team.awaits("mixtral", "it is in sync", lambda it: condition(it, "Synced") == "True")
    for version in team.history(after=before):
        assert condition(version, "Ready") == "True"
        assert condition(version, "Available") == "True"
        for field in ("replicas", "state", "endpointID", "inference"):
            assert version["status"][field] == before["status"][field]
    assert team.patches() == []
    assert team.probes() == probes


def condition(found: Object, kind: str) -> str:
    """The status of a condition."""
    return str(conditions(found)[kind]["status"])


CREATING = ("KeepKey", "Prepare", "Record", "Create", "Probe")
DELETING = ("Delete", "Get", "List", "Look", "Finish")


@pytest.mark.timeout(400)
def test_killed_as_each_step_begins(operator: OperatorProcess, team: Team) -> None:
    """The step may have gone out or not, and its effect may have come or not."""
    judges = {}
    for step in CREATING:
        name = f"at-{step.lower()}"
        team.apply(manifest(name))
        judges[name] = Judge.of(operator, team, name)
        operator.kill_at(step, name)
        operator.start()
    for name, judge in judges.items():
        found = team.until(name, "Serving", within=90)
        judge.one(found["status"]["endpointID"])
        assert len(judge.posts()) <= 2

    for step, name in zip(DELETING, judges, strict=True):
        team.delete(name)
        operator.kill_at(step, name)
        operator.start()
    for name, judge in judges.items():
        team.gone(name, within=90)
        judge.none()
    assert team.live() == []


@pytest.mark.timeout(400)
def test_ten_kills_while_creating_and_ten_while_deleting(
    operator: OperatorProcess, team: Team
) -> None:
    chance = random.Random(11)
    names = [f"kill-{number}" for number in range(KILLS)]
    judges = {}
    for name in names:
        team.apply(manifest(name))
        judges[name] = Judge.of(operator, team, name)
        operator.kill_within(0.4, chance)
        operator.start()
    for name, judge in judges.items():
        found = team.until(name, "Serving", within=90)
        judge.one(found["status"]["endpointID"])

    for name in names:
        team.delete(name)
        operator.kill_within(0.8, chance)
        operator.start()
    for name, judge in judges.items():
        team.gone(name, within=90)
        judge.none()
    assert team.live() == []
