"""Moving an endpoint of API v1 to v2: both are there, until a person says which of them goes."""

from __future__ import annotations

import pytest

from together_operator.core.steps import Create, Delete, Deploy, Dismiss, Record, Route, Start
from together_operator.resource import names
from together_operator.resource.endpoint_status import MigrationPhase
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.spec import (
    Api,
    DeletionPolicy,
    MigrationOptions,
    OnMissing,
    State,
)
from together_operator.resource.status import Status

from .together_model import Machine
from .world import UID, World

CONFIRMED = MigrationOptions(confirm=True)


def on_v1(**wishes: object) -> World:
    """A world in which an endpoint of v1 serves."""
    world = World.with_resource(api="V1", **wishes)
    world.run(300)
    assert world.reason() == Reason.SERVING, world.condition().message
    return world


def moving(**wishes: object) -> World:
    """A world in which a person has just asked for v2."""
    world = on_v1(**wishes)
    world.edit(api=Api.V2)
    return world


def unconfirmed(**wishes: object) -> World:
    """A world in which both serve."""
    world = moving(**wishes)
    world.run(600)
    assert world.reason() == Reason.MIGRATION_UNCONFIRMED, world.condition().message
    return world


def of(world: World, api: Api) -> Machine:
    """The one endpoint of a generation."""
    (machine,) = [machine for machine in world.mine() if machine.api is api]
    return machine


def only(world: World, api: Api) -> Machine:
    """The one endpoint that there is."""
    (machine,) = world.mine()
    assert machine.api is api
    return machine


def test_both_serve_until_it_is_confirmed() -> None:
    world = unconfirmed()
    first, second = of(world, Api.V1), of(world, Api.V2)
    status = world.status
    assert (status.api, status.endpoint_id) == ("V1", first.id)
    assert status.migration is not None
    assert (status.migration.api, status.migration.endpoint_id) == ("V2", second.id)
    assert status.inference is not None
    assert status.inference.model == status.migration.name != status.name
    assert world.condition(ConditionType.AVAILABLE).status == "True"
    message = world.condition().message
    assert first.id in message
    assert second.id in message
    assert "spec.migration.confirm" in message

    writes = (world.cluster.writes, world.judge.remote_writes)
    world.run(3 * world.timing.drift)
    assert (world.cluster.writes, world.judge.remote_writes) == writes

    world.edit(migration=CONFIRMED)
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert only(world, Api.V2).id == second.id
    assert (world.status.api, world.status.endpoint_id) == ("V2", second.id)
    assert world.status.migration is None
    assert world.status.inference == status.inference
    assert world.judge.creates == 2


@pytest.mark.parametrize("kind", [Create, Deploy, Start, Route])
def test_it_is_called_off_at_any_step(kind: type) -> None:
    world = moving()
    first = only(world, Api.V1).id
    world.meet(kind)
    world.edit(api=Api.V1)
    world.run(900)
    assert world.reason() == Reason.SERVING, world.condition().message
    assert only(world, Api.V1).id == first
    assert world.status.migration is None
    assert world.status.inference is not None
    assert world.status.inference.model == world.status.name


def test_it_is_called_off_when_both_serve() -> None:
    world = unconfirmed()
    first = of(world, Api.V1).id
    world.edit(api=Api.AUTO)
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert only(world, Api.V1).id == first
    world.edit(api=Api.V2)
    world.run(600)
    assert world.reason() == Reason.MIGRATION_UNCONFIRMED


def test_confirmed_from_the_beginning_the_first_serves_until_the_second_does() -> None:
    world = moving(migration=CONFIRMED)
    world.meet(Delete)
    assert world.status.api == "V2"
    assert [unit.state for unit in world.units()] == ["READY"]
    world.run(600)
    assert world.reason() == Reason.SERVING
    only(world, Api.V2)


def test_it_goes_on_after_a_restart_in_the_midst_of_it() -> None:
    world = moving()
    world.meet(Deploy, "kill-after")
    for process in tuple(world.processes):
        world.kill(process)
    world.run(900)
    assert world.reason() == Reason.MIGRATION_UNCONFIRMED
    of(world, Api.V1)
    of(world, Api.V2)
    assert len(world.units()) == 1


@pytest.mark.parametrize("policy", list(DeletionPolicy))
def test_a_deletion_takes_both_or_leaves_both(policy: DeletionPolicy) -> None:
    world = unconfirmed(deletion_policy=policy)
    world.delete()
    world.run(900)
    assert world.body is None
    if policy is DeletionPolicy.DELETE:
        assert world.mine() == []
        return
    assert len(world.mine()) == 2
    running = [unit.state for unit in world.units()]
    assert running == (["STOPPED"] if policy is DeletionPolicy.STOP else ["READY"])


@pytest.mark.parametrize("policy", [DeletionPolicy.STOP, DeletionPolicy.RETAIN])
def test_what_nobody_uses_yet_goes_with_the_resource(policy: DeletionPolicy) -> None:
    world = moving(deletion_policy=policy)
    world.meet(Start)
    world.delete()
    world.run(900)
    assert world.body is None
    only(world, Api.V1)


@pytest.mark.parametrize(
    ("policy", "word"), [(DeletionPolicy.STOP, "STOPPED"), (DeletionPolicy.RETAIN, "STARTED")]
)
def test_the_policy_says_what_becomes_of_the_first(policy: DeletionPolicy, word: str) -> None:
    world = unconfirmed(deletion_policy=policy)
    first = of(world, Api.V1)
    world.edit(migration=CONFIRMED)
    world.run(900)
    assert world.reason() == Reason.SERVING, world.condition().message
    assert world.status.migration is None
    assert world.together.word(first) == word
    assert world.status.endpoint_id == of(world, Api.V2).id


def test_a_stopped_resource_moves_as_well() -> None:
    world = on_v1()
    world.edit(state=State.STOPPED)
    world.run(300)
    world.edit(api=Api.V2)
    world.run(600)
    assert world.reason() == Reason.MIGRATION_UNCONFIRMED
    assert [unit.state for unit in world.units()] == ["STOPPED"]
    world.edit(migration=CONFIRMED)
    world.run(600)
    assert world.reason() == Reason.STOPPED
    only(world, Api.V2)


def test_what_is_gone_needs_no_confirmation() -> None:
    world = moving()
    world.together.remove(only(world, Api.V1).id, world.now)
    world.run(900)
    assert world.reason() == Reason.SERVING, world.condition().message
    assert only(world, Api.V2).id == world.status.endpoint_id


def test_a_record_that_is_lost_in_the_midst_of_it_makes_no_third() -> None:
    world = unconfirmed()
    world.wipe_status()
    world.run(3000)
    assert world.reason() == Reason.MIGRATION_UNCONFIRMED, world.condition().message
    assert len(world.mine()) == 2
    assert world.judge.creates == 2


def test_the_one_that_is_given_up_can_be_let_go() -> None:
    world = unconfirmed()
    first = of(world, Api.V1).id
    world.edit(migration=CONFIRMED)
    world.meet(Delete, "refused")
    world.annotate(names.RELEASE, first)
    world.meet(Dismiss)
    world.run(60)
    assert world.reason() == Reason.SERVING
    assert world.status.migration is None


def test_a_second_endpoint_without_a_record_of_ours_is_none() -> None:
    """Whoever may write the status may write anything there."""
    world = on_v1()
    for operation in (None, world.operation.model_copy(update={"uid": "another"})):
        told = world.status.with_beside(
            Status(api="V2", endpoint_id="ep_9", operation=operation), MigrationPhase.BUILDING
        )
        world.cluster.write_status(world.cluster.bodies[UID], told)
        world.wake(UID)
        world.run(600)
        assert world.status.migration is None
        assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1


def test_a_key_is_not_changed_before_the_former_one_has_shown_what_came_of_it() -> None:
    world = moving()
    world.meet(Create, "late")
    world.together.projects["K2"] = world.together.projects["K1"]
    world.cluster.key = "K2"
    world.wake(UID)
    world.run(1200)
    assert world.reason() == Reason.MIGRATION_UNCONFIRMED, world.condition().message
    assert world.cluster.copies[UID] == "K2"
    assert world.judge.creates == 2


def test_what_is_gone_is_ordered_again_while_the_other_one_cannot_go() -> None:
    world = unconfirmed(on_missing=OnMissing.RECREATE)
    world.deploy_by_hand(of(world, Api.V2))
    world.edit(api=Api.V1)
    world.run(600)
    assert world.reason() == Reason.DELETION_BLOCKED, world.condition().message
    first = of(world, Api.V1).id
    world.together.remove(first, world.now)
    world.run(2400)
    assert of(world, Api.V1).id != first
    assert world.status.endpoint_id == of(world, Api.V1).id


def test_suspended_nothing_begins() -> None:
    world = on_v1()
    world.edit(api=Api.V2, suspend=True)
    world.run(600)
    assert world.status.migration is None
    assert world.judge.creates == 1


def test_nothing_is_begun_before_it_is_on_record() -> None:
    world = moving()
    begun = world.meet(Record).decision.step
    assert isinstance(begun, Record)
    assert begun.status.migration is not None
    assert world.judge.creates == 1
