"""Names on API v2: what has ours is ours only if it bears our mark, or is empty and younger."""

from __future__ import annotations

from together_operator.core.steps import Create
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import V2Options

from .account_model import CLUSTER
from .happenings import HAPPENINGS, delete_by_hand
from .test_deploying import a_world, served, serving
from .world import World


def free(world: World) -> None:
    """The person who has the name deletes the endpoint."""
    (machine,) = [m for m in world.together.living() if m.owner is None]
    delete_by_hand(world, machine)


def test_a_name_that_a_person_has_is_told_before_anything_is_written() -> None:
    world = a_world()
    HAPPENINGS["name taken"].run(world)
    world.run(600)
    assert world.reason() == Reason.NAME_TAKEN
    assert world.conditions()["Stalled"] == "True"
    assert world.judge.remote_writes == 0
    assert not world.cluster.bodies["uid-1"].held
    free(world)
    served(world)


def test_a_name_that_is_taken_just_before_ours_is_told_and_waited_for() -> None:
    world = a_world()
    thought = world.reach(Create)
    HAPPENINGS["name taken"].run(world)
    world.act(world.processes[0], thought)
    world.run(900)
    assert world.reason() == Reason.NAME_TAKEN
    assert world.judge.creates == 1
    free(world)
    served(world)


def test_another_name_is_taken_at_once() -> None:
    world = a_world()
    HAPPENINGS["name taken"].run(world)
    world.run(60)
    world.edit(v2=V2Options(endpoint_name="another"))
    served(world, 120)
    assert world.status.name == "acme/another"


def test_an_empty_endpoint_that_was_there_before_is_not_ours() -> None:
    world = a_world()
    body = world.cluster.bodies["uid-1"]
    machine = world.beside(body.desired().endpoint_name(CLUSTER))
    (unit,) = world.judge.strangers
    world.together.deployments[unit].gone_at = world.now
    world.judge.strangers.clear()
    machine.traffic = ()
    world.run(900)
    assert world.reason() == Reason.NAME_TAKEN
    assert world.judge.remote_writes == 0
    assert machine.alive


def test_what_bears_our_mark_is_taken_back_after_the_status_was_lost() -> None:
    world = serving()
    (unit,) = world.units()
    world.wipe_status()
    again = served(world, 1500)
    assert again is unit
    assert world.judge.deletes == []
    assert len(world.together.machines) == 1


def test_a_stopped_one_that_is_taken_back_is_not_started() -> None:
    world = serving(inactive_timeout_minutes=30)
    HAPPENINGS["idle stop"].run(world)
    world.run(60)
    world.wipe_status()
    world.run(1500)
    assert not world.units()[0].runs
    assert world.reason() in (Reason.IDLE_STOPPED, Reason.STOPPED_REMOTELY)
    world.annotate(names.RESTART_REQUESTED_AT, "now")
    served(world)
