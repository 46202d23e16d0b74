"""Each row of the table of situations as it comes about, in a world where it is so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from together_operator.core.steps import Create, Update
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import Api, Autoscaling, State

from .world import World

Row = tuple[str, str, str, str, str, str]
"""Reason, Ready, Available, Reconciling, Stalled, Synced."""


def row(world: World) -> Row:
    """What a person reads."""
    c = world.conditions()
    kinds = ("Ready", "Available", "Reconciling", "Stalled", "Synced")
    ready, available, reconciling, stalled, synced = (c[kind] for kind in kinds)
    return (world.reason(), ready, available, reconciling, stalled, synced)


def _new(world: World) -> None:
    world.run(1)


def _starting(world: World) -> None:
    world.run(200)
    world.edit(state=State.STOPPED)
    world.run(100)
    world.edit(state=State.STARTED)
    world.run(6)


def _stopping(world: World) -> None:
    world.run(200)
    world.edit(state=State.STOPPED)
    world.run(6)


def _scaling(world: World) -> None:
    world.run(200)
    world.edit(autoscaling=Autoscaling(min_replicas=3))
    world.meet(Update, "refused")
    world.work()


def _full(world: World) -> None:
    world.together.full = True
    world.run(300)


def _refused_capacity(world: World) -> None:
    world.meet(Create, "refused")
    world.run(1)


def _serving(world: World) -> None:
    world.run(200)


def _stopped(world: World) -> None:
    _stopping(world)
    world.run(100)


def _idle(world: World) -> None:
    world.edit(inactive_timeout_minutes=30)
    world.run(200)
    world.mine()[0].state = "STOPPED"
    world.run(60)


def _remotely(world: World) -> None:
    world.run(200)
    world.mine()[0].state = "STOPPED"
    world.run(60)


def _unreachable(world: World) -> None:
    world.run(200)
    world.together.down = True
    world.run(1000)


def _unreachable_pending(world: World) -> None:
    world.run(200)
    world.together.down = True
    world.edit(autoscaling=Autoscaling(min_replicas=3))
    world.run(1000)


def _unreachable_new(world: World) -> None:
    world.together.down = True
    world.run(1000)


def _no_secret(world: World) -> None:
    world.run(200)
    world.cluster.key = None
    world.touch()
    world.run(100)


def _no_secret_for_long(world: World) -> None:
    _no_secret(world)
    world.run(1000)


def _invalid(world: World) -> None:
    world.meet(Create, "refused-for-good")
    world.run(1)


def _invalid_change(world: World) -> None:
    world.run(200)
    world.edit(autoscaling=Autoscaling(min_replicas=3))
    world.meet(Update, "refused-for-good")
    world.run(1)


def _closed(world: World) -> None:
    world.edit(api=Api.V1)
    world.together.retired = True
    world.run(10)


def _guarded(world: World) -> None:
    world.forbidden = "No"
    world.run(10)


def _claiming(world: World) -> None:
    world.meet(Create, "nothing")
    world.run(10)


def _missing(world: World) -> None:
    world.run(200)
    world.together.remove("endpoint-1", world.now)
    world.run(200)


def _mismatch(world: World) -> None:
    world.run(200)
    world.cluster.key = "K3"
    world.touch()
    world.run(10)


def _exhausted(world: World) -> None:
    for _ in range(3):
        world.meet(Create, "nothing")
    world.run(1000)


def _failed(world: World) -> None:
    world.run(200)
    world.mine()[0].state = "ERROR"
    world.run(60)


def _suspended(world: World) -> None:
    world.run(200)
    world.edit(suspend=True)
    world.run(10)


def _suspended_pending(world: World) -> None:
    _suspended(world)
    world.edit(display_name="Another")
    world.run(10)


def _suspended_new(world: World) -> None:
    world.edit(suspend=True)
    world.run(10)


def _deleting(world: World) -> None:
    world.run(200)
    world.delete()
    world.run(10)


def _deleting_suspended(world: World) -> None:
    _suspended(world)
    world.delete()
    world.run(10)


def _deleting_blocked(world: World) -> None:
    world.run(200)
    world.together.denied.add("K1")
    world.delete()
    world.run(10)


def _deleting_claiming(world: World) -> None:
    world.meet(Create, "nothing")
    world.delete()
    world.run(10)


@pytest.mark.parametrize(
    ("arrange", "wanted"),
    [
        (_new, (Reason.CREATING, "False", "False", "True", "False", "True")),
        (_starting, (Reason.STARTING, "False", "False", "True", "False", "True")),
        (_stopping, (Reason.STOPPING, "False", "False", "True", "False", "True")),
        (_scaling, (Reason.UPDATING, "False", "True", "True", "False", "True")),
        (_full, (Reason.WAITING_FOR_CAPACITY, "False", "False", "True", "False", "True")),
        (
            _refused_capacity,
            (Reason.WAITING_FOR_CAPACITY, "False", "False", "True", "False", "True"),
        ),
        (_serving, (Reason.SERVING, "True", "True", "False", "False", "True")),
        (_stopped, (Reason.STOPPED, "True", "False", "False", "False", "True")),
        (_idle, (Reason.IDLE_STOPPED, "True", "False", "False", "False", "True")),
        (_remotely, (Reason.STOPPED_REMOTELY, "False", "False", "False", "True", "True")),
        (_unreachable, (Reason.SERVING, "True", "True", "False", "False", "False")),
        (_unreachable_pending, (Reason.UNREACHABLE, "False", "True", "True", "False", "False")),
        (_unreachable_new, (Reason.UNREACHABLE, "False", "False", "True", "False", "False")),
        (_no_secret, (Reason.SECRET_MISSING, "False", "True", "True", "False", "False")),
        (_no_secret_for_long, (Reason.SECRET_MISSING, "False", "True", "False", "True", "False")),
        (_invalid, (Reason.INVALID_REQUEST, "False", "False", "False", "True", "True")),
        (_invalid_change, (Reason.INVALID_REQUEST, "False", "True", "False", "True", "True")),
        (_closed, (Reason.V1_CLOSED, "False", "False", "False", "True", "True")),
        (_guarded, (Reason.NOT_ALLOWED, "False", "False", "False", "True", "True")),
        (_claiming, (Reason.CLAIMING, "False", "False", "True", "False", "True")),
        (_missing, (Reason.REMOTE_MISSING, "False", "False", "False", "True", "True")),
        (_mismatch, (Reason.CREDENTIAL_MISMATCH, "False", "True", "False", "True", "True")),
        (_exhausted, (Reason.ATTEMPTS_EXHAUSTED, "False", "False", "False", "True", "True")),
        (_failed, (Reason.ENDPOINT_FAILED, "False", "False", "False", "True", "True")),
        (_suspended, (Reason.SERVING, "True", "True", "False", "False", "True")),
        (_suspended_pending, (Reason.SUSPENDED, "False", "True", "False", "False", "True")),
        (_suspended_new, (Reason.SUSPENDED, "False", "False", "False", "False", "True")),
        (_deleting, (Reason.DELETING, "False", "False", "True", "False", "True")),
        (
            _deleting_suspended,
            (Reason.DELETION_SUSPENDED, "False", "True", "False", "False", "True"),
        ),
        (_deleting_blocked, (Reason.DELETION_BLOCKED, "False", "True", "False", "True", "False")),
        (_deleting_claiming, (Reason.DELETING, "False", "False", "True", "False", "True")),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_each_row_as_it_comes_about(arrange: Callable[[World], None], wanted: Row) -> None:
    world = World.with_resource()
    arrange(world)
    assert row(world) == wanted
    # Nothing moves by itself: the same situation is not told twice.
    writes = world.cluster.writes
    world.touch()
    world.work()
    assert row(world) == wanted
    assert world.cluster.writes == writes
