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
from dataclasses import replace
from typing import Any

from tests.core.cluster_model import Body
from tests.core.deployments_model import Unit
from tests.core.together_model import EPOCH, Machine
from tests.core.work_model import Work
from tests.core.world import World
from together_operator.core.memory import Memory
from together_operator.resource.endpoint_status import OperationPhase
from together_operator.resource.spec import Api
from together_operator.resource.status import Status
from together_operator.resource.times import format_time, parse_time

from .dating import Mapping, moved, times

NOW = 1000.0
"""The one moment at which every canonical world stands."""

LONGEST = 9.0
"""Ticks without an event after which more of them make no difference."""

_TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"')
_ALWAYS = format_time(EPOCH)
_FAR = 50.0

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
            times(work.memory, found)
            if work.due is not None:
                found.add(work.due)
            if work.flying is not None:
                found.add(work.flying.at)
                times(work.flying.case.memory, found)
                times(work.flying.outcome, found)
            if work.body is not None:
                _body_times(work.body, found)
        for account in process.accounts.values():
            found.add(account.polled_at)
            if account.poll is not None:
                times(account.poll, found)
                times(dict(account.poll.lines), found)
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
            work.memory = moved(work.memory, move)
            if work.due is not None:
                work.due = move(work.due)
            if work.flying is not None:
                flying = work.flying
                observed = flying.case.observed
                beside = observed.beside
                observed = replace(
                    observed,
                    memory=moved(flying.case.memory, move),
                    poll=None,
                    beside=None if beside is None else replace(beside, poll=None),
                )
                work.flying = replace(
                    flying,
                    at=move(flying.at),
                    outcome=moved(flying.outcome, move),
                    case=replace(flying.case, observed=observed, now=NOW),
                )
            if work.body is not None:
                work.body = _moved_body(work.body, move)
        for account in process.accounts.values():
            account.polled_at = move(account.polled_at)
            poll = account.poll
            if poll is not None:
                account.poll = replace(moved(poll, move), lines=moved(dict(poll.lines), move))
    for uid, body in world.cluster.bodies.items():
        world.cluster.bodies[uid] = _moved_body(body, move)
    if world.cluster.undefined is not None:
        world.cluster.undefined = EPOCH + move(world.cluster.undefined - EPOCH)
    world.now = NOW


# -- the resource ----------------------------------------------------------------------------------

_STATUSES: dict[str, tuple[dict[str, Any], Status]] = {}
_TEXTS: dict[int, tuple[Any, str]] = {}


def text(body: Body) -> str:
    """The status as a text."""
    known = _TEXTS.get(id(body.raw_status))
    if known is None or known[0] is not body.raw_status:
        known = (body.raw_status, json.dumps(body.raw_status, sort_keys=True))
        _TEXTS[id(body.raw_status)] = known
    return known[1]


def _body_times(body: Body, found: set[float]) -> None:
    found.update(parse_time(at) - EPOCH for at in _TIME.findall(text(body)))
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
    return _with_text(body, _TIME.sub(at, text(body)))


def _settled_body(body: Body) -> Body:
    """When a condition changed matters only for how long Together has not answered."""
    conditions = body.raw_status.get("conditions", ())
    dull = [c for c in conditions if (c["type"], c["status"]) != ("Synced", "False")]
    if all(c["lastTransitionTime"] == _ALWAYS for c in dull):
        return _with_text(body, text(body))
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
