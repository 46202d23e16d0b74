"""Stops that the resource did not ask for, and other turns that an endpoint takes by itself.

What the operator does by itself can only lower spend: an endpoint that stopped stays stopped, be
it renamed, scaled or looked after by another operator process, until a person says so.
"""

from __future__ import annotations

import pytest

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.operator import Object, eventually, manifest
from tests.support.team import Team


def idle_stopped(team: Team) -> Object:
    """An endpoint that Together stopped because nobody asked it anything."""
    team.apply(manifest(inactiveTimeoutMinutes=60))
    team.until("mixtral", "Serving")
    team.together.advance(3700)
    return team.until("mixtral", "IdleStopped")


def starts(team: Team) -> list[object]:
    """The requests that would start it."""
    return [body for body in team.patches() if "state" in body]


def test_an_idle_stop_is_no_failure(team: Team) -> None:
    stopped = idle_stopped(team)
    assert_row(
        stopped, "IdleStopped",
        ready=True, available=False, reconciling=False, stalled=False, synced=True,
    )  # fmt: skip
    expect_health(Situation.IDLE_STOPPED, stopped)
    message = conditions(stopped)["Ready"]["message"]
    assert "60 minutes" in message
    assert "together-operator.io/restart-requested-at" in message
    assert stopped["status"]["replicas"] == 0
    assert team.columns()["REASON"] == "IdleStopped"
    team.until_told("IdleStopped")
    assert team.endpoint()["state"] == "STOPPED"


def test_an_idle_stop_lasts_whatever_else_changes(team: Team) -> None:
    idle_stopped(team)
    team.spec("mixtral", displayName="Renamed while idle")
    team.awaits("mixtral", "renamed", lambda it: "Renamed" in it["status"]["displayName"])
    team.until("mixtral", "IdleStopped")
    team.kubectl("scale", "tep", "mixtral", "--replicas=3")
    team.awaits("mixtral", "scaled", lambda it: it["status"]["autoscaling"]["minReplicas"] == 3)
    team.until("mixtral", "IdleStopped")
    team.spec("mixtral", inactiveTimeoutMinutes=90)
    team.until("mixtral", "IdleStopped")

    team.operator.stop()
    team.operator.start()
    team.polled(3)
    assert team.reason() == "IdleStopped"
    team.annotate("mixtral", "reconcile-requested-at", "now")
    team.awaits("mixtral", "looked again", lambda it: "lastHandledReconcileAt" in it["status"])
    assert team.reason() == "IdleStopped"
    assert starts(team) == []
    assert team.endpoint()["state"] == "STOPPED"

    # Only who says so gets it started.
    team.annotate("mixtral", "restart-requested-at", "now")
    serving = team.until("mixtral", "Serving")
    assert starts(team) == [{"state": "STARTED"}]
    assert serving["status"]["lastHandledRestartAt"] == "now"
    assert team.endpoint()["autoscaling"] == {"min_replicas": 3, "max_replicas": 3}

    # One request, one start: the next stop needs another.
    team.together.advance(90 * 60 + 100)
    team.until("mixtral", "IdleStopped")
    team.operator.stop()
    team.operator.start()
    team.polled(2)
    assert len(starts(team)) == 1


def test_a_stop_and_a_start_of_the_resource_starts_an_idle_one(team: Team) -> None:
    idle_stopped(team)
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    team.spec("mixtral", state="Started")
    team.until("mixtral", "Serving")
    assert starts(team)[-1] == {"state": "STARTED"}


def test_a_stop_by_somebody_else_is_reported_and_not_undone(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.together.force(team.endpoint()["id"], state="STOPPED")
    stopped = team.until("mixtral", "StoppedRemotely")
    assert_row(
        stopped, "StoppedRemotely",
        ready=False, available=False, reconciling=False, stalled=True, synced=True,
    )  # fmt: skip
    expect_health(Situation.QUESTION, stopped)
    message = conditions(stopped)["Stalled"]["message"]
    assert "restart-requested-at" in message
    assert "spec.state to Stopped" in message
    assert "Warning" in team.kubectl("get", "events")
    team.until_told("StoppedRemotely")

    team.spec("mixtral", displayName="Still stopped")
    team.awaits("mixtral", "renamed", lambda it: "Still" in it["status"]["displayName"])
    team.until("mixtral", "StoppedRemotely")
    team.operator.stop()
    team.operator.start()
    team.polled(2)
    assert team.reason() == "StoppedRemotely"
    assert starts(team) == []

    team.annotate("mixtral", "restart-requested-at", "2026-01-01T00:00:00Z")
    team.until("mixtral", "Serving")
    assert starts(team) == [{"state": "STARTED"}]


def test_a_stop_by_somebody_else_may_be_agreed_with(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.together.force(team.endpoint()["id"], state="STOPPED")
    team.until("mixtral", "StoppedRemotely")
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    assert {"state": "STARTED"} not in starts(team)
    team.spec("mixtral", state="Started")
    team.until("mixtral", "Serving")
    assert starts(team)[-1] == {"state": "STARTED"}


def test_a_failure_is_reported_and_a_start_may_mend_it(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.together.force(team.endpoint()["id"], state="ERROR")
    failed = team.until("mixtral", "EndpointFailed")
    assert_row(
        failed, "EndpointFailed",
        ready=False, available=False, reconciling=False, stalled=True, synced=True,
    )  # fmt: skip
    expect_health(Situation.FAILED, failed)
    assert failed["status"]["state"] == "ERROR"
    assert "restart-requested-at" in conditions(failed)["Stalled"]["message"]
    team.polled(2)
    assert team.patches() == []
    team.annotate("mixtral", "restart-requested-at", "now")
    team.until("mixtral", "Serving")
    assert team.patches() == [{"state": "STARTED"}]
    assert len(team.posts()) == 1


def test_a_word_that_nobody_knows_is_no_reason_to_act(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.together.force(team.endpoint()["id"], state="MIGRATING")
    odd = team.awaits("mixtral", "MIGRATING", lambda it: it["status"]["state"] == "MIGRATING")
    told = conditions(odd)
    assert told["Ready"]["status"] == "False"
    assert told["Reconciling"]["status"] == "True"
    assert "MIGRATING" in told["Ready"]["message"]
    team.polled(3)
    assert team.patches() == []
    assert team.operator.ready()
    # It can be changed and stopped all the same.
    team.spec("mixtral", displayName="Odd")
    team.awaits("mixtral", "renamed", lambda it: "Odd" in it["status"]["displayName"])
    team.together.force(team.endpoint()["id"], state="STARTED")
    team.until("mixtral", "Serving")


def test_an_endless_queue_is_called_what_it_is(team: Team) -> None:
    team.together.assume(pending_seconds=6000)
    team.apply(manifest())
    waiting = team.until("mixtral", "WaitingForCapacity")
    assert waiting["status"]["state"] == "PENDING"
    assert team.reasons() == ["Creating", "WaitingForCapacity"]
    assert "nothing is billed" in conditions(waiting)["Ready"]["message"]
    # Another process says the same.
    team.operator.stop()
    team.operator.start()
    team.polled(2)
    assert team.reasons() == ["Creating", "WaitingForCapacity"]
    team.together.advance(6000)
    team.until("mixtral", "Serving")
    assert len(team.posts()) == 1


def test_one_bad_list_means_nothing(team: Team) -> None:
    team.apply(manifest())
    serving = team.until("mixtral", "Serving")
    # LIST leaves it out for long, and yet it is there when asked for.
    team.together.arm(
        {
            "method": "GET",
            "path_regex": "^/v1/endpoints$",
            "fault": "omit",
            "body": [serving["status"]["endpointID"]],
            "times": 8,
        }
    )
    eventually(
        "the endpoint was left out", lambda: team.together.faults()[0]["hits"] == 8, within=30
    )
    team.polled(2)
    assert team.history(after=serving) == []
    assert len(team.posts()) == 1


def test_a_vanished_endpoint_is_reported_and_not_replaced(team: Team) -> None:
    team.apply(manifest())
    serving = team.until("mixtral", "Serving")
    known = serving["status"]["endpointID"]
    team.together.delete(known)
    missing = team.until("mixtral", "RemoteMissing")
    assert_row(
        missing, "RemoteMissing",
        ready=False, available=False, reconciling=False, stalled=True, synced=True,
    )  # fmt: skip
    expect_health(Situation.QUESTION, missing)
    assert known in conditions(missing)["Stalled"]["message"]
    assert missing["status"]["endpointID"] == known
    # Two complete LISTs that span the lag, and a GET, came before that word.
    gone = team.endpoints()[0]["deleted_at"]
    seen = [r for r in team.requests("GET") if r["at"] > gone]
    assert len([r for r in seen if r["path"] == "/v1/endpoints"]) >= 2
    assert [r for r in seen if r["path"].endswith(known) and r["status"] == 404]
    team.until_told("RemoteMissing")
    team.polled(3)
    assert len(team.posts()) == 1
    assert team.patches() == []
    # A change does not bring it back either; only a new resource does.
    team.spec("mixtral", displayName="Where are you")
    team.until("mixtral", "RemoteMissing")
    assert len(team.posts()) == 1
    team.delete()
    team.gone()


def test_one_that_was_only_out_of_sight_is_taken_up_again(team: Team) -> None:
    team.apply(manifest())
    known = team.until("mixtral", "Serving")["status"]["endpointID"]
    one = f"^/v1/endpoints/{known}$"
    team.together.arm(
        {"path_regex": "^/v1/endpoints$", "fault": "omit", "body": [known], "times": -1},
        {"method": "GET", "path_regex": one, "fault": "not_found", "times": -1},
    )
    team.until("mixtral", "RemoteMissing")
    assert len(team.posts()) == 1
    team.together.clear_faults()
    again = team.until("mixtral", "Serving")
    assert again["status"]["endpointID"] == known
    assert len(team.posts()) == 1


@pytest.mark.parametrize("minutes", [0, 30])
def test_who_stopped_it_is_told_by_the_timeout(team: Team, minutes: int) -> None:
    team.apply(manifest(inactiveTimeoutMinutes=minutes))
    team.until("mixtral", "Serving")
    team.together.force(team.endpoint()["id"], state="STOPPING")
    team.until("mixtral", "Stopping")
    team.together.force(team.endpoint()["id"], state="STOPPED")
    team.until("mixtral", "IdleStopped" if minutes else "StoppedRemotely")
    assert team.patches() == []


def test_an_idle_stop_is_for_good_where_v1_is_closed(team: Team) -> None:
    idle_stopped(team)
    team.together.profile("retired")
    team.annotate("mixtral", "restart-requested-at", "now")
    closed = team.until("mixtral", "V1Closed")
    assert_row(
        closed, "V1Closed",
        ready=False, available=False, reconciling=False, stalled=True, synced=True,
    )  # fmt: skip
    assert "closed" in conditions(closed)["Stalled"]["message"]
    team.polled(3)
    team.operator.stop()
    team.operator.start()
    team.polled(2)
    assert starts(team) == [{"state": "STARTED"}]
    assert team.endpoint()["state"] == "STOPPED"
