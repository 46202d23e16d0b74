"""Through everything that can happen, the simplest first, until a promise is broken.

A way is the simpler the fewer moves it has, and a fault or an event counts for `PRICE` moves: so
long runs in which one thing goes wrong are visited before short ones in which everything does, and
the way to a violation is the one that is the easiest to read.

Three things are asked of every state: that no promise is broken on the way to it (the judge of the
world says so), that from it, once nothing goes wrong any more, all comes to rest (G4), and that
what is at rest is right.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush

from tests.core.cluster_model import Body
from tests.core.judge import Violation
from tests.core.together_model import Machine
from tests.core.world import World
from together_operator.core.marker import owner_tag
from together_operator.resource.endpoint_status import Role
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.spec import Api, Replacement, State

from .identity import key
from .mixes import Mix
from .moves import Move, Scene, fair, moves, play, thoughts

PRICE = 10
"""Moves for which a fault or an event counts."""

LONGEST_REST = 600
"""Moves within which all must have come to rest when nothing goes wrong any more."""


@dataclass
class Result:
    """What a search came to.

    Attributes:
        states: How many states there are, or were visited.
        complete: Whether there are no others.
        depth: The moves of the longest way that was needed.
        settled: From how many states it was found that all comes to rest.
        seconds: How long it took.
        violation: The promise that was broken, if one was.
        way: The moves that lead there, of all ways the simplest.
    """

    states: int = 0
    complete: bool = False
    depth: int = 0
    settled: int = 0
    seconds: float = 0.0
    violation: str | None = None
    way: tuple[Move, ...] = ()


Queue = list[tuple[int, int, Scene]]


@dataclass
class _Search:
    mix: Mix
    ids: dict[int, int] = field(default_factory=dict)
    parents: list[tuple[int, Move]] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    next: list[int] = field(default_factory=list)
    resting: bytearray = field(default_factory=bytearray)
    queue: Queue = field(default_factory=list)

    def add(self, scene: Scene, form: int, parent: int, move: Move) -> int:
        """A state that was not known, reached from another by a move."""
        number = len(self.parents)
        self.ids[form] = number
        self.parents.append((parent, move))
        self.depths.append(0 if parent < 0 else self.depths[parent] + 1)
        self.next.append(-1)
        self.resting.append(at_rest(scene.world))
        heappush(self.queue, (self._cost(number, scene), number, scene))
        return number

    def _cost(self, number: int, scene: Scene) -> int:
        left = scene.faults + len(scene.events)
        return self.depths[number] - PRICE * left

    def shorten(self, number: int, scene: Scene, parent: int, move: Move) -> None:
        """A shorter way to a state that is known and has not been visited."""
        if self.depths[parent] + 1 < self.depths[number] and self.next[number] < 0:
            self.parents[number] = (parent, move)
            self.depths[number] = self.depths[parent] + 1
            heappush(self.queue, (self._cost(number, scene), number, scene))

    def way(self, number: int) -> tuple[Move, ...]:
        """The moves that lead to a state."""
        found: list[Move] = []
        while number > 0:
            number, move = self.parents[number]
            found.append(move)
        return tuple(reversed(found))


def form(scene: Scene) -> int:
    """A number for what tells a scene from others."""
    return hash((key(scene.world), scene.faults, scene.events, scene.deposed))


def search(mix: Mix, limit: int, samples: int = 200) -> Result:
    """Visit what can happen in a mix, the nearest first.

    Args:
        mix: The mix.
        limit: How many states to visit at most.
        samples: From how many of the states that were reached last, and not gone on with, all is
            played to its rest.

    Returns:
        What came of it; the way to a violation is the shortest.
    """
    began = time.monotonic()
    found = _Search(mix)
    result = Result()
    scene = mix.scene()
    found.add(scene, form(scene), -1, Move("begin"))
    try:
        while found.queue:
            _, number, scene = found.queue[0]
            if found.next[number] < 0 and not _expand(found, number, scene, limit):
                break
            heappop(found.queue)
        result.complete = not found.queue
        result.settled = _settles(found, samples)
    except _Broken as broken:
        result.violation = str(broken)
        result.way = (*found.way(broken.number), *broken.moves)
    result.states = len(found.parents)
    result.depth = max(found.depths, default=0)
    result.seconds = time.monotonic() - began
    return result


class _Broken(Exception):  # noqa: N818 (it tells what happened)
    def __init__(self, number: int, moves: Iterable[Move], what: str) -> None:
        super().__init__(what)
        self.number, self.moves = number, tuple(moves)


def _expand(found: _Search, number: int, scene: Scene, limit: int) -> bool:
    """Visit what comes next; `False` if there is no room for all of it."""
    after: list[tuple[int, Scene, Move]] = []
    known = thoughts(scene.world)
    for move in moves(scene, found.mix.faults, known):
        try:
            following = play(scene, move, known)
        except Violation as violation:
            raise _Broken(number, (move,), str(violation)) from violation
        after.append((form(following), following, move))
    fresh = {one for one, _, _ in after} - found.ids.keys()
    if len(found.parents) + len(fresh) > limit:
        return False
    for one, following, move in after:
        if one not in found.ids:
            found.add(following, one, number, move)
        else:
            found.shorten(found.ids[one], following, number, move)
        if found.next[number] < 0:
            found.next[number] = found.ids[one]  # the first move is the fair one
    return True


# -- rest ------------------------------------------------------------------------------------------


def _settles(found: _Search, samples: int) -> int:
    """See that from every state all comes to rest; from how many that was found."""
    good = bytearray(found.resting)
    unknown = {number: scene for _, number, scene in found.queue if found.next[number] < 0}
    open_ends = sorted(unknown)
    step = max(1, len(open_ends) // samples) if samples else 1
    seen: set[int] = set()
    for number in open_ends[::step]:
        _play_to_rest(number, unknown[number], seen)
        good[number] = 1
    settled = 0
    for number in range(len(found.parents)):
        path: list[int] = []
        on_path: set[int] = set()
        at = number
        while not good[at] and found.next[at] >= 0:
            if at in on_path:
                raise _Broken(at, (), f"G4: it never comes to rest; {len(path)} moves go round")
            on_path.add(at)
            path.append(at)
            at = found.next[at]
        if good[at]:
            for one in path:
                good[one] = 1
            settled += 1
    return settled


def _play_to_rest(number: int, scene: Scene, seen: set[int]) -> None:
    way: list[Move] = []
    for _ in range(LONGEST_REST):
        if at_rest(scene.world):
            return
        one = form(scene)
        if one in seen:
            return
        seen.add(one)
        move = fair(scene.world)
        way.append(move)
        try:
            scene = play(scene, move)
        except Violation as violation:
            raise _Broken(number, way, str(violation)) from violation
    raise _Broken(number, way, f"G4: it has not come to rest after {LONGEST_REST} moves")


def at_rest(world: World) -> bool:
    """Whether nothing is on its way, and what is told is true and as it was asked."""
    if world.frozen or world.together.flights or world.ready() or world.deaf:
        return False
    if any(one.alive and one.state in world.together.life for one in world.together.things()):
        return False
    if any(work.flying for process in world.processes for work in process.works.values()):
        return False
    # A name without anything in it costs nothing, and nobody can tell whose it was.
    left = [m.owner for m in world.together.living() if m.api is Api.V1 or world.judge.bounded]
    left += [unit.owner for unit in world.together.deployments.values() if unit.alive]
    if any(owner in world.judge.departed for owner in left):
        return False
    return all(_right(world, body) for body in world.cluster.bodies.values())


def _right(world: World, body: Body) -> bool:
    conditions = {c.type: c for c in body.status.conditions}
    if not conditions:
        return False
    if body.spec.suspend:
        return True
    mine = [m for m in world.together.living() if m.owner == owner_tag(body.uid)]
    if conditions[ConditionType.STALLED].status == "True":
        failed = conditions[ConditionType.READY].reason == Reason.REPLACEMENT_FAILED
        undone = failed and not body.deleting and not _alone(world, body, mine[0])
        most = 1 if body.status.migration is None else 2
        return body.deleting or (len(mine) <= most and not undone)
    ready = conditions[ConditionType.READY]
    if ready.status != "True" or body.deleting:
        return False
    recorded = [m for m in world.together.living() if m.id == body.status.endpoint_id]
    beside = body.status.beside
    coming = [m for m in mine if beside is not None and m.id == beside.endpoint_id]
    if beside is not None and not (_unconfirmed(body) and len(coming) == 1):
        return False
    if len(recorded) != 1 or [m for m in mine if m not in (*recorded, *coming)]:
        return False
    if beside is None and body.spec.api is Api.V2 and recorded[0].api is Api.V1:
        return False
    wanted = {"STARTED"} if body.spec.state is State.STARTED else {"STOPPED"}
    if ready.reason == Reason.IDLE_STOPPED:
        wanted = {"STOPPED"}
    return world.together.word(recorded[0]) in wanted and _as_asked(world, body, recorded[0])


def _as_asked(world: World, body: Body, machine: Machine) -> bool:
    """Whether there is one, and it is what is asked for now."""
    swapped = body.spec.replacement is Replacement.SWAP
    found = {unit.hardware for unit in world.units(body.uid)} if swapped else set()
    return found <= {body.spec.hardware} and _alone(world, body, machine)


def _unconfirmed(body: Body) -> bool:
    """Whether two endpoints are there because a person has yet to say that one of them may go."""
    told = {c.type: c.reason for c in body.status.conditions}[ConditionType.READY]
    wish = body.spec.migration
    confirmed = wish is not None and wish.confirm
    return told == Reason.MIGRATION_UNCONFIRMED and body.spec.api is Api.V2 and not confirmed


def _alone(world: World, body: Body, machine: Machine) -> bool:
    """Whether what is within an endpoint of API v2 is what is on record, and serves."""
    if machine.api is Api.V1:
        return True
    mine = [u.id for u in world.units(body.uid) if u.endpoint_id == machine.id]
    current = [d.id for d in body.status.deployments if d.role == Role.CURRENT]
    routed = {w.deployment_id for w in machine.traffic if w.weight > 0}
    if mine != current or len(body.status.deployments) != 1:
        return False
    return body.spec.state is State.STOPPED or current[0] in routed
