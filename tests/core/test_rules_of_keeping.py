"""The rules of creating exactly once, 10 to 16: lost records, extras, deletion, copies.

Rule 14 has its own tests, with those of restored copies.
"""

from __future__ import annotations

import pytest

from together_operator.core.steps import (
    Create,
    Delete,
    Finish,
    Prepare,
    Record,
    Stop,
    Update,
)
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Order
from together_operator.resource.spec import DeletionPolicy, State

from .process_model import Process
from .world import UID, World


def serving() -> World:
    """A world in which the endpoint serves."""
    world = World.with_resource()
    world.run(200)
    assert world.reason() == Reason.SERVING
    return world


def order_of(world: World, label: str = "nothing") -> Order:
    """Go on to a POST that turns out in a certain way; what it asked for."""
    step = world.meet(Create, label).decision.step
    assert isinstance(step, Create)
    return step.order


# -- 10: the lost record ---------------------------------------------------------------------------


def test_rule_10_a_lost_record_begins_anew_with_every_foreign_change() -> None:
    world = World.with_resource()
    world.meet(Prepare, "kill-after")
    for _ in range(4):
        world.run(200)
        assert world.judge.creates == 0
        world.cluster.touch(UID)
    world.run(world.timing.settle + 70)
    assert world.judge.creates == 1


def test_rule_10_it_is_not_begun_anew_by_our_own_words() -> None:
    world = World.with_resource()
    world.meet(Prepare, "kill-after")
    world.run(30)
    world.together.down = True
    world.run(20)
    world.together.down = False
    before = world.cluster.writes
    world.run(world.timing.settle)
    assert world.cluster.writes > before
    assert world.judge.creates == 1


def test_rule_10_the_finalizer_that_this_process_wrote_needs_no_wait() -> None:
    world = World.with_resource()
    world.meet(Prepare)
    world.cluster.key = None
    world.run(120)
    assert world.reason() == Reason.SECRET_MISSING
    world.cluster.key = "K1"
    world.run(120)
    assert world.reason() == Reason.SERVING


@pytest.mark.parametrize("kept", ["finalizer", "annotation", "record"])
def test_rule_10_any_one_trace_of_the_past_is_enough(kept: str) -> None:
    world = serving()
    if kept != "record":
        world.cluster.wipe_status(UID)
    if kept != "finalizer":
        world.cluster.strip(UID, finalizer=True)
    if kept != "annotation":
        world.cluster.strip(UID, finalizer=False)
    world.kill(world.processes[0])
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1
    assert world.body is not None
    assert world.body.held


# -- 11: the sweep ---------------------------------------------------------------------------------


def two_attempts() -> tuple[World, Order]:
    """It serves, and the first of two attempts may come beyond its bound; what it asked for."""
    world = World.with_resource()
    world.judge.bounded = False
    order = order_of(world)
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert len(world.operation.open) == 1
    return world, order


def test_rule_11_an_extra_with_an_open_nonce_is_recorded_then_deleted() -> None:
    world, order = two_attempts()
    extra = world.together.make(order, "red", world.now)
    recorded = world.meet(Record)
    assert isinstance(recorded.decision.step, Record)
    assert recorded.decision.step.status.operation == world.operation
    assert list(world.operation.removing) == [extra.id]
    assert world.judge.deletes == []
    world.run(200)
    assert not extra.alive
    assert list(world.operation.removing) == []
    assert world.reason() == Reason.SERVING


def test_rule_11_an_extra_that_lists_hide_is_not_asked_for_without_pause() -> None:
    world, order = two_attempts()
    extra = world.together.make(order, "red", world.now)
    world.meet(Delete, "nothing")
    extra.listed_from = world.now + 300
    world.run(600)
    assert not extra.alive
    assert world.reason() == Reason.SERVING


def test_rule_11_an_extra_that_cannot_be_deleted_does_not_stop_anything_else() -> None:
    world, order = two_attempts()
    extra = world.together.make(order, "red", world.now)
    world.meet(Delete, "refused")
    world.edit(display_name="Another")
    world.meet(Update)
    world.run(600)
    assert not extra.alive
    assert world.mine()[0].display_name.startswith("Another")


# -- 12: the deletion ------------------------------------------------------------------------------


def test_rule_12_it_is_deleted_until_it_is_gone() -> None:
    world = serving()
    world.together.unlist = 20.0
    world.delete()
    world.meet(Delete, "nothing")
    world.meet(Delete, "lost")
    world.run(600)
    assert world.gone()
    assert world.together.living() == []


@pytest.mark.parametrize("policy", [DeletionPolicy.STOP, DeletionPolicy.RETAIN])
def test_rule_12_an_open_attempt_is_settled_under_every_policy(policy: DeletionPolicy) -> None:
    world = World.with_resource(deletion_policy=policy)
    world.meet(Create, "late")
    world.delete()
    world.run(100)
    assert not world.gone()
    world.run(600)
    assert world.gone()
    wanted = "STOPPED" if policy is DeletionPolicy.STOP else "STARTED"
    assert [machine.state for machine in world.mine()] == [wanted]


@pytest.mark.parametrize("end", ["STOPPED", "ERROR", "gone"])
def test_rule_12_stop_is_finished_at_stopped_error_or_gone(end: str) -> None:
    world = serving()
    world.edit(deletion_policy=DeletionPolicy.STOP)
    machine = world.mine()[0]
    world.delete()
    if end == "gone":
        world.together.remove(machine.id, world.now)
    else:
        world.meet(Stop, "nothing")
        machine.state = end
    world.run(300)
    assert world.gone()
    assert world.judge.deletes == []


def test_rule_12_suspend_permits_claiming_and_nothing_at_together() -> None:
    world = World.with_resource()
    world.meet(Create, "late")
    world.edit(suspend=True)
    world.run(600)
    assert world.status.endpoint_id == "endpoint-1"
    writes = world.judge.remote_writes
    world.edit(state=State.STOPPED)
    world.delete()
    world.run(3600)
    assert world.judge.remote_writes == writes
    assert world.reason() == Reason.DELETION_SUSPENDED
    world.edit(suspend=False)
    world.run(600)
    assert world.gone()
    assert world.together.living() == []


def test_rule_12_what_cannot_be_told_is_named_with_the_way_to_release_it() -> None:
    world = World.with_resource()
    world.meet(Create, "nothing")
    theirs = world.by_hand("somebody else's")
    world.delete()
    world.run(600)
    assert world.reason() == Reason.DELETION_BLOCKED
    message = world.condition().message
    assert theirs.id in message
    assert f"{names.RELEASE} to 'unresolved'" in message
    world.annotate(names.RELEASE, "unresolved")
    world.run(60)
    assert world.gone()
    assert theirs.alive


# -- 13: the tombstone -----------------------------------------------------------------------------


def test_rule_13_attempts_that_are_still_open_are_left_to_the_tombstone() -> None:
    world, _ = two_attempts()
    (nonce,) = world.operation.open
    world.delete()
    finish = world.meet(Finish).decision.step
    assert isinstance(finish, Finish)
    assert (finish.nonces, finish.credential) == ((nonce,), "K1")
    assert world.gone()
    assert world.cluster.copies == {UID: "K1"}


def test_rule_13_without_open_attempts_the_key_copy_goes_as_well() -> None:
    world = serving()
    world.delete()
    finish = world.meet(Finish).decision.step
    assert isinstance(finish, Finish)
    assert finish.nonces == ()
    assert world.cluster.copies == {}


def test_rule_13_a_note_of_an_extra_does_not_forget_the_attempt_of_an_earlier_process() -> None:
    world = World.with_resource()
    world.judge.bounded = False
    first = order_of(world)
    second = order_of(world)
    third = world.meet(Create, "kill").decision.step
    assert isinstance(third, Create)
    world.delete()
    world.annotate(names.RELEASE, "unresolved")
    world.together.make(second, "red", world.now)
    thought = world.meet(Finish, "ok")
    assert isinstance(thought.decision.step, Finish)
    assert set(thought.decision.step.nonces) >= {third.nonce}
    assert first != second


# -- 15: the Lease ---------------------------------------------------------------------------------


def test_rule_15_even_without_a_lease_two_operators_make_one() -> None:
    world = World.with_resource()
    world.processes.append(Process("b"))
    world.wake(UID)
    world.run(1000)
    assert world.reason() == Reason.SERVING
    assert len(world.mine()) == 1


# -- 16: stopped first -----------------------------------------------------------------------------


def test_rule_16_v1_creates_started_and_stopped_only_when_asked() -> None:
    assert order_of(World.with_resource()).started
    assert not order_of(World.with_resource(state=State.STOPPED)).started


def test_rule_16_a_generation_that_creates_stopped_is_started_once_it_is_on_record() -> None:
    world = World.with_resource()
    world.creates_stopped = True
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert not world.judge.deletes
    assert world.status.applied is not None
    assert world.status.applied.state == "Started"
