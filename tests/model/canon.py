"""One form for all worlds that cannot be told apart, so that a search sees each of them once.

Nothing in a decision depends on what time it is, only on how long ago things happened; not on a
resourceVersion, only on whether it is still the same. So a world is put back to one fixed now, and
its versions are numbered anew. How long ago something happened is kept exactly, until everything
that the protocol waits for is over: gaps without any event in them are cut to `LONGEST` ticks,
which keeps the order of all events and every difference that a decision can notice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

from tests.core.account_model import Account
from tests.core.cluster_model import Body
from tests.core.deployments_model import Unit
from tests.core.process_model import Process, Work
from tests.core.together_model import EPOCH, Machine
from tests.core.world import World
from together_operator.core.memory import Memory
from together_operator.core.observed import Poll
from together_operator.resource.endpoint_status import OperationPhase
from together_operator.resource.spec import Api
from together_operator.resource.status import Status
from together_operator.resource.times import format_time, parse_time

NOW = 1000.0
"""The one moment at which every canonical world stands."""

LONGEST = 9.0
"""Ticks without an event after which more of them make no difference."""

_STEADY = frozenset(
    {"ending", "born", "began", "at", "sent_at", "first", "last", "not_found", "probed_at",
     "queued_since", "details_at", "marked_at"}
)  # fmt: skip
_WALL = frozenset({"created_at", "date", "removed_at"})
_TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"')
_ALWAYS = format_time(EPOCH)
_FAR = 50.0

Mapping = Callable[[float], float]


# -- values with times in them ---------------------------------------------------------------------


@cache
def _plan(kind: type) -> tuple[tuple[str, str], ...]:
    """Which fields of a kind of value hold times, and which hold values that may."""
    plan = []
    for one in fields(kind):
        if one.name in _STEADY:
            plan.append((one.name, "steady"))
        elif one.name in _WALL:
            plan.append((one.name, "wall"))
        elif one.name == "first_sight":
            plan.append((one.name, "sights"))
        elif one.name == "empties":
            plan.append((one.name, "list"))
        elif one.type not in ("str", "bool", "int", "str | None"):
            plan.append((one.name, "value"))
    return tuple(plan)


def _times(value: Any, found: set[float]) -> None:
    """Collect every time in a value."""
    if isinstance(value, tuple):
        for one in value:
            _times(one, found)
    elif isinstance(value, dict):
        for one in value.values():
            _times(one, found)
    elif is_dataclass(value):
        for name, kind in _plan(type(value)):
            inner = getattr(value, name)
            if inner is None:
                continue
            if kind == "steady":
                found.add(inner)
            elif kind == "wall":
                found.add(inner - EPOCH)
            elif kind == "sights":
                found.update(at for _, at in inner)
            elif kind == "list":
                found.update(inner)
            else:
                _times(inner, found)


def _moved(value: Any, move: Mapping) -> Any:
    """The same value at another time."""
    if isinstance(value, tuple):
        return tuple(_moved(one, move) for one in value)
    if isinstance(value, dict):
        return {key: _moved(one, move) for key, one in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed: dict[str, Any] = {}
    for name, kind in _plan(type(value)):
        inner = getattr(value, name)
        if inner is None:
            continue
        if kind == "steady":
            new: Any = move(inner)
        elif kind == "wall":
            new = EPOCH + move(inner - EPOCH)
        elif kind == "sights":
            new = tuple((subject, move(at)) for subject, at in inner)
        elif kind == "list":
            new = tuple(move(at) for at in inner)
        else:
            new = _moved(inner, move)
        if new != inner:
            changed[name] = new
    return replace(value, **changed) if changed else value


# -- what makes no difference ----------------------------------------------------------------------


def _plain(world: World) -> None:
    """Leave out what nothing depends on any more."""
    together = world.together
    for machine in together.machines.values():
        if not machine.alive and world.now >= machine.listed_until:
            machine.created = machine.since = machine.listed_from = machine.gone_at = 0.0
            machine.listed_until = 0.0
    for thing in together.things():
        halted = isinstance(thing, Unit) and thing.state in ("STOPPED", "FAILED")
        if thing.state not in together.life and not halted:
            thing.since = 0.0
        if thing.listed_from <= world.now:
            thing.listed_from = 0.0
    for unit in together.deployments.values():
        if not unit.alive:
            unit.created = unit.since = unit.gone_at = 0.0
    for process in world.processes:
        for uid, work in process.works.items():
            _plain_work(world, uid, work)


def _plain_work(world: World, uid: str, work: Work) -> None:
    body = work.body or world.cluster.get(uid)
    operation = body.status.operation if body is not None else None
    memory = work.memory
    changes: dict[str, Any] = {}
    refused = operation is not None and operation.refusal is not None
    if operation is None or (operation.phase is not OperationPhase.REFUSED and not refused):
        changes["born"] = 0.0
    reads = body is not None and (body.deleting or body.spec.adopt is not None)
    # What is within an endpoint of API v2 is read whole.
    reads = reads or (body is not None and body.status.api == Api.V2)
    if not memory.rejections and not reads:
        changes["details_at"] = 0.0
    beside = memory.beside
    if beside is not None and not beside.rejections:
        changes["beside"] = replace(beside, born=0.0)
    if any(getattr(memory, name) != value for name, value in changes.items()):
        work.memory = replace(memory, **changes)
    if work.due is not None and work.due > world.now + _FAR:
        work.due = None


# -- time ------------------------------------------------------------------------------------------


def _all_times(world: World) -> set[float]:
    found: set[float] = set()
    for thing in world.together.things():
        found |= {thing.created, thing.since, thing.listed_from}
        if isinstance(thing, Machine):
            found.add(thing.listed_until)
        if thing.gone_at is not None:
            found.add(thing.gone_at)
    found.update(flight.at for flight in world.together.flights)
    found.add(world.together.omitted_at)
    for process in world.processes:
        for work in process.works.values():
            _times(work.memory, found)
            if work.due is not None:
                found.add(work.due)
            if work.flying is not None:
                found.add(work.flying.at)
                _times(work.flying.case.memory, found)
                _times(work.flying.outcome, found)
            if work.body is not None:
                _body_times(work.body, found)
        for account in process.accounts.values():
            found.add(account.polled_at)
            if account.poll is not None:
                _times(account.poll, found)
                _times(dict(account.poll.lines), found)
    for body in world.cluster.bodies.values():
        _body_times(body, found)
    if world.cluster.undefined is not None:
        found.add(world.cluster.undefined - EPOCH)
    return found


def _mapping(world: World) -> Mapping:
    """Shift every time so that it is `NOW`, and cut the gaps in the past."""
    now = world.now
    table: dict[float, float] = {}
    last, place = now, NOW
    past = sorted((t for t in _all_times(world) if 0.0 < t <= now), reverse=True)
    for time in past:
        place -= min(last - time, LONGEST)
        table[time] = place
        last = time
    shift = NOW - now

    def move(time: float) -> float:
        if time <= 0.0 or time == float("inf"):
            return time
        return table.get(time, time + shift)

    return move


def _rebase(world: World) -> None:
    move = _mapping(world)
    for thing in world.together.things():
        thing.created, thing.since = move(thing.created), move(thing.since)
        thing.listed_from = move(thing.listed_from)
        if isinstance(thing, Machine):
            thing.listed_until = move(thing.listed_until)
        if thing.gone_at is not None:
            thing.gone_at = move(thing.gone_at)
    together = world.together
    together.flights = tuple(replace(f, at=move(f.at)) for f in together.flights)
    together.omitted_at = move(together.omitted_at)
    for process in world.processes:
        for work in process.works.values():
            work.memory = _moved(work.memory, move)
            if work.due is not None:
                work.due = move(work.due)
            if work.flying is not None:
                flying = work.flying
                observed = flying.case.observed
                beside = observed.beside
                observed = replace(
                    observed,
                    memory=_moved(flying.case.memory, move),
                    poll=None,
                    beside=None if beside is None else replace(beside, poll=None),
                )
                work.flying = replace(
                    flying,
                    at=move(flying.at),
                    outcome=_moved(flying.outcome, move),
                    case=replace(flying.case, observed=observed, now=NOW),
                )
            if work.body is not None:
                work.body = _moved_body(work.body, move)
        for account in process.accounts.values():
            account.polled_at = move(account.polled_at)
            poll = account.poll
            if poll is not None:
                account.poll = replace(_moved(poll, move), lines=_moved(dict(poll.lines), move))
    for uid, body in world.cluster.bodies.items():
        world.cluster.bodies[uid] = _moved_body(body, move)
    if world.cluster.undefined is not None:
        world.cluster.undefined = EPOCH + move(world.cluster.undefined - EPOCH)
    world.now = NOW


# -- the resource ----------------------------------------------------------------------------------

_STATUSES: dict[str, tuple[dict[str, Any], Status]] = {}
_TEXTS: dict[int, tuple[Any, str]] = {}


def _text(body: Body) -> str:
    """The status as a text."""
    known = _TEXTS.get(id(body.raw_status))
    if known is None or known[0] is not body.raw_status:
        known = (body.raw_status, json.dumps(body.raw_status, sort_keys=True))
        _TEXTS[id(body.raw_status)] = known
    return known[1]


def _body_times(body: Body, found: set[float]) -> None:
    found.update(parse_time(at) - EPOCH for at in _TIME.findall(_text(body)))
    if body.deleted is not None:
        found.add(body.deleted - EPOCH)


def _with_text(body: Body, text: str) -> Body:
    known = _STATUSES.get(text)
    if known is None:
        raw = json.loads(text)
        known = (raw, Status.parse(raw))
        _STATUSES[text] = known
        _TEXTS[id(raw)] = (raw, text)
    return (
        body if body.raw_status is known[0] else replace(body, raw_status=known[0], status=known[1])
    )


def _moved_body(body: Body, move: Mapping) -> Body:
    def at(match: re.Match[str]) -> str:
        return f'"{format_time(EPOCH + move(parse_time(match.group(1)) - EPOCH))}"'

    deleted = None if body.deleted is None else EPOCH + move(body.deleted - EPOCH)
    if deleted != body.deleted:
        body = replace(body, deleted=deleted)
    return _with_text(body, _TIME.sub(at, _text(body)))


def _settled_body(body: Body) -> Body:
    """When a condition changed matters only for how long Together has not answered."""
    conditions = body.raw_status.get("conditions", ())
    dull = [c for c in conditions if (c["type"], c["status"]) != ("Synced", "False")]
    if all(c["lastTransitionTime"] == _ALWAYS for c in dull):
        return _with_text(body, _text(body))
    fresh = [{**c, "lastTransitionTime": _ALWAYS} if c in dull else c for c in conditions]
    return _with_text(body, json.dumps({**body.raw_status, "conditions": fresh}, sort_keys=True))


def _renumber(world: World) -> None:
    """Number the versions anew, in their order."""
    cluster = world.cluster
    versions = {body.version for body in cluster.bodies.values()}
    for process in world.processes:
        for work in process.works.values():
            if work.body is not None:
                versions.add(work.body.version)
            if work.flying is not None:
                versions.add(int(work.flying.case.desired.resource_version))
            if work.memory.prepared is not None:
                versions.add(int(work.memory.prepared))
            for subject, _ in work.memory.first_sight:
                if subject.startswith("lost@"):
                    versions.add(int(subject[5:]))
    number = {version: i for i, version in enumerate(sorted(versions), 1)}
    if cluster.version == len(number) and all(v == i for v, i in number.items()):
        return
    cluster.version = len(number)
    for uid, body in cluster.bodies.items():
        if body.version != number[body.version]:
            cluster.bodies[uid] = replace(body, version=number[body.version])
    for process in world.processes:
        for work in process.works.values():
            body_ = work.body
            if body_ is not None and body_.version != number[body_.version]:
                work.body = replace(body_, version=number[body_.version])
            if work.flying is not None:
                case = work.flying.case
                version = str(number[int(case.desired.resource_version)])
                desired = replace(case.desired, resource_version=version)
                work.flying = replace(work.flying, case=replace(case, desired=desired))
            work.memory = _numbered(work.memory, number)


def _numbered(memory: Memory, number: dict[int, int]) -> Memory:
    changes: dict[str, Any] = {}
    if memory.prepared is not None:
        changes["prepared"] = str(number[int(memory.prepared)])
    if any(subject.startswith("lost@") for subject, _ in memory.first_sight):
        changes["first_sight"] = tuple(
            (f"lost@{number[int(s[5:])]}" if s.startswith("lost@") else s, at)
            for s, at in memory.first_sight
        )
    if memory.beside is not None:
        changes["beside"] = _numbered(memory.beside, number)
    return replace(memory, **changes) if changes else memory


# -- the form --------------------------------------------------------------------------------------


def settle(world: World) -> None:
    """Bring a world into its one form, in place."""
    _plain(world)
    cluster = world.cluster
    for uid, body in cluster.bodies.items():
        cluster.bodies[uid] = _settled_body(body)
    for process in world.processes:
        for work in process.works.values():
            if work.body is not None:
                work.body = _settled_body(work.body)
    if world.now != NOW:
        _rebase(world)
    _renumber(world)
    world.steps = world.turns = world.nonces = 0


def key(world: World) -> Hashable:
    """What tells a settled world from others; the names of processes do not."""
    cluster, together, judge = world.cluster, world.together, world.judge
    return (
        tuple(_body_key(cluster.bodies[uid]) for uid in sorted(cluster.bodies)),
        (cluster.key, cluster.defined, cluster.undefined),
        tuple(sorted(cluster.copies.items())),
        tuple(sorted(cluster.tombstones.items())),
        tuple(_machine_key(machine) for machine in together.machines.values()),
        tuple(_unit_key(unit) for unit in together.deployments.values()),
        together.flights,
        (together.down, together.limited, together.full, together.retired),
        (together.omitting, together.hiding, together.omitted_at, frozenset(together.denied)),
        frozenset(judge.licences),
        (frozenset(judge.granted), frozenset(judge.strangers)),
        (frozenset(judge.departed), frozenset(judge.unasked), frozenset(judge.replacing)),
        (frozenset(judge.tried), frozenset(judge.moving), frozenset(judge.confirmed)),
        (world.forbidden, world.rival, world.deaf, world.lag),
        tuple(
            sorted(
                (
                    _process_key(process, process.name in world.frozen)
                    for process in world.processes
                ),
                key=hash,
            )
        ),
    )


def _body_key(body: Body) -> Hashable:
    return (
        body.uid,
        body.version,
        body.generation,
        (body.deleting, body.deleted),
        body.finalizers,
        tuple(sorted(body.annotations.items())),
        body.spec,
        _text(body),
    )


def _machine_key(machine: Machine) -> Hashable:
    return (
        machine.id, machine.display_name, machine.bounds, machine.state, machine.created,
        machine.owner, machine.nonce, machine.minutes, machine.since, machine.listed_from,
        machine.listed_until, machine.gone_at, machine.api, machine.name, machine.traffic,
    )  # fmt: skip


def _unit_key(unit: Unit) -> Hashable:
    return (
        unit.id, unit.endpoint_id, unit.name, unit.bounds, unit.state, unit.created, unit.owner,
        unit.minutes, unit.since, unit.listed_from, unit.gone_at, unit.hardware,
    )  # fmt: skip


def _process_key(process: Process, frozen: bool) -> Hashable:
    return (
        (frozen, frozenset(process.closed)),
        tuple(sorted(process.reserved.items())),
        tuple(_work_key(uid, work) for uid, work in sorted(process.works.items())),
        tuple(_account_key(account) for _, account in sorted(process.accounts.items())),
    )


def _work_key(uid: str, work: Work) -> Hashable:
    entry, flying = work.entry, work.flying
    return (
        uid,
        work.memory,
        None if work.body is None else _body_key(work.body),
        work.due,
        (work.ready, work.again),
        entry
        and (
            (entry.credential, entry.api, entry.endpoint_id, entry.state, entry.moving),
            (entry.missing, entry.units, entry.open_v1),
            entry.removing,
        ),
        flying and (flying.step, flying.outcome, flying.at, flying.case.desired.generation),
    )


def _account_key(account: Account) -> Hashable:
    return (
        account.name,
        _poll_key(account.poll),
        account.failures,
        account.trouble,
        tuple(account.traits.items()),
        account.before,
        account.polled_at,
        frozenset(account.told),
    )


def _poll_key(poll: Poll | None) -> Hashable:
    return poll and (poll.credential, poll.sent_at, poll.date, tuple(poll.lines.values()))
