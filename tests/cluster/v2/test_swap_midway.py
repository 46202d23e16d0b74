"""What happens in the midst of a swap: people change their minds, answers are lost, processes die.

Until the one write that moves the traffic, to give up costs nobody anything; at no moment do more
than two deployments run, and a person's part of the traffic stays a person's.
"""

from __future__ import annotations

import pytest

from tests.support.contract import conditions
from tests.support.load import Load
from tests.support.operator import HARDWARE, OperatorProcess, eventually
from tests.support.swap import building, by_role, serving, settled, slowly, touched
from tests.support.team_v2 import (
    ANOTHER_HARDWARE,
    JudgeV2,
    TeamV2,
    of_state,
)


def test_a_change_that_is_taken_back_midway(team: TeamV2) -> None:
    before, old = serving(team)
    slowly(team)
    judge = JudgeV2.of(team)
    changed = team.requests()[-1]["at"]
    with Load.of(team, before) as load:
        team.spec("mixtral", hardware=ANOTHER_HARDWARE)
        new = building(team)
        team.spec("mixtral", hardware=HARDWARE)
        found = settled(team)
        assert [d["id"] for d in found["status"]["deployments"]] == [old]
        assert touched(team, old, changed) == []
    assert load.answered_by(new) == 0
    assert "ReplacementFailed" not in team.told()
    assert judge.most_running() == 2


def test_another_change_midway(team: TeamV2) -> None:
    before, old = serving(team)
    slowly(team)
    judge = JudgeV2.of(team)
    with Load.of(team, before):
        team.spec("mixtral", hardware=ANOTHER_HARDWARE)
        building(team)
        team.spec("mixtral", hardware="2x_nvidia_b200_180gb_sxm")
        found = settled(team)
        assert found["status"]["hardware"] == "2xnvidia-b200-180gb"
    assert judge.most_running() == 2, "the second one goes before a third one runs"
    assert old not in {one["id"] for one in judge.live()}


# -- what else may happen meanwhile ---------------------------------------------------------------


def test_a_size_that_changes_meanwhile_holds_for_both(team: TeamV2) -> None:
    before, _ = serving(team)
    slowly(team)
    with Load.of(team, before):
        team.spec("mixtral", hardware=ANOTHER_HARDWARE)
        building(team)
        team.kubectl("scale", "tep", "mixtral", "--replicas=2")
        found = settled(team)
    assert found["status"]["readyReplicas"] == 2
    assert team.deployment()["autoscaling"] == {"min_replicas": 2, "max_replicas": 2}
    assert found["status"]["hardware"] == "2xnvidia-h200-141gb"


def test_stopped_meanwhile(team: TeamV2) -> None:
    serving(team)
    slowly(team)
    judge = JudgeV2.of(team)
    team.spec("mixtral", hardware=ANOTHER_HARDWARE)
    building(team)
    team.spec("mixtral", state="Stopped")
    team.awaits("mixtral", "stopped", lambda it: conditions(it)["Ready"]["reason"] == "Stopped", 60)
    eventually(
        "nothing runs",
        lambda: all(one["state"] == of_state("STOPPED") for one in judge.live()),
        within=30,
    )
    team.spec("mixtral", state="Started")
    found = settled(team)
    assert found["status"]["hardware"] == "2xnvidia-h200-141gb"


def test_what_is_stopped_is_replaced_without_any_cost(team: TeamV2) -> None:
    _, old = serving(team, state="Started")
    judge = JudgeV2.of(team)
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    team.spec("mixtral", hardware=ANOTHER_HARDWARE)
    eventually(
        "another one is there",
        lambda: len(judge.live()) == 1 and judge.live()[0]["id"] != old,
        within=60,
    )
    team.until("mixtral", "Stopped")
    (now,) = judge.live()
    assert now["billed_cents"] == 0
    team.spec("mixtral", state="Started")
    found = settled(team)
    assert found["status"]["hardware"] == "2xnvidia-h200-141gb"
    assert judge.most_running() == 1


def test_suspended_meanwhile(team: TeamV2) -> None:
    before, _ = serving(team)
    slowly(team)
    with Load.of(team, before):
        team.spec("mixtral", hardware=ANOTHER_HARDWARE)
        building(team)
        team.spec("mixtral", suspend=True)
        team.awaits(
            "mixtral",
            "suspended",
            lambda it: conditions(it)["Reconciling"]["reason"] == "Suspended",
        )
        asked = [r for r in team.requests() if r["method"] != "GET"]
        team.polled(5)
        assert [r for r in team.requests() if r["method"] != "GET"] == asked
        team.spec("mixtral", suspend=False)
        settled(team)


@pytest.mark.parametrize("policy", ["Delete", "Stop", "Retain"])
def test_deleted_meanwhile(team: TeamV2, policy: str) -> None:
    _, old = serving(team, deletionPolicy=policy)
    slowly(team)
    judge = JudgeV2.of(team)
    team.spec("mixtral", hardware=ANOTHER_HARDWARE)
    building(team)
    team.delete()
    team.gone()
    if policy == "Delete":
        assert team.live() == team.homes() == []
    else:
        assert team.homes()
        (kept,) = judge.live()
        assert kept["id"] == old
        assert team.split() == {old: 100}
        assert kept["state"] == of_state("STOPPED" if policy == "Stop" else "READY")


def test_a_persons_part_of_the_traffic_is_kept(team: TeamV2) -> None:
    before, old = serving(team)
    theirs = team.beside(weight=30)
    with Load.of(team, before) as load:
        eventually("theirs answers", lambda: load.answered_by(theirs), within=60)
        team.spec("mixtral", hardware=ANOTHER_HARDWARE)
        found = team.awaits(
            "mixtral",
            "replaced",
            lambda it: (
                [d["role"] for d in it["status"].get("deployments", [])] == ["Current"]
                and it["status"]["deployments"][0]["id"] != old
            ),
            within=90,
        )
    new = found["status"]["deployments"][0]["id"]
    assert team.split() == {new: 100, theirs: 30}
    writes = [r for r in team.requests() if theirs in r["path"] and r["method"] != "GET"]
    assert writes == []


# -- crashes ---------------------------------------------------------------------------------------


@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", ["Deploy", "Start", "Probe", "Route", "Stop", "Undeploy"])
def test_killed_in_the_midst(operator: OperatorProcess, team: TeamV2, step: str) -> None:
    before, old = serving(team)
    judge = JudgeV2.of(team)
    with Load.of(team, before) as load:
        team.spec("mixtral", hardware=ANOTHER_HARDWARE)
        since = operator.log.stat().st_size
        operator.kill_at(step, "mixtral", within=60, since=since)
        operator.start()
        found = settled(team)
        new = found["status"]["deployments"][0]["id"]
        assert new != old
        eventually("the new one answers", lambda: load.answered_by(new) > 5, within=20)
    assert judge.most_at_once() == judge.most_running() == 2
    assert len(team.deploys()) <= 3
    team.delete()
    team.gone()
    assert team.live() == team.homes() == []


@pytest.mark.parametrize("fault", ["reset_before", "reset_after"])
def test_the_one_write_that_counts_gets_no_answer(team: TeamV2, fault: str) -> None:
    before, old = serving(team)
    with Load.of(team, before):
        team.together.arm({"fault": fault, "method": "PATCH", "path_regex": "/endpoints/[^/]+$"})
        team.spec("mixtral", hardware=ANOTHER_HARDWARE)
        found = settled(team)
        assert found["status"]["deployments"][0]["id"] != old
        assert team.together.faults()[0]["hits"] == 1
    assert JudgeV2.of(team).most_at_once() == 2


@pytest.mark.parametrize("fault", ["reset_after", "late_effect"])
def test_the_order_of_the_second_one_gets_no_answer(team: TeamV2, fault: str) -> None:
    before, old = serving(team)
    judge = JudgeV2.of(team)
    with Load.of(team, before):
        team.together.arm(
            {
                "fault": fault,
                "method": "POST",
                "path_regex": "/deployments$",
                "after": 1,
                "seconds": 2,
            }
        )
        team.spec("mixtral", hardware=ANOTHER_HARDWARE)
        found = settled(team)
        assert found["status"]["deployments"][0]["id"] != old
    assert judge.most_at_once() == 2


def test_a_second_one_that_does_not_answer_gets_no_traffic(team: TeamV2) -> None:
    """It says that it is ready and answers nothing: nobody but the trial meets that."""
    before, old = serving(team)
    slowly(team)
    with Load.of(team, before) as load:
        team.spec("mixtral", hardware=ANOTHER_HARDWARE)
        new = building(team)
        tried = by_role(team.read() or {})["Next"]["name"]
        team.together.force(new, status={"state": of_state("READY"), "readyReplicas": 1})
        eventually(
            "it was tried",
            lambda: [
                p for p in team.probes() if p["status"] == 400 and tried in p["body"]["model"]
            ],
            within=30,
        )
        team.polled(3)
        assert team.split() == {old: 100}
        assert load.answered_by(new) == 0
