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
from tests.support.operator import HARDWARE, eventually
from tests.support.swap import ZERO, building, serving, settled, slowly, touched
from tests.support.team_v2 import (
    ANOTHER_HARDWARE,
    JudgeV2,
    TeamV2,
    bounds,
    manifest_v2,
)


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
