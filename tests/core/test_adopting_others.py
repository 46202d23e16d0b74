"""Adoption of what is somebody else's, or was: one has it, and nobody else's is touched."""

from __future__ import annotations

from typing import Any

import pytest

from together_operator.core.marker import Marker, owner_tag
from together_operator.core.steps import Create, Delete, Record, Start
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import Autoscaling, DeletionPolicy

from .account_model import CLUSTER
from .adoption import SECOND, X, adopted, adopting, mark_of, refused
from .cluster_model import Body
from .process_model import Process
from .world import UID, World


def test_the_endpoint_of_a_living_resource_is_refused_and_named() -> None:
    world = World.with_resource()
    world.run(200)
    world.apply("second", SECOND, adopt=X)
    world.run(3600)
    assert UID in refused(world, SECOND)
    assert world.reason() == Reason.SERVING
    assert owner_tag(UID) == world.mine()[0].owner
    assert mark_of(world) == Marker.of(CLUSTER, UID, world.operation.nonce)
    assert world.judge.creates == 1


def test_what_one_lets_go_of_the_other_takes_over() -> None:
    """Retain here, adopt there: how a resource is moved."""
    world = World.with_resource(deletion_policy=DeletionPolicy.RETAIN)
    world.run(200)
    world.apply("second", SECOND, adopt=X)
    world.run(300)
    refused(world, SECOND)
    world.delete()
    world.run(60)
    assert world.gone()
    assert world.reason(SECOND) == Reason.SERVING
    second = world.cluster.bodies[SECOND].status
    assert second.adopted is True
    assert second.operation is not None
    assert mark_of(world) == Marker.of(CLUSTER, SECOND, second.operation.nonce)
    assert world.judge.creates == 1
    assert world.together.machines["endpoint-1"].state == "STARTED"
    # The mark of the former one is none to step back from, should a late PATCH put it on again.
    world.together.machines["endpoint-1"].display_name = Marker.of(CLUSTER, UID, "aaaa").write("x")
    if second.operation.former_marker is not None:
        assert owner_tag(UID) in second.operation.former_marker


def test_what_is_deleted_is_not_there_to_be_taken_over() -> None:
    world = World.with_resource()
    world.run(200)
    world.apply("second", SECOND, adopt=X)
    world.run(60)
    world.delete()
    world.run(600)
    assert world.gone()
    assert "no dedicated endpoint" in refused(world, SECOND)
    assert world.together.living() == []
    assert world.judge.creates == 1


@pytest.mark.parametrize("complete", [True, False])
def test_the_mark_of_a_resource_that_is_not_known(complete: bool) -> None:
    """It is gone, unless it lives where this operator does not look."""
    world = World()
    world.complete = complete
    world.by_hand(Marker.of(CLUSTER, "uid-of-old", "aaaa").write("ml/old"))
    world.apply("mixtral", UID, adopt=X)
    world.run(600)
    if complete:
        assert world.reason() == Reason.SERVING
        assert world.operation.former_marker is not None
    else:
        assert "does not know" in refused(world)
        assert world.judge.remote_writes == 0


def test_the_mark_of_another_cluster_is_respected_until_a_person_takes_it_off() -> None:
    world = World()
    machine = world.by_hand(Marker.of("elsewhere", "uid-9", "aaaa").write("ml/theirs"))
    world.apply("mixtral", UID, adopt=X)
    world.run(3600)
    message = refused(world)
    assert "another cluster" in message
    assert "tep-" in message
    assert world.judge.remote_writes == 0
    machine.display_name = "ml/theirs"
    world.annotate(names.RECONCILE_REQUESTED_AT, "now")
    world.run(60)
    assert world.reason() == Reason.SERVING
    assert world.status.last_handled_reconcile_at == "now"


def test_of_two_that_ask_at_once_one_gets_it() -> None:
    world = adopting()
    world.apply("second", SECOND, adopt=X)
    first, second = world.processes[0], world.processes[0]
    # Both have looked and found nobody, and only then does either take it.
    for process, uid in ((first, UID), (second, SECOND)):
        thought = process.think(world, uid)
        while thought is not None and not isinstance(thought.decision.step, Record):
            world.act(process, thought)
            thought = process.think(world, uid)
            if thought is not None and world.reason_or_none(uid) == Reason.ADOPTION_REFUSED:
                break
    world.run(600)
    have = [uid for uid in (UID, SECOND) if world.cluster.bodies[uid].status.adopted]
    assert len(have) == 1
    (other,) = {UID, SECOND} - set(have)
    assert have[0] in refused(world, other)
    world.delete(have[0])
    world.run(120)
    assert world.cluster.bodies[other].status.adopted is True
    assert world.reason(other) == Reason.SERVING
    assert world.judge.creates == 0


def test_who_is_overwritten_by_another_cluster_steps_back() -> None:
    """Two clusters know nothing of each other: whose mark is on it last has it."""
    world = adopted(deletion_policy=DeletionPolicy.DELETE)
    theirs = Marker.of("elsewhere", "uid-9", "bbbb")
    world.together.machines["endpoint-1"].display_name = theirs.write("ml/theirs")
    world.run(world.timing.settle + 60)
    assert world.reason() == Reason.ENDPOINT_CONFLICT
    assert str(theirs) in world.condition().message
    writes = world.judge.remote_writes
    world.edit(autoscaling=Autoscaling(min_replicas=7))
    world.run(7200)
    world.delete()
    world.run(300)
    assert world.gone()
    assert world.judge.remote_writes == writes
    assert mark_of(world) == theirs


def test_a_deletion_looks_whose_it_is_before_anything_is_deleted() -> None:
    world = adopted(deletion_policy=DeletionPolicy.DELETE)
    world.run(1000)
    theirs = Marker.of("elsewhere", "uid-9", "bbbb")
    world.together.machines["endpoint-1"].display_name = theirs.write("ml/theirs")
    world.delete()
    world.run(300)
    assert world.gone()
    assert world.judge.deletes == []
    assert len(world.together.living()) == 1


def test_the_mark_is_put_on_only_after_a_fresh_look() -> None:
    """Recorded while suspended, and taken over by another cluster meanwhile."""
    world = adopted(suspend=True)
    world.run(1800)
    theirs = Marker.of("elsewhere", "uid-9", "bbbb")
    world.together.machines["endpoint-1"].display_name = theirs.write("ml/theirs")
    world.edit(suspend=False)
    world.run(100)
    assert world.reason() == Reason.ENDPOINT_CONFLICT
    assert world.judge.remote_writes == 0


def test_two_operators_without_a_lease_take_it_over_once() -> None:
    world = adopting()
    world.processes.append(Process("b"))
    world.wake(UID)
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 0


def test_no_step_of_an_adoption_is_an_order_or_a_start_or_a_delete() -> None:
    world = adopting()
    kinds: set[type[Any]] = set()
    for _ in range(200):
        for process, uid in world.ready():
            thought = process.think(world, uid)
            if thought is not None:
                kinds.add(type(thought.decision.step))
                world.act(process, thought)
        world.pass_time(5)
    assert world.reason() == Reason.SERVING
    assert not kinds & {Create, Start, Delete}


def test_an_adopted_endpoint_that_vanishes_is_reported() -> None:
    world = adopted()
    world.together.remove("endpoint-1", world.now)
    world.run(3600)
    assert world.reason() == Reason.REMOTE_MISSING
    assert "without spec.adopt" in world.condition().message
    assert world.judge.creates == 0


def test_a_copy_of_an_adopting_resource_takes_over_only_as_a_person_says() -> None:
    world = adopted()
    world.run(100)
    world.restore(SECOND, notes=True, status=True)
    world.run(300)
    assert UID in refused(world, SECOND)
    world.lose()
    world.run(600)
    copy: Body = world.cluster.bodies[SECOND]
    assert not copy.status.endpoint_id or copy.status.adopted
    assert world.judge.creates == 0
