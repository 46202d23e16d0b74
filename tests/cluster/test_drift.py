"""What somebody else changed at Together: put back where it costs nothing more, and told."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from tests.support.contract import conditions
from tests.support.operator import SCALE, Object, eventually, manifest
from tests.support.team import Team
from together_operator.core.timing import Timing


@pytest.fixture(scope="module")
def flags() -> Sequence[str]:
    """Name and bounds are read again every second."""
    return ("--drift-interval", "1")


def settled(team: Team) -> Object:
    team.apply(manifest(displayName="As I said", autoscaling={"minReplicas": 1, "maxReplicas": 2}))
    return team.until("mixtral", "Serving")


def test_a_changed_name_is_put_back(team: Team) -> None:
    settled(team)
    made = team.endpoint()
    team.together.force(made["id"], display_name="Somebody else's words")
    eventually(
        "the name is back",
        lambda: team.endpoint()["display_name"] == made["display_name"],
        within=20,
    )
    assert team.patches() == [{"display_name": made["display_name"]}]
    assert "changed at Together" in team.until_told("DriftCorrected")
    team.until("mixtral", "Serving")


def test_changed_bounds_are_put_back_both_together(team: Team) -> None:
    settled(team)
    made = team.endpoint()
    team.together.force(made["id"], autoscaling={"min_replicas": 1, "max_replicas": 9})
    eventually(
        "the bounds are back",
        lambda: team.endpoint()["autoscaling"] == {"min_replicas": 1, "max_replicas": 2},
        within=20,
    )
    assert team.patches() == [{"autoscaling": {"min_replicas": 1, "max_replicas": 2}}]
    team.until_told("DriftCorrected")
    team.until("mixtral", "Serving")


def test_nothing_is_sent_while_nothing_drifts(team: Team) -> None:
    serving = settled(team)
    known = serving["status"]["endpointID"]

    def reads() -> int:
        return len(team.requests("GET", f"/v1/endpoints/{known}"))

    before = reads()
    eventually("it was read three times", lambda: reads() >= before + 3, within=20)
    assert team.patches() == []
    assert team.history(after=serving) == []


def test_one_that_runs_although_it_is_to_be_stopped_is_stopped(team: Team) -> None:
    team.apply(manifest(state="Stopped"))
    team.until("mixtral", "Stopped")
    team.together.force(team.endpoint()["id"], state="STARTED")
    team.until_remote("it is stopped again", state="STOPPED")
    assert team.patches() == [{"state": "STOPPED"}]
    assert "to be stopped" in team.until_told("DriftCorrected")
    team.until("mixtral", "Stopped")


def test_one_that_is_stopped_although_it_is_to_run_is_not_started(team: Team) -> None:
    serving = settled(team)
    team.together.force(team.endpoint()["id"], state="STOPPED", display_name="Mine now")
    team.until("mixtral", "StoppedRemotely")
    made = serving["status"]["displayName"]
    eventually("the name is back", lambda: team.endpoint()["display_name"] == made, within=20)
    assert all("state" not in body for body in team.patches())
    assert team.endpoint()["state"] == "STOPPED"


def test_a_suspended_one_tells_of_drift_and_leaves_it(team: Team) -> None:
    settled(team)
    team.spec("mixtral", suspend=True)
    team.awaits(
        "mixtral", "suspended", lambda it: conditions(it)["Stalled"]["reason"] == "Suspended"
    )
    team.together.force(team.endpoint()["id"], display_name="Somebody else's words")
    told = team.until("mixtral", "Suspended")
    assert "Renaming" in conditions(told)["Ready"]["message"]
    assert told["status"]["displayName"] == "Somebody else's words"
    assert team.patches() == []


def test_a_404_for_what_is_listed_is_neither_believed_nor_asked_in_a_loop(team: Team) -> None:
    serving = settled(team)
    one = f"^/v1/endpoints/{serving['status']['endpointID']}$"
    team.together.arm({"method": "GET", "path_regex": one, "fault": "not_found", "times": -1})
    began = time.monotonic()
    team.polled(5)
    # LIST is believed, so nothing is to be told; what is asked meanwhile has its pauses.
    assert team.history(after=serving) == []
    pauses = (time.monotonic() - began) / (Timing.scaled(SCALE).scan_gap * 0.9)
    assert 1 <= team.together.faults()[0]["hits"] <= pauses + 3
    team.together.clear_faults()
    team.together.force(team.endpoint()["id"], display_name="Somebody else's words")
    team.until_told("DriftCorrected")
    team.until("mixtral", "Serving")
