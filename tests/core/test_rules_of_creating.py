"""The rules of creating exactly once, 1 to 5: from nothing to the POST."""

from __future__ import annotations

import pytest

from together_operator.core.marker import NAME_LIMIT, Marker
from together_operator.core.steps import Create, KeepKey, List, Prepare, Record
from together_operator.resource import names
from together_operator.resource.endpoint_status import OperationPhase
from together_operator.resource.reasons import Reason

from .beginnings import serving
from .process_model import Process
from .world import UID, World

# -- 1: the order ----------------------------------------------------------------------------------


@pytest.mark.parametrize("killed_at", [List, KeepKey, Prepare, Record, Create])
@pytest.mark.parametrize("label", ["kill", "kill-after"])
def test_rule_1_a_crash_at_any_step_leaves_what_the_next_process_needs(
    killed_at: type[List], label: str
) -> None:
    world = World.with_resource()
    world.meet(killed_at, "kill" if killed_at is List else label)
    world.run(1000)
    assert world.reason() == Reason.SERVING
    assert len(world.mine()) == 1
    assert world.judge.creates <= 2


@pytest.mark.parametrize("killed_at", [List, KeepKey, Prepare, Record, Create])
def test_rule_1_a_deletion_after_a_crash_at_any_step_leaves_nothing(killed_at: type[List]) -> None:
    world = World.with_resource()
    world.meet(killed_at, "kill" if killed_at is List else "kill-after")
    world.delete()
    world.run(1000)
    assert world.gone()
    assert world.together.living() == []
    assert world.cluster.copies.keys() <= {UID}


def test_rule_1_every_write_carries_a_precondition() -> None:
    world = World.with_resource()
    for kind in (Prepare, Record, Record):
        world.meet(kind, "conflict")
    world.run(1000)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1


def test_rule_1_a_key_that_sees_nothing_leaves_no_finalizer() -> None:
    world = World.with_resource()
    world.together.denied.add("K1")
    world.run(1000)
    assert world.body is not None
    assert not world.body.held
    assert world.cluster.copies == {}
    world.delete()
    assert world.gone()


# -- 2: the marker ---------------------------------------------------------------------------------


def test_rule_2_every_name_that_is_sent_carries_the_marker() -> None:
    world = serving()
    sent = world.mine()[0].display_name
    assert Marker.parse(sent) is not None
    world.edit(display_name="x" * 63)
    world.run(60)
    renamed = world.mine()[0].display_name
    assert Marker.parse(renamed) == Marker.parse(sent)
    assert len(renamed) == NAME_LIMIT


def test_rule_2_without_markers_an_unclear_create_is_never_repeated() -> None:
    world = World.with_resource()
    world.markers_lost = True
    world.meet(Create, "nothing")
    world.run(4000)
    assert world.reason() == Reason.MARKERS_LOST
    assert world.conditions()["Stalled"] == "True"
    assert names.CLAIM in world.condition().message
    assert world.judge.creates == 1


def test_rule_2_an_endpoint_that_comes_back_without_its_marker_is_recorded() -> None:
    world = World.with_resource()
    world.together.forgetful = True
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert world.operation.markers_lost is True
    assert world.judge.remote_writes == 1


# -- 3: the record ---------------------------------------------------------------------------------


def test_rule_3_the_record_tells_of_the_attempt_before_the_post() -> None:
    world = World.with_resource()
    thought = world.reach(Create)
    step, record = thought.decision.step, world.operation
    assert isinstance(step, Create)
    assert (record.phase, record.uid, record.credential) == (OperationPhase.OPEN, UID, "K1")
    assert record.nonce == step.nonce
    assert world.status.endpoint_id is None


def test_rule_3_the_record_is_kept_as_long_as_the_resource_lives() -> None:
    world = serving()
    record = world.operation
    assert record.phase is OperationPhase.DONE
    world.edit(display_name="Another")
    world.run(60)
    assert world.operation == record


@pytest.mark.parametrize("foreign", [{"uid": "another"}, {"cluster": "another"}])
def test_rule_3_a_record_that_is_not_ours_proves_nothing(foreign: dict[str, str]) -> None:
    world = serving()
    body = world.body
    assert body is not None
    record = world.operation.model_copy(update=foreign)
    status = body.status.model_copy(update={"operation": record, "endpoint_id": "endpoint-9"})
    world.by_hand("somebody else's")
    world.cluster.write_status(body, status)
    world.wake(UID)
    world.run(4000)
    assert world.status.endpoint_id == "endpoint-1"
    assert world.operation.uid == UID
    assert world.judge.creates == 1


# -- 4: the age fence ------------------------------------------------------------------------------


def test_rule_4_a_record_that_took_too_long_is_written_anew_and_not_counted() -> None:
    world = World.with_resource()
    world.meet(Record, "slow")
    world.meet(Record, "slow")
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1
    assert (world.operation.attempts, world.operation.open) == (0, ())


def test_rule_4_a_process_that_slept_before_the_post_does_not_send_it() -> None:
    world = World.with_resource()
    first = world.meet(Create, "paused").decision.step
    assert isinstance(first, Create)
    assert world.judge.creates == 0
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert world.operation.nonce != first.nonce
    assert (world.operation.attempts, world.operation.open) == (0, ())


def test_rule_4_another_process_s_record_is_an_open_attempt() -> None:
    world = World.with_resource()
    world.meet(Record, "kill-after")
    world.run(world.timing.settle)
    assert world.reason() == Reason.CLAIMING
    assert world.judge.creates == 0
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1


def test_rule_4_whose_record_was_refused_does_not_send_under_another_s() -> None:
    world = World.with_resource()
    a, b = world.processes[0], Process("b")
    world.processes.append(b)
    world.wake(UID)
    world.frozen.add("b")
    world.reach(Record)
    world.frozen.symmetric_difference_update({"a", "b"})
    world.reach(Record)
    world.frozen.clear()
    # Both are about to write; one of them wins, and dies.
    of_a, of_b = a.think(world, UID), b.think(world, UID)
    assert of_a is not None
    assert of_b is not None
    world.act(b, of_b)
    world.processes.remove(b)
    world.act(a, of_a)
    world.run(world.timing.settle - 10)
    assert world.judge.creates == 0
    world.run(300)
    assert world.reason() == Reason.SERVING


def test_rule_4_a_record_whose_answer_was_lost_is_still_this_process_s_own() -> None:
    world = World.with_resource()
    world.meet(Record, "lost")
    world.run(60)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1


# -- 5: the POST -----------------------------------------------------------------------------------


def test_rule_5_what_was_not_sent_is_sent_again_without_a_wait() -> None:
    world = World.with_resource()
    world.meet(Create, "unsent")
    world.run(60)
    assert world.reason() == Reason.SERVING
    assert (world.judge.creates, world.operation.open) == (1, ())


def test_rule_5_not_sent_is_not_sent_without_end() -> None:
    world = World.with_resource()
    world.reach(Create)
    world.together.down = True
    world.run(3600)
    assert world.judge.creates == 0
    assert world.cluster.writes < 40
    world.together.down = False
    world.run(1200)
    assert world.reason() == Reason.SERVING


def test_rule_5_a_definite_refusal_is_no_open_attempt() -> None:
    world = World.with_resource()
    world.meet(Create, "refused-for-good")
    world.run(60)
    assert world.reason() == Reason.INVALID_REQUEST
    assert world.conditions()["Stalled"] == "True"
    assert (world.operation.phase, world.operation.open) == (OperationPhase.REFUSED, ())
    world.delete()
    assert world.turn(world.processes[0], UID) is not None
    assert world.gone()


@pytest.mark.parametrize("label", ["lost", "slow-lost", "late", "slow-late"])
def test_rule_5_whatever_is_not_a_clear_answer_is_settled(label: str) -> None:
    world = World.with_resource()
    world.meet(Create, label)
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1
