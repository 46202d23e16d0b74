"""An endpoint that is not to be seen: not listed, not found, or really gone (I5)."""

from __future__ import annotations

import pytest

from together_operator.core.steps import Get
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import DeletionPolicy

from .world import UID, World


def serving() -> World:
    """A world in which the endpoint serves."""
    world = World.with_resource()
    world.run(1000)
    assert world.reason() == Reason.SERVING
    return world


def test_what_is_gone_is_reported_and_not_made_again() -> None:
    world = serving()
    world.together.remove("endpoint-1", world.now)
    world.run(50)
    assert world.reason() == Reason.SERVING
    world.run(100)
    assert world.reason() == Reason.REMOTE_MISSING
    assert world.conditions()["Stalled"] == "True"
    assert world.conditions()["Available"] == "False"
    assert world.status.replicas == 0
    for _ in range(2):
        writes = world.cluster.writes
        world.kill(world.processes[0])
        world.run(3600)
        assert world.reason() == Reason.REMOTE_MISSING
        assert world.cluster.writes == writes
    assert world.judge.creates == 1
    world.delete()
    world.run(300)
    assert world.gone()


def test_one_that_returns_is_taken_up_again() -> None:
    world = serving()
    machine = world.mine()[0]
    world.together.remove(machine.id, world.now)
    world.run(300)
    assert world.reason() == Reason.REMOTE_MISSING
    machine.gone_at, machine.listed_until = None, float("inf")
    world.run(60)
    assert world.reason() == Reason.SERVING


def test_a_missing_one_is_looked_for_when_a_person_asks() -> None:
    world = serving()
    world.together.remove("endpoint-1", world.now)
    world.run(300)
    world.annotate(names.RECONCILE_REQUESTED_AT, "now")
    world.run(60)
    assert world.status.last_handled_reconcile_at == "now"
    assert world.reason() == Reason.REMOTE_MISSING


@pytest.mark.parametrize("hidden", [1, 2, 3])
def test_a_bad_list_and_a_false_404_do_not_make_it_missing(hidden: int) -> None:
    world = serving()
    writes = world.cluster.writes
    world.together.omitting = True
    world.together.hiding = hidden
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert world.conditions()["Available"] == "True"
    assert world.cluster.writes == writes


@pytest.mark.parametrize("lag", [1.0, 30.0, 60.0])
def test_one_that_is_not_listed_yet_is_not_missing(lag: float) -> None:
    world = World.with_resource()
    world.lag = lag
    world.run(10)
    world.together.hiding = 1
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 1


def test_an_endpoint_that_lists_show_and_get_does_not_is_not_asked_for_without_pause() -> None:
    world = serving()
    world.together.hiding = 10_000
    steps = world.steps
    world.annotate(names.RECONCILE_REQUESTED_AT, "now")
    world.run(600)
    assert world.steps - steps < 600
    world.together.hiding = 0
    world.run(60)
    assert world.reason() == Reason.SERVING


def test_the_same_when_nothing_is_known_of_it_and_it_is_to_be_stopped() -> None:
    world = serving()
    body = world.body
    assert body is not None
    bare = body.status.model_copy(update={"name": None, "state": None})
    world.cluster.write_status(body, bare)
    world.edit(deletion_policy=DeletionPolicy.STOP)
    world.kill(world.processes[0])
    world.together.hiding = 10_000
    world.delete()
    steps = world.steps
    world.run(600)
    assert world.steps - steps < 600
    world.together.hiding = 0
    world.run(300)
    assert world.gone()
    assert [machine.state for machine in world.mine()] == ["STOPPED"]


def test_a_changed_resource_is_not_called_carried_out_while_its_endpoint_is_not_listed() -> None:
    world = serving()
    world.together.omitting = True
    world.together.hiding = 1
    world.meet(Get)
    world.work()
    assert world.reason() == Reason.SERVING
    world.edit(display_name="Another")
    world.work()
    assert world.conditions()["Ready"] == "False"
    assert world.conditions()["Reconciling"] == "True"
    assert world.conditions()["Available"] == "True"
    world.run(200)
    assert world.reason() == Reason.SERVING
    assert world.mine()[0].display_name.startswith("Another")


def test_a_rival_s_endpoint_is_left_alone_and_looked_at_again() -> None:
    world = serving()
    world.rival = "ml/the-older-one"
    world.edit(display_name="Mine")
    world.run(600)
    assert world.reason() == Reason.ENDPOINT_CONFLICT
    assert world.conditions()["Stalled"] == "True"
    assert not world.mine()[0].display_name.startswith("Mine")
    world.rival = None
    world.run(1000)
    assert world.reason() == Reason.SERVING
    world.rival = "ml/the-older-one"
    world.delete()
    world.run(300)
    assert world.gone()
    assert len(world.mine()) == 1
    assert UID not in world.cluster.copies
