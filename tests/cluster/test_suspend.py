"""`spec.suspend`: the operator observes and never acts, not even for a deletion."""

from __future__ import annotations

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.operator import Object, eventually, manifest
from tests.support.team import Team


def assert_on_hold(found: Object, reason: str = "Suspended", *, available: bool) -> str:
    """Nobody is at work and nobody must act; the message."""
    assert_row(
        found, reason,
        ready=False, available=available, reconciling=False, stalled=False, synced=True,
    )  # fmt: skip
    return str(conditions(found)["Ready"]["message"])


def test_nothing_is_created_while_suspended(team: Team) -> None:
    team.apply(manifest(suspend=True))
    suspended = team.until("mixtral", "Suspended")
    message = assert_on_hold(suspended, available=False)
    expect_health(Situation.SUSPENDED_CHANGING, suspended)
    assert "spec.suspend" in message
    assert "finalizers" not in suspended["metadata"]
    assert team.posts() == []
    # Without an endpoint it simply goes.
    team.delete()
    team.gone()
    assert team.posts() == []


def test_it_is_created_once_it_is_no_longer_suspended(team: Team) -> None:
    team.apply(manifest(suspend=True))
    team.until("mixtral", "Suspended")
    team.spec("mixtral", suspend=False)
    team.until("mixtral", "Serving")
    assert len(team.posts()) == 1


def test_suspended_while_serving(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")

    team.spec("mixtral", suspend=True)
    # Nothing is pending, so that a pipeline that waits for Ready is not held up.
    suspended = team.awaits(
        "mixtral",
        "suspended",
        lambda it: conditions(it)["Reconciling"]["reason"] == "Suspended",
    )
    assert_row(
        suspended, "Serving", why="Suspended",
        ready=True, available=True, reconciling=False, stalled=False, synced=True,
    )  # fmt: skip
    expect_health(Situation.SUSPENDED, suspended)
    team.polled(3)
    assert team.history(after=suspended) == []

    team.spec("mixtral", displayName="Later", autoscaling={"minReplicas": 2}, state="Stopped")
    pending = team.until("mixtral", "Suspended")
    message = assert_on_hold(pending, available=True)
    expect_health(Situation.SUSPENDED_CHANGING, pending)
    assert "waiting with: Stopping" in message
    team.polled(3)
    assert team.patches() == []
    assert team.endpoint()["state"] == "STARTED"

    # What happens at Together is still told.
    team.together.force(team.endpoint()["id"], state="STOPPED")
    seen = team.awaits("mixtral", "STOPPED", lambda it: it["status"]["state"] == "STOPPED")
    assert conditions(seen)["Available"]["status"] == "False"
    assert team.patches() == []

    team.spec("mixtral", suspend=False)
    team.until("mixtral", "Stopped")
    made = team.endpoint()
    assert made["display_name"].startswith("Later tep-")
    assert made["autoscaling"] == {"min_replicas": 2, "max_replicas": 2}
    assert made["state"] == "STOPPED"


def test_a_request_to_start_again_waits(team: Team) -> None:
    team.apply(manifest(inactiveTimeoutMinutes=60))
    team.until("mixtral", "Serving")
    team.together.force(team.endpoint()["id"], state="STOPPED")
    team.until("mixtral", "IdleStopped")
    team.spec("mixtral", suspend=True)
    team.annotate("mixtral", "restart-requested-at", "now")
    held = team.until("mixtral", "Suspended")
    assert "Starting" in assert_on_hold(held, available=False)
    team.polled(3)
    assert team.patches() == []
    team.spec("mixtral", suspend=False)
    started = team.until("mixtral", "Serving")
    assert team.patches() == [{"state": "STARTED"}]
    assert started["status"]["lastHandledRestartAt"] == "now"


def test_deleted_while_suspended_until_it_is_released(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.spec("mixtral", suspend=True)
    team.delete()
    held = team.until("mixtral", "DeletionSuspended")
    message = assert_on_hold(held, "DeletionSuspended", available=True)
    expect_health(Situation.DELETION_SUSPENDED, held)
    assert "spec.suspend to false" in message
    assert "Retain" in message
    team.until_told("DeletionSuspended")
    team.polled(3)
    assert team.requests("DELETE") == []
    assert team.endpoint()["state"] == "STARTED"

    team.spec("mixtral", suspend=False)
    team.gone()
    assert team.live() == []


def test_deleted_while_suspended_and_let_go(team: Team) -> None:
    team.apply(manifest(suspend=False))
    team.until("mixtral", "Serving")
    team.spec("mixtral", suspend=True)
    team.delete()
    team.until("mixtral", "DeletionSuspended")
    team.spec("mixtral", deletionPolicy="Retain")
    team.gone()
    assert team.requests("DELETE") == []
    assert team.patches() == []
    assert team.endpoint()["state"] == "STARTED"


def test_suspended_while_an_order_is_on_its_way(team: Team) -> None:
    team.together.assume(pending_seconds=240)
    team.apply(manifest())
    eventually("it is ordered", team.live, within=20)
    team.spec("mixtral", suspend=True)
    told = team.awaits(
        "mixtral",
        "suspended",
        lambda it: conditions(it).get("Reconciling", {}).get("reason") == "Suspended",
    )
    assert told["status"]["endpointID"] == team.endpoint()["id"]
    team.until_remote("it starts by itself", state="STARTED")
    running = team.awaits("mixtral", "STARTED", lambda it: it["status"]["state"] == "STARTED")
    assert team.probes() == []
    assert conditions(running)["Available"]["status"] == "False"
    team.spec("mixtral", suspend=False)
    team.until("mixtral", "Serving")
