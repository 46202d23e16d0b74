"""Swap: what cannot be changed in place is replaced, and no request fails meanwhile.

Applications use the endpoint all the time, by its name. A second deployment is built beside the
first and tried by its own name; one write moves the traffic; the first goes once no router sends
it anything. Until that one write, to give up costs nobody anything.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.contract import assert_row, conditions
from tests.support.load import Load
from tests.support.operator import HARDWARE, Object, OperatorProcess, eventually
from tests.support.team_v2 import (
    ANOTHER_HARDWARE,
    JudgeV2,
    TeamV2,
    bounds,
    manifest_v2,
    of_state,
)

ZERO = {"autoscaling": bounds(0, 0)}


def serving(team: TeamV2, **spec: Any) -> tuple[Object, str]:
    """A resource that serves and may be swapped, and its deployment."""
    team.apply(manifest_v2(**{"replacement": "Swap", **spec}))
    found = team.until("mixtral", "Serving")
    return found, team.deployment()["id"]


def by_role(found: Object) -> dict[str, Object]:
    """The deployments of a resource by what they are to it."""
    return {one["role"]: one for one in found.get("status", {}).get("deployments", [])}


UNDER_WAY = [of_state(word) for word in ("PROVISIONING", "SCALING", "DEGRADED")]


def building(team: TeamV2) -> str:
    """Wait until a second deployment has been started, however soon it is ready; its id."""

    def seen(_: Object) -> str | None:
        for version in team.history():
            following = by_role(version).get("Next", {})
            if following.get("state") in UNDER_WAY:
                return str(following["id"])
        return None

    team.awaits("mixtral", "a second one is starting", seen)
    found = seen({})
    assert found is not None
    return found


def slowly(team: TeamV2) -> None:
    """From now on what is started takes its time, so that something can happen meanwhile."""
    team.together.assume(starting_seconds=360)


def settled(team: TeamV2) -> Object:
    """Wait until it serves through one deployment, with no other on record or at Together."""
    found = team.awaits(
        "mixtral",
        "serves through one",
        lambda it: (
            conditions(it)["Ready"]["reason"] == "Serving"
            and it["status"]["observedGeneration"] == it["metadata"]["generation"]
            and len(it["status"].get("deployments", [])) == 1
        ),
        within=90,
    )
    eventually("one is left at Together", lambda: len(team.live()) == 1, within=30)
    return found


def touched(team: TeamV2, deployment_id: str, after: float) -> list[Object]:
    """The changes of a deployment that were asked for since a moment."""
    return [
        r
        for r in team.requests()
        if r["method"] in ("PATCH", "DELETE") and deployment_id in r["path"] and r["at"] > after
    ]


def configs_of(team: TeamV2, model: str) -> list[str]:
    """The configs that a model has for the hardware of the tests, as the refusal lists them."""
    team.apply(manifest_v2("asks", model=model))
    message = conditions(team.until("asks", "ConfigRequired"))["Stalled"]["message"]
    team.delete("asks")
    return re.findall(r"(cr_\w+) \(", message)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"hardware": ANOTHER_HARDWARE}, id="hardware"),
        pytest.param({"model": "mistralai/Mistral-7B-Instruct-v0.3"}, id="model"),
        pytest.param({"availabilityZone": "us-east-1a"}, id="zone"),
        pytest.param({"v2": {"configID": "the other"}}, id="config"),
    ],
)
def test_no_request_fails_while_it_is_replaced(team: TeamV2, change: dict[str, Any]) -> None:
    spec: dict[str, Any] = {}
    if "v2" in change:
        first, second = configs_of(team, "openai/gpt-oss-120b")
        spec = {"model": "openai/gpt-oss-120b", "v2": {"configID": first}}
        change = {"v2": {"configID": second}}
    before, old = serving(team, **spec)
    judge = JudgeV2.of(team)
    routed, patched = len(team.routings()), len(team.patches())
    with Load.of(team, before) as load:
        team.spec("mixtral", **change)
        replacing = team.until("mixtral", "Replacing")
        assert_row(
            replacing, "Replacing",
            ready=False, available=True, reconciling=True, stalled=False, synced=True,
        )  # fmt: skip
        new = building(team)
        found = settled(team)
        (now,) = judge.live()
        assert now["id"] == new
        eventually("the new one answers", lambda: load.answered_by(new) > 10, within=20)
    assert load.answered_by(old)
    assert found["status"]["inference"] == before["status"]["inference"]
    assert found["status"]["endpointID"] == before["status"]["endpointID"]
    (entry,) = found["status"]["deployments"]
    assert (entry["id"], entry["role"]) == (new, "Current")

    # Built at 0/0, started, tried by its own name, routed in one write, the former one stopped.
    assert team.routings()[routed:] == [{new: 100}]
    assert team.patches()[patched:] == [{"autoscaling": bounds(1, 1)}, ZERO]
    tried = [p["body"]["model"] for p in team.probes()]
    assert f"{before['status']['inference']['model']}/{entry['name']}" in tried
    assert judge.most_at_once() == judge.most_running() == 2
    told = team.told()
    assert any(new in text for text in told["DeploymentCreated"])
    assert any(old in text for text in told["DeploymentDeleted"])
    team.delete()
    team.gone()
    assert team.live() == team.homes() == []


def test_the_former_one_serves_until_no_router_sends_it_anything(team: TeamV2) -> None:
    team.together.assume(split_lag_seconds=60)
    before, old = serving(team)
    with Load.of(team, before) as load:
        team.spec("mixtral", hardware=ANOTHER_HARDWARE)
        found = settled(team)
        new = found["status"]["deployments"][0]["id"]
        eventually("the new one answers", lambda: load.answered_by(new) > 10, within=20)
    moved = [r["at"] for r in team.requests("PATCH") if r["body"].get("trafficSplit")][-1]
    stopped = touched(team, old, moved)[0]
    assert stopped["body"]["autoscaling"] == bounds(0, 0)
    assert stopped["at"] - moved >= 2, "a minute, at a thirtieth"


def test_never_is_refused_with_advice(team: TeamV2) -> None:
    _, old = serving(team, replacement="Never")
    said = team.kubectl(
        "patch", "tep", "mixtral", "--type=merge",
        "-p", f'{{"spec":{{"hardware":"{ANOTHER_HARDWARE}"}}}}', check=False,
    )  # fmt: skip
    assert "spec.hardware" in said
    assert "is fixed" in said
    assert "`spec.replacement` to 'Swap'" in said
    # The advice can be followed in one go.
    team.spec("mixtral", hardware=ANOTHER_HARDWARE, replacement="Swap")
    found = settled(team)
    assert JudgeV2.of(team).live()[0]["id"] != old
    assert found["status"]["hardware"] == "2xnvidia-h200-141gb"


def test_v1_cannot_swap(team: TeamV2) -> None:
    team.apply(manifest_v2(api="V1", replacement="Swap"))
    team.until("mixtral", "Serving")
    said = team.kubectl(
        "patch", "tep", "mixtral", "--type=merge",
        "-p", f'{{"spec":{{"hardware":"{ANOTHER_HARDWARE}"}}}}', check=False,
    )  # fmt: skip
    assert "is fixed" in said


# -- a replacement that does not come up ----------------------------------------------------------


def test_a_second_one_that_fails_is_removed_and_the_first_one_serves_on(team: TeamV2) -> None:
    before, old = serving(team)
    slowly(team)
    judge = JudgeV2.of(team)
    changed = team.requests()[-1]["at"]
    with Load.of(team, before) as load:
        team.spec("mixtral", hardware=ANOTHER_HARDWARE)
        new = building(team)
        team.together.force(new, state="FAILED")
        failed = team.until("mixtral", "ReplacementFailed")
        assert_row(
            failed, "ReplacementFailed",
            ready=False, available=True, reconciling=False, stalled=True, synced=True,
        )  # fmt: skip
        message = conditions(failed)["Stalled"]["message"]
        assert new in message
        assert "goes on serving" in message
        assert team.until_told("ReplacementFailed")
        eventually("the second one is removed", lambda: len(judge.live()) == 1, within=30)
        team.polled(3)
        assert team.reason() == "ReplacementFailed", "it is told until somebody does something"
        assert len(team.deploys()) == 2
        assert touched(team, old, changed) == []
        assert team.split() == {old: 100}

        # Taken back, there is nothing left to do.
        team.spec("mixtral", hardware=HARDWARE)
        found = settled(team)
        assert [d["id"] for d in found["status"]["deployments"]] == [old]
        assert len(team.deploys()) == 2
        assert touched(team, old, changed) == []
    assert load.answered_by(new) == 0


def test_a_failed_replacement_is_tried_again_when_a_person_says_so(team: TeamV2) -> None:
    before, old = serving(team)
    slowly(team)
    judge = JudgeV2.of(team)
    with Load.of(team, before):
        team.spec("mixtral", hardware=ANOTHER_HARDWARE)
        first = building(team)
        team.together.force(first, state="FAILED")
        team.until("mixtral", "ReplacementFailed")
        team.operator.stop()
        team.operator.start()
        team.polled(2)
        assert team.reason() == "ReplacementFailed"
        team.annotate("mixtral", "reconcile-requested-at", "again")
        found = settled(team)
        assert found["status"]["deployments"][0]["id"] not in (old, first)
    assert judge.most_running() == 2
    assert len(team.deploys()) == 3


def test_a_second_one_that_is_refused_leaves_the_first_one_as_it_is(team: TeamV2) -> None:
    before, old = serving(team)
    changed = team.requests()[-1]["at"]
    with Load.of(team, before) as load:
        team.spec("mixtral", hardware="2x_nvidia_h100_80gb_xsm")
        refused = team.until("mixtral", "InvalidHardware")
        assert_row(
            refused, "InvalidHardware",
            ready=False, available=True, reconciling=False, stalled=True, synced=True,
        )  # fmt: skip
        assert "2xnvidia-h200-141gb" in conditions(refused)["Stalled"]["message"]
        team.spec("mixtral", hardware=HARDWARE)
        settled(team)
        assert touched(team, old, changed) == []
        assert len(team.deploys()) == 1
        # A refusal takes no time, and what is shown is that requests were answered meanwhile.
        eventually("there was some load", lambda: len(load.answers) > 20)


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
