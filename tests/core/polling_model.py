"""The periodic LISTs of one process: whom they wake, and what they bury.

Looking costs one request for each key, however many resources there are, so nothing is decided
here: a resource is woken when what is listed is not as it was last reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from together_operator.core.case import FAILED_POLLS
from together_operator.core.marker import owner_tag
from together_operator.core.observed import Poll
from together_operator.resource.remote import Summary, Unavailable
from together_operator.resource.spec import Api
from together_operator.resource.status import Status

if TYPE_CHECKING:
    from .account_model import Account
    from .process_model import Process
    from .work_model import Entry
    from .world import World

Told = tuple[str, str | None, str | None]


def interval(world: World, process: Process, account: Account) -> float:
    """Seconds between two LISTs with a key."""
    moving = any(entry.moving for _, entry in _entries(process, account))
    pause = world.pace.moving if moving else world.pace.resting
    longest = world.pace.failing
    return min(pause * 2.0**account.failures, longest) if account.failures else pause


def due(world: World, process: Process) -> float:
    """When the next LIST is due."""
    return min(
        (a.polled_at + interval(world, process, a) for a in process.accounts.values()),
        default=float("inf"),
    )


def poll(world: World, process: Process) -> None:
    """Look with each key whose time has come, and wake what is not as it was reported."""
    for uid in world.cluster.tombstones:
        key = world.cluster.copies[uid]
        process.account(key, Api.V1)
        process.account(key, Api.V2)
    for account in process.accounts.values():
        if account.polled_at + interval(world, process, account) <= world.now:
            account.polled_at = world.now
            _look(world, process, account)


def _look(world: World, process: Process, account: Account) -> None:
    entries = dict(_entries(process, account))
    lasting = account.failures >= FAILED_POLLS
    answer = account.list(world, world.now)
    if isinstance(answer, Unavailable):
        if account.failures == FAILED_POLLS:
            for uid in entries:
                process.wake(world, uid)
        return
    for uid, entry in entries.items():
        if lasting:
            process.wake(world, uid)
        if entry.endpoint_id is None:
            continue
        line = answer.lines.get(entry.endpoint_id)
        if _differs(entry, line):
            process.wake(world, uid)
    _newcomers(world, process, account, answer)
    _bury(world, process, account, answer)
    _left_behind(world, process, account, answer)


def _entries(process: Process, account: Account) -> list[tuple[str, Entry]]:
    """What the resources have that a key shows in a generation."""
    return [
        (uid, entry)
        for uid, work in process.works.items()
        for entry in (work.entry.both if work.entry is not None else ())
        if (entry.credential, entry.api) == account.name
    ]


def units(status: Status) -> tuple[Told, ...]:
    """What a status tells of deployments, as far as a LIST shows it too."""
    return tuple((d.id, d.state, d.weight) for d in status.deployments)


def _differs(entry: Entry, line: Summary | None) -> bool:
    """Whether an endpoint is not as it was last reported."""
    if line is None:
        return not entry.missing
    whole = line.whole
    if entry.missing and whole is not None and entry.units:
        return whole.deployment(entry.units[0][0]) is not None
    if entry.missing or whole is None or not entry.units:
        state = line.state if whole is None else whole.through(None).state
        return entry.missing or state != (entry.state or "")
    found = [(whole.deployment(one), f"{whole.weight(one):g}") for one, _, _ in entry.units]
    return tuple((d.id, d.state, w) if d else None for d, w in found) != entry.units


def _newcomers(world: World, process: Process, account: Account, poll: Poll) -> None:
    listed = frozenset(poll.lines)
    seconds, account.before = listed & account.before, listed
    entries = [work.entry for work in process.works.values() if work.entry]
    recorded = {one.endpoint_id for entry in entries for one in entry.both}
    fresh = sorted(i for i in seconds if i not in recorded and i not in account.traits)
    account.read(world, tuple(fresh))
    tags = {owner_tag(uid): uid for uid in process.works}
    for endpoint_id, trait in account.traits.items():
        if trait.marker is None or endpoint_id in account.told or endpoint_id in recorded:
            continue
        uid = tags.get(trait.marker.owner)
        if uid is not None and process.works[uid].entry is not None:
            account.told.add(endpoint_id)
            process.wake(world, uid)
    account.told &= listed


def _left_behind(world: World, process: Process, account: Account, poll: Poll) -> None:
    """Delete what came to life in v1 after its resource had moved on to v2."""
    for uid, work in process.works.items():
        entry = work.entry
        if entry is None or not entry.open_v1 or (entry.credential, Api.V1) != account.name:
            continue
        account.read(world, tuple(i for i in poll.lines if i not in account.traits))
        for endpoint_id in poll.lines:
            trait = account.traits.get(endpoint_id)
            marker = trait.marker if trait is not None else None
            late = marker is not None and marker.nonce in entry.open_v1
            if late and marker is not None and marker.owner == owner_tag(uid):
                world.judge.leaves_behind(world, uid, endpoint_id)
                world.together.remove(endpoint_id, world.now)


def _bury(world: World, process: Process, account: Account, poll: Poll) -> None:
    """Delete what came to life after its resource had gone (create-once rule 13)."""
    for uid, nonces in world.cluster.tombstones.items():
        if world.cluster.copies[uid] != account.key or uid in process.works:
            continue
        for endpoint_id in poll.lines:
            trait = account.traits.get(endpoint_id)
            marker = trait.marker if trait is not None else None
            if marker is not None and marker.owner == owner_tag(uid) and marker.nonce in nonces:
                world.judge.buries(world, uid, endpoint_id)
                world.together.remove(endpoint_id, world.now)
