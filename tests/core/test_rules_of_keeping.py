"""The rules of creating exactly once, 10 to 16: lost records, extras, the Lease, stopped first.

Rules 12 and 13 have their own tests, with deletion, and rule 14 with those of restored copies.
"""

from __future__ import annotations

import pytest

from together_operator.core.steps import Delete, Deploy, Prepare, Record, Start, Update
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import Api, State

from .beginnings import order_of, serving, two_attempts
from .process_model import Process
from .world import UID, World

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


def test_rule_16_v2_creates_stopped_and_starts_what_is_on_record() -> None:
    world = World.with_resource(api=Api.V2)
    assert not order_of(world, "ok").started
    deployed = world.meet(Deploy)
    assert isinstance(deployed.decision.step, Deploy)
    assert not deployed.decision.step.order.started
    assert [unit.runs for unit in world.units()] == [False]
    started = world.meet(Start)
    assert isinstance(started.decision.step, Start)
    assert started.decision.step.deployment_id == started.body.status.deployments[0].id
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert not world.judge.deletes
    assert world.status.applied is not None
    assert world.status.applied.state == "Started"
