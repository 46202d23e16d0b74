"""What may happen next in a world: steps that turn out well or badly, events, and time.

A move is a small value, so that the way to a violation is a list of moves that can be played again
and told. Faults and events are counted in a purse: within one mix of faults a search visits
everything that so many of them can bring about, in every order and at every moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, get_args

from tests.core.cluster_model import Body
from tests.core.happenings import HAPPENINGS
from tests.core.work_model import Thought
from tests.core.world import World, single
from together_operator.core import steps
from together_operator.core.memory import Memory
from together_operator.core.steps import (
    Create,
    Delete,
    Deploy,
    Finish,
    KeepKey,
    List,
    Look,
    Prepare,
    Record,
    Route,
    Start,
    Step,
    Stop,
    Undeploy,
    Update,
    Wait,
    Write,
    needs_lease,
)

from .canon import settle
from .events import LEASE, happen, may_happen

_WRITES = get_args(Write)
_ANY = tuple(kind for kind in get_args(Step) if kind is not Wait)
_KUBE = (Record, Prepare, Finish, KeepKey)

FAULTS: dict[str, tuple[tuple[tuple[type[Step], ...], str], ...]] = {
    "lost reply": (((Create, Deploy, *_WRITES), "lost"),),
    "no effect": (((Create, Deploy, *_WRITES), "nothing"),),
    "late effect": (((Create, Deploy, *_WRITES), "late"), ((Create,), "flying-late")),
    "slow": (((Create,), "flying"), ((Create,), "flying-lost"), ((Record,), "slow")),
    "held up": (((Create, Deploy), "paused"),),
    "not sent": (((Create, Deploy), "unsent"),),
    "no capacity": (((Create, Deploy, Start), "refused"),),
    "refused": (((Create, Deploy), "refused-for-good"),),
    "out of order": (((Start, Stop, Update, Undeploy, Route, Delete), "refused"),),
    "conflict": (((Record, Prepare, Finish), "conflict"),),
    "write lost": ((_KUBE, "lost"),),
    "false 404": (((Delete, Deploy, Undeploy, Route), "absent"),),
    "silence": (((List, Look), "down"),),
    "kill": ((_ANY, "kill"), ((Finish,), "kill-between"), ((Create, Deploy), "kill-late")),
}  # fmt: skip
"""In which ways a step can turn out badly, by the name of the fault."""


class Move(NamedTuple):
    """One thing that happens.

    Attributes:
        kind: `step`, `fault`, `event`, `wait`, `stop`, `wake`, `hear` or `kill`.
        who: The process that takes a step, or that is stopped, woken or killed.
        uid: The resource that is worked on.
        what: How a step turns out, or what happens.
    """

    kind: str
    who: str = ""
    uid: str = ""
    what: str = ""


WAIT = Move("wait")


@dataclass(frozen=True, slots=True)
class Scene:
    """A world, and what may still happen to it.

    Attributes:
        world: The world.
        faults: How many faults are left.
        events: Events that may still happen.
        deposed: A process that no longer leads and has not noticed yet (create-once rule 15).
    """

    world: World
    faults: int
    events: tuple[str, ...]
    deposed: str = ""


def fair(world: World) -> Move:
    """What happens next when nothing goes wrong any more."""
    if world.frozen:
        return Move("wake", min(world.frozen))
    if world.deaf:
        return Move("hear")
    for process, uid in world.ready():
        return Move("step", process.name, uid, "ok")
    return WAIT


Thoughts = dict[tuple[str, str], Thought | None]
"""What each process that has something to do would do next, by its name and the resource's uid."""


def thoughts(world: World) -> Thoughts:
    """What everybody would do next."""
    return {
        (process.name, uid): think(world.clone(), process.name, uid)
        for process, uid in world.ready()
    }


def moves(scene: Scene, faults: frozenset[str], known: Thoughts) -> list[Move]:
    """Everything that may happen next, the fair move first.

    Args:
        scene: The world, and what is left in the purse.
        faults: The faults of the mix.
        known: What everybody would do next.
    """
    world = scene.world
    first = fair(world)
    found = [first]
    ready = world.ready()
    found += [Move("step", process.name, uid, "ok") for process, uid in ready]
    if not ready:
        found.append(WAIT)
    found += [Move("wake", name) for name in sorted(world.frozen)]
    found += [
        Move("event", what=name) for name in dict.fromkeys(scene.events) if may_happen(world, name)
    ]
    if scene.faults:
        found += _faulty(world, known, faults)
    return list(dict.fromkeys(found))


def _faulty(world: World, known: Thoughts, faults: frozenset[str]) -> list[Move]:
    found: list[Move] = []
    for (name, uid), thought in known.items():
        if thought is None:
            continue
        step = single(thought)
        for fault in sorted(faults & FAULTS.keys()):
            for kinds, label in FAULTS[fault]:
                if isinstance(step, kinds):
                    found.append(Move("fault", name, uid, label))
    if "kill" in faults:
        idle = {p.name for p in world.processes} - {name for name, _ in known}
        found += [Move("kill", name) for name in sorted(idle)]
    if "SIGSTOP" in faults and not world.frozen:
        found += [Move("stop", process.name) for process in world.processes]
    return found


def think(world: World, name: str, uid: str) -> Thought | None:
    """What one process would do next about a resource."""
    process = next(p for p in world.processes if p.name == name)
    world.nonces = _unused(world)
    return process.think(world, uid)


def _unused(world: World) -> int:
    """So many letters have been drawn that the next draws are ones that are nowhere to be seen.

    Two are drawn where a resource has two endpoints.
    """
    used: set[str] = set()
    for body in world.cluster.bodies.values():
        _recorded(body, used)
    for unit in world.together.deployments.values():
        used.add(unit.name)
    for machine in world.together.machines.values():
        used.add(machine.nonce or "")
    for flight in world.together.flights:
        used.add(getattr(flight.what, "display_name", None) or "")
        used.add(flight.deployment or "")
    for nonces in world.cluster.tombstones.values():
        used.update(nonces)
    for process in world.processes:
        for work in process.works.values():
            if work.body is not None:
                _recorded(work.body, used)
            for memory in filter(None, (work.memory, work.memory.beside)):
                _remembered(memory, used)
            if work.flying is not None:
                used.add(steps.single(work.flying.step).nonce)
    tails = {text[-4:] for text in used}
    number = 0
    while {_letters(number), _letters(number + 1)} & tails:
        number += 1
    return number


@cache
def _letters(number: int) -> str:
    """What is drawn after so many draws."""
    return World(nonces=number).draw_nonce()


def _recorded(body: Body, used: set[str]) -> None:
    for status in filter(None, (body.status, body.status.beside)):
        used.update(entry.name for entry in status.deployments)
        operation = status.operation
        if operation is not None:
            used.update((operation.nonce, *operation.open, operation.deploying or ""))


def _remembered(memory: Memory, used: set[str]) -> None:
    drawn = (memory.fence, memory.answer, memory.draft)
    used.update(one.nonce for one in drawn if one is not None)
    used.update(subject for subject, _ in memory.first_sight)


def play(scene: Scene, move: Move, known: Thoughts | None = None, *, form: bool = True) -> Scene:
    """Have one thing happen; what it started from stays as it was.

    Args:
        scene: What there is.
        move: What happens.
        known: What everybody would do next, if that is known.
        form: Whether the world is brought into its one form afterwards.

    Raises:
        Violation: A promise was broken.
    """
    world = scene.world.clone()
    faults, events, deposed = scene.faults, scene.events, scene.deposed
    match move.kind:
        case "step" | "fault":
            _step(world, move, deposed, known)
            faults -= move.kind == "fault"
        case "wait":
            world.pass_time(1.0)
            if deposed and deposed not in world.frozen:
                # A lost Lease ends the process.
                world.processes = [p for p in world.processes if p.name != deposed]
                deposed = ""
        case "event":
            if move.what == LEASE:
                deposed = world.processes[0].name
            happen(world, move.what)
            left = list(events)
            left.remove(move.what)
            events = tuple(left)
        case "stop":
            world.frozen.add(move.who)
            faults -= 1
        case "hear":
            HAPPENINGS["deaf"].run(world)
        case "wake":
            world.frozen.discard(move.who)
        case "kill":
            world.kill(next(p for p in world.processes if p.name == move.who))
            faults -= 1
    world.judge.look(world)
    if form:
        settle(world)
    return Scene(world, faults, events, deposed)


def _step(world: World, move: Move, deposed: str, known: Thoughts | None) -> None:
    process = next(p for p in world.processes if p.name == move.who)
    thought = known.get((move.who, move.uid)) if known else None
    if thought is None:
        thought = think(world, move.who, move.uid)
        if thought is None:
            return
    else:
        process.mind(thought)
    if process.name == deposed and needs_lease(thought.decision.step):
        # PATCH and DELETE need a Lease with time left (create-once rule 15).
        world.processes.remove(process)
        return
    world.act(process, thought, move.what)
