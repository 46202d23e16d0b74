"""The operator's own limits: what goes beyond them is told before anything is bought.

The same operator trusts the state that Together reports instead of sending a request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.operator import Object, manifest
from tests.support.team import Team


@pytest.fixture(scope="module")
def flags() -> Sequence[str]:
    """Two kinds of hardware, three replicas and thirty dollars per hour."""
    return (
        *("--allowed-hardware", "2x_nvidia_h100_80gb_sxm"),
        *("--allowed-hardware", "2x_nvidia_h200_140gb_sxm"),
        *("--max-replicas", "3"),
        *("--max-price-per-hour", "30"),
        *("--probe", "State"),
    )


def assert_not_allowed(found: Object, *, available: bool = False) -> str:
    """It is beyond a limit: somebody must act; the message."""
    assert_row(
        found, "NotAllowed",
        ready=False, available=available, reconciling=False, stalled=True, synced=True,
    )  # fmt: skip
    expect_health(Situation.REFUSED, found)
    return str(conditions(found)["Stalled"]["message"])


@pytest.mark.parametrize(
    ("spec", "words", "correction"),
    [
        pytest.param(
            {"hardware": "4x_nvidia_h100_80gb_sxm"},
            ("does not allow", "2x_nvidia_h100_80gb_sxm, 2x_nvidia_h200_140gb_sxm"),
            {"hardware": "2x_nvidia_h100_80gb_sxm"},
            id="hardware",
        ),
        pytest.param(
            {"autoscaling": {"minReplicas": 1, "maxReplicas": 4}},
            ("at most 3 replicas", "up to 4"),
            {"autoscaling": {"maxReplicas": 2}},
            id="replicas",
        ),
        pytest.param(
            # 3 x $10.80
            {"autoscaling": {"minReplicas": 1, "maxReplicas": 3}},
            ("$30 per hour", "$32.40"),
            {"autoscaling": {"maxReplicas": 2}},
            id="price",
        ),
    ],
)
def test_nothing_is_bought_beyond_a_limit(
    team: Team, spec: dict[str, Any], words: Sequence[str], correction: dict[str, Any]
) -> None:
    team.apply(manifest(**spec))
    refused = team.until("mixtral", "NotAllowed")
    message = assert_not_allowed(refused)
    for word in words:
        assert word in message
    team.until_told("NotAllowed")
    team.polled(2)
    assert team.posts() == []
    assert team.history(after=refused) == []
    team.spec("mixtral", **correction)
    team.until("mixtral", "Serving")
    assert len(team.posts()) == 1


def test_what_runs_is_not_scaled_beyond_a_limit(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.kubectl("scale", "tep", "mixtral", "--replicas=3")
    refused = team.until("mixtral", "NotAllowed")
    assert "$32.40" in assert_not_allowed(refused, available=True)
    team.polled(2)
    assert team.patches() == []
    assert team.endpoint()["state"] == "STARTED"
    # It can be stopped and renamed all the same, and deleted.
    team.kubectl("scale", "tep", "mixtral", "--replicas=2")
    team.until("mixtral", "Serving")
    assert team.patches() == [{"autoscaling": {"min_replicas": 2, "max_replicas": 2}}]


def test_a_limit_never_stands_in_the_way_of_saving(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.spec("mixtral", autoscaling={"minReplicas": 9}, state="Stopped")
    team.until_remote("it is stopped", state="STOPPED")
    team.delete()
    team.gone()
    assert team.live() == []


def test_a_price_that_cannot_be_read_is_waited_for(team: Team) -> None:
    prices = {"method": "GET", "path_regex": "^/v1/hardware$"}
    team.together.arm({**prices, "fault": "status", "status": 400, "times": -1})
    team.apply(manifest())
    waiting = team.until("mixtral", "Unreachable")
    assert_row(
        waiting, "Unreachable",
        ready=False, available=False, reconciling=True, stalled=False, synced=False,
    )  # fmt: skip
    assert "price" in conditions(waiting)["Ready"]["message"]
    team.polled(2)
    assert team.posts() == []
    team.together.clear_faults()
    team.until("mixtral", "Serving")
    assert len(team.posts()) == 1


def test_hardware_without_a_price_is_refused(team: Team) -> None:
    team.together.arm(
        {
            "method": "GET",
            "path_regex": "^/v1/hardware$",
            "fault": "status",
            "status": 200,
            "body": {"object": "list", "data": []},
            "times": -1,
        }
    )
    team.apply(manifest())
    message = assert_not_allowed(team.until("mixtral", "NotAllowed"))
    assert "does not tell the price" in message
    assert team.posts() == []


def test_either_spelling_of_hardware_is_allowed(team: Team) -> None:
    team.apply(manifest(hardware="2xnvidia-h100-80gb"))
    team.until("mixtral", "Serving")
    assert team.endpoint()["hardware"] == "2x_nvidia_h100_80gb_sxm"


def test_the_state_is_taken_for_an_answer(team: Team) -> None:
    team.together.assume(serving_delay_seconds=600)
    team.apply(manifest())
    team.until("mixtral", "Serving")
    assert team.probes() == []
    assert "Probing" not in team.reasons()
