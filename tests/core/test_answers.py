"""What a person answers to a question of the status: heard once, and never for another question."""

from __future__ import annotations

import pytest

from together_operator.core.steps import Consume, Create, Record
from together_operator.resource import names
from together_operator.resource.endpoint_status import OperationPhase
from together_operator.resource.reasons import Reason

from .world import UID, World


def exhausted() -> World:
    """Three attempts without an answer, and a person is asked."""
    world = World.with_resource()
    for _ in range(3):
        world.meet(Create, "nothing")
    world.run(1000)
    assert world.reason() == Reason.ATTEMPTS_EXHAUSTED
    assert world.judge.creates == 3
    return world


def notes(world: World) -> dict[str, str]:
    """The annotations of the resource."""
    return dict(world.cluster.bodies[UID].annotations)


def test_none_tries_again_and_is_taken_off() -> None:
    world = exhausted()
    world.annotate(names.CLAIM, "none")
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 4
    assert names.CLAIM not in notes(world)
    assert (world.operation.attempts, world.operation.open) == (0, ())


def test_an_id_is_taken_over_and_the_answer_taken_off() -> None:
    world = exhausted()
    theirs = world.by_hand("made in the console")
    world.judge.granted.add((UID, theirs.id))
    world.annotate(names.CLAIM, theirs.id)
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert world.status.endpoint_id == theirs.id
    assert names.CLAIM not in notes(world)
    assert world.judge.creates == 3
    world.delete()
    world.run(600)
    assert world.gone()
    assert not theirs.alive


def test_an_id_that_is_not_listed_answers_nothing() -> None:
    world = exhausted()
    world.annotate(names.CLAIM, "endpoint-99")
    world.run(1000)
    assert world.reason() == Reason.ATTEMPTS_EXHAUSTED
    assert world.judge.creates == 3


@pytest.mark.parametrize("label", ["kill", "kill-after", "conflict", "lost", "error"])
@pytest.mark.parametrize("step", [Record, Consume])
def test_the_answer_is_on_record_before_it_is_taken_off(step: type[Record], label: str) -> None:
    world = exhausted()
    world.annotate(names.CLAIM, "none")
    world.meet(step, label)
    world.run(1000)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 4


def test_an_answer_does_not_serve_the_next_question() -> None:
    world = exhausted()
    world.annotate(names.CLAIM, "none")
    world.reach(Create)
    assert names.CLAIM not in notes(world)
    for _ in range(3):
        world.meet(Create, "nothing")
    world.run(4000)
    assert world.reason() == Reason.ATTEMPTS_EXHAUSTED
    assert world.judge.creates == 6


def test_an_answer_that_stands_in_the_manifest_does_not_shorten_the_wait() -> None:
    world = World.with_resource()
    world.annotate(names.CLAIM, "none")
    world.run(1)
    assert names.CLAIM not in notes(world)
    world = World.with_resource()
    world.reach(Create)
    # Argo CD puts it back whenever it is taken off.
    world.cluster.annotate(UID, **{names.CLAIM: "none"})
    world.meet(Create, "late")
    world.run(1000)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1
    assert names.CLAIM not in notes(world)


def test_nobody_can_know_before_an_attempt_has_had_its_time() -> None:
    world = World.with_resource()
    world.meet(Create, "late")
    # The key is changed and its copy lost, so that the question is asked at once.
    world.cluster.key = "K2"
    world.cluster.copies.clear()
    world.wake(UID)
    world.run(10)
    assert world.reason() == Reason.CREDENTIAL_MISMATCH
    world.annotate(names.CLAIM, "none")
    world.run(world.timing.settle - 30)
    assert world.judge.creates == 1
    # By now it has come, and whoever looks at the account sees it.
    world.annotate(names.CLAIM, None)
    world.cluster.key = "K1"
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1


def test_none_is_heard_without_the_former_key() -> None:
    world = World.with_resource()
    world.meet(Create, "nothing")
    world.cluster.key = "K3"
    world.cluster.copies.clear()
    world.wake(UID)
    world.run(600)
    assert world.reason() == Reason.CREDENTIAL_MISMATCH
    assert names.CLAIM in world.condition().message
    world.annotate(names.CLAIM, "none")
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert world.operation.credential == "K3"


def test_the_former_key_put_back_is_noticed_without_any_event() -> None:
    world = World.with_resource()
    world.meet(Create, "lost")
    world.cluster.key = "K3"
    world.cluster.copies.clear()
    world.wake(UID)
    world.run(600)
    assert world.reason() == Reason.CREDENTIAL_MISMATCH
    world.cluster.key = "K1"
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1


def test_none_is_heard_beside_a_refused_attempt() -> None:
    world = World.with_resource()
    world.meet(Create, "nothing")
    world.meet(Create, "refused-for-good")
    world.run(60)
    assert world.operation.open != ()
    world.cluster.key = "K3"
    world.annotate(names.RECONCILE_REQUESTED_AT, "now")
    world.run(600)
    assert world.reason() == Reason.CREDENTIAL_MISMATCH
    world.annotate(names.CLAIM, "none")
    world.run(600)
    assert world.operation.open == ()
    assert world.operation.phase is OperationPhase.REFUSED
    world.annotate(names.RECONCILE_REQUESTED_AT, "again")
    world.run(600)
    assert world.reason() == Reason.SERVING


def test_none_is_heard_after_a_lost_record_and_only_once() -> None:
    world = World.with_resource()
    world.meet(Create, "nothing")
    theirs = world.by_hand("just like ours")
    world.wipe_status()
    world.run(600)
    assert world.reason() == Reason.INCONCLUSIVE_SCAN
    world.annotate(names.CLAIM, "none")
    world.meet(Create, "nothing")
    assert names.CLAIM not in notes(world)
    world.run(600)
    assert world.reason() == Reason.INCONCLUSIVE_SCAN
    assert theirs.alive
    assert world.judge.creates == 2
