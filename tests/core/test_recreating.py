"""`onMissing: Recreate`: another endpoint in the place of one that has gone, never beside it."""

from __future__ import annotations

from typing import Any

import pytest

from together_operator.core.marker import Marker
from together_operator.core.steps import Create, Delete, Get, Record
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import Adopt, DeletionPolicy, OnMissing, State

from .account_model import CLUSTER
from .process_model import Process
from .world import UID, World

FORMER = "endpoint-1"


def serving(**wishes: Any) -> World:
    """A world in which the endpoint serves, and is to be replaced if it goes."""
    world = World.with_resource(**{"on_missing": OnMissing.RECREATE, **wishes})
    world.run(1000)
    assert world.reason() == Reason.SERVING
    return world


def adopted(**wishes: Any) -> World:
    """The same with an endpoint that was taken over."""
    world = World()
    world.by_hand("made in the console")
    world.pass_time(7200)
    wish = {"adopt": Adopt(endpoint_id=FORMER), "on_missing": OnMissing.RECREATE}
    world.apply("mixtral", UID, **{**wish, **wishes})
    world.run(1000)
    assert world.reason() == Reason.SERVING
    return world


def vanish(world: World) -> None:
    """Somebody deletes the endpoint at Together."""
    world.together.remove(FORMER, world.now)


@pytest.mark.parametrize("world", [serving(), adopted()], ids=["ordered", "adopted"])
def test_what_has_gone_is_replaced_once_that_is_certain(world: World) -> None:
    before = world.judge.creates
    was_adopted = world.status.adopted
    vanish(world)
    end = world.now + world.timing.settle
    while world.now < end:
        world.run(10)
        assert world.judge.creates == before
    assert world.reason() == Reason.CREATING
    assert world.conditions()["Available"] == "False"
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == before + 1
    assert world.status.endpoint_id == "endpoint-2"
    assert world.operation.replaces == FORMER
    assert world.status.adopted is was_adopted
    (machine,) = world.together.living()
    assert Marker.parse(machine.display_name) == Marker.of(CLUSTER, UID, world.operation.nonce)
    writes = (world.cluster.writes, world.judge.remote_writes)
    world.run(3 * 3600)
    assert (world.cluster.writes, world.judge.remote_writes) == writes
    world.edit(deletion_policy=DeletionPolicy.DELETE)
    world.delete()
    world.run(600)
    assert world.gone()
    assert world.together.living() == []


@pytest.mark.parametrize("hidden", range(1, 6))
@pytest.mark.parametrize("times", [1, 2, 3])
def test_no_false_absence_makes_another_one(hidden: int, times: int) -> None:
    """Bad LISTs and false 404s, as many as the protocol assumes and some more."""
    world = serving()
    for _ in range(times):
        world.together.omitting = True
        world.together.hiding = hidden
        world.run(61)
    world.run(1000)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1
    assert world.status.endpoint_id == FORMER


@pytest.mark.parametrize("after", [61.0, 120.0, 240.0])
@pytest.mark.parametrize("make", [serving, adopted])
def test_one_that_returns_in_time_is_kept(make: Any, after: float) -> None:
    world: World = make()
    before = world.judge.creates
    vanish(world)
    machine = world.together.machines[FORMER]
    world.run(after)
    machine.gone_at, machine.listed_until = None, float("inf")
    world.run(1000)
    assert world.reason() == Reason.SERVING
    assert world.status.endpoint_id == FORMER
    assert world.judge.creates == before


@pytest.mark.parametrize("make", [serving, adopted])
def test_one_that_returns_before_another_is_made_is_taken_back(make: Any) -> None:
    world: World = make()
    before = world.judge.creates
    vanish(world)
    machine = world.together.machines[FORMER]
    world.meet(Create, "refused")
    world.work()
    assert world.reason() == Reason.WAITING_FOR_CAPACITY
    assert world.status.endpoint_id is None
    machine.gone_at, machine.listed_until = None, float("inf")
    world.run(700)
    assert world.reason() == Reason.SERVING
    assert world.status.endpoint_id == FORMER
    assert world.judge.creates == before
    world.delete()
    world.run(600)
    assert world.gone()


def test_one_that_returns_while_an_attempt_is_unclear_is_taken_back() -> None:
    world = serving()
    world.judge.bounded = False  # a living endpoint was missing from every LIST for minutes
    vanish(world)
    machine = world.together.machines[FORMER]
    world.meet(Create, "late")
    world.run(5)
    machine.gone_at, machine.listed_until = None, float("inf")
    world.run(1000)
    assert world.status.endpoint_id == FORMER
    assert [m.id for m in world.together.living()] == [FORMER]
    assert world.judge.deletes == ["endpoint-2"]


def test_one_that_returns_too_late_is_removed_if_it_was_ordered() -> None:
    world = serving()
    world.judge.bounded = False
    vanish(world)
    machine = world.together.machines[FORMER]
    world.run(600)
    assert world.status.endpoint_id == "endpoint-2"
    machine.gone_at, machine.listed_until = None, float("inf")
    world.run(300)
    assert [m.id for m in world.together.living()] == ["endpoint-2"]
    assert set(world.judge.deletes) == {FORMER}


def test_one_that_returns_too_late_is_left_alone_if_it_was_taken_over() -> None:
    world = adopted()
    world.judge.bounded = False
    vanish(world)
    machine = world.together.machines[FORMER]
    world.run(600)
    assert world.status.endpoint_id == "endpoint-2"
    machine.gone_at, machine.listed_until = None, float("inf")
    world.run(3600)
    assert len(world.together.living()) == 2
    assert world.judge.deletes == []


@pytest.mark.parametrize("kind", [Get, Record, Create])
@pytest.mark.parametrize(
    "label", ["kill", "kill-after", "kill-late", "late", "lost", "conflict", "nothing", "slow"]
)
@pytest.mark.parametrize("make", [serving, adopted])
def test_it_survives_a_crash_at_each_step(make: Any, kind: type[Any], label: str) -> None:
    world: World = make()
    vanish(world)
    thought = world.reach(kind)
    if label not in world.labels(thought):
        label = "ok"
    world.act(world.processes[0], thought, label)
    world.run(3000)
    assert world.reason() == Reason.SERVING
    assert len(world.together.living()) == 1
    assert world.status.adopted is (True if make is adopted else None)
    world.edit(deletion_policy=DeletionPolicy.DELETE)
    world.delete()
    world.run(1000)
    assert world.gone()
    assert world.together.living() == []


def test_two_operators_without_a_lease_replace_it_once() -> None:
    world = serving()
    world.processes.append(Process("b"))
    world.wake(UID)
    vanish(world)
    world.run(2000)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 2
    assert len(world.together.living()) == 1


@pytest.mark.parametrize("make", [serving, adopted])
def test_what_was_not_running_is_only_reported(make: Any) -> None:
    """To replace it would start what nobody asked to start (I8)."""
    world: World = make()
    before = world.judge.creates
    world.together.machines[FORMER].state = "STOPPED"
    world.run(60)
    assert world.reason() == Reason.STOPPED_REMOTELY
    vanish(world)
    for _ in range(2):
        world.run(3600)
        assert world.reason() == Reason.REMOTE_MISSING
        assert names.RESTART_REQUESTED_AT in world.condition().message
        world.kill(world.processes[0])
    assert world.judge.creates == before
    world.annotate(names.RESTART_REQUESTED_AT, "now")
    world.run(1000)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == before + 1
    assert world.status.last_handled_restart_at == "now"


def test_one_that_is_to_be_stopped_is_replaced_by_a_stopped_one() -> None:
    world = World.with_resource(on_missing=OnMissing.RECREATE, state=State.STOPPED)
    world.run(1000)
    assert world.reason() == Reason.STOPPED
    vanish(world)
    world.run(1000)
    assert world.reason() == Reason.STOPPED
    assert [(m.id, m.state) for m in world.together.living()] == [("endpoint-2", "STOPPED")]


def test_suspended_it_waits() -> None:
    world = serving()
    world.edit(suspend=True)
    vanish(world)
    world.run(3600)
    assert world.reason() == Reason.SUSPENDED
    assert "ordering another one" in world.condition().message
    assert world.judge.creates == 1
    world.edit(suspend=False)
    world.run(1000)
    assert world.reason() == Reason.SERVING


def test_the_operator_s_limits_hold_for_it() -> None:
    world = serving()
    world.forbidden = "Too expensive"
    vanish(world)
    world.run(1000)
    assert world.reason() == Reason.NOT_ALLOWED
    assert world.judge.creates == 1


@pytest.mark.parametrize("key", ["K2", "K3", None])
def test_only_the_key_that_has_seen_it_can_tell_that_it_is_gone(key: str | None) -> None:
    world = serving()
    vanish(world)
    world.cluster.key = key
    world.touch()
    world.run(3600)
    assert world.conditions()["Ready"] == "False"
    assert world.judge.creates == 1
    world.cluster.key = "K1"
    world.touch()
    world.run(1000)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 2


def test_a_key_that_was_changed_before_serves_as_well() -> None:
    world = serving()
    world.cluster.key = "K2"
    world.touch()
    world.run(200)
    assert world.cluster.copies[UID] == "K2"
    vanish(world)
    world.run(1000)
    assert world.reason() == Reason.SERVING
    assert world.operation.credential == "K2"


def test_who_changes_their_mind_while_there_is_no_capacity_gets_none() -> None:
    world = serving()
    vanish(world)
    world.meet(Create, "refused")
    world.edit(on_missing=OnMissing.REPORT)
    world.run(3600)
    assert world.reason() == Reason.REMOTE_MISSING
    assert FORMER in world.condition().message
    assert world.judge.creates == 1
    world.edit(on_missing=OnMissing.RECREATE)
    world.run(1000)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 2


def test_a_later_wish_to_replace_it_is_followed() -> None:
    world = serving(on_missing=OnMissing.REPORT)
    vanish(world)
    world.run(3600)
    assert world.reason() == Reason.REMOTE_MISSING
    world.edit(on_missing=OnMissing.RECREATE)
    world.run(1000)
    assert world.reason() == Reason.SERVING


def test_a_deletion_meanwhile_orders_nothing() -> None:
    world = serving()
    vanish(world)
    world.run(200)
    world.delete()
    world.run(600)
    assert world.gone()
    assert world.judge.creates == 1
    assert not [step for step in world.trace if Delete.__name__ in step and "endpoint-2" in step]


def test_a_second_one_that_goes_is_replaced_too() -> None:
    world = adopted()
    for number in (1, 2, 3):
        world.together.remove(f"endpoint-{number}", world.now)
        world.run(1000)
        assert world.reason() == Reason.SERVING
        assert world.status.endpoint_id == f"endpoint-{number + 1}"
    assert len(world.together.living()) == 1


def test_a_typing_error_in_the_id_buys_nothing() -> None:
    """Nothing was ever taken over, so nothing is missing."""
    world = World()
    world.apply(
        "mixtral", UID, adopt=Adopt(endpoint_id="endpoint-9"), on_missing=OnMissing.RECREATE
    )
    world.run(7200)
    assert world.reason() == Reason.ADOPTION_REFUSED
    assert world.judge.creates == 0
