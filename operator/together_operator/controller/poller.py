"""The periodic timer: one LIST per account and interval serves every resource of that account.

Only resources whose remote side is not as they last reported it are worked on; the rest cost
nothing. The same LIST shows endpoints that nobody expected: what an attempt made late, for a
living resource or one that is already gone. An account is a key in one generation of the API, and
is looked at for as long as anything of a resource is there, or may yet come to life there.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from together_operator.controller.account import Account, Place
from together_operator.controller.accounts import Accounts
from together_operator.controller.clocks import Clocks
from together_operator.controller.entry import Entry, Told
from together_operator.controller.keys import KeyRing
from together_operator.controller.orphans import Orphans
from together_operator.controller.queue import Key
from together_operator.controller.roster import Roster
from together_operator.core.case import FAILED_POLLS
from together_operator.core.marker import owner_tag
from together_operator.core.observed import Poll
from together_operator.core.scan import Found
from together_operator.metrics import Metrics
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Deployment,
    Done,
    Endpoint,
    Summary,
    Unavailable,
)
from together_operator.resource.spec import Api

log = logging.getLogger(__name__)

_LONGEST_FACTOR = 8
_RARELY = 64
"""Polls after which what does not fit is looked at again, however long it has not."""
_OLD_AT_ONCE = 32
"""Endpoints from before all resources that are read after one LIST; an account may have many."""
_AT_ONCE = 32
"""Keys that are polled at the same time."""
_MISSING = "(not listed)"
"""Stands for the state of an endpoint that is not listed."""
_EARLIER = 3600.0
"""Seconds by which an endpoint may seem older than the resource that it was made for."""


@dataclass(slots=True)
class _Rhythm:
    """What polling one account remembers.

    Attributes:
        due: When the next LIST is due.
        task: The poll under way, or the last one.
        polls: How many LISTs were looked at.
        before: The ids of the latest one.
        told: Endpoints that nobody expected, which have been seen to.
        unread: For endpoints that could not be read: how often, and at which poll to try again.
        trouble: What is wrong with the key, as its resources have been told.
        doubts: For resources that are not as they reported: how they are, and for how many polls.
    """

    due: float | None = None
    task: asyncio.Task[None] | None = None
    polls: int = 0
    before: frozenset[str] = frozenset()
    told: set[str] = field(default_factory=set)
    unread: dict[str, tuple[int, int]] = field(default_factory=dict)
    trouble: Reason | None = None
    doubts: dict[Key, tuple[str | None, int]] = field(default_factory=dict)


@dataclass(slots=True)
class Poller:
    """Looks at Together for everybody.

    Attributes:
        accounts: The keys in use.
        keys: All keys, for what is left of resources that are gone.
        roster: Which resources there are.
        metrics: Counts.
        clocks: The clocks.
        enqueue: Has a resource worked on.
        at_rest: Seconds between two LISTs while nothing changes.
        in_transition: Seconds between two LISTs while something does.
        orphans: Judges what nobody has on record.
    """

    accounts: Accounts
    keys: KeyRing
    roster: Roster
    metrics: Metrics
    clocks: Clocks
    enqueue: Callable[[Key, str], None]
    at_rest: float
    in_transition: float
    orphans: Orphans
    _rhythms: dict[Place, _Rhythm] = field(default_factory=dict)
    _beat: float | None = None

    # -- when ------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Poll every account in its own rhythm, for ever."""
        tick = min(1.0, max(0.05, self.in_transition / 5))
        try:
            while True:
                self._beat = self.clocks.steady()
                self._turn()
                await asyncio.sleep(tick)
        finally:
            for rhythm in self._rhythms.values():
                if rhythm.task is not None:
                    rhythm.task.cancel()

    @property
    def silent_for(self) -> float:
        """Seconds since it last looked around; 0 before it began."""
        return 0.0 if self._beat is None else self.clocks.steady() - self._beat

    def _turn(self) -> None:
        """Begin the polls that are due."""
        buried = {place for copy in self.keys.buried() for place in copy.places}
        running = sum(not r.task.done() for r in self._rhythms.values() if r.task is not None)
        forgotten = set(self._rhythms)
        for account in self.accounts:
            place = account.place
            forgotten.discard(place)
            rhythm = self._rhythms.setdefault(place, _Rhythm())
            if rhythm.task is not None and not rhythm.task.done():
                continue
            needed = place in buried or self.roster.uses(*place)
            if needed and running < _AT_ONCE and self._is_due(account, rhythm):
                running += 1
                rhythm.task = asyncio.create_task(self._poll_safely(account, rhythm))
        for place in forgotten:
            task = self._rhythms[place].task
            if task is None or task.done():
                del self._rhythms[place]

    def _interval(self, account: Account) -> float:
        moving = self.roster.in_motion(*account.place)
        interval = self.in_transition if moving else self.at_rest
        if account.failures:
            interval = min(interval * 2.0**account.failures, self.at_rest * _LONGEST_FACTOR)
            asked = account.trouble.retry_after if account.trouble else None
            interval = max(interval, asked or 0.0)
        return interval

    def _is_due(self, account: Account, rhythm: _Rhythm) -> bool:
        now = self.clocks.steady()
        latest = account.poll.sent_at if account.poll is not None else None
        if rhythm.due is None:
            return latest is None or latest + self._interval(account) <= now
        if rhythm.due <= now:
            return True
        # An account at rest whose resources begin to move is looked at sooner.
        hurry = not account.failures and self.roster.in_motion(*account.place)
        return hurry and latest is not None and latest + self.in_transition <= now

    async def _poll_safely(self, account: Account, rhythm: _Rhythm) -> None:
        began = self.clocks.steady()
        try:
            await self.poll(account)
        except Exception:
            log.exception("A poll failed; it is tried again")
        finally:
            # Never sooner than the interval: it is what people are told.
            rhythm.due = began + self._interval(account) * random.uniform(1.0, 1.1)

    # -- what ------------------------------------------------------------------------------------

    async def poll(self, account: Account) -> None:
        """Look once at one account, and have worked on what is not as it was reported.

        Args:
            account: The account.
        """
        rhythm = self._rhythms.setdefault(account.place, _Rhythm())
        answer = await account.list(self.clocks.steady())
        self.metrics.polled("ok" if isinstance(answer, Poll) else answer.reason.value)
        entries = self.roster.of(*account.place)
        if isinstance(answer, Unavailable):
            if account.failures >= FAILED_POLLS and rhythm.trouble is not answer.reason:
                rhythm.trouble = answer.reason
                self._all(entries, "unreachable")
            return
        if rhythm.trouble is not None:
            rhythm.trouble = None
            self._all(entries, "reachable")
        rhythm.polls += 1
        self._compare(rhythm, entries, answer)
        await self._newcomers(account, rhythm, entries, answer)
        await self._entombed(account, rhythm)
        await self._left_behind(account, rhythm)
        await self.orphans.look(account, answer)

    def _all(self, entries: Collection[Entry], trigger: str) -> None:
        for entry in entries:
            self.enqueue(entry.key, trigger)

    def _compare(self, rhythm: _Rhythm, entries: Collection[Entry], poll: Poll) -> None:
        """Have worked on what differs; what goes on differing is worked on ever more rarely."""
        doubts: dict[Key, tuple[str | None, int]] = {}
        for entry in entries:
            if entry.endpoint_id is None:
                continue
            seen = _differs(entry, poll.lines.get(entry.endpoint_id))
            if entry.synced and seen is None:
                continue
            former, times = rhythm.doubts.get(entry.key, (seen, 0))
            times = times + 1 if former == seen else 1
            doubts[entry.key] = (seen, times)
            if times & (times - 1) == 0 or times % _RARELY == 0:
                self.enqueue(entry.key, "poll")
        rhythm.doubts = doubts

    async def _newcomers(
        self, account: Account, rhythm: _Rhythm, entries: Collection[Entry], poll: Poll
    ) -> None:
        """Read endpoints that nobody has on record, once each, at their second sight.

        At first sight an endpoint may be one whose order is just being answered. What is older
        than every resource can be of none: it is read for the report of orphans only, and that
        can wait for its turn.
        """
        listed = frozenset(poll.lines)
        recorded = self.roster.recorded()
        leaving = self.roster.leaving(account.identity) if account.api is Api.V1 else []
        expecting = (entry.created_at for entry in (*entries, *leaving))
        oldest = min(expecting, default=float("-inf")) - _EARLIER
        if any(account.place in copy.places for copy in self.keys.buried()):
            oldest = float("-inf")
        unread = {i: when for i, when in rhythm.unread.items() if i in listed}
        unknown = [
            i
            for i in listed & rhythm.before
            if i not in recorded
            and i not in account.traits
            and unread.get(i, (0, 0))[1] <= rhythm.polls
        ]
        fresh = [i for i in unknown if poll.lines[i].created_at >= oldest]
        fresh += [i for i in unknown if poll.lines[i].created_at < oldest][:_OLD_AT_ONCE]
        rhythm.before = listed
        await account.read_ids(fresh)
        for i in fresh:
            unread.pop(i, None)
            if i not in account.traits:
                times = rhythm.unread.get(i, (0, 0))[0] + 1
                unread[i] = (times, rhythm.polls + min(2**times, _RARELY))
        rhythm.unread = unread
        rhythm.told &= listed
        for owner in tuple(account.owners):
            entry = self.roster.owner(owner)
            if entry is None:
                continue
            late = () if account.api is entry.api else entry.open_v1
            strangers = {
                f.id for f in account.marked(owner) if f.id not in recorded and f.nonce not in late
            }
            if not strangers <= rhythm.told:
                rhythm.told |= strangers
                self.enqueue(entry.key, "extra")

    async def _entombed(self, account: Account, rhythm: _Rhythm) -> None:
        """Delete what came to life after its resource had gone (create-once rule 13)."""
        now = self.clocks.wall()
        for copy in self.keys.buried():
            grave = copy.tombstone
            if grave is None or account.place not in copy.places:
                continue
            if grave.expires <= now or grave.cluster != account.cluster:
                continue
            if self.roster.owner(grave.owner) is not None:
                continue  # it is not gone yet, and sees to its own
            for found in account.marked(grave.owner):
                # What a resource has taken over since is nobody's late effect any more.
                if found.nonce in grave.nonces and found.id not in self.roster.recorded():
                    whose = f"after its resource (uid {copy.uid}) had gone"
                    await self._bury(account, rhythm, found, whose)

    async def _left_behind(self, account: Account, rhythm: _Rhythm) -> None:
        """Delete what came to life in v1 after its resource had moved on to v2."""
        if account.api is not Api.V1:
            return
        for entry in self.roster.leaving(account.identity):
            whose = f"after its resource {entry.key} had moved on to API v2"
            for found in account.marked(owner_tag(entry.uid)):
                if found.nonce in entry.open_v1 and found.id not in self.roster.recorded():
                    await self._bury(account, rhythm, found, whose)

    async def _bury(self, account: Account, rhythm: _Rhythm, found: Found, whose: str) -> None:
        outcome = await account.driver.delete(found.id)
        again = found.id in rhythm.told
        rhythm.told.add(found.id)
        if isinstance(outcome, Done | Absent):
            log.log(
                logging.DEBUG if again else logging.WARNING,
                "Deleted %s, which a create request made %s",
                found.id,
                whose,
            )
        else:
            log.log(
                logging.DEBUG if again else logging.ERROR,
                "%s, which a create request made %s, could not be deleted; it is tried again: %s",
                found.id,
                whose,
                outcome.message,
            )


def _differs(entry: Entry, line: Summary | None) -> str | None:
    """How a resource's endpoint is by a LIST, if it is not as was reported.

    Args:
        entry: What was reported.
        line: The endpoint's line, if it is listed.
    """
    if line is None:
        return None if entry.missing else _MISSING
    if entry.missing:
        bare = line.whole is not None and entry.deployments and not _held(line.whole, entry)[0]
        return None if bare else line.state
    if line.whole is None or not entry.deployments:
        seen = line.state if line.whole is None else line.whole.through(None).state
        return None if seen == (entry.state or "") else seen
    held = _held(line.whole, entry)
    return None if held == list(entry.deployments) else f"{held}"


def _held(whole: Endpoint, entry: Entry) -> list[Told | None]:
    """The deployments of a resource as a LIST shows them; `None` for one that it does not."""
    return [_seen(whole, whole.deployment(told.id)) for told in entry.deployments]


def _seen(whole: Endpoint, deployment: Deployment | None) -> Told | None:
    if deployment is None:
        return None
    weight = f"{whole.weight(deployment.id):g}"
    return Told(deployment.id, deployment.state, deployment.ready_replicas, weight)
