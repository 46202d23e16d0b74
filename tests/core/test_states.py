"""Started and stopped (I8): what the operator does by itself only ever costs less."""

from __future__ import annotations

import pytest

from together_operator.core.steps import Start, Stop, Update
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Bounds
from together_operator.resource.spec import Autoscaling, State

from .beginnings import serving
from .world import World


def stops_by_itself(world: World) -> None:
    """Together stops it for inactivity, or somebody in the console does."""
    machine = world.mine()[0]
    machine.state, machine.since = "STOPPING", world.now
    world.run(60)
    assert machine.state == "STOPPED"


def restart(world: World) -> None:
    """A person asks for another start."""
    world.annotate(names.RESTART_REQUESTED_AT, f"at {world.now}")


def state(world: World) -> str:
    """What it truly is."""
    return world.mine()[0].state


@pytest.mark.parametrize(
    ("minutes", "reason", "ready"),
    [(30, Reason.IDLE_STOPPED, "True"), (0, Reason.STOPPED_REMOTELY, "False")],
)
def test_a_stop_that_was_not_asked_for_is_told_and_not_undone(
    minutes: int, reason: Reason, ready: str
) -> None:
    world = serving(inactive_timeout_minutes=minutes)
    stops_by_itself(world)
    assert world.reason() == reason
    assert world.conditions()["Ready"] == ready
    assert world.conditions()["Available"] == "False"
    assert names.RESTART_REQUESTED_AT in world.condition().message
    for change in ("rename", "scale", "restart of the operator", "look", "touch"):
        if change == "rename":
            world.edit(display_name="Another")
        if change == "scale":
            world.edit(autoscaling=Autoscaling(min_replicas=3))
        if change == "restart of the operator":
            world.kill(world.processes[0])
        if change == "look":
            world.annotate(names.RECONCILE_REQUESTED_AT, "now")
        if change == "touch":
            world.touch()
        world.run(600)
        assert state(world) == "STOPPED", change
        assert world.reason() == reason, change
    assert world.mine()[0].bounds == Bounds(3, 3)


def test_a_request_starts_it_again_once() -> None:
    world = serving(inactive_timeout_minutes=30)
    stops_by_itself(world)
    restart(world)
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert world.status.last_handled_restart_at is not None
    stops_by_itself(world)
    world.kill(world.processes[0])
    world.run(600)
    assert world.reason() == Reason.IDLE_STOPPED


def test_a_request_made_while_it_is_still_stopping_is_carried_out() -> None:
    world = serving()
    machine = world.mine()[0]
    machine.state, machine.since = "STOPPING", world.now
    world.run(6)
    assert world.reason() == Reason.STOPPING
    restart(world)
    world.run(200)
    assert world.reason() == Reason.SERVING


@pytest.mark.parametrize("label", ["lost", "late", "nothing", "refused", "absent", "kill-after"])
def test_a_request_is_carried_out_whatever_becomes_of_the_answer(label: str) -> None:
    world = serving()
    stops_by_itself(world)
    restart(world)
    world.meet(Start, label)
    world.run(1000)
    assert world.reason() == Reason.SERVING
    stops_by_itself(world)
    world.run(600)
    assert state(world) == "STOPPED"


def test_a_restart_that_is_refused_for_good_is_told_even_after_a_crash() -> None:
    world = serving(inactive_timeout_minutes=30)
    stops_by_itself(world)
    world.together.retired = True
    restart(world)
    world.run(60)
    for _ in range(2):
        assert world.reason() == Reason.V1_CLOSED
        assert world.conditions()["Stalled"] == "True"
        writes = world.judge.remote_writes
        world.kill(world.processes[0])
        world.run(600)
        assert world.judge.remote_writes == writes
    world.together.retired = False
    restart(world)
    world.run(200)
    assert world.reason() == Reason.SERVING


def test_stopped_and_started_again_as_asked() -> None:
    world = serving()
    world.edit(state=State.STOPPED)
    world.run(100)
    assert world.reason() == Reason.STOPPED
    assert world.conditions()["Ready"] == "True"
    world.edit(state=State.STARTED)
    world.run(200)
    assert world.reason() == Reason.SERVING


@pytest.mark.parametrize("label", ["ok", "lost", "late", "nothing", "refused", "kill-after"])
def test_stop_and_start_survive_what_can_become_of_them(label: str) -> None:
    world = serving()
    world.edit(state=State.STOPPED)
    world.meet(Stop, label)
    world.run(1000)
    assert state(world) == "STOPPED"
    assert world.reason() == Reason.STOPPED
    world.edit(state=State.STARTED)
    world.meet(Start, label)
    world.run(1000)
    assert world.reason() == Reason.SERVING


@pytest.mark.parametrize("label", ["ok", "lost", "late", "kill-after"])
def test_a_start_without_an_answer_does_not_undo_the_next_idle_stop(label: str) -> None:
    world = serving(inactive_timeout_minutes=30)
    world.edit(state=State.STOPPED)
    world.run(100)
    world.edit(state=State.STARTED)
    world.meet(Start, label)
    world.run(1000)
    assert world.reason() == Reason.SERVING
    stops_by_itself(world)
    world.run(1000)
    assert world.reason() == Reason.IDLE_STOPPED


@pytest.mark.parametrize("restarted", [False, True])
def test_what_idleness_stopped_can_be_agreed_with_and_started_again(restarted: bool) -> None:
    world = serving(inactive_timeout_minutes=30)
    stops_by_itself(world)
    world.edit(state=State.STOPPED)
    world.run(30)
    assert world.reason() == Reason.STOPPED
    assert world.status.applied is not None
    assert world.status.applied.state == "Stopped"
    if restarted:
        world.kill(world.processes[0])
    world.edit(state=State.STARTED)
    world.run(200)
    assert world.reason() == Reason.SERVING


def test_what_a_person_starts_in_the_console_is_stopped_again_if_it_is_to_be_stopped() -> None:
    world = serving()
    world.edit(state=State.STOPPED)
    world.run(100)
    machine = world.mine()[0]
    for _ in range(2):
        machine.state, machine.since = "STARTING", world.now
        world.run(100)
        assert state(world) == "STOPPED"
        assert world.reason() == Reason.STOPPED


def test_a_start_in_the_console_of_what_is_to_run_is_welcome() -> None:
    world = serving()
    stops_by_itself(world)
    machine = world.mine()[0]
    machine.state, machine.since = "STARTING", world.now
    writes = world.judge.remote_writes
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert world.judge.remote_writes == writes


def test_an_unknown_state_is_waited_out_and_still_stopped_when_asked() -> None:
    world = serving()
    machine = world.mine()[0]
    machine.state = "MIGRATING"
    world.run(60)
    assert "MIGRATING" in world.condition().message
    assert world.status.state == "MIGRATING"
    assert world.conditions()["Available"] == "False"
    machine.state = "STARTED"
    world.run(60)
    assert world.reason() == Reason.SERVING
    machine.state = "MIGRATING"
    world.edit(state=State.STOPPED)
    world.meet(Stop)
    world.run(100)
    assert world.reason() == Reason.STOPPED


def test_a_failed_endpoint_is_started_only_when_a_person_says_so() -> None:
    world = serving()
    world.mine()[0].state = "ERROR"
    world.run(600)
    assert world.reason() == Reason.ENDPOINT_FAILED
    assert world.conditions()["Stalled"] == "True"
    assert world.conditions()["Available"] == "False"
    assert state(world) == "ERROR"
    restart(world)
    world.run(200)
    assert world.reason() == Reason.SERVING


def test_drift_of_name_and_bounds_is_put_back_within_the_interval() -> None:
    world = serving(autoscaling=Autoscaling(min_replicas=1, max_replicas=2))
    machine = world.mine()[0]
    machine.bounds, machine.display_name = Bounds(7, 9), "by hand"
    update = world.meet(Update).decision.step
    assert isinstance(update, Update)
    assert update.drift
    world.run(60)
    assert machine.bounds == Bounds(1, 2)
    assert machine.display_name.startswith("ml/mixtral tep-")


@pytest.mark.parametrize("label", ["lost", "late", "nothing", "refused", "absent", "kill-after"])
def test_a_change_is_sent_until_it_is_there(label: str) -> None:
    world = serving()
    world.edit(autoscaling=Autoscaling(min_replicas=2), inactive_timeout_minutes=15)
    world.meet(Update, label)
    world.run(2000)
    machine = world.mine()[0]
    assert (machine.bounds, machine.minutes) == (Bounds(2, 2), 15)
    assert world.reason() == Reason.SERVING


def test_a_change_that_is_refused_for_good_is_told_and_not_repeated() -> None:
    world = serving()
    world.edit(autoscaling=Autoscaling(min_replicas=2))
    world.meet(Update, "refused-for-good")
    world.run(600)
    assert world.reason() == Reason.INVALID_REQUEST
    assert world.conditions()["Stalled"] == "True"
    assert world.conditions()["Available"] == "True"
    writes = world.judge.remote_writes
    world.kill(world.processes[0])
    world.run(7200)
    assert world.judge.remote_writes == writes
    world.annotate(names.RECONCILE_REQUESTED_AT, "try again")
    world.meet(Update, "refused-for-good")
    world.run(7200)
    assert world.judge.remote_writes == writes + 1
    world.edit(autoscaling=Autoscaling(min_replicas=3))
    world.run(60)
    assert world.reason() == Reason.SERVING


def test_stopping_comes_before_every_other_change() -> None:
    world = serving()
    world.edit(autoscaling=Autoscaling(min_replicas=2), state=State.STOPPED)
    first = world.meet((Stop, Update)).decision.step
    assert isinstance(first, Stop)


def test_a_second_stop_is_sent_at_once() -> None:
    world = serving()
    for wanted in (State.STOPPED, State.STARTED) * 3:
        world.edit(state=wanted)
        world.run(45)
        assert (state(world) == "STOPPED") == (wanted is State.STOPPED)
