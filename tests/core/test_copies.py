"""Restored copies (create-once rule 14): nothing is stolen or made twice, and a person decides.

A backup brings back annotations and status under a new uid, or drops either of them, while the
original lives or is gone.
"""

from __future__ import annotations

import pytest

from together_operator.core.steps import Prepare, Record
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import State

from .world import UID, World

COPY = "uid-2"
KEPT = [(True, True), (True, False), (False, True)]


def copied(*, notes: bool, status: bool, alive: bool) -> World:
    """The original served, was backed up and restored, and is alive or gone."""
    world = World.with_resource()
    world.run(200)
    assert world.reason() == Reason.SERVING
    world.restore(COPY, notes=notes, status=status)
    if not alive:
        world.lose()
    return world


def reads(world: World, reason: Reason) -> bool:
    """Whether a person reads a reason on the copy."""
    return world.reason(COPY) == reason


@pytest.mark.parametrize(("notes", "status"), [*KEPT, (False, False)])
def test_beside_the_living_original_a_copy_gets_an_endpoint_of_its_own(
    notes: bool, status: bool
) -> None:
    world = copied(notes=notes, status=status, alive=True)
    world.run(1000)
    assert reads(world, Reason.SERVING)
    assert len(world.mine()) == len(world.mine(COPY)) == 1
    assert world.judge.creates == 2
    assert world.reason() == Reason.SERVING
    world.delete(COPY)
    world.run(600)
    assert world.cluster.get(COPY) is None
    assert [machine.owner is not None for machine in world.together.living()] == [True]
    assert len(world.mine()) == 1


@pytest.mark.parametrize(("notes", "status"), KEPT)
def test_without_the_original_a_person_is_asked_and_nothing_is_done(
    notes: bool, status: bool
) -> None:
    world = copied(notes=notes, status=status, alive=False)
    writes = world.judge.remote_writes
    world.run(3600)
    assert reads(world, Reason.RESTORED_COPY)
    assert world.conditions(COPY)["Stalled"] == "True"
    message = world.condition(uid=COPY).message
    assert names.RESTORED_COPY in message
    assert "'Adopt'" in message
    assert "'New'" in message
    assert world.judge.remote_writes == writes


@pytest.mark.parametrize(("notes", "status"), KEPT)
def test_adopt_takes_over_the_endpoint_that_is_there(notes: bool, status: bool) -> None:
    world = copied(notes=notes, status=status, alive=False)
    world.run(7200)
    world.judge.granted.add((COPY, "endpoint-1"))
    world.annotate(names.RESTORED_COPY, "Adopt", COPY)
    world.run(600)
    assert reads(world, Reason.SERVING)
    body = world.cluster.bodies[COPY]
    assert body.status.endpoint_id == "endpoint-1"
    assert body.held
    assert body.annotations[names.OWNER_UID] == COPY
    assert names.RESTORED_COPY not in body.annotations
    assert world.judge.creates == 1
    world.delete(COPY)
    world.run(600)
    assert world.cluster.get(COPY) is None
    assert world.together.living() == []


@pytest.mark.parametrize(("notes", "status"), KEPT)
def test_new_makes_another_one_and_leaves_the_former_alone(notes: bool, status: bool) -> None:
    world = copied(notes=notes, status=status, alive=False)
    world.run(600)
    world.annotate(names.RESTORED_COPY, "New", COPY)
    world.run(600)
    assert reads(world, Reason.SERVING)
    assert len(world.mine()) == len(world.mine(COPY)) == 1
    assert names.RESTORED_COPY not in world.cluster.bodies[COPY].annotations
    world.delete(COPY)
    world.run(600)
    assert world.cluster.get(COPY) is None
    assert len(world.mine()) == 1


@pytest.mark.parametrize(("notes", "status"), KEPT)
@pytest.mark.parametrize("alive", [True, False])
def test_deleting_a_copy_that_did_nothing_leaves_the_endpoint(
    notes: bool, status: bool, alive: bool
) -> None:
    world = copied(notes=notes, status=status, alive=alive)
    world.delete(COPY)
    world.run(1000)
    assert world.cluster.get(COPY) is None
    assert len(world.mine()) == 1
    assert world.judge.deletes == []


@pytest.mark.parametrize("killed_at", [Record, Prepare])
@pytest.mark.parametrize("label", ["kill", "kill-after", "conflict", "lost"])
def test_an_adoption_survives_a_crash_at_each_step(killed_at: type[Record], label: str) -> None:
    world = copied(notes=True, status=True, alive=False)
    world.judge.granted.add((COPY, "endpoint-1"))
    world.run(60)
    world.annotate(names.RESTORED_COPY, "Adopt", COPY)
    world.meet(killed_at, label)
    world.run(1000)
    assert reads(world, Reason.SERVING)
    assert world.cluster.bodies[COPY].status.endpoint_id == "endpoint-1"
    assert world.judge.creates == 1


def test_the_question_stands_while_together_is_away_and_is_not_answered_by_it() -> None:
    world = copied(notes=True, status=True, alive=False)
    world.together.down = True
    world.kill(world.processes[0])
    world.run(3600)
    assert world.conditions(COPY)["Ready"] == "False"
    world.together.down = False
    world.run(600)
    assert reads(world, Reason.RESTORED_COPY)


def test_a_copy_of_an_adopted_endpoint_still_retains_it() -> None:
    world = World.with_resource()
    world.run(200)
    body = world.cluster.bodies[UID]
    world.cluster.write_status(body, body.status.model_copy(update={"adopted": True}))
    world.restore(COPY, notes=True, status=True)
    world.lose()
    world.judge.granted.add((COPY, "endpoint-1"))
    world.annotate(names.RESTORED_COPY, "Adopt", COPY)
    world.run(600)
    world.delete(COPY)
    world.run(600)
    assert world.cluster.get(COPY) is None
    assert len(world.mine()) == 1


def test_a_copy_does_not_carry_out_the_original_s_request_to_restart() -> None:
    world = World.with_resource()
    world.run(200)
    world.annotate(names.RESTART_REQUESTED_AT, "long ago")
    world.run(60)
    world.mine()[0].state = "STOPPED"
    world.restore(COPY, notes=True, status=False)
    world.lose()
    world.judge.granted.add((COPY, "endpoint-1"))
    world.judge.licences.clear()
    world.annotate(names.RESTORED_COPY, "Adopt", COPY)
    world.run(600)
    assert reads(world, Reason.STOPPED_REMOTELY)
    assert world.mine()[0].state == "STOPPED"


def test_an_adopted_endpoint_gets_the_new_owner_s_mark() -> None:
    world = copied(notes=True, status=True, alive=False)
    world.judge.granted.add((COPY, "endpoint-1"))
    before = world.mine()[0].display_name
    world.annotate(names.RESTORED_COPY, "Adopt", COPY)
    world.run(600)
    after = world.mine()[0].display_name
    assert after != before
    world.cluster.wipe_status(COPY)
    world.wake(COPY)
    world.run(600)
    assert world.cluster.bodies[COPY].status.endpoint_id == "endpoint-1"
    world.edit(COPY, state=State.STOPPED)
    world.run(60)
    assert reads(world, Reason.STOPPED)
