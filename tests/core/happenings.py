"""What people, clusters and Together may do at any moment: the moves of the world's opponents.

Each has a name and a guard, so that a script can be a list of names, and a search can ask which
moves there are. Faults that the protocol does not assume (an effect later than its bound, two bad
LISTs in a row) are not among them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from together_operator.core.marker import Marker, owner_tag
from together_operator.resource import names
from together_operator.resource.endpoint_status import Role
from together_operator.resource.remote import Bounds
from together_operator.resource.spec import (
    Api,
    Autoscaling,
    DeletionPolicy,
    MigrationOptions,
    OnMissing,
    State,
)

from .account_model import CLUSTER
from .deployments_model import Unit, taken, within
from .together_model import BAD_HARDWARE, Machine
from .world import HARDWARE, UID, World


@dataclass(frozen=True, slots=True)
class Happening:
    """One move.

    Attributes:
        run: Makes it.
        may: Whether it can be made now.
    """

    run: Callable[[World], None]
    may: Callable[[World], bool] = lambda world: True


def _alive(world: World) -> bool:
    return world.body is not None


def _living(world: World) -> bool:
    return world.body is not None and not world.body.deleting


def _crd_stays(world: World) -> bool:
    return world.cluster.undefined is None


def free(world: World) -> bool:
    """Whether the API server lets hardware be changed."""
    body = world.body
    if body is None or body.deleting:
        return False
    operation = body.status.operation
    return body.status.endpoint_id is None and (
        operation is None or (operation.phase == "Refused" and not operation.open)
    )


def _may_move(world: World) -> bool:
    """Whether the API server lets the resource move from v1 to v2."""
    body = world.body
    if body is None or body.deleting or body.spec.api is Api.V2:
        return False
    return body.status.api == Api.V1 and body.status.endpoint_id is not None


def _moves(world: World) -> bool:
    """Whether it can still be called off."""
    body = world.body
    if body is None or body.deleting or body.spec.api is not Api.V2:
        return False
    return body.status.api == Api.V1


def _edit(**wishes: Any) -> Happening:
    return Happening(lambda world: world.edit(**wishes), _living)


def recorded(world: World) -> Machine | None:
    """The endpoint on record, if it is there."""
    body = world.body
    if body is None:
        return None
    machine = world.together.machines.get(body.status.endpoint_id or "")
    return machine if machine is not None and machine.alive else None


def serving(world: World) -> Machine | Unit | None:
    """What is to run: the endpoint, or the deployment of it that is on record."""
    machine = recorded(world)
    if machine is None or machine.api is Api.V1:
        return machine
    body = world.body
    assert body is not None
    units = world.together.deployments
    found = (units.get(d.id) for d in body.status.deployments if d.role == Role.CURRENT)
    return next((unit for unit in found if unit is not None and unit.alive), None)


def _remote(change: Callable[[World, Machine | Unit], None]) -> Happening:
    def run(world: World) -> None:
        thing = serving(world)
        assert thing is not None
        world.trace.append(f"{world.now:.0f} at Together: {thing.id} was {thing.state}")
        change(world, thing)

    return Happening(run, lambda world: serving(world) is not None)


def _force(state: str, second: str | None = None) -> Happening:
    """Together, or a person, brings about a state; the second word is that of API v2."""

    def change(world: World, thing: Machine | Unit) -> None:
        there = isinstance(thing, Unit) and second is not None
        thing.state, thing.since = second if there and second else state, world.now
        if there and thing.state == "PROVISIONING":
            thing.bounds = Bounds(1, 1)

    def may(world: World) -> bool:
        # What has failed in v2 has failed for good.
        thing = serving(world)
        return thing is not None and not (isinstance(thing, Unit) and thing.state == "FAILED")

    return Happening(_remote(change).run, may)


def _rename(world: World, thing: Machine | Unit) -> None:
    if isinstance(thing, Machine):
        thing.display_name = "renamed by hand"


def _scale(world: World, thing: Machine | Unit) -> None:
    if isinstance(thing, Machine) or thing.state not in ("STOPPING", "STOPPED", "FAILED"):
        thing.bounds = Bounds(7, 9)


def _copy_name(world: World, machine: Machine) -> None:
    if machine.api is Api.V1:
        world.by_hand(machine.display_name)
        return
    marked = world.units()
    unit = world.deploy_by_hand(machine, weight=0.0)
    if marked:
        # With our mark, and no name on record.
        unit.name = f"other-{marked[0].name.partition('-')[2]}"


def delete_by_hand(world: World, machine: Machine) -> None:
    """A person deletes an endpoint, and what is within it."""
    together = world.together
    for unit in within(together, machine.id):
        unit.gone_at = world.now
        world.judge.strangers.pop(unit.id, None)
    together.remove(machine.id, world.now)


# -- what a person does within an endpoint of API v2 -----------------------------------------------


def _inside(change: Callable[[World, Machine], None]) -> Happening:
    def run(world: World) -> None:
        machine = recorded(world)
        assert machine is not None
        world.trace.append(f"{world.now:.0f} in {machine.id}")
        change(world, machine)

    return Happening(run, _second)


def _second(world: World) -> bool:
    """Whether the recorded endpoint is one of API v2."""
    machine = recorded(world)
    return machine is not None and machine.api is Api.V2 and len(world.judge.strangers) < 3


def _undeploy(world: World, machine: Machine) -> None:
    """A person stops and deletes the deployment that serves."""
    unit = serving(world)
    if isinstance(unit, Unit):
        machine.traffic = tuple(w for w in machine.traffic if w.deployment_id != unit.id)
        unit.gone_at = world.now


def _unroute(world: World, machine: Machine) -> None:
    unit = serving(world)
    if unit is not None:
        machine.traffic = tuple(w for w in machine.traffic if w.deployment_id != unit.id)


def _test_beside(world: World, machine: Machine) -> None:
    world.deploy_by_hand(machine, weight=25.0)


def _end_test(world: World, machine: Machine) -> None:
    """A person deletes what a person made."""
    for unit in within(world.together, machine.id):
        if unit.id in world.judge.strangers:
            machine.traffic = tuple(w for w in machine.traffic if w.deployment_id != unit.id)
            unit.gone_at = world.now
            del world.judge.strangers[unit.id]


def _take_name(world: World) -> None:
    body = world.body
    assert body is not None
    world.beside(body.desired().endpoint_name(CLUSTER))


def _name_free(world: World) -> bool:
    body = world.body
    return body is not None and not taken(
        world.together, "red", body.desired().endpoint_name(CLUSTER)
    )


def _key(key: str | None) -> Happening:
    def run(world: World) -> None:
        world.trace.append(f"{world.now:.0f} key {key}")
        world.cluster.key = key

    return Happening(run, lambda world: world.cluster.key != key)


def _switch(name: str, value: object) -> Happening:
    def run(world: World) -> None:
        world.trace.append(f"{world.now:.0f} {name}={value}")
        setattr(world.together, name, value)

    return Happening(run, lambda world: getattr(world.together, name) != value)


def _lag(seconds: float) -> Happening:
    def run(world: World) -> None:
        world.lag = seconds

    return Happening(run, lambda world: world.lag != seconds)


def _deny(world: World) -> None:
    world.trace.append(f"{world.now:.0f} K1 is revoked")
    world.together.denied.add("K1")


def _allow(world: World) -> None:
    world.together.denied.discard("K1")


def _forbid(world: World) -> None:
    world.forbidden = "Too expensive"


def _permit(world: World) -> None:
    world.forbidden = None


def _annotate(note: str) -> Happening:
    def run(world: World) -> None:
        world.annotate(note, f"t{world.now:.0f}")

    return Happening(run, _living)


def _wipe(world: World) -> None:
    world.wipe_status()


def _traces(world: World) -> int:
    """How many of finalizer, annotation and record tell of a past; never all are lost at once."""
    body = world.body
    if body is None:
        return 0
    return sum((body.held, names.OWNER_UID in body.annotations, body.status.operation is not None))


def _recognised(world: World) -> bool:
    """Whether marks still tell what is ours: without a record there is nothing else."""
    if _traces(world) == 1:
        return False
    machine = recorded(world)
    if machine is None or machine.api is Api.V2:
        return not _copies(world)
    return Marker.parse(machine.display_name) is not None


def _copies(world: World) -> bool:
    """Whether a person has copied a name that bears the resource's mark."""
    together = world.together
    theirs = [m.display_name for m in together.living() if m.owner is None]
    units = [together.deployments[stranger] for stranger in world.judge.strangers]
    theirs += [f" {unit.name.partition('-')[2]}" for unit in units if unit.alive]
    marks = [Marker.parse(name) for name in theirs]
    return any(mark is not None and mark.owner == owner_tag(UID) for mark in marks)


def _strip_finalizer(world: World) -> None:
    world.cluster.strip(UID, finalizer=True)
    world.wake(UID)


def _strip_note(world: World) -> None:
    world.cluster.strip(UID, finalizer=False)
    world.wake(UID)


def _touch(world: World) -> None:
    world.cluster.touch(UID)


def _deaf(world: World) -> None:
    world.deaf = not world.deaf
    if not world.deaf:
        world.wake(UID)


def _kill(world: World) -> None:
    for process in world.processes:
        world.kill(process)


def _foreign(world: World) -> None:
    world.by_hand("somebody else's")


def _foreign_marked(world: World) -> None:
    world.by_hand("other tep-aaaaaa-bbbbbbbbbbbb-cccc")


def _pile(world: World) -> bool:
    return len(world.together.machines) < 8


HAPPENINGS: dict[str, Happening] = {
    "scale": _edit(autoscaling=Autoscaling(min_replicas=2, max_replicas=3)),
    "scale back": _edit(autoscaling=Autoscaling(min_replicas=1)),
    "rename": _edit(display_name="A new name"),
    "stop": _edit(state=State.STOPPED),
    "start": _edit(state=State.STARTED),
    "timeout": _edit(inactive_timeout_minutes=30),
    "suspend": _edit(suspend=True),
    "resume": _edit(suspend=False),
    "policy stop": _edit(deletion_policy=DeletionPolicy.STOP),
    "policy retain": _edit(deletion_policy=DeletionPolicy.RETAIN),
    "policy delete": _edit(deletion_policy=None),
    "recreate": _edit(on_missing=OnMissing.RECREATE),
    "report": _edit(on_missing=OnMissing.REPORT),
    "typo": Happening(lambda world: world.edit(hardware=BAD_HARDWARE), free),
    "correction": Happening(lambda world: world.edit(hardware=HARDWARE), free),
    "reconcile": _annotate(names.RECONCILE_REQUESTED_AT),
    "restart": _annotate(names.RESTART_REQUESTED_AT),
    "move": Happening(lambda world: world.edit(api=Api.V2), _may_move),
    "call off": Happening(lambda world: world.edit(api=Api.V1), _moves),
    "confirm": _edit(migration=MigrationOptions(confirm=True)),
    "delete": Happening(lambda world: world.delete(), _living),
    "delete CRD": Happening(lambda world: world.undefine(), _crd_stays),
    "touch": Happening(_touch, _alive),
    "wipe status": Happening(_wipe, lambda world: _alive(world) and _recognised(world)),
    "strip owner": Happening(_strip_note, lambda world: _alive(world) and _traces(world) > 1),
    "strip finalizer": Happening(
        _strip_finalizer, lambda world: _living(world) and _traces(world) > 1
    ),
    "key K1": _key("K1"),
    "key K2": _key("K2"),
    "key K3": _key("K3"),
    "key gone": _key(None),
    "key revoked": Happening(_deny, lambda world: "K1" not in world.together.denied),
    "key allowed": Happening(_allow, lambda world: "K1" in world.together.denied),
    "guard": Happening(_forbid, lambda world: world.forbidden is None),
    "no guard": Happening(_permit, lambda world: world.forbidden is not None),
    "down": _switch("down", True),
    "up": _switch("down", False),
    "limited": _switch("limited", True),
    "unlimited": _switch("limited", False),
    "full": _switch("full", True),
    "capacity": _switch("full", False),
    "retired": _switch("retired", True),
    "classic": _switch("retired", False),
    "slow unlist": _switch("unlist", 20.0),
    "clock behind": _switch("skew", -500.0),
    "lag": _lag(60.0),
    "half lag": _lag(30.0),
    "no lag": _lag(0.0),
    "idle stop": _force("STOPPING"),
    "error": _force("ERROR", "FAILED"),
    "unknown state": _force("MIGRATING"),
    "known state": _force("STARTED", "READY"),
    "console stop": _force("STOPPED"),
    "console start": _force("STARTING", "PROVISIONING"),
    "console rename": _remote(_rename),
    "console scale": _remote(_scale),
    "console delete": Happening(
        lambda world: delete_by_hand(world, recorded(world)),  # type: ignore[arg-type]
        lambda world: recorded(world) is not None and not _copies(world),
    ),
    "console copies name": Happening(
        lambda world: _copy_name(world, recorded(world)),  # type: ignore[arg-type]
        lambda world: recorded(world) is not None and _pile(world),
    ),
    "console undeploy": _inside(_undeploy),
    "console unroute": _inside(_unroute),
    "a test beside": _inside(_test_beside),
    "the test ends": _inside(_end_test),
    "name taken": Happening(_take_name, _name_free),
    "foreign": Happening(_foreign, _pile),
    "foreign marked": Happening(_foreign_marked, _pile),
    "kill": Happening(_kill),
    "deaf": Happening(_deaf),
}
"""Every move, by name."""
