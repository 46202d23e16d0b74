"""What goes wrong with simpler ways of creating exactly once, one test for each of them.

Each plays the trace that breaks the simpler way, and asserts what a person would see of it: the
endpoints that exist, the requests that were sent, and the status.
"""

from __future__ import annotations

from together_operator.core.steps import Create, Delete, Record, Wait
from together_operator.resource import names
from together_operator.resource.reasons import Reason

from .process_model import Process
from .together_model import Flight
from .world import UID, World


def served(world: World) -> str:
    """Go on until it serves; the endpoint's id."""
    world.run(4000)
    assert world.reason() == Reason.SERVING, world.condition().message
    recorded = world.status.endpoint_id
    assert recorded is not None
    assert [machine.id for machine in world.mine()] == [recorded]
    return recorded


def test_waiting_only_for_the_list_lag_is_not_enough() -> None:
    world = World.with_resource()
    world.lag = world.timing.lag
    world.meet(Create, "late")
    served(world)
    assert world.judge.creates == 1


def test_a_restart_does_not_go_on_with_the_old_wait() -> None:
    world = World.with_resource()
    # It may come as late as this after a process that was killed while it waited for the answer.
    world.meet(Create, "kill-late")
    for _ in range(3):
        world.run(80)
        world.kill(world.processes[0])
    served(world)
    assert world.judge.creates == 1


def test_a_deletion_waits_for_what_may_yet_come() -> None:
    world = World.with_resource()
    world.meet(Create, "late")
    world.delete()
    world.run(world.timing.late - 1)
    assert not world.gone()
    assert world.mine() == []
    world.run(600)
    assert world.gone()
    assert world.judge.deletes == ["endpoint-1"]
    assert world.together.living() == []


def test_our_own_clock_does_not_tell_what_is_new() -> None:
    world = World.with_resource()
    world.together.skew = -500.0
    world.meet(Create, "lost")
    served(world)
    assert world.judge.creates == 1


def test_an_endpoint_whose_get_says_404_is_still_a_candidate() -> None:
    world = World.with_resource()
    world.meet(Create, "lost")
    world.run(240)
    world.together.hiding = 2
    served(world)
    assert world.judge.creates == 1


def test_an_older_attempt_may_be_the_one_that_lands() -> None:
    world = World.with_resource()
    world.judge.bounded = False
    first = world.meet(Create, "nothing")
    assert isinstance(first.decision.step, Create)
    second = world.meet(Create, "nothing")
    made = world.together.make(first.decision.step.order, "red", world.now)
    assert served(world) == made.id
    assert world.judge.creates == 2
    # The newer attempt may yet land, and is removed then.
    assert isinstance(second.decision.step, Create)
    assert world.operation.open == (second.decision.step.nonce,)
    world.together.make(second.decision.step.order, "red", world.now)
    world.run(200)
    assert [machine.id for machine in world.mine()] == [made.id]


def test_a_missing_record_is_no_reason_to_create() -> None:
    world = World.with_resource()
    before = served(world)
    world.wipe_status()
    assert served(world) == before
    assert world.judge.creates == 1


def test_a_missing_record_is_settled_before_anything_is_made() -> None:
    world = World.with_resource()
    world.meet(Create, "kill-late")
    world.wipe_status()
    served(world)
    assert world.judge.creates == 1


def test_a_post_that_was_held_up_is_not_sent_any_more() -> None:
    world = World.with_resource()
    world.processes.append(Process("b"))
    world.wake(UID)
    thought = world.reach(Create)
    held_up = next(p for p in world.processes if p.name == thought.process)
    world.frozen.add(held_up.name)
    world.run(world.timing.settle + 60)
    assert world.judge.creates == 1
    assert len(world.mine()) == 1
    world.frozen.clear()
    world.act(held_up, thought)
    assert world.judge.creates == 1
    served(world)


def test_what_is_kept_is_on_record_before_the_rest_is_deleted() -> None:
    world = World.with_resource()
    world.judge.bounded = False
    first = world.meet(Create, "nothing")
    second = world.meet(Create, "nothing")
    for thought in (first, second):
        assert isinstance(thought.decision.step, Create)
        world.together.make(thought.decision.step.order, "red", world.now)
        world.pass_time(1)
    claim = world.meet(Record)
    assert isinstance(claim.decision.step, Record)
    status = claim.decision.step.status
    assert status.endpoint_id == "endpoint-1"
    assert status.operation is not None
    assert status.operation.removing == ("endpoint-2",)
    assert world.judge.deletes == []
    assert served(world) == "endpoint-1"
    assert world.judge.deletes == ["endpoint-2"]


def test_one_operator_records_the_younger_and_the_other_keeps_it() -> None:
    world = World.with_resource()
    world.judge.bounded = False
    world.processes.append(Process("b"))
    first = world.meet(Create, "nothing")
    second = world.meet(Create, "nothing")
    assert isinstance(first.decision.step, Create)
    assert isinstance(second.decision.step, Create)
    older = world.together.make(first.decision.step.order, "red", world.now, lag=3600.0)
    world.pass_time(1)
    younger = world.together.make(second.decision.step.order, "red", world.now)
    world.run(600)
    assert world.status.endpoint_id == younger.id
    world.run(7200)
    assert [machine.id for machine in world.mine()] == [younger.id]
    assert set(world.judge.deletes) == {older.id}


def test_a_name_that_a_person_copied_is_no_licence_to_delete() -> None:
    world = World.with_resource()
    recorded = served(world)
    copy = world.by_hand(world.together.machines[recorded].display_name)
    world.run(600)
    world.wipe_status()
    world.run(600)
    assert served(world) == recorded
    world.delete()
    world.run(600)
    assert world.reason() == Reason.DELETION_BLOCKED
    assert copy.id in world.condition().message
    assert names.RELEASE in world.condition().message
    assert copy.alive
    assert set(world.judge.deletes) == {recorded}
    world.annotate(names.RELEASE, copy.id)
    world.run(120)
    assert world.gone()
    assert copy.alive


def test_two_quick_empty_lists_do_not_prove_that_it_is_gone() -> None:
    world = World.with_resource()
    world.lag = world.timing.lag
    world.meet(Create)
    world.meet(Record)
    world.delete()
    world.together.hiding = 1
    # The DELETE is lost on its way, and the endpoint is not listed yet.
    world.meet(Delete, "nothing")
    world.run(30)
    assert not world.gone()
    world.run(600)
    assert world.gone()
    assert world.together.living() == []


def test_a_copy_does_not_touch_the_endpoint_of_the_living_original() -> None:
    world = World.with_resource()
    recorded = served(world)
    world.restore("uid-2", notes=True, status=True)
    world.run(600)
    world.edit("uid-2", display_name="Another")
    world.run(600)
    assert [machine.id for machine in world.mine()] == [recorded]
    assert len(world.mine("uid-2")) == 1
    world.delete("uid-2")
    world.run(600)
    assert world.cluster.get("uid-2") is None
    assert world.judge.deletes == ["endpoint-2"]
    assert world.together.machines[recorded].state == "STARTED"


def test_the_finalizer_comes_before_the_record_and_both_before_the_post() -> None:
    world = World.with_resource()
    seen = []
    while not world.mine():
        thought = world.reach(object)
        seen.append(type(thought.decision.step).__name__)
        world.act(world.processes[0], thought)
    assert seen == ["List", "KeepKey", "Prepare", "Record", "Create"]
    world.delete()
    world.run(600)
    assert world.gone()
    assert world.together.living() == []


def test_another_project_s_key_settles_nothing() -> None:
    world = World.with_resource()
    world.meet(Create, "lost")
    world.cluster.key = "K3"
    world.wake(UID)
    world.run(600)
    assert world.judge.creates == 1
    assert world.status.endpoint_id == "endpoint-1"
    assert world.reason() == Reason.CREDENTIAL_MISMATCH
    world.cluster.key = "K1"
    served(world)
    assert world.judge.creates == 1


def test_a_closed_v1_is_told_and_nothing_else_is_tried() -> None:
    world = World.with_resource(api="V1")
    world.together.retired = True
    world.run(600)
    assert world.reason() == Reason.V1_CLOSED
    assert world.status.api is None
    assert world.together.living() == []
    steps = world.steps
    world.run(7200)
    assert world.steps == steps


def test_an_effect_beyond_the_bound_is_removed_and_the_recorded_one_kept() -> None:
    world = World.with_resource()
    world.judge.bounded = False
    first = world.meet(Create, "nothing")
    assert isinstance(first.decision.step, Create)
    at = world.now + world.timing.settle + 300
    world.together.fly(Flight(at, "create", "red", first.decision.step.order))
    world.run(world.timing.settle + 290)
    recorded = world.status.endpoint_id
    assert recorded == "endpoint-1"
    world.run(10 + world.timing.lag + 60)
    assert [machine.id for machine in world.mine()] == [recorded]
    assert world.judge.deletes == ["endpoint-2"]
    assert world.reason() == Reason.SERVING


def test_waiting_costs_no_write() -> None:
    world = World.with_resource()
    world.meet(Create, "nothing")
    world.meet(Wait)
    writes = world.cluster.writes
    world.run(world.timing.settle - 5)
    assert world.cluster.writes == writes
