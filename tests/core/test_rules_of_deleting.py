"""The rules of creating exactly once, 12 and 13: the deletion, and what may come after it."""

from __future__ import annotations

import pytest

from together_operator.core.case import Case
from together_operator.core.steps import Create, Delete, Finish, Get, List, Look, Stop
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import DeletionPolicy, State

from .beginnings import order_of, serving, two_attempts
from .world import UID, World

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
    assert end in ("gone", machine.state)


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


def confirmation(world: World) -> Case:
    """Go on until the resource may go; what was known then."""
    return world.reach(Finish).case


def test_rule_12_gone_is_two_lists_that_span_the_lag_and_a_404_with_one_key() -> None:
    world = serving()
    world.delete()
    case = confirmation(world)
    absence = case.memory.absence("endpoint-1")
    assert absence is not None
    assert absence.last - absence.first >= world.timing.lag
    assert absence.not_found is not None
    assert case.memory.looked_with == "K1/V1"
    assert case.memory.scan is not None
    assert case.memory.scan.sent_at >= absence.first


def test_rule_12_lists_alone_do_not_tell_that_it_is_gone() -> None:
    """It is hidden from every LIST, and a GET knows better."""
    world = serving()
    machine = world.mine()[0]
    machine.listed_from = world.now + 2000.0
    world.delete()
    world.run(900)
    assert world.gone()
    assert not machine.alive
    assert world.judge.deletes == [machine.id]


def test_rule_12_lists_do_not_tell_that_it_is_gone_while_no_get_is_answered() -> None:
    world = serving()
    machine = world.mine()[0]
    machine.listed_from = world.now + 4000.0
    world.delete()
    until = world.now + 3 * world.timing.lag
    while world.now < until:
        world.meet(Get, "down")
    world.run(900)
    assert world.gone()
    assert world.judge.deletes == [machine.id]


def test_rule_12_a_404_alone_does_not_tell_that_it_is_gone() -> None:
    world = serving()
    world.delete()
    world.meet(Delete, "nothing")
    world.together.hiding = 1
    world.run(600)
    assert world.gone()
    assert world.together.living() == []
    assert len(world.judge.deletes) == 2


def test_rule_12_one_bad_list_does_not_tell_that_it_is_gone() -> None:
    world = serving()
    world.run(2000)
    world.delete()
    world.meet(Delete, "nothing")
    world.together.omitting = True
    world.run(900)
    assert world.gone()
    assert world.together.living() == []


def test_rule_12_what_one_key_does_not_see_is_not_gone_for_another() -> None:
    world = serving()
    world.delete()
    world.meet(Get)
    first = world.reach(List).case.memory.absence("endpoint-1")
    assert first is not None
    world.cluster.copies[UID] = "K2"
    world.wake(UID)
    absence = confirmation(world).memory.absence("endpoint-1")
    assert absence is not None
    assert absence.first > first.first


@pytest.mark.parametrize("label", ["nothing", "late"])
def test_rule_12_an_unresolved_attempt_needs_its_whole_time(label: str) -> None:
    world = World.with_resource()
    order_of(world, label)
    sent = world.now
    world.delete()
    world.reach(Finish)
    if label == "nothing":
        assert world.now - sent >= world.timing.settle
    assert world.together.living() == []
    assert world.judge.creates == 1


def test_rule_12_an_open_attempt_beside_the_endpoint_needs_its_whole_time() -> None:
    world, _ = two_attempts()
    world.kill(world.processes[0])
    began = world.now
    world.delete()
    world.reach(Delete)
    assert world.now - began >= world.timing.settle


def test_rule_12_it_never_ends_while_anything_listed_carries_our_uid() -> None:
    world = serving()
    copied = world.by_hand(world.mine()[0].display_name)
    world.delete()
    world.run(900)
    assert world.reason() == Reason.DELETION_BLOCKED
    message = world.condition().message
    assert copied.id in message
    assert f"{names.RELEASE} to '{copied.id}'" in message
    assert copied.id not in world.judge.deletes
    world.annotate(names.RELEASE, "endpoint-of-somebody")
    world.run(300)
    assert not world.gone()
    world.annotate(names.RELEASE, copied.id)
    world.run(300)
    assert world.gone()
    assert world.together.living() == [copied]


def test_rule_12_what_cannot_be_read_might_be_ours() -> None:
    world, order = two_attempts()
    world.delete()
    world.meet(Delete)
    extra = world.together.make(order, "red", world.now)
    world.together.hiding = 30
    world.reach(Look)
    world.run(20)
    assert not world.gone()
    world.together.hiding = 0
    world.run(900)
    assert world.gone()
    assert not extra.alive


def test_rule_12_an_error_is_not_an_absence() -> None:
    world = serving()
    world.delete()
    world.meet(Delete)
    world.together.down = True
    world.run(10 * world.timing.lag)
    assert not world.gone()
    world.together.down = False
    world.run(600)
    assert world.gone()


def test_rule_12_retain_lets_go_at_once_where_nothing_is_open() -> None:
    world = serving(deletion_policy=DeletionPolicy.RETAIN)
    writes = world.judge.remote_writes
    world.delete()
    world.run(10)
    assert world.gone()
    assert world.judge.remote_writes == writes
    assert len(world.mine()) == 1


def test_rule_12_stop_is_sent_again_until_it_shows() -> None:
    world = serving(deletion_policy=DeletionPolicy.STOP)
    world.delete()
    world.meet(Stop, "nothing")
    world.meet(Stop, "lost")
    world.run(600)
    assert world.gone()
    assert [machine.state for machine in world.mine()] == ["STOPPED"]


@pytest.mark.parametrize("policy", DeletionPolicy)
def test_rule_12_an_extra_of_ours_goes_under_every_policy(policy: DeletionPolicy) -> None:
    world, order = two_attempts()
    world.edit(deletion_policy=policy)
    extra = world.together.make(order, "red", world.now)
    world.delete()
    world.run(900)
    assert world.gone()
    assert not extra.alive
    assert len(world.together.living()) == (0 if policy is DeletionPolicy.DELETE else 1)


def test_rule_12_the_release_of_one_says_nothing_of_another() -> None:
    world = serving()
    copied = world.by_hand(world.mine()[0].display_name)
    world.together.denied.add("K1")
    world.delete()
    world.annotate(names.RELEASE, copied.id)
    world.run(2000)
    assert world.reason() == Reason.DELETION_BLOCKED
    assert f"{names.RELEASE} to 'endpoint-1'" in world.condition().message
    world.annotate(names.RELEASE, "endpoint-1")
    world.run(60)
    assert world.gone()
    assert len(world.together.living()) == 2


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


def test_rule_13_what_is_released_unresolved_is_left_to_the_tombstone() -> None:
    world = World.with_resource()
    world.judge.bounded = False
    order_of(world)
    nonce = world.operation.nonce
    world.delete()
    world.annotate(names.RELEASE, "unresolved")
    finish = world.meet(Finish).decision.step
    assert isinstance(finish, Finish)
    assert finish.nonces == (nonce,)
    assert world.cluster.copies == {UID: "K1"}


@pytest.mark.parametrize("policy", [DeletionPolicy.STOP, DeletionPolicy.RETAIN])
def test_rule_13_the_tombstone_is_left_under_every_policy(policy: DeletionPolicy) -> None:
    world, _ = two_attempts()
    (nonce,) = world.operation.open
    world.edit(deletion_policy=policy)
    world.delete()
    finish = world.meet(Finish).decision.step
    assert isinstance(finish, Finish)
    assert finish.nonces == (nonce,)
    assert world.cluster.copies == {UID: "K1"}


def test_rule_13_an_extra_that_was_found_in_time_needs_no_tombstone() -> None:
    world, order = two_attempts()
    world.together.make(order, "red", world.now)
    world.delete()
    finish = world.meet(Finish).decision.step
    assert isinstance(finish, Finish)
    assert finish.nonces == ()
    assert world.together.living() == []
    assert world.cluster.copies == {}
