"""The operator dies, or an answer is lost, at the worst moments of the second generation.

There are two orders now, one that is free and one that is made stopped, and a start between them
and the traffic. At no moment may two deployments run for one resource, and in the end one serves
or nothing is left.
"""

from __future__ import annotations

import random

import pytest

from tests.support.operator import Object, OperatorProcess, eventually
from tests.support.team_v2 import JudgeV2, TeamV2, manifest_v2

KILLS = 6

ENDPOINT = {"method": "POST", "path_regex": "/endpoints$"}
DEPLOYMENT = {"method": "POST", "path_regex": "/deployments$", "after": 1}
"""The second request there: the first one is the dry run."""

ORDERS = pytest.mark.parametrize(
    "order", [pytest.param(ENDPOINT, id="endpoint"), pytest.param(DEPLOYMENT, id="deployment")]
)


def met(team: TeamV2) -> None:
    """Wait until the fault has been met."""
    eventually("the fault is met", lambda: team.together.faults()[0]["hits"], within=30, every=0.02)


def one_in_the_end(team: TeamV2, judge: JudgeV2) -> Object:
    """Wait until it serves, through one deployment, and the endpoint is the only one."""
    found = team.until("mixtral", "Serving", within=90)
    judge.one(found)
    assert team.home()["id"] == found["status"]["endpointID"]
    assert judge.most_at_once() == 1
    return found


def nothing_in_the_end(team: TeamV2, judge: JudgeV2) -> None:
    """Have it deleted, and see that nothing is left."""
    team.delete()
    team.gone(within=90)
    judge.none()
    assert team.homes() == []


@ORDERS
def test_killed_while_together_holds_an_answer_back(
    operator: OperatorProcess, team: TeamV2, order: Object
) -> None:
    team.together.arm({"fault": "delay", "seconds": 1.5, **order})
    team.apply(manifest_v2())
    judge = JudgeV2.of(team)
    met(team)
    operator.kill()
    assert len(team.homes()) == 1
    operator.start()
    one_in_the_end(team, judge)
    assert len(team.posts()) == 1
    assert len(team.deploys()) == 1, "what the lost answer told of is found by its name"
    nothing_in_the_end(team, judge)


@ORDERS
def test_killed_before_an_order_took_effect(
    operator: OperatorProcess, team: TeamV2, order: Object
) -> None:
    team.together.arm({"fault": "reset_before", "seconds": 1.5, **order})
    team.apply(manifest_v2())
    judge = JudgeV2.of(team)
    met(team)
    operator.kill()
    assert judge.live() == []
    operator.start()
    one_in_the_end(team, judge)


@ORDERS
def test_an_answer_is_lost(team: TeamV2, order: Object) -> None:
    team.together.arm({"fault": "reset_after", **order})
    team.apply(manifest_v2())
    judge = JudgeV2.of(team)
    one_in_the_end(team, judge)
    assert len(team.posts()) == len(team.deploys()) == 1
    nothing_in_the_end(team, judge)


@ORDERS
def test_an_answer_is_lost_and_lists_lag(team: TeamV2, order: Object) -> None:
    team.together.arm(
        {"fault": "reset_after", **order},
        {"fault": "hide_in_list", "seconds": 1.5, "times": -1},
    )
    team.apply(manifest_v2())
    judge = JudgeV2.of(team)
    one_in_the_end(team, judge)


@ORDERS
def test_an_order_takes_effect_after_its_error(team: TeamV2, order: Object) -> None:
    team.together.arm({"fault": "late_effect", "seconds": 2, **order})
    team.apply(manifest_v2())
    judge = JudgeV2.of(team)
    one_in_the_end(team, judge)
    nothing_in_the_end(team, judge)


@ORDERS
def test_deleted_while_an_order_is_unresolved(team: TeamV2, order: Object) -> None:
    team.together.arm({"fault": "late_effect", "seconds": 2, **order})
    team.apply(manifest_v2())
    judge = JudgeV2.of(team)
    met(team)
    nothing_in_the_end(team, judge)
    # Nothing can come any more: the one home that was ordered has come and gone, and with it
    # whatever was to run there.
    homes = [one for one in team.together.v2_endpoints() if one["project"] == team.name]
    assert len(homes) == len(team.posts()) == 1
    assert len(team.deploys()) == (1 if order is DEPLOYMENT else 0)
    assert judge.live() == []


@ORDERS
def test_deleted_and_killed_while_an_order_is_unresolved(
    operator: OperatorProcess, team: TeamV2, order: Object
) -> None:
    team.together.arm({"fault": "late_effect", "seconds": 1.5, **order})
    team.apply(manifest_v2())
    judge = JudgeV2.of(team)
    met(team)
    operator.kill()
    team.delete()
    operator.start()
    team.gone(within=90)
    judge.none()
    assert team.homes() == []


def test_names_that_are_not_unique_make_no_second_one_run(team: TeamV2) -> None:
    """Should Together allow two deployments of a name, the second never runs, and is removed."""
    team.together.assume(deployment_names_unique=False)
    team.together.arm({"fault": "late_effect", "seconds": 20, **DEPLOYMENT})
    team.apply(manifest_v2())
    judge = JudgeV2.of(team)
    team.until("mixtral", "Serving", within=90)
    eventually("the late one came", lambda: len(judge.deployments()) == 2, within=60)
    # It is stopped and free, so that nobody is woken for it; whoever looks next removes it.
    team.annotate("mixtral", "reconcile-requested-at", "now")
    eventually("and went", lambda: len(judge.live()) == 1, within=60)
    found = team.until("mixtral", "Serving")
    judge.one(found)
    nothing_in_the_end(team, judge)


CREATING = ("KeepKey", "Prepare", "Record", "Create", "Deploy", "Start", "Route", "Probe")
DELETING = ("Route", "Stop", "Undeploy", "Delete", "Get", "List", "Look", "Finish")


@pytest.mark.timeout(600)
def test_killed_as_each_step_begins(operator: OperatorProcess, team: TeamV2) -> None:
    """The step may have gone out or not, and its effect may have come or not."""
    judges = {}
    for number, step in enumerate(CREATING):
        name = f"at-{step.lower()}-{number}"
        team.apply(manifest_v2(name))
        judges[name] = JudgeV2.of(team, name)
        operator.kill_at(step, name)
        operator.start()
    for name, judge in judges.items():
        found = team.until(name, "Serving", within=90)
        judge.one(found)
        assert judge.most_at_once() == 1
    assert len(team.homes()) == len(CREATING)

    for step, name in zip(DELETING, judges, strict=True):
        since = operator.log.stat().st_size
        team.delete(name)
        operator.kill_at(step, name, since=since)
        operator.start()
    for name, judge in judges.items():
        team.gone(name, within=90)
        judge.none()
    assert team.homes() == []


@pytest.mark.timeout(600)
def test_many_kills_while_creating_and_while_deleting(
    operator: OperatorProcess, team: TeamV2
) -> None:
    chance = random.Random(12)
    names = [f"kill-{number}" for number in range(KILLS)]
    judges = {}
    for name in names:
        team.apply(manifest_v2(name))
        judges[name] = JudgeV2.of(team, name)
        operator.kill_within(0.8, chance)
        operator.start()
    for name, judge in judges.items():
        judge.one(team.until(name, "Serving", within=90))

    for name in names:
        team.delete(name)
        operator.kill_within(0.8, chance)
        operator.start()
    for name, judge in judges.items():
        team.gone(name, within=90)
        judge.none()
    assert team.homes() == []


def test_the_record_is_lost(operator: OperatorProcess, team: TeamV2) -> None:
    team.apply(manifest_v2())
    judge = JudgeV2.of(team)
    before = team.until("mixtral", "Serving")["status"]
    operator.kill()
    team.kubectl(
        "patch", "tep", "mixtral", "--subresource=status", "--type=json",
        "--patch-file=/dev/stdin", document=[{"op": "remove", "path": "/status"}],
    )  # fmt: skip
    operator.start()
    found = one_in_the_end(team, judge)
    assert found["status"]["endpointID"] == before["endpointID"]
    assert found["status"]["api"] == "V2"
    assert len(team.posts()) == len(team.deploys()) == 1


def test_restarted_while_together_is_away(operator: OperatorProcess, team: TeamV2) -> None:
    """What nobody can see just now is told as it was."""
    team.apply(manifest_v2())
    before, asked = team.until("mixtral", "Serving"), team.patches()
    operator.kill()
    team.together.arm({"fault": "status", "status": 503, "times": -1})
    operator.start()
    team.awaits("mixtral", "it is out of sync", lambda it: said(it, "Synced") == "False")
    team.together.clear_faults()
    team.awaits("mixtral", "it is in sync", lambda it: said(it, "Synced") == "True")
    for version in team.history(after=before):
        assert said(version, "Ready") == "True"
        assert said(version, "Available") == "True"
        for field in ("replicas", "state", "endpointID", "inference", "deployments"):
            assert version["status"][field] == before["status"][field]
    assert team.patches() == asked


def said(found: Object, kind: str) -> str:
    """The status of a condition."""
    told = {c["type"]: c["status"] for c in found["status"]["conditions"]}
    return str(told[kind])
