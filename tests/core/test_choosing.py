"""Which generation carries a resource: tried once, settled before it is left, never changed."""

from __future__ import annotations

import pytest

from together_operator.core.choosing import generation
from together_operator.core.steps import Create, Look, Record
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import Api, State

from .endings import finish
from .process_model import Process
from .world import UID, World, a_spec


def serves(world: World, api: Api) -> None:
    """One endpoint serves, in that generation, and there is none in the other."""
    assert world.reason() == Reason.SERVING, world.condition().message
    assert world.status.api == api
    (machine,) = world.mine()
    assert machine.api is api
    assert machine.id == world.status.endpoint_id


def test_v1_is_tried_first_and_v2_once_it_has_refused() -> None:
    world = World.with_resource()
    world.together.retired = True
    refused = world.meet(Create).decision.step
    assert isinstance(refused, Create)
    assert refused.order.started
    moved = world.meet(Record).decision.step
    assert isinstance(moved, Record)
    assert moved.status.api == Api.V2
    world.run(300)
    serves(world, Api.V2)
    finish(world)


def test_only_the_first_order_of_a_key_has_to_find_that_out() -> None:
    world = World.with_resource()
    world.together.retired = True
    world.run(300)
    world.kill(world.processes[0])
    world.run(60)
    world.apply("second", "uid-2")
    order = world.meet(Create).decision.step
    assert isinstance(order, Create)
    assert order.order.endpoint_name
    world.run(300)
    assert world.cluster.bodies["uid-2"].status.api == Api.V2


def test_a_resource_that_asks_for_v1_stays_with_it() -> None:
    world = World.with_resource(api="V1")
    world.together.retired = True
    world.run(7200)
    assert world.reason() == Reason.V1_CLOSED
    assert world.together.living() == []


def test_the_first_generation_may_be_v2() -> None:
    world = World.with_resource()
    world.first = Api.V2
    world.run(300)
    serves(world, Api.V2)


# -- rule 9: never before what is open has settled -------------------------------------------------


@pytest.mark.parametrize("label", ["late", "kill-late", "lost", "kill-after"])
def test_rule_9_what_an_open_attempt_made_in_v1_is_kept_there(label: str) -> None:
    world = World.with_resource()
    world.meet(Create, label)
    world.together.retired = True
    world.run(3000)
    serves(world, Api.V1)


def test_rule_9_v1_is_left_only_when_its_open_attempts_have_settled() -> None:
    world = World.with_resource()
    world.meet(Create, "nothing")
    sent = world.now
    world.together.retired = True
    world.run(world.timing.settle - 1)
    assert world.status.api is None
    while world.status.api is None:
        world.run(10)
    assert world.now >= sent + world.timing.settle
    world.run(600)
    serves(world, Api.V2)


def test_rule_9_an_earlier_open_attempt_keeps_it_in_v1_although_the_latest_was_refused() -> None:
    world = World.with_resource()
    world.judge.bounded = False
    first = world.meet(Create, "nothing").decision.step
    assert isinstance(first, Create)
    world.meet(Create, "nothing")
    world.together.retired = True
    thought = world.meet(Create)
    assert thought.case.observed.api is Api.V1
    at = world.now + 30
    while world.status.api is None and world.now < at:
        world.run(1)
    made = world.together.make(first.order, "red", world.now)
    world.run(1500)
    assert world.together.running() != []
    assert len(world.together.running()) == 1
    assert (world.status.endpoint_id == made.id) is made.alive


def test_rule_9_two_operators_leave_v1_together() -> None:
    world = World.with_resource()
    world.processes.append(Process("b"))
    world.wake(UID)
    world.meet(Create, "late")
    world.together.retired = True
    world.run(3000)
    serves(world, Api.V1)


# -- never back ------------------------------------------------------------------------------------


def test_what_is_in_v2_stays_there_when_v1_opens_again() -> None:
    world = World.with_resource()
    world.together.retired = True
    world.run(300)
    world.together.retired = False
    world.kill(world.processes[0])
    world.edit(state=State.STOPPED)
    world.run(300)
    world.edit(state=State.STARTED)
    world.run(300)
    serves(world, Api.V2)
    assert world.judge.creates == 1


def test_an_order_that_v2_refuses_does_not_go_back_to_v1() -> None:
    world = World.with_resource()
    world.together.retired = True
    world.meet(Record)
    world.meet(Create)
    world.meet(Record)
    world.together.retired = False
    world.meet(Create, "refused")
    world.run(900)
    serves(world, Api.V2)


# -- a lost record ---------------------------------------------------------------------------------


@pytest.mark.parametrize("opened", [False, True])
def test_a_lost_record_of_v2_is_looked_for_there_whatever_v1_says(opened: bool) -> None:
    world = World.with_resource()
    world.together.retired = True
    world.run(300)
    (unit,) = world.units()
    world.together.retired = not opened
    world.kill(world.processes[0])
    world.wipe_status()
    world.run(1500)
    serves(world, Api.V2)
    assert world.units() == [unit]


def test_a_lost_record_of_v1_is_looked_for_there_though_it_is_known_to_be_closed() -> None:
    world = World.with_resource()
    world.run(300)
    (machine,) = world.mine()
    world.together.retired = True
    world.processes[0].closed.add("K1")
    world.wipe_status()
    world.run(1500)
    serves(world, Api.V1)
    assert world.mine() == [machine]


def test_a_lost_record_of_nothing_is_looked_for_in_both_before_anything_is_ordered() -> None:
    world = World.with_resource()
    world.meet(Record)
    world.kill(world.processes[0])
    world.wipe_status()
    looked = [world.meet(Look).case.observed.api for _ in range(10)]
    assert set(looked) == {Api.V1, Api.V2}
    order = world.reach(Create)
    assert order.case.observed.api is Api.V1
    world.run(600)
    serves(world, Api.V1)


def test_a_lost_record_is_not_gone_before_both_were_searched() -> None:
    world = World.with_resource()
    world.together.retired = True
    world.run(300)
    world.together.retired = False
    world.kill(world.processes[0])
    world.wipe_status()
    world.delete()
    world.run(2000)
    assert world.gone()
    assert world.mine() == []
    assert world.units() == []


def test_the_choice_follows_the_record_and_else_the_wish() -> None:
    spec = a_spec()
    for closed in (False, True):
        recorded = World.with_resource().status.model_copy(update={"api": "V1"})
        assert generation(spec, recorded, closed=closed, first=Api.V2) is Api.V1
    nothing = World.with_resource().status
    assert generation(spec, nothing, closed=True, first=Api.V1) is Api.V2
    assert generation(a_spec(api="V1"), nothing, closed=True, first=Api.V2) is Api.V1
