"""Sizes, stops and failures of a deployment: those that were asked for, and those that were not.

Bounds are all there is: 0 and 0 is a stop, more is a start. So what the spec says of sizes must
never start anything, and what Together or a person has stopped stays so until somebody says more.
"""

from __future__ import annotations

import pytest

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.operator import Object, eventually, manifest
from tests.support.team_v2 import JudgeV2, TeamV2, bounds, manifest_v2, of_state

ZERO = {"autoscaling": bounds(0, 0)}


def serving(team: TeamV2, **spec: object) -> Object:
    """A resource that serves."""
    team.apply(manifest_v2(**spec))
    return team.until("mixtral", "Serving")


def idle_stopped(team: TeamV2) -> Object:
    """One that Together stopped because nobody asked it anything."""
    serving(team, inactiveTimeoutMinutes=60)
    team.together.advance(3700)
    return team.until("mixtral", "IdleStopped")


def test_sizes_that_change_while_it_is_stopped_wait_for_its_start(team: TeamV2) -> None:
    serving(team)
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    before = team.patches()
    team.kubectl("scale", "tep", "mixtral", "--replicas=2")
    team.until("mixtral", "Stopped")
    team.spec("mixtral", autoscaling={"minReplicas": 2, "maxReplicas": 4})
    team.until("mixtral", "Stopped")
    team.polled(2)
    assert team.patches() == before
    assert team.deployment()["state"] == of_state("STOPPED")
    team.spec("mixtral", state="Started")
    team.until("mixtral", "Serving")
    assert team.patches()[len(before) :] == [{"autoscaling": bounds(2, 4)}]


def test_a_change_of_mind_while_it_stops(team: TeamV2) -> None:
    """Together refuses to start what is draining, so that it waits and is then started."""
    serving(team)
    team.together.assume(stopping_seconds=90)
    team.spec("mixtral", state="Stopped")
    eventually("it is draining", lambda: team.patches()[-1:] == [ZERO], within=20)
    team.spec("mixtral", state="Started")
    found = team.until("mixtral", "Serving")
    assert team.patches()[-2:] == [ZERO, {"autoscaling": bounds(1, 1)}]
    JudgeV2.of(team).one(found)
    assert len(team.deploys()) == 1


def test_sizes_changed_in_the_console_are_put_back(team: TeamV2) -> None:
    serving(team)
    team.together.force(team.deployment()["id"], autoscaling=bounds(3, 5))
    team.until_told("DriftCorrected")
    team.until("mixtral", "Serving")
    assert team.deployment()["autoscaling"] == {"min_replicas": 1, "max_replicas": 1}


def test_one_that_is_to_be_stopped_and_runs_is_stopped(team: TeamV2) -> None:
    team.apply(manifest_v2(state="Stopped"))
    team.until("mixtral", "Stopped")
    team.together.force(team.deployment()["id"], autoscaling=bounds(1, 1))
    team.until_told("DriftCorrected")
    team.until("mixtral", "Stopped")
    assert team.patches() == [ZERO]


# -- inactivity ------------------------------------------------------------------------------------


@pytest.mark.parametrize("zeroes", [True, False])
def test_an_idle_stop_is_no_failure_and_lasts(team: TeamV2, zeroes: bool) -> None:
    team.together.assume(idle_stop_zeroes_bounds=zeroes)
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
    assert stopped["status"]["applied"]["inactiveTimeoutMinutes"] == 60
    team.until_told("IdleStopped")
    (order,) = team.deploys()
    assert order["body"]["inactiveTimeout"] == 60

    team.kubectl("scale", "tep", "mixtral", "--replicas=3")
    team.until("mixtral", "IdleStopped")
    team.operator.stop()
    team.operator.start()
    team.polled(3)
    team.annotate("mixtral", "reconcile-requested-at", "now")
    team.awaits("mixtral", "looked again", lambda it: "lastHandledReconcileAt" in it["status"])
    assert team.reason() == "IdleStopped"
    assert len(team.starts()) == 1
    assert team.deployment()["state"] == of_state("STOPPED")

    # Only who says so gets it started, with the size of now.
    team.annotate("mixtral", "restart-requested-at", "now")
    again = team.until("mixtral", "Serving")
    assert team.starts()[1:] == [{"autoscaling": bounds(3, 3)}]
    assert again["status"]["lastHandledRestartAt"] == "now"
    JudgeV2.of(team).one(again)


def test_a_stop_and_a_start_of_the_resource_starts_an_idle_one(team: TeamV2) -> None:
    idle_stopped(team)
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    team.spec("mixtral", state="Started")
    team.until("mixtral", "Serving")
    assert len(team.starts()) == 2


@pytest.mark.parametrize("minutes", [29, 1441])
def test_a_timeout_that_v2_does_not_have_is_refused_at_once(team: TeamV2, minutes: int) -> None:
    said = team.kubectl(
        "apply", "-f", "-", document=manifest_v2(inactiveTimeoutMinutes=minutes), check=False
    )
    assert "spec.inactiveTimeoutMinutes" in said
    assert "from 30 to 1440 minutes" in said
    assert team.read() is None


def test_a_timeout_that_only_v1_has_is_told_where_v2_was_not_asked_for(team: TeamV2) -> None:
    team.together.profile("retired")
    team.apply(manifest(inactiveTimeoutMinutes=10))
    refused = team.until("mixtral", "InvalidRequest")
    message = conditions(refused)["Stalled"]["message"]
    assert "spec.inactiveTimeoutMinutes is 10" in message
    assert "30 to 1440" in message
    assert team.homes() == []
    team.spec("mixtral", inactiveTimeoutMinutes=30)
    team.until("mixtral", "Serving")
    assert team.deploys()[0]["body"]["inactiveTimeout"] == 30


def test_an_account_that_knows_no_timeout(team: TeamV2) -> None:
    team.together.assume(deployment_inactive_timeout="refuse")
    team.apply(manifest_v2(inactiveTimeoutMinutes=60))
    refused = team.until("mixtral", "Unsupported")
    message = conditions(refused)["Stalled"]["message"]
    assert "spec.inactiveTimeoutMinutes" in message
    assert "0" in message
    assert team.live() == [], "it is the dry run that was refused"
    team.spec("mixtral", inactiveTimeoutMinutes=0)
    found = team.until("mixtral", "Serving")
    JudgeV2.of(team).one(found)

    # The same of one that serves: it goes on serving, and taken back nothing is left to do.
    team.spec("mixtral", inactiveTimeoutMinutes=90)
    told = team.until("mixtral", "Unsupported")
    assert conditions(told)["Available"]["status"] == "True"
    team.spec("mixtral", inactiveTimeoutMinutes=0)
    team.until("mixtral", "Serving")
    assert len(team.deploys()) == 1


def test_a_timeout_is_changed_in_place(team: TeamV2) -> None:
    serving(team)
    team.spec("mixtral", inactiveTimeoutMinutes=45)
    found = team.awaits(
        "mixtral",
        "acknowledged",
        lambda it: it["status"]["applied"].get("inactiveTimeoutMinutes") == 45,
    )
    team.until("mixtral", "Serving")
    assert team.patches()[1:] == [{"inactiveTimeout": 45}]
    team.spec("mixtral", inactiveTimeoutMinutes=0)
    team.awaits(
        "mixtral",
        "acknowledged",
        lambda it: it["status"]["applied"].get("inactiveTimeoutMinutes") == 0,
    )
    team.until("mixtral", "Serving")
    assert team.patches()[2:] == [{"inactiveTimeout": 0}]
    JudgeV2.of(team).one(found)


# -- stops by others, and failures -----------------------------------------------------------------


def test_a_stop_by_somebody_else_is_reported_and_not_undone(team: TeamV2) -> None:
    serving(team)
    team.together.force(team.deployment()["id"], autoscaling=bounds(0, 0))
    stopped = team.until("mixtral", "StoppedRemotely")
    assert_row(
        stopped, "StoppedRemotely",
        ready=False, available=False, reconciling=False, stalled=True, synced=True,
    )  # fmt: skip
    expect_health(Situation.QUESTION, stopped)
    message = conditions(stopped)["Stalled"]["message"]
    assert "restart-requested-at" in message
    assert "spec.state to Stopped" in message
    team.until_told("StoppedRemotely")

    team.kubectl("scale", "tep", "mixtral", "--replicas=2")
    team.until("mixtral", "StoppedRemotely")
    team.operator.stop()
    team.operator.start()
    team.polled(2)
    assert team.reason() == "StoppedRemotely"
    assert len(team.starts()) == 1

    team.annotate("mixtral", "restart-requested-at", "2026-01-01T00:00:00Z")
    found = team.until("mixtral", "Serving")
    assert team.starts()[1:] == [{"autoscaling": bounds(2, 2)}]
    JudgeV2.of(team).one(found)


def test_a_stop_by_somebody_else_may_be_agreed_with(team: TeamV2) -> None:
    serving(team)
    team.together.force(team.deployment()["id"], autoscaling=bounds(0, 0))
    team.until("mixtral", "StoppedRemotely")
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    assert len(team.starts()) == 1
    team.spec("mixtral", state="Started")
    team.until("mixtral", "Serving")
    assert len(team.starts()) == 2


def test_a_failure_is_reported_and_a_restart_makes_another(team: TeamV2) -> None:
    before = serving(team)
    made = team.deployment()["id"]
    judge = JudgeV2.of(team)
    judge.fail(made)
    failed = team.until("mixtral", "EndpointFailed")
    assert_row(
        failed, "EndpointFailed",
        ready=False, available=False, reconciling=False, stalled=True, synced=True,
    )  # fmt: skip
    expect_health(Situation.FAILED, failed)
    assert failed["status"]["state"] == of_state("FAILED")
    assert "restart-requested-at" in conditions(failed)["Stalled"]["message"]
    team.polled(3)
    assert len(team.deploys()) == 1, "another one is made only if a person says so"

    team.annotate("mixtral", "restart-requested-at", "now")
    found = team.until("mixtral", "Serving")
    # One that failed never starts again there.
    assert len(team.deploys()) == 2
    eventually("the failed one is removed", lambda: len(team.live()) == 1, within=30)
    found = team.awaits("mixtral", "one", lambda it: len(it["status"].get("deployments", [])) == 1)
    now = judge.one(team.until("mixtral", "Serving"))
    assert now["id"] != made
    assert team.split() == {now["id"]: 100}
    assert found["status"]["endpointID"] == before["status"]["endpointID"]
    assert found["status"]["inference"] == before["status"]["inference"]
    team.delete()
    team.gone()
    team.until_homeless()


def test_a_stop_and_a_start_make_another_in_the_place_of_a_failed_one(team: TeamV2) -> None:
    serving(team)
    team.together.force(team.deployment()["id"], state="FAILED")
    team.until("mixtral", "EndpointFailed")
    team.spec("mixtral", state="Stopped")
    team.awaits("mixtral", "seen", lambda it: it["status"]["observedGeneration"] == 2)
    team.polled(2)
    assert len(team.deploys()) == 1
    team.spec("mixtral", state="Started")
    team.until("mixtral", "Serving")
    eventually("one is left", lambda: len(team.live()) == 1, within=30)
    assert len(team.deploys()) == 2


def test_a_word_that_nobody_knows_is_no_reason_to_act(team: TeamV2) -> None:
    serving(team)
    patched = team.patches()
    team.together.force(team.deployment()["id"], state="MIGRATING")
    word = of_state("MIGRATING")
    odd = team.awaits("mixtral", word, lambda it: it["status"]["state"] == word)
    told = conditions(odd)
    assert told["Ready"]["status"] == "False"
    assert told["Reconciling"]["status"] == "True"
    assert word in told["Ready"]["message"]
    team.polled(3)
    assert team.patches() == patched
    team.together.force(team.deployment()["id"], state="READY")
    team.until("mixtral", "Serving")


def test_a_lack_of_hardware_is_called_what_it_is(team: TeamV2) -> None:
    team.together.capacity({"2x_nvidia_h100_80gb_sxm": 0})
    try:
        team.apply(manifest_v2())
        waiting = team.until("mixtral", "WaitingForCapacity")
        assert waiting["status"]["state"] == of_state("DEGRADED")
        told = conditions(waiting)
        assert told["Stalled"]["status"] == "False"
        assert "nothing is billed" in told["Ready"]["message"]
        team.operator.stop()
        team.operator.start()
        team.polled(2)
        assert team.reasons()[-1] == "WaitingForCapacity"
    finally:
        team.together.capacity({"2x_nvidia_h100_80gb_sxm": None})
    found = team.until("mixtral", "Serving")
    JudgeV2.of(team).one(found)
    assert len(team.deploys()) == 1


def test_a_quota_is_waited_for(team: TeamV2) -> None:
    team.together.assume(gpu_quota=1)
    team.apply(manifest_v2())
    waiting = team.until("mixtral", "WaitingForCapacity")
    assert "GPU quota exceeded" in conditions(waiting)["Ready"]["message"]
    team.together.assume(gpu_quota=None)
    found = team.until("mixtral", "Serving")
    JudgeV2.of(team).one(found)
    assert len(team.deploys()) == 1


# -- one that is gone ------------------------------------------------------------------------------


def test_a_vanished_deployment_is_reported_and_a_restart_makes_another(team: TeamV2) -> None:
    serving(team)
    made = team.deployment()["id"]
    team.together.delete(made)
    missing = team.until("mixtral", "RemoteMissing")
    assert_row(
        missing, "RemoteMissing",
        ready=False, available=False, reconciling=False, stalled=True, synced=True,
    )  # fmt: skip
    message = conditions(missing)["Stalled"]["message"]
    assert made in message
    assert "restart-requested-at" in message
    team.until_told("RemoteMissing")
    team.polled(3)
    assert len(team.deploys()) == 1
    team.annotate("mixtral", "restart-requested-at", "now")
    found = team.until("mixtral", "Serving")
    assert JudgeV2.of(team).one(found)["id"] != made
    assert len(team.posts()) == 1
    assert len(team.deploys()) == 2


def test_a_vanished_deployment_is_made_again_where_the_spec_says_so(team: TeamV2) -> None:
    before = serving(team, onMissing="Recreate")
    made = team.deployment()["id"]
    team.together.delete(made)
    found = team.awaits(
        "mixtral",
        "another one serves",
        lambda it: (
            [d["id"] for d in it["status"].get("deployments", [])] not in ([], [made])
            and conditions(it)["Ready"]["reason"] == "Serving"
        ),
    )
    assert JudgeV2.of(team).one(found)["id"] != made
    assert found["status"]["inference"] == before["status"]["inference"]
    assert len(team.posts()) == 1


def test_a_vanished_endpoint_is_reported_and_not_replaced(team: TeamV2) -> None:
    known = serving(team)["status"]["endpointID"]
    team.together.delete(known)
    missing = team.until("mixtral", "RemoteMissing")
    assert known in conditions(missing)["Stalled"]["message"]
    assert missing["status"]["endpointID"] == known
    team.polled(3)
    assert len(team.posts()) == len(team.deploys()) == 1
    team.delete()
    team.gone()


def test_a_vanished_endpoint_is_made_again_where_the_spec_says_so(team: TeamV2) -> None:
    before = serving(team, onMissing="Recreate")["status"]
    team.together.delete(before["endpointID"])
    found = team.awaits(
        "mixtral",
        "another one serves",
        lambda it: (
            it["status"].get("endpointID") not in (None, before["endpointID"])
            and conditions(it)["Ready"]["reason"] == "Serving"
        ),
    )
    JudgeV2.of(team).one(found)
    assert found["status"]["inference"] == before["inference"], "applications find it as before"
    assert len(team.posts()) == len(team.deploys()) == 2
    team.until_told("EndpointRecreated")
    team.delete()
    team.gone()
    team.until_homeless()
