"""The orphan report: what costs money at Together and has no resource that answers for it.

It costs nothing to look: what is judged is the LIST that the poller had anyway, what one GET told
of each newcomer, and the comparison with the cluster that runs anyway. Nothing is ever deleted. By
`--orphan-policy Stop` an endpoint of ours is stopped, when a complete look at the cluster has just
found no owner once more, and it has had none for `--orphan-wait`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from together_operator.controller.account import Account, Place
from together_operator.controller.accounts import Accounts
from together_operator.controller.census import Census
from together_operator.controller.clocks import Clocks
from together_operator.controller.costs import folded
from together_operator.controller.keys import KeyRing
from together_operator.controller.roster import Roster
from together_operator.controller.teller import Teller
from together_operator.core.marker import Marker
from together_operator.core.naming import mark_of
from together_operator.core.observed import Poll
from together_operator.core.orphans import (
    ORPHANED,
    Claims,
    Orphan,
    Suspicions,
    Why,
    running,
    why,
)
from together_operator.metrics import Metrics
from together_operator.resource.remote import Done, Endpoint, Phase

log = logging.getLogger(__name__)

_LINES = 20
"""Orphans that are told one by one when many are found at once."""


def judge(
    account: Account, poll: Poll, endpoint_ids: Iterable[str], claims: Claims
) -> dict[str, Why]:
    """Tell for which endpoints nobody answers, and why.

    One of the second generation in which there is nothing costs nothing and bears no mark.

    Args:
        account: The account, in which each has been read.
        poll: A LIST.
        endpoint_ids: The endpoints.
        claims: What there is in the cluster.
    """
    judged = (
        (i, why(poll.lines[i], account.traits.get(i), claims, account.cluster))
        for i in endpoint_ids
        if i in poll.lines and not (i in account.traits and account.traits[i].vacant)
    )
    return {endpoint_id: reason for endpoint_id, reason in judged if reason is not None}


@dataclass(frozen=True, slots=True)
class _Owners(Container[str]):
    """The owner parts of the marks of living resources."""

    roster: Roster

    def __contains__(self, owner: object) -> bool:
        return isinstance(owner, str) and self.roster.owner(owner) is not None


@dataclass(slots=True)
class Orphans:
    """Watches for endpoints that nobody answers for.

    Attributes:
        accounts: The keys in use.
        keys: All keys, for the copies that outlive their resource.
        roster: Which resources there are.
        released: Ids that were left at Together on purpose.
        metrics: Where they are counted.
        teller: Tells what is new.
        clocks: The clocks.
        lag: How long a living endpoint may be missing from a LIST, in seconds.
        everywhere: Whether all namespaces of the cluster are served.
        stop_after: Seconds without an owner after which ours are stopped; `None` for never.
    """

    accounts: Accounts
    keys: KeyRing
    roster: Roster
    released: Container[str]
    metrics: Metrics
    teller: Teller
    clocks: Clocks
    lag: float
    everywhere: bool
    stop_after: float | None = None
    _suspicions: dict[Place, Suspicions] = field(default_factory=dict)
    _told: dict[str, Why] = field(default_factory=dict)
    _census: Census | None = None

    # -- looking ---------------------------------------------------------------------------------

    async def look(self, account: Account, poll: Poll) -> None:
        """Judge a LIST whose newcomers have been read.

        Args:
            account: The account.
            poll: The LIST.
        """
        claims = Claims(
            self.roster.recorded(),
            _Owners(self.roster),
            released=self.released,
            everywhere=self.everywhere,
        )
        found = judge(account, poll, poll.lines, claims)
        suspicions = self._suspicions.setdefault(account.place, Suspicions(self.lag))
        ours = {endpoint_id: reason for endpoint_id, reason in found.items() if reason in ORPHANED}
        suspicions.look(poll.sent_at, poll.lines, account.traits, ours)
        self.metrics.other_clusters(*account.place, len(found) - len(ours))
        await self._tell()

    @contextmanager
    def census(self) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """Look at the whole cluster; the block is handed what takes in each resource.

        Nothing is concluded from a block that raises: the look was not complete.
        """
        census = Census(self.clocks.steady(), self.everywhere)
        # Where nothing is suspected there is nothing to confirm.
        anything = any(map(len, self._suspicions.values()))
        yield census.count if anything else lambda body: None
        self._census = census if anything else None

    async def conclude(self) -> None:
        """Draw the conclusions of the look at the cluster that has just been completed."""
        census, self._census = self._census, None
        if census is None:
            return
        claims = census.claims(self.keys, self.released, self.clocks.wall())
        for place, suspicions in self._suspicions.items():
            account = self.accounts.get(*place)
            if account is None or account.poll is None:
                continue
            listed = [i for i in suspicions.ids() if i in account.poll.lines]
            still = judge(account, account.poll, listed, claims)
            suspicions.confirm(census.began, set(listed) - still.keys())
        await self._tell()
        if self.stop_after is not None:
            await self._stop(census.began, self.stop_after, claims.wanted)

    # -- telling ---------------------------------------------------------------------------------

    def orphans(self) -> list[Orphan]:
        """What may be told of: each endpoint once, however many keys see it."""
        return [orphan for _, orphan in self._found()]

    def _found(self) -> list[tuple[Account, Orphan]]:
        now = self.clocks.steady()
        found: dict[str, tuple[Account, Orphan]] = {}
        for place in sorted(self._suspicions):
            account = self.accounts.get(*place)
            if account is None or account.poll is None:
                del self._suspicions[place]
                self.metrics.other_clusters(*place, None)
                continue
            for endpoint_id, suspicion in self._suspicions[place].told(now).items():
                line = account.poll.lines.get(endpoint_id)
                trait = account.traits.get(endpoint_id)
                if line is None or trait is None or endpoint_id in found:
                    continue
                line, trait, price = folded(line, trait, account.known_price)
                if price is None:
                    account.refresh_prices()
                orphan = Orphan(endpoint_id, suspicion.why, place.identity, line, trait, price)
                found[endpoint_id] = account, orphan
        return list(found.values())

    async def _tell(self) -> None:
        """Count what there is, and tell what is new."""
        found = self.orphans()
        self._measure(found)
        fresh = [orphan for orphan in found if self._told.get(orphan.id) is not orphan.why]
        now = {orphan.id: orphan.why for orphan in found}
        gone = [i for i in self._told if i not in now and not self._suspected(i)]
        self._told = {i: word for i, word in self._told.items() if i not in gone} | now
        if gone:
            log.info("No orphans any more: %s", ", ".join(gone[:_LINES]))
        if not fresh:
            return
        for orphan in fresh[:_LINES]:
            log.warning("Orphan at Together: %s", orphan)
        if len(fresh) > _LINES:
            log.warning("%d more orphans at Together", len(fresh) - _LINES)
        await self.teller.warning("OrphansFound", _summary(found, fresh))

    def _suspected(self, endpoint_id: str) -> bool:
        return any(endpoint_id in suspicions for suspicions in self._suspicions.values())

    def _measure(self, found: Iterable[Orphan]) -> None:
        count: Counter[tuple[str, str]] = Counter()
        dollars: dict[tuple[str, str], Decimal] = {}
        for identity, _ in self._suspicions:
            for word in ORPHANED:
                count[identity, word.value] = 0
                dollars[identity, word.value] = Decimal(0)
        for orphan in found:
            labels = (orphan.credential, orphan.why.value)
            count[labels] += 1
            dollars[labels] = dollars.get(labels, Decimal(0)) + (orphan.cost or Decimal(0))
        self.metrics.orphans({labels: (count[labels], dollars[labels]) for labels in count})

    # -- stopping --------------------------------------------------------------------------------

    async def _stop(self, census: float, wait: float, wanted: Container[str]) -> None:
        """Stop what is ours, has had no owner for long, has none now, and nobody asks for."""
        for account, orphan in self._found():
            ripe = orphan.id in self._suspicions[account.place].ripe(census, wait)
            if ripe and running(orphan.line) and orphan.id not in wanted:
                await self._stop_one(account, orphan)

    async def _stop_one(self, account: Account, orphan: Orphan) -> None:
        marker = orphan.trait.marker
        if marker is None or account.failures:
            return
        # Somebody may have taken it over meanwhile, by giving it another name.
        seen = await account.driver.get(orphan.id)
        if not isinstance(seen, Endpoint) or Marker.parse(seen.display_name) != marker:
            log.info("%s is not as it was and is left alone", orphan.id)
            return
        owned = self.roster.owner(marker.owner) is not None or orphan.id in self.roster.recorded()
        if owned:
            return
        outcomes = [
            await account.driver.stop(orphan.id, deployment_id)
            for deployment_id in _to_stop(seen, marker)
        ]
        failed = [outcome for outcome in outcomes if not isinstance(outcome, Done)]
        if failed:
            log.warning("The orphan %s could not be stopped: %s", orphan.id, failed[0])
        elif outcomes:
            log.warning("Together acknowledged the stop of an orphan: %s", orphan)
            await self.teller.warning(
                "OrphanStopped",
                f"{orphan.id} was running without an owner and has been stopped, as"
                " --orphan-policy says. It still exists",
            )


def _to_stop(seen: Endpoint, marker: Marker) -> list[str | None]:
    """What of an endpoint is ours and may run: itself, or the deployments of that owner in it."""
    if seen.deployments is None:
        return [None]
    awake = (Phase.PENDING, Phase.STARTING, Phase.STARTED)
    mine = [(d, mark_of(d)) for d in seen.deployments if d.phase in awake]
    owner = (marker.cluster, marker.owner)
    return [d.id for d, mark in mine if mark is not None and (mark.cluster, mark.owner) == owner]


def _summary(found: list[Orphan], fresh: list[Orphan]) -> str:
    """What is told of all orphans when there is a new one."""
    total = sum((orphan.cost or Decimal(0) for orphan in found), Decimal(0))
    names = ", ".join(f"{orphan.id} ({orphan.why})" for orphan in fresh[:_LINES])
    more = f" and {len(fresh) - _LINES} more" if len(fresh) > _LINES else ""
    return (
        f"{len(found)} endpoints at Together have no resource that answers for them and cost"
        f" ${total:.2f} an hour. New: {names}{more}. `together-operator orphans` lists them and"
        " says what to do"
    )
