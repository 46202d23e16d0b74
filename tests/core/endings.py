"""How a story ends: nothing goes wrong any more, a person does what the status says, all settles.

Whatever happened before, in the end what the resource asks for is what is true, or the status says
that only deleting it is left; then it is quiet, and it goes without a trace.
"""

from __future__ import annotations

from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import Api, State

from .deployments_model import Unit
from .happenings import delete_by_hand, free, recorded, serving
from .judge import Violation
from .together_model import Machine
from .world import HARDWARE, UID, World

DEADLINE = 3600.0
"""Seconds within which everything has settled once faults have ended: three attempts, each with
its settle time and two polls, and the longest back-off twice."""

QUESTIONS = {
    Reason.INCONCLUSIVE_SCAN,
    Reason.ATTEMPTS_EXHAUSTED,
    Reason.MARKERS_LOST,
    Reason.CREDENTIAL_MISMATCH,
}


def end_faults(world: World) -> None:
    """Nothing goes wrong any more; what is on its way still arrives."""
    together = world.together
    together.down = together.limited = together.full = together.omitting = False
    together.hiding = 0
    # One operator leads again; that two do no harm is what they were there to show.
    del world.processes[1:]
    together.denied.clear()
    for thing in together.things():
        if thing.state == "MIGRATING":
            running = "STARTED" if isinstance(thing, Machine) else "READY"
            thing.state, thing.since = running, world.now
    world.lag = 0.0
    world.forbidden = None
    world.deaf = False
    world.frozen.clear()
    world.trace.append(f"{world.now:.0f} faults end")
    world.wake(UID)


def mend(world: World) -> None:
    """A person reads the status and does what it says, honestly."""
    body = world.body
    assert body is not None
    end_faults(world)
    world.together.retired = False
    operation = body.status.operation
    made = operation.credential if operation is not None else "K1"
    world.cluster.key = world.cluster.copies.get(UID, made)
    if body.spec.suspend:
        world.edit(suspend=False)
    if body.deleting:
        _release(world)
        return
    if body.spec.hardware != HARDWARE and free(world):
        world.edit(hardware=HARDWARE)
    reason = world.reason()
    if reason in QUESTIONS:
        answer_claim(world)
    elif reason == Reason.NAME_TAKEN:
        for machine in [m for m in world.together.living() if m.api is Api.V2 and m.owner is None]:
            delete_by_hand(world, machine)
    elif reason in (Reason.IDLE_STOPPED, Reason.STOPPED_REMOTELY, Reason.ENDPOINT_FAILED):
        world.annotate(names.RESTART_REQUESTED_AT, f"t{world.now:.0f}")
    else:
        world.annotate(names.RECONCILE_REQUESTED_AT, f"t{world.now:.0f}")
        machine = recorded(world)
        if machine is not None and world.together.word(machine) in ("STOPPED", "ERROR"):
            world.annotate(names.RESTART_REQUESTED_AT, f"t{world.now:.0f}")


def answer_claim(world: World) -> None:
    """Say truthfully what belongs to the resource."""
    mine = world.mine()
    answer = mine[0].id if mine else "none"
    if mine:
        world.judge.granted.add((UID, answer))
    world.annotate(names.CLAIM, answer)


def _release(world: World) -> None:
    """Look after what blocks a deletion."""
    if world.reason() != Reason.DELETION_BLOCKED:
        return
    body = world.body
    assert body is not None
    for machine in world.together.living():
        if machine.id in world.condition().message:
            delete_by_hand(world, machine)
    world.annotate(names.RELEASE, f"{body.status.endpoint_id or 'unresolved'}")


def finish(world: World) -> None:
    """It settles, a person mends what is told, it is quiet, and it goes without a trace."""
    end_faults(world)
    world.run(DEADLINE)
    _expect(world, world.settled(), "it has not settled")
    for _ in range(6):
        if world.body is None or _carried_out(world):
            break
        mend(world)
        world.run(DEADLINE)
    if world.body is not None and not world.body.deleting:
        _expect(world, _carried_out(world) or _beyond_help(world), "it is not as it was asked")
        _quiet(world)
        world.edit(deletion_policy=None)
        world.delete()
        world.run(600.0)
        for _ in range(3):
            if world.body is not None:
                mend(world)
                world.run(600.0)
    _expect(world, world.body is None, "it does not go")


def _carried_out(world: World) -> bool:
    """Whether what the resource says is what is true."""
    body = world.body
    if body is None or body.deleting or world.condition().status != "True":
        return False
    machine = recorded(world)
    if machine is None:
        return False
    if machine.api is Api.V2:
        return _runs_as_asked(world, machine, serving(world))
    wanted = "STARTED" if body.spec.state is State.STARTED else "STOPPED"
    return (
        machine.state == wanted
        and machine.bounds == body.desired().bounds
        and machine.minutes == body.spec.inactive_timeout_minutes
        and machine.display_name.startswith(body.desired().human_name)
    )


def _runs_as_asked(world: World, machine: Machine, unit: Machine | Unit | None) -> bool:
    body = world.body
    assert body is not None
    if unit is None or unit.minutes != body.spec.inactive_timeout_minutes:
        return False
    if body.spec.state is State.STOPPED:
        return unit.state == "STOPPED"
    routed = any(w.deployment_id == unit.id and w.weight > 0 for w in machine.traffic)
    return unit.state == "READY" and unit.bounds == body.desired().bounds and routed


def _beyond_help(world: World) -> bool:
    """Whether only deleting the resource is left, and the status says so.

    A refused order beside an attempt that may yet take effect cannot be corrected in place.
    """
    body = world.body
    assert body is not None
    if world.reason() == Reason.ENDPOINT_FAILED:
        return body.spec.state is State.STOPPED
    fixed = body.spec.hardware != HARDWARE and not free(world)
    return world.reason() == Reason.REMOTE_MISSING or (
        fixed and world.reason() == Reason.INVALID_HARDWARE
    )


def _quiet(world: World) -> None:
    """I4: when nothing changes, nothing is written and next to nothing is done."""
    before = (world.cluster.writes, world.judge.remote_writes)
    steps = world.steps
    world.run(3 * world.timing.drift)
    _expect(
        world, (world.cluster.writes, world.judge.remote_writes) == before, "I4: it is not quiet"
    )
    _expect(world, world.steps - steps < 400, f"I4: {world.steps - steps} steps at rest")


def _expect(world: World, right: bool, what: str) -> None:
    if not right:
        body = world.body
        told = "gone" if body is None else f"{world.reason()}: {world.condition().message}"
        raise Violation(f"{what} ({told})")
