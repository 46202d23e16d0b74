"""Creating on API v2: an endpoint, a deployment in it, a start; and whatever cuts that short."""

from __future__ import annotations

import pytest

from together_operator.core.steps import Create, Deploy, Record, Route, Start, Stop, Update
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Bounds
from together_operator.resource.spec import Autoscaling, OnMissing, State

from .deployments_model import Unit
from .happenings import HAPPENINGS
from .together_model import BAD_HARDWARE
from .world import HARDWARE, World


def a_world(**wishes: object) -> World:
    """A world in which somebody has just applied a resource for API v2."""
    return World.with_resource(api="V2", **wishes)


def serving(**wishes: object) -> World:
    """A world in which a deployment serves."""
    world = a_world(**wishes)
    served(world)
    return world


def served(world: World, within: float = 300.0) -> Unit:
    """The one deployment, which serves after a while."""
    world.run(within)
    assert world.reason() == Reason.SERVING, world.condition().message
    (unit,) = world.units()
    assert unit.state == "READY"
    assert [w.deployment_id for w in world.mine()[0].traffic] == [unit.id]
    assert [(d.id, d.role) for d in world.status.deployments] == [(unit.id, "Current")]
    return unit


def test_what_runs_is_on_record_before_it_is_started() -> None:
    world = a_world()
    world.meet(Create)
    assert world.units() == []
    named = world.meet(Record).decision.step
    assert isinstance(named, Record)
    assert named.status.operation is not None
    name = named.status.operation.deploying
    deployed = world.meet(Deploy).decision.step
    assert isinstance(deployed, Deploy)
    assert deployed.name == name
    (unit,) = world.units()
    assert (unit.name, unit.bounds) == (name, Bounds(0, 0))
    started = world.meet(Start)
    assert [d.id for d in started.body.status.deployments] == [unit.id]
    assert served(world).bounds == Bounds(1, 1)


def test_a_resource_that_is_to_be_stopped_costs_nothing_from_the_beginning() -> None:
    world = a_world(state=State.STOPPED)
    world.run(600)
    assert world.reason() == Reason.STOPPED
    assert [unit.bounds for unit in world.units()] == [Bounds(0, 0)]


def test_once_it_is_as_asked_nothing_is_written_any_more() -> None:
    for world in (serving(), a_world(state=State.STOPPED)):
        world.run(600)
        writes = (world.cluster.writes, world.judge.remote_writes)
        world.run(3 * world.timing.drift)
        assert (world.cluster.writes, world.judge.remote_writes) == writes


@pytest.mark.parametrize("nth", range(1, 4))
@pytest.mark.parametrize("label", ["kill", "kill-after", "lost", "error", "conflict"])
def test_a_record_that_fails_anywhere_on_the_way_makes_neither_two_nor_none(
    nth: int, label: str
) -> None:
    world = a_world()
    for _ in range(nth - 1):
        world.meet(Record)
    world.meet(Record, label)
    served(world, 1500)
    assert len(world.together.machines) == 1


@pytest.mark.parametrize("kind", [Create, Deploy, Start, Route])
@pytest.mark.parametrize("label", ["lost", "nothing", "late", "refused", "kill", "kill-after"])
def test_a_step_that_turns_out_badly_is_made_good(kind: type, label: str) -> None:
    world = a_world()
    world.meet(kind, label)
    served(world, 1500)
    assert len(world.mine()) == 1


@pytest.mark.parametrize("label", ["lost", "nothing", "late", "kill-late"])
def test_an_order_without_an_answer_is_not_repeated_before_it_has_had_its_time(label: str) -> None:
    world = a_world()
    first = world.meet(Deploy, label).decision.step
    sent = world.now
    assert isinstance(first, Deploy)
    if label == "nothing":
        again = world.meet(Deploy).decision.step
        assert again == first
        assert world.now >= sent + world.timing.settle
    served(world, 900)
    assert len(world.together.deployments) == 1


def test_what_was_not_sent_is_sent_at_once() -> None:
    world = a_world()
    world.meet(Deploy, "unsent")
    served(world, 60)


def test_a_name_that_is_taken_is_our_own_and_is_looked_up() -> None:
    world = a_world()
    world.together.unique = True
    world.meet(Deploy, "kill-after")
    served(world, 900)
    assert len(world.together.deployments) == 1


def test_an_empty_endpoint_of_an_earlier_process_is_claimed_and_filled() -> None:
    world = a_world()
    world.meet(Create, "kill-after")
    (machine,) = world.mine()
    served(world, 900)
    assert world.status.endpoint_id == machine.id
    assert len(world.together.machines) == 1


def test_what_together_refuses_is_told_and_corrected_in_the_spec() -> None:
    world = a_world(hardware=BAD_HARDWARE)
    world.run(300)
    assert world.reason() == Reason.INVALID_HARDWARE
    assert world.operation.deploying is None
    steps = world.steps
    world.run(7200)
    assert world.steps <= steps + 3
    world.edit(hardware=HARDWARE)
    served(world)


def test_a_lack_of_capacity_passes_by_itself() -> None:
    world = a_world()
    world.meet(Deploy, "refused")
    world.run(1)
    assert world.reason() == Reason.WAITING_FOR_CAPACITY
    served(world)


def test_what_has_failed_is_replaced_only_when_a_person_asks() -> None:
    world = serving()
    (failed,) = world.units()
    HAPPENINGS["error"].run(world)
    world.run(7200)
    assert world.reason() == Reason.ENDPOINT_FAILED
    assert world.units() == [failed]
    world.annotate(names.RESTART_REQUESTED_AT, "now")
    unit = served(world, 600)
    assert unit.id != failed.id
    assert not failed.alive


def test_a_deployment_that_was_deleted_in_the_console_is_told_and_not_replaced() -> None:
    world = serving()
    HAPPENINGS["console undeploy"].run(world)
    world.run(600)
    assert world.reason() == Reason.REMOTE_MISSING
    assert world.units() == []
    world.annotate(names.RESTART_REQUESTED_AT, "now")
    served(world, 600)


def test_a_deployment_that_was_deleted_in_the_console_is_replaced_where_that_is_asked() -> None:
    world = serving(on_missing=OnMissing.RECREATE)
    HAPPENINGS["console undeploy"].run(world)
    served(world, 900)


def test_a_stopped_one_keeps_its_bounds_for_the_start() -> None:
    world = serving(autoscaling=Autoscaling(min_replicas=2, max_replicas=4))
    world.edit(state=State.STOPPED)
    world.run(120)
    assert world.reason() == Reason.STOPPED
    assert world.units()[0].bounds == Bounds(0, 0)
    world.edit(autoscaling=Autoscaling(min_replicas=3, max_replicas=5))
    writes = world.judge.remote_writes
    world.run(7200)
    assert world.judge.remote_writes == writes
    world.edit(state=State.STARTED)
    assert served(world).bounds == Bounds(3, 5)


def test_bounds_of_what_runs_are_changed_in_place() -> None:
    world = serving()
    world.edit(autoscaling=Autoscaling(min_replicas=2, max_replicas=3))
    world.meet(Update)
    assert served(world).bounds == Bounds(2, 3)
    assert len(world.together.deployments) == 1


def test_what_stopped_for_idleness_stays_stopped_whatever_else_changes() -> None:
    world = serving(inactive_timeout_minutes=30)
    HAPPENINGS["idle stop"].run(world)
    world.run(120)
    assert world.reason() == Reason.IDLE_STOPPED
    world.edit(autoscaling=Autoscaling(min_replicas=2, max_replicas=3))
    world.kill(world.processes[0])
    world.run(7200)
    (unit,) = world.units()
    assert (world.reason(), unit.state) == (Reason.IDLE_STOPPED, "STOPPED")
    world.annotate(names.RESTART_REQUESTED_AT, "now")
    assert served(world).bounds == Bounds(2, 3)


@pytest.mark.parametrize("label", ["lost", "late", "nothing", "refused", "kill-after"])
def test_a_stop_that_turns_out_badly_is_made_good(label: str) -> None:
    world = serving()
    world.edit(state=State.STOPPED)
    world.meet(Stop, label)
    world.run(900)
    assert world.reason() == Reason.STOPPED
    assert not world.units()[0].runs


def test_two_operators_make_one() -> None:
    world = a_world()
    world.processes.append(type(world.processes[0])("b"))
    world.wake("uid-1")
    served(world, 1500)
