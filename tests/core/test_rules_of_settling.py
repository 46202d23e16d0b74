"""The rules of creating exactly once, 6 to 9: what became of an attempt without a clear answer."""

from __future__ import annotations

from itertools import pairwise

import pytest

from together_operator.core.steps import Create, Look, Wait
from together_operator.resource.reasons import Reason

from .beginnings import order_of
from .world import UID, World

# -- 6: the scan -----------------------------------------------------------------------------------


def test_rule_6_a_newcomer_like_ours_without_a_mark_makes_a_scan_inconclusive() -> None:
    world = World.with_resource()
    world.meet(Create, "nothing")
    theirs = world.by_hand("somebody else's")
    world.run(world.timing.settle + 60)
    assert world.reason() == Reason.INCONCLUSIVE_SCAN
    assert theirs.id in world.condition().message
    assert world.judge.creates == 1
    world.together.remove(theirs.id, world.now)
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 2


def test_rule_6_what_is_listed_and_cannot_be_read_makes_a_scan_inconclusive() -> None:
    world = World.with_resource()
    world.meet(Create, "lost")
    world.together.hiding = 1000
    world.run(world.timing.settle + 60)
    assert world.reason() == Reason.INCONCLUSIVE_SCAN
    assert "endpoint-1" in world.condition().message
    world.together.hiding = 0
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1


def test_rule_6_a_record_with_an_unreadable_date_looks_further_back() -> None:
    world = World.with_resource()
    world.meet(Create, "lost")
    body = world.body
    assert body is not None
    record = world.operation.model_copy(update={"date": "some time ago"})
    world.cluster.write_status(body, body.status.model_copy(update={"operation": record}))
    world.wake(UID)
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1


def test_rule_6_a_time_of_zero_is_a_time() -> None:
    world = World(now=0.0)
    world.cluster.add("mixtral", UID, World.with_resource().cluster.bodies[UID].spec)
    world.wake(UID)
    world.meet(Create, "kill")
    world.run(2 * world.timing.settle)
    assert world.reason() == Reason.SERVING


# -- 7: the settle time ----------------------------------------------------------------------------


def test_rule_7_nothing_there_takes_two_scans_after_the_settle_time() -> None:
    world = World.with_resource()
    world.meet(Create, "slow-nothing")
    ended = world.now
    looks = []
    while isinstance((thought := world.reach((Look, Create))).decision.step, Look):
        looks.append(world.now)
        world.act(world.processes[0], thought)
    late = [at for at in looks if at >= ended + world.timing.settle]
    assert len(late) >= 2
    assert late[-1] - late[0] >= world.timing.scan_gap


def test_rule_7_an_unclear_create_costs_about_thirteen_lists() -> None:
    world = World.with_resource()
    world.meet(Create, "nothing")
    looks = 0
    while isinstance((thought := world.reach((Look, Create))).decision.step, Look):
        looks += 1
        world.act(world.processes[0], thought)
    assert 5 <= looks <= 13


@pytest.mark.parametrize("label", ["omit", "hide", "down"])
def test_rule_7_one_bad_look_proves_nothing(label: str) -> None:
    world = World.with_resource()
    world.lag = world.timing.lag
    world.meet(Create, "slow-late")
    world.run(world.timing.settle - 1)
    world.together.omitted_at = float("-inf")
    if world.status.endpoint_id is None:
        world.meet(Look, label)
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1


# -- 8: the claim ----------------------------------------------------------------------------------


def test_rule_8_any_nonce_of_ours_is_claimed() -> None:
    world = World.with_resource()
    order_of(world, "lost")
    world.wipe_status()
    world.run(600)
    assert world.status.endpoint_id == "endpoint-1"
    assert world.reason() == Reason.SERVING


# -- 9: the next attempt ---------------------------------------------------------------------------


def test_rule_9_only_unclear_attempts_count_and_three_are_enough() -> None:
    world = World.with_resource()
    world.meet(Create, "nothing")
    world.meet(Create, "refused")
    world.meet(Create, "paused")
    world.meet(Create, "nothing")
    world.meet(Create, "nothing")
    world.run(4000)
    assert world.reason() == Reason.ATTEMPTS_EXHAUSTED
    assert world.conditions()["Stalled"] == "True"
    assert world.judge.creates == 3
    assert len({world.operation.nonce, *world.operation.open}) == 3


def test_rule_9_claiming_goes_on_after_the_last_attempt() -> None:
    world = World.with_resource()
    world.judge.bounded = False
    orders = [order_of(world) for _ in range(3)]
    world.run(4000)
    assert world.reason() == Reason.ATTEMPTS_EXHAUSTED
    made = world.together.make(orders[0], "red", world.now)
    world.run(200)
    assert world.status.endpoint_id == made.id
    assert world.reason() == Reason.SERVING


def test_rule_9_a_refusal_for_now_is_retried_with_growing_pauses_and_is_quiet_meanwhile() -> None:
    world = World.with_resource()
    world.together.denied.clear()
    at = []
    for _ in range(6):
        world.meet(Create, "refused")
        at.append(world.now)
        world.meet(Wait)
        assert world.reason() == Reason.WAITING_FOR_CAPACITY
        assert world.conditions()["Reconciling"] == "True"
    gaps = [later - sooner for sooner, later in pairwise(at)]
    assert gaps == sorted(gaps)
    assert gaps[0] >= 5
    assert world.operation.open == ()
