"""Who removes the CRD has said of no endpoint that it may go: they all stay, and that is told."""

from __future__ import annotations

import pytest

from together_operator.core.steps import Create, FindDefinition, Finish
from together_operator.core.timing import Timing
from together_operator.resource.endpoint_status import Price
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import DeletionPolicy

from .beginnings import serving
from .world import UID, World


@pytest.mark.parametrize("policy", [None, *DeletionPolicy])
def test_every_endpoint_stays_whatever_its_policy(policy: DeletionPolicy | None) -> None:
    world = serving(deletion_policy=policy)
    writes = world.judge.remote_writes
    world.undefine()
    finish = world.meet(Finish).decision
    assert world.gone()
    assert [machine.state for machine in world.mine()] == ["STARTED"]
    assert world.judge.remote_writes == writes
    assert world.cluster.copies == {}
    assert "endpoint-1" in finish.situation.message
    assert ("CRD" in finish.situation.message) == (policy is not DeletionPolicy.RETAIN)


def test_a_person_s_deletion_of_before_is_carried_out() -> None:
    world = serving()
    world.delete()
    world.pass_time(1.0)
    world.undefine()
    world.run(600)
    assert world.gone()
    assert world.together.living() == []


def test_in_the_same_second_it_counts_as_the_crd_s() -> None:
    world = serving()
    world.delete()
    world.undefine()
    world.run(600)
    assert world.gone()
    assert len(world.mine()) == 1


def test_a_removal_that_begins_later_changes_nothing_for_who_was_deleted_before() -> None:
    world = serving()
    world.together.unlist = 60.0
    world.delete()
    world.run(30)
    assert not world.gone()
    world.undefine()
    world.kill(world.processes[0])
    world.run(600)
    assert world.gone()
    assert world.together.living() == []


@pytest.mark.parametrize("pause", [0.0, 60.0])
def test_a_crd_that_was_removed_by_force_and_came_back_is_younger_than_the_deletion(
    pause: float,
) -> None:
    world = serving()
    world.undefine()
    world.pass_time(pause)
    bring_back(world)
    world.run(600)
    assert world.gone()
    assert len(world.mine()) == 1


def test_under_a_crd_that_came_back_a_deletion_means_what_it_says() -> None:
    world = serving()
    bring_back(world)
    world.pass_time(1.0)
    world.delete()
    world.run(600)
    assert world.gone()
    assert world.together.living() == []


def bring_back(world: World) -> None:
    """The CRD is made anew, in a whole second as the API server counts."""
    world.cluster.undefined = None
    world.cluster.defined += int(world.now)


def test_an_open_attempt_is_settled_first() -> None:
    world = World.with_resource()
    world.meet(Create, "late")
    world.undefine()
    world.run(100)
    assert not world.gone()
    world.run(600)
    assert world.gone()
    assert [machine.state for machine in world.mine()] == ["STARTED"]


def test_what_is_suspended_does_not_hold_up_the_removal() -> None:
    world = serving()
    world.edit(suspend=True)
    world.undefine()
    world.run(60)
    assert world.gone()
    assert len(world.mine()) == 1


@pytest.mark.parametrize("label", ["error", "kill"])
def test_nothing_is_deleted_before_the_crd_was_looked_at(label: str) -> None:
    world = serving()
    world.undefine()
    for _ in range(3):
        world.meet(FindDefinition, label)
        assert world.judge.deletes == []
        world.pass_time(2.0)
    world.run(60)
    assert world.gone()
    assert len(world.mine()) == 1


def test_one_look_is_enough_for_a_deletion() -> None:
    world = serving()
    world.delete()
    world.run(600)
    assert world.gone()
    assert sum("FindDefinition" in line for line in world.trace) == 1


@pytest.mark.parametrize("policy", [DeletionPolicy.RETAIN, None])
def test_where_it_makes_no_difference_nobody_looks(policy: DeletionPolicy | None) -> None:
    world = World.with_resource(deletion_policy=policy)
    if policy is None:
        world.meet(Create, "refused-for-good")
    world.run(200)
    world.delete()
    world.run(100)
    assert world.gone()
    assert not any("FindDefinition" in line for line in world.trace)


# -- without the right to read the CRD ------------------------------------------------------------


def test_discovery_is_not_believed_before_it_can_know() -> None:
    world = serving()
    world.cluster.blind = True
    world.undefine()
    world.run(60)
    assert world.gone()
    assert len(world.mine()) == 1
    assert world.judge.deletes == []


def test_without_the_right_a_normal_deletion_is_only_a_little_later() -> None:
    world = serving()
    world.cluster.blind = True
    world.delete()
    began = world.now
    world.run(Timing().scan_gap + 1)
    assert world.together.living() == []
    assert world.now - began < 10
    world.run(600)
    assert world.gone()


# -- what is told ---------------------------------------------------------------------------------


def farewell(world: World) -> str:
    """What is said when the resource goes."""
    return world.meet(Finish).decision.situation.message


def priced(world: World) -> None:
    """The status tells a price."""
    body = world.cluster.bodies[UID]
    status = world.status.model_copy(update={"price": Price(per_replica_hour="5.40")})
    world.cluster.write_status(body, status)


def test_what_is_left_is_told_with_its_price() -> None:
    world = serving(autoscaling={"min_replicas": 2})
    priced(world)
    world.undefine()
    assert "endpoint-1 is left as it is at Together, where it costs $10.80 per hour" in (
        farewell(world)
    )


def test_what_is_stopped_costs_nothing() -> None:
    world = serving(deletion_policy=DeletionPolicy.STOP)
    priced(world)
    world.delete()
    assert "endpoint-1 is kept, and costs nothing while it does not run" in farewell(world)


def test_a_price_that_is_not_known_is_not_made_up() -> None:
    world = serving(deletion_policy=DeletionPolicy.RETAIN)
    world.delete()
    assert "at a price that is not known" in farewell(world)


def test_where_nothing_is_left_nothing_is_told() -> None:
    world = serving(deletion_policy=DeletionPolicy.RETAIN)
    world.together.remove("endpoint-1", world.now)
    world.run(300)
    assert world.reason() == Reason.REMOTE_MISSING
    world.delete()
    step = world.meet(Finish).decision.step
    assert isinstance(step, Finish)
    assert step.left is None
