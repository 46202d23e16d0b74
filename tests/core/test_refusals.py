"""Refused orders: told with the reason, retried where that may help, corrected in place."""

from __future__ import annotations

import pytest

from together_operator.core.steps import Create, Record
from together_operator.resource import names
from together_operator.resource.endpoint_status import OperationPhase
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import Autoscaling

from .together_model import BAD_HARDWARE
from .world import HARDWARE, UID, World


def refused(label: str = "refused-for-good") -> World:
    """The first order was refused."""
    world = World.with_resource()
    world.meet(Create, label)
    world.run(2)
    return world


def test_a_definite_refusal_stalls_and_costs_nothing_more() -> None:
    world = refused()
    assert world.reason() == Reason.INVALID_REQUEST
    assert world.conditions()["Stalled"] == "True"
    before = (world.cluster.writes, world.judge.creates)
    world.kill(world.processes[0])
    world.run(7200)
    assert (world.cluster.writes, world.judge.creates) == before
    assert world.reason() == Reason.INVALID_REQUEST


def test_a_look_that_is_asked_for_tries_once() -> None:
    world = refused()
    for number in range(3):
        world.annotate(names.RECONCILE_REQUESTED_AT, f"look {number}")
        world.meet(Create, "refused-for-good")
        writes = world.cluster.writes
        world.run(3600)
        assert world.cluster.writes - writes <= 2
        assert world.status.last_handled_reconcile_at == f"look {number}"


def test_a_look_that_is_asked_for_waits_for_what_is_in_the_way() -> None:
    world = refused()
    world.cluster.key = None
    world.annotate(names.RECONCILE_REQUESTED_AT, "now")
    world.run(600)
    assert world.status.last_handled_reconcile_at is None
    world.cluster.key = "K1"
    world.run(300)
    assert world.reason() == Reason.SERVING
    assert world.status.last_handled_reconcile_at == "now"


def test_a_typing_error_is_corrected_in_place() -> None:
    world = World.with_resource(hardware=BAD_HARDWARE)
    world.run(60)
    assert world.reason() == Reason.INVALID_HARDWARE
    assert world.operation.phase is OperationPhase.REFUSED
    world.edit(hardware=HARDWARE)
    world.run(200)
    assert world.reason() == Reason.SERVING


@pytest.mark.parametrize("label", ["ok", "conflict", "lost", "kill"])
def test_an_edit_made_before_the_refusal_was_on_record_is_tried(label: str) -> None:
    world = World.with_resource()
    world.meet(Create, "refused-for-good")
    world.edit(autoscaling=Autoscaling(min_replicas=2))
    world.meet(Record, label)
    world.run(1000)
    assert world.reason() == Reason.SERVING
    assert world.mine()[0].bounds.min == 2


@pytest.mark.parametrize("label", ["conflict", "lost", "error"])
@pytest.mark.parametrize("answer", ["ok", "refused-for-good"])
def test_an_answer_is_written_down_whatever_the_cluster_does(answer: str, label: str) -> None:
    world = World.with_resource()
    world.meet(Create, answer)
    for _ in range(3):
        world.meet(Record, label)
        if label == "lost":
            break
    world.run(200)
    wanted = Reason.SERVING if answer == "ok" else Reason.INVALID_REQUEST
    assert world.reason() == wanted
    assert world.judge.creates == (1 if answer == "ok" else 0)


@pytest.mark.parametrize("answer", ["ok", "refused-for-good"])
def test_an_answer_is_written_down_although_the_resource_was_deleted_meanwhile(
    answer: str,
) -> None:
    world = World.with_resource()
    world.meet(Create, answer)
    world.delete()
    record = world.meet(Record).decision.step
    assert isinstance(record, Record)
    began = world.now
    world.run(300)
    assert world.gone()
    assert world.together.living() == []
    if answer != "ok":
        assert world.now - began == 300


def test_waiting_for_capacity_is_not_stalled_and_survives_a_restart() -> None:
    world = refused("refused")
    assert world.reason() == Reason.WAITING_FOR_CAPACITY
    assert world.conditions()["Stalled"] == "False"
    assert world.conditions()["Synced"] == "True"
    world.kill(world.processes[0])
    world.run(200)
    assert world.reason() == Reason.SERVING


def test_a_rate_limit_is_an_answer() -> None:
    world = World.with_resource()
    world.reach(Create)
    world.together.limited = True
    world.run(60)
    assert world.reason() == Reason.RATE_LIMITED
    assert world.conditions()["Reconciling"] == "True"
    assert world.conditions()["Synced"] == "True"
    world.together.limited = False
    world.run(1200)
    assert world.reason() == Reason.SERVING


def test_a_refusal_in_words_of_another_version_is_tried_once() -> None:
    world = refused()
    body = world.body
    assert body is not None
    refusal = world.operation.refusal
    assert refusal is not None
    record = world.operation.model_copy(
        update={"refusal": refusal.model_copy(update={"reason": "OfAnotherVersion"})}
    )
    world.cluster.write_status(body, body.status.model_copy(update={"operation": record}))
    world.wake(UID)
    world.meet(Create, "refused-for-good")
    world.run(3600)
    assert world.reason() == Reason.INVALID_REQUEST


def test_what_the_operator_does_not_allow_is_never_ordered() -> None:
    world = World.with_resource()
    world.forbidden = "Too expensive"
    world.run(3600)
    assert world.reason() == Reason.NOT_ALLOWED
    assert world.condition().message == "Too expensive"
    assert world.judge.creates == 0
    world.delete()
    world.run(10)
    assert world.gone()


def test_what_is_forbidden_or_suspended_after_the_record_is_not_sent() -> None:
    for hold in ("guard", "suspend"):
        world = World.with_resource()
        world.reach(Create)
        if hold == "guard":
            world.forbidden = "Too expensive"
        else:
            world.edit(suspend=True)
        world.kill(world.processes[0])
        world.run(1000)
        assert world.judge.creates == 0
        assert world.reason() in (Reason.NOT_ALLOWED, Reason.SUSPENDED)
        world.forbidden = None
        world.edit(suspend=False, display_name="Again")
        world.run(1000)
        assert world.reason() == Reason.SERVING
