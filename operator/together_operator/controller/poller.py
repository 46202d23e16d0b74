"""The periodic timer: one LIST per key and interval serves every resource of that key.

Only resources whose remote side is not as they last reported it are worked on; the rest cost
nothing. The same LIST shows endpoints that nobody expected: what an attempt made late, for a
living resource or one that is already gone.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from together_operator.controller.accounts import Account, Accounts
from together_operator.controller.clocks import Clocks
from together_operator.controller.keys import KeyRing
from together_operator.controller.queue import Key
from together_operator.controller.roster import Roster
from together_operator.core.case import FAILED_POLLS
from together_operator.core.observed import Poll
from together_operator.metrics import Metrics
from together_operator.resource.remote import Absent, Done, Unavailable

log = logging.getLogger(__name__)

_LONGEST_FACTOR = 8


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
    """

    accounts: Accounts
    keys: KeyRing
    roster: Roster
    metrics: Metrics
    clocks: Clocks
    enqueue: Callable[[Key, str], None]
    at_rest: float
    in_transition: float
    _due: dict[str, float] = field(default_factory=dict)
    _before: dict[str, frozenset[str]] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _beat: float | None = None

    async def run(self) -> None:
        """Poll every key in its own rhythm, for ever."""
        tick = min(1.0, max(0.05, self.in_transition / 5))
        running: dict[str, asyncio.Task[None]] = {}
        while True:
            self._beat = self.clocks.steady()
            for account in self.accounts:
                task = running.get(account.identity)
                if (task is None or task.done()) and self._is_due(account):
                    running[account.identity] = asyncio.create_task(self._poll_safely(account))
            await asyncio.sleep(tick)

    @property
    def silent_for(self) -> float:
        """Seconds since it last looked around; 0 before it began."""
        return 0.0 if self._beat is None else self.clocks.steady() - self._beat

    def _interval(self, account: Account) -> float:
        moving = self.roster.in_motion(account.identity)
        interval = self.in_transition if moving else self.at_rest
        if account.failures:
            interval = min(interval * 2.0**account.failures, self.at_rest * _LONGEST_FACTOR)
            asked = account.trouble.retry_after if account.trouble else None
            interval = max(interval, asked or 0.0)
        return interval

    def _is_due(self, account: Account) -> bool:
        latest = account.poll.sent_at if account.poll else None
        due = self._due.get(account.identity)
        if due is None:
            return latest is None or latest + self._interval(account) <= self.clocks.steady()
        return min(due, self._soonest(account)) <= self.clocks.steady()

    def _soonest(self, account: Account) -> float:
        """A key at rest whose resources begin to move is looked at sooner."""
        if account.failures or account.poll is None:
            return float("inf")
        return account.poll.sent_at + self._interval(account)

    async def _poll_safely(self, account: Account) -> None:
        try:
            await self.poll(account)
        except Exception:
            log.exception("A poll failed; it is tried again")
        finally:
            spread = random.uniform(0.9, 1.1)
            self._due[account.identity] = self.clocks.steady() + self._interval(account) * spread

    async def poll(self, account: Account) -> None:
        """Look once with one key, and have worked on what is not as it was reported.

        Args:
            account: The key.
        """
        lasting = account.failures >= FAILED_POLLS
        answer = await account.list(self.clocks.steady())
        self.metrics.polled("ok" if isinstance(answer, Poll) else answer.reason.value)
        if isinstance(answer, Unavailable):
            if account.failures == FAILED_POLLS:
                self._all(account, "unreachable")
            return
        if lasting:
            self._all(account, "reachable")
        for entry in self.roster.of(account.identity):
            if entry.endpoint_id is None:
                continue
            line = answer.lines.get(entry.endpoint_id)
            if line is None:
                changed = not entry.missing
            else:
                changed = entry.missing or line.state != entry.state
            if changed:
                self.enqueue(entry.key, "poll")
        await self._newcomers(account, answer)

    def _all(self, account: Account, trigger: str) -> None:
        for entry in self.roster.of(account.identity):
            self.enqueue(entry.key, trigger)

    async def _newcomers(self, account: Account, poll: Poll) -> None:
        """Read endpoints that nobody has on record, once each, at their second sight.

        At first sight an endpoint may be one whose order is just being answered.
        """
        listed = frozenset(poll.lines)
        before = self._before.get(account.identity, frozenset())
        self._before[account.identity] = listed
        recorded = self.roster.recorded()
        await account.read_ids(
            [i for i in listed & before if i not in recorded and i not in account.traits]
        )
        for owner in tuple(account.owners):
            for found in account.marked(owner):
                entry = self.roster.owner(owner)
                if entry is not None and found.id not in self._told and found.id not in recorded:
                    self._told.add(found.id)
                    self.enqueue(entry.key, "extra")
        self._told &= listed
        await self._entombed(account)

    async def _entombed(self, account: Account) -> None:
        """Delete what came to life after its resource had gone (create-once rule 13)."""
        now = self.clocks.wall()
        for copy in self.keys:
            grave = copy.tombstone
            if grave is None or copy.key is None or copy.key.identity != account.identity:
                continue
            if grave.expires <= now or grave.cluster != account.cluster:
                continue
            for found in account.marked(grave.owner):
                if found.nonce not in grave.nonces:
                    continue
                outcome = await account.driver.delete(found.id)
                if isinstance(outcome, Done | Absent):
                    log.warning(
                        "Deleted %s, which a create request made after its resource (uid %s) had"
                        " gone",
                        found.id,
                        copy.uid,
                    )
                else:
                    log.error(
                        "%s belongs to a resource that is gone (uid %s) and could not be deleted:"
                        " %s",
                        found.id,
                        copy.uid,
                        outcome.message,
                    )
