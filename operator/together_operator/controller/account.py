"""What is seen at Together, once per key instead of once per resource.

A thousand resources of one key share one LIST per interval, one price list, and one reading of
each newcomer. A look that somebody needs sooner joins the one that is under way, if that began
late enough to count. Where a LIST shows all that a GET does, nothing is read one by one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import NamedTuple

from together_operator.core.marker import Marker
from together_operator.core.observed import Poll
from together_operator.core.scan import Found, Scan, Trait, classify, newcomers
from together_operator.core.steps import Look
from together_operator.drivers import v1_hardware
from together_operator.drivers.driver import Driver
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Absent, Endpoint, Listing, Unavailable
from together_operator.resource.spec import Api

log = logging.getLogger(__name__)

_READERS = 8
_PRICES_FRESH = 600.0
"""Seconds until the driver is asked for prices again; it reads them far less often."""
_PRICES_PATIENCE = 5.0
"""Seconds that somebody who needs a price waits for it."""


class Place(NamedTuple):
    """Where one looks: with which key, and in which generation of the API.

    Attributes:
        identity: The key's name, which reveals nothing.
        api: The generation, never `Auto`.
    """

    identity: str
    api: Api


@dataclass(slots=True)
class Account:
    """One key in one generation of the API, and what is seen there.

    Attributes:
        identity: The key's name, which reveals nothing.
        driver: The driver that uses the key.
        clock: The monotonic clock.
        cluster: The cluster part of our own marks.
        pause: Seconds until prices that could not be read are asked for again.
        poll: The newest complete LIST.
        failures: How many LISTs in a row had no answer.
        trouble: What the latest LIST came to, if it had no answer.
        traits: What is known for good of the endpoints that were read.
        unpriced: Why prices could not be read, if they could not.
        used_at: When somebody last asked for it.
    """

    identity: str
    driver: Driver
    clock: Callable[[], float]
    cluster: str
    pause: float
    poll: Poll | None = None
    failures: int = 0
    trouble: Unavailable | None = None
    traits: dict[str, Trait] = field(default_factory=dict)
    unpriced: Unavailable | None = None
    used_at: float = 0.0
    _marked: dict[str, dict[str, str]] = field(default_factory=dict)
    _reading: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _prices: dict[str, Decimal] | None = None
    _prices_due: float = float("-inf")
    _pricing: asyncio.Task[None] | None = None
    _listing: asyncio.Task[Poll | Unavailable] | None = None
    _began: float = 0.0
    _readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_READERS))

    async def list(self, since: float) -> Poll | Unavailable:
        """Have a complete LIST that was sent at or after a time.

        Args:
            since: Monotonic seconds.
        """
        since = min(since, self.clock())
        while self.poll is None or self.poll.sent_at < since:
            if self._listing is None or self._listing.done():
                self._began = self.clock()
                self._listing = asyncio.create_task(self._list(self._began))
            began, listing = self._began, self._listing
            answer = await asyncio.shield(listing)
            if began >= since:
                return answer
        return self.poll

    async def _list(self, began: float) -> Poll | Unavailable:
        answer = await self.driver.list()
        if isinstance(answer, Listing):
            self.failures, self.trouble = 0, None
            self.poll = Poll(self.identity, began, answer.date, answer.endpoints)
            self._forget(self.traits.keys() - answer.endpoints.keys())
            for line in answer.endpoints.values():
                if line.whole is not None:
                    self._learn(line.whole)
            return self.poll
        self.failures += 1
        self.trouble = answer
        return answer

    def _forget(self, gone: Collection[str]) -> None:
        for endpoint_id in gone:
            marker = self.traits.pop(endpoint_id).marker
            if marker is not None and marker.owner in self._marked:
                self._marked[marker.owner].pop(endpoint_id, None)
                if not self._marked[marker.owner]:
                    del self._marked[marker.owner]

    async def read(self, poll: Poll, horizon: float) -> None:
        """Read every newcomer of a LIST that is not known yet.

        Args:
            poll: The LIST.
            horizon: Unix seconds; older endpoints need not be read.
        """
        listing = Listing(dict(poll.lines), poll.date)
        await self.read_ids(newcomers(listing, horizon, self.traits))

    async def read_ids(self, endpoint_ids: Collection[str]) -> None:
        """Read endpoints whose marks are not known yet, a few at a time and each once."""
        await asyncio.gather(*(self._read_once(endpoint_id) for endpoint_id in endpoint_ids))

    async def _read_once(self, endpoint_id: str) -> None:
        task = self._reading.get(endpoint_id)
        if task is None:
            task = asyncio.create_task(self._read(endpoint_id))
            self._reading[endpoint_id] = task
            task.add_done_callback(lambda _: self._reading.pop(endpoint_id, None))
        # One caller that is cancelled must not take the answer from the others.
        await asyncio.shield(task)

    async def _read(self, endpoint_id: str) -> None:
        async with self._readers:
            answer = await self.driver.get(endpoint_id)
        if not isinstance(answer, Unavailable | Absent):
            self._learn(answer)

    def _learn(self, endpoint: Endpoint) -> None:
        """Keep what an endpoint shows, for good or until it shows something else."""
        trait = _trait(endpoint)
        if endpoint.id in self.traits:
            if self.traits[endpoint.id] == trait:
                return
            self._forget((endpoint.id,))
        self.traits[endpoint.id] = trait
        marker = trait.marker
        if marker is not None and marker.cluster == self.cluster:
            self._marked.setdefault(marker.owner, {})[endpoint.id] = marker.nonce

    def relearn(self, endpoint: Endpoint) -> None:
        """Take in a new name of an endpoint that was read before, and may bear another mark now.

        Args:
            endpoint: The endpoint as it was just seen.
        """
        if endpoint.id in self.traits:
            self._learn(endpoint)

    async def look(
        self,
        step: Look,
        *,
        cluster: str,
        model: str,
        hardware: str,
        taken: Collection[str],
    ) -> Scan | Unavailable:
        """Scan the account for marks.

        Args:
            step: What to look for.
            cluster: The cluster id.
            model: The model that was ordered.
            hardware: The hardware that was ordered.
            taken: Ids that other resources own.
        """
        poll = await self.list(step.since)
        if isinstance(poll, Unavailable):
            return poll
        await self.read(poll, step.horizon)
        return classify(
            credential=self.identity,
            sent_at=poll.sent_at,
            listing=Listing(dict(poll.lines), poll.date),
            traits=self.traits,
            since=step.horizon,
            cluster=cluster,
            uids=step.uids,
            model=model,
            hardware=v1_hardware(hardware),
            taken=taken,
            name=step.name,
        )

    async def price(self, hardware: str) -> Decimal | Unavailable | None:
        """US dollars per replica and hour of a hardware, waited for if it is not known yet.

        Args:
            hardware: The hardware id, in either generation's spelling.

        Returns:
            The price; `None` if Together names none for it; or why prices cannot be read now, and
            when to ask again.
        """
        reading = self.refresh_prices()
        known = self.known_price(hardware)
        if known is None and reading is not None:
            await asyncio.wait({reading}, timeout=_PRICES_PATIENCE)
            known = self.known_price(hardware)
        again = self.price_expected(hardware)
        if known is not None or again is None:
            return known
        what = self.unpriced
        if what is None:
            what = Unavailable(Reason.UNREACHABLE, "Together has not told its prices yet")
        return replace(what, retry_after=again)

    def refresh_prices(self) -> asyncio.Task[None] | None:
        """Have prices read in the background, unless that was done or tried not long ago.

        Returns:
            The reading, if one is under way.
        """
        if self._pricing is None and self.clock() >= self._prices_due:
            self._prices_due = self.clock() + self.pause
            self._pricing = asyncio.create_task(self._read_prices())
            self._pricing.add_done_callback(self._priced)
        return self._pricing

    async def _read_prices(self) -> None:
        offers = await self.driver.offers()
        if isinstance(offers, Unavailable):
            self.unpriced = offers
            pause = max(self.pause, offers.retry_after or 0.0)
        else:
            self._prices = {
                v1_hardware(offer.hardware): offer.cents_per_hour / 100 for offer in offers
            }
            self.unpriced = None
            pause = _PRICES_FRESH
        self._prices_due = self.clock() + pause

    def _priced(self, task: asyncio.Task[None]) -> None:
        self._pricing = None
        if not task.cancelled() and task.exception() is not None:
            log.error("Reading prices failed", exc_info=task.exception())

    def price_expected(self, hardware: str) -> float | None:
        """Seconds until it is worth asking again for a price that is not known.

        Args:
            hardware: The hardware id, in either generation's spelling.

        Returns:
            `None` if it is known, or if Together names no price for it.
        """
        if self.known_price(hardware) is not None:
            return None
        if self._pricing is not None:
            return 1.0
        if self.unpriced is None and self._prices is not None:
            return None
        return max(1.0, self._prices_due - self.clock())

    def known_price(self, hardware: str) -> Decimal | None:
        """The price as last read, without asking.

        Args:
            hardware: The hardware id, in either generation's spelling.
        """
        return (self._prices or {}).get(v1_hardware(hardware))

    @property
    def api(self) -> Api:
        """The generation of the API."""
        return self.driver.api

    @property
    def place(self) -> Place:
        """Where it looks."""
        return Place(self.identity, self.api)

    @property
    def owners(self) -> Collection[str]:
        """The owner parts of all marks of ours that were read."""
        return self._marked.keys()

    def marked(self, tag: str) -> tuple[Found, ...]:
        """The endpoints in the newest LIST that carry a resource's mark, the oldest first.

        Args:
            tag: The owner part of the mark.
        """
        if self.poll is None:
            return ()
        lines = self.poll.lines
        found = [
            Found(endpoint_id, nonce, lines[endpoint_id].created_at)
            for endpoint_id, nonce in self._marked.get(tag, {}).items()
            if endpoint_id in lines
        ]
        return tuple(sorted(found, key=lambda f: (f.created_at, f.id)))


def _trait(endpoint: Endpoint) -> Trait:
    return Trait(
        Marker.parse(endpoint.display_name),
        endpoint.model,
        # Either generation's spelling names the same hardware.
        v1_hardware(endpoint.hardware),
        endpoint.display_name,
        endpoint.ready_replicas or endpoint.bounds.min,
        vacant=endpoint.deployments == (),
    )
