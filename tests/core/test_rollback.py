"""etcd put back to an older copy: the cluster forgets, and Together does not.

Everything that the operator wrote is undone together, the key copies too. As long as the older
copy holds the finalizer, the past is known to be unknown, and it is settled before anything is
made.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from together_operator.core.steps import Finish
from together_operator.resource.reasons import Reason

from .cluster_model import Cluster
from .world import UID, World


def story(**wishes: object) -> tuple[World, list[Cluster]]:
    """A world in which the endpoint serves, and every state that the cluster was in before."""
    world = World.with_resource(**wishes)
    copies = [world.cluster.clone()]
    while not copies[-1].bodies[UID].status.conditions or world.reason() != Reason.SERVING:
        if world.ready():
            world.turn(*world.ready()[0])
        else:
            world.pass_time(1.0)
        if world.cluster.version != copies[-1].version:
            copies.append(world.cluster.clone())
    return world, copies


def put_back(world: World, copy: Cluster) -> None:
    """The cluster is as it was; numbers of versions are used a second time, as etcd would."""
    world.cluster = copy.clone()
    world.kill(world.processes[0])


HELD = [number for number, copy in enumerate(story()[1]) if copy.bodies[UID].held]
"""The older copies in which something tells of a past."""


@pytest.mark.parametrize("number", HELD)
def test_whatever_is_put_back_there_is_one_endpoint(number: int) -> None:
    world, copies = story()
    put_back(world, copies[number])
    world.run(2000)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1
    assert [machine.id for machine in world.mine()] == [world.status.endpoint_id]


@pytest.mark.parametrize("number", HELD)
def test_whatever_is_put_back_a_deletion_leaves_nothing(number: int) -> None:
    world, copies = story()
    put_back(world, copies[number])
    world.delete()
    world.run(2000)
    assert world.gone()
    assert world.together.living() == []


def test_a_resource_that_was_deleted_since_comes_back_and_says_what_became_of_its_endpoint() -> (
    None
):
    world, copies = story()
    body = copies[-1].bodies[UID]
    world.delete()
    world.meet(Finish)
    assert world.together.living() == []
    put_back(world, replace(copies[-1], bodies={UID: body}))
    world.run(2000)
    assert world.reason() == Reason.REMOTE_MISSING
    assert world.judge.creates == 1


def test_a_change_that_was_undone_is_made_again() -> None:
    world, copies = story()
    world.edit(display_name="Another")
    world.run(60)
    put_back(world, copies[-1])
    world.run(2 * world.timing.drift)
    assert world.reason() == Reason.SERVING
    assert world.mine()[0].display_name.startswith("ml/mixtral")
    assert world.judge.creates == 1
