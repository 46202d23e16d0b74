"""Deleting on API v2: out of the traffic, stopped, deleted, and the endpoint last."""

from __future__ import annotations

import pytest

from together_operator.core.steps import Create, Delete, Deploy, Route, Start, Stop, Undeploy
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import DeletionPolicy, Replacement

from .happenings import HAPPENINGS
from .test_deploying import a_world, serving
from .world import HARDWARE, World

_WRITES = (Route, Stop, Undeploy, Delete)


def nothing_is_left(world: World, within: float = 1500.0) -> None:
    """The resource goes, and with it all that was made for it."""
    world.run(within)
    assert world.gone(), world.condition().message
    assert world.mine() == []
    assert world.units() == []
    world.run(world.timing.settle + world.timing.late)
    assert world.mine() == []


def test_it_is_taken_apart_in_order() -> None:
    world = serving()
    world.delete()
    order = [type(world.meet(_WRITES).decision.step) for _ in _WRITES]
    assert order == list(_WRITES)
    nothing_is_left(world)


@pytest.mark.parametrize("kind", _WRITES)
@pytest.mark.parametrize(
    "label", ["lost", "late", "nothing", "refused", "absent", "kill", "kill-after", "kill-late"]
)
def test_whatever_becomes_of_a_step_nothing_is_left(kind: type, label: str) -> None:
    world = serving()
    world.delete()
    world.meet(kind, label)
    nothing_is_left(world)


@pytest.mark.parametrize("kind", [Create, Deploy, Start, Route])
@pytest.mark.parametrize("label", ["ok", "lost", "late", "nothing", "kill", "kill-late"])
def test_deleted_in_the_middle_of_being_made_nothing_is_left(kind: type, label: str) -> None:
    world = a_world()
    world.meet(kind, label)
    world.delete()
    nothing_is_left(world)


def test_a_deployment_of_a_person_blocks_the_deletion_until_it_is_gone() -> None:
    world = serving()
    HAPPENINGS["a test beside"].run(world)
    (theirs,) = world.judge.strangers
    world.delete()
    world.run(600)
    assert world.reason() == Reason.DELETION_BLOCKED
    assert theirs in world.condition().message
    assert world.units() == []
    HAPPENINGS["the test ends"].run(world)
    nothing_is_left(world, 300)


def test_a_deployment_of_a_person_stays_when_the_endpoint_is_released() -> None:
    world = serving()
    HAPPENINGS["a test beside"].run(world)
    (theirs,) = world.judge.strangers
    world.delete()
    world.run(600)
    world.annotate(names.RELEASE, world.status.endpoint_id)
    world.run(600)
    assert world.gone()
    assert world.together.deployments[theirs].runs
    assert len(world.mine()) == 1


def test_a_deployment_with_a_copied_mark_is_not_deleted() -> None:
    world = serving()
    HAPPENINGS["console copies name"].run(world)
    (theirs,) = world.judge.strangers
    world.delete()
    world.run(600)
    assert world.reason() == Reason.DELETION_BLOCKED
    assert theirs in world.condition().message
    assert "mark" in world.condition().message


def test_stop_leaves_the_endpoint_and_what_is_in_it_stopped() -> None:
    world = serving(deletion_policy=DeletionPolicy.STOP)
    (unit,) = world.units()
    world.delete()
    world.run(300)
    assert world.gone()
    assert (unit.alive, unit.runs) == (True, False)


def test_stop_stops_what_runs_though_its_record_is_lost() -> None:
    world = serving(deletion_policy=DeletionPolicy.STOP)
    (unit,) = world.units()
    world.wipe_status()
    world.delete()
    world.run(2000)
    assert world.gone()
    assert (unit.alive, unit.state) == (True, "STOPPED")


def test_what_is_given_up_is_removed_though_lists_do_not_show_it_yet() -> None:
    world = serving(replacement=Replacement.SWAP)
    (first,) = world.units()
    world.lag = 60.0
    world.edit(hardware="2x_gpu")
    world.meet(Start)
    (second,) = [unit for unit in world.units() if unit is not first]
    world.edit(hardware=HARDWARE)
    world.run(900)
    assert world.reason() == Reason.SERVING
    assert (first.runs, second.alive) == (True, False)
    assert [d.id for d in world.status.deployments] == [first.id]


def test_retain_leaves_it_running() -> None:
    world = serving(deletion_policy=DeletionPolicy.RETAIN)
    (unit,) = world.units()
    world.delete()
    world.run(300)
    assert world.gone()
    assert unit.runs


def test_a_suspended_one_is_left_as_it_is_and_the_resource_stays() -> None:
    world = serving()
    world.edit(suspend=True)
    world.delete()
    world.run(600)
    assert world.reason() == Reason.DELETION_SUSPENDED
    assert world.units()[0].runs
    world.edit(suspend=False)
    nothing_is_left(world)
