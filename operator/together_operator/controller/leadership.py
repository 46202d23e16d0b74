"""Which of several operators works: the one that holds a Lease, by its own steady clock.

A create needs no leader, its record protects it. But a change or a deletion at Together that was
decided long ago must not arrive after somebody else has begun to decide. So the time for which a
renewal is good counts from before it was sent, on a clock that nobody sets and that runs on while
the machine sleeps, and ends before anybody else may take over. The elector of the Kubernetes
library judges by the wall clock, which can jump.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final, Protocol

from together_operator.controller.beginning import Refusals, doubted_for
from together_operator.controller.kube_errors import (
    AlreadyExists,
    Conflict,
    KubeError,
    KubeUnavailable,
    NotFound,
    Rejected,
)
from together_operator.controller.lease import NAME, Lease, LeaseRefused, Leases

log = logging.getLogger(__name__)

_DURATION: Final = 15.0
_SHORTEST: Final = 4.0
_DRIFT: Final = 0.98
"""Two clocks that count the same seconds may differ by this much."""


class LeaseLost(Exception):  # noqa: N818 (it tells what happened)
    """This process does not lead any more, and never will again; the text says why."""


@dataclass(frozen=True, slots=True)
class Term:
    """The times of a Lease in seconds (create-once rule 15).

    Attributes:
        duration: After so long without a renewal somebody else may take it.
        renewal: From the beginning of one renewal to that of the next.
        margin: What its holder gives away at the end, for what its clock does not know.
        change: The timeout of a change or deletion at Together.
        needed: What must be left for one to be sent.
        call: The timeout of a renewal.
        doubt: How long it is doubted that a right to it is missing.
    """

    duration: float = _DURATION
    renewal: float = 2.0
    margin: float = 1.0
    change: float = 10.0
    needed: float = 11.0
    call: float = 5.0
    doubt: float = doubted_for(1)

    @classmethod
    def scaled(cls, scale: float) -> Term:
        """Divide all of them alike, but none so far that the whole is shorter than four seconds.

        Only `doubt` is about the API server, and has a bound of its own.

        Args:
            scale: The divisor, at least 1.
        """
        part = max(_SHORTEST, _DURATION / scale) / _DURATION
        base = cls()
        return cls(
            duration=base.duration * part,
            renewal=base.renewal * part,
            margin=base.margin * part,
            change=base.change * part,
            needed=base.needed * part,
            call=base.call * part,
            doubt=doubted_for(scale),
        )

    @property
    def good_for(self) -> float:
        """How long a renewal is good for, from just before it was sent."""
        return self.duration * _DRIFT - self.margin


class Mandate(Protocol):
    """What allows this process to work."""

    @property
    def valid(self) -> bool:
        """Whether it may go on; once it may not, it never may again."""

    def may_change(self) -> bool:
        """Whether a change or deletion at Together may be sent in this instant."""

    async def renewed(self) -> None:
        """Wait until that may be so again, or never will."""


class Unelected:
    """The mandate of an operator that is told to be the only one."""

    @property
    def valid(self) -> bool:
        """It always may."""
        return True

    def may_change(self) -> bool:
        """It always may."""
        return True

    async def renewed(self) -> None:
        """There is nothing to wait for."""


class Leadership:
    """The mandate by a Lease.

    Args:
        leases: The connection for it.
        namespace: The operator's own namespace, where the Lease is.
        term: Its times.
        clock: Steady seconds, which count while the machine sleeps.
        on_lost: Called once, when this process leads no more.

    Attributes:
        identity: How this process, and no other ever, is named in the Lease.
        standing_by: Whether somebody else leads, as far as is known.
    """

    def __init__(
        self,
        leases: Leases,
        namespace: str,
        term: Term,
        clock: Callable[[], float],
        on_lost: Callable[[], None],
    ) -> None:
        # A container that starts again has the same host name, and must not be taken for the
        # process before it.
        self.identity: Final = f"{socket.gethostname()}_{uuid.uuid4()}"
        self._leases = leases
        self._namespace = namespace
        self._term = term
        self._clock = clock
        self._on_lost = on_lost
        self._lease: Lease | None = None
        self._until = 0.0
        self._lost: str | None = None
        self._news = asyncio.Event()
        self.standing_by = False

    # -- what others ask -------------------------------------------------------------------------

    @property
    def left(self) -> float:
        """Seconds for which nobody else can lead; not positive if that is not known."""
        return self._until - self._clock() if self._lost is None else 0.0

    @property
    def leads(self) -> bool:
        """Whether this process leads."""
        return self._lease is not None and self.valid

    @property
    def valid(self) -> bool:
        """Whether this process may go on; once it may not, it never may again."""
        if self._lost is None and self._lease is not None and self.left <= 0:
            self._lose("it could not be renewed in time, or this process was held up for too long")
        return self._lost is None

    def may_change(self) -> bool:
        """Whether a change or deletion at Together may be sent in this instant."""
        return self.valid and self.left >= self._term.needed

    async def renewed(self) -> None:
        """Wait until that may be so again, or never will."""
        while self.valid and not self.may_change():
            await self._news.wait()

    # -- becoming the leader ---------------------------------------------------------------------

    async def campaign(self) -> None:
        """Stand by until this process leads.

        Raises:
            LeaseRefused: Its account has no right to the Lease, and was told so for a while.
            KubeError: The cluster refuses it for another reason.
        """
        seen: Lease | None = None
        since = 0.0
        told = ""
        refusals = Refusals(self._term.doubt, self._clock)
        while True:
            pause = self._term.renewal
            lease: Lease | None = None
            try:
                lease = await self._leases.read(self._namespace)
                if lease is None:
                    begun = self._clock()
                    made = await self._leases.create(
                        self._namespace, self.identity, self._term.duration
                    )
                    self._lead(made, begun)
                    return
                if seen is None or seen.spec != lease.spec:
                    if seen is None:
                        await self._rehearse(lease)
                    seen, since = lease, self._clock()
                free = not lease.holder or lease.holder == self.identity
                wait = 0.0 if free else since + lease.duration - self._clock()
                if wait <= 0:
                    begun = self._clock()
                    taken = lease.taken(self.identity, self._term.duration)
                    self._lead(await self._leases.write(taken), begun)
                    return
                pause = min(pause, wait)
                news = f"Standing by: {lease.holder} leads (Lease {self._namespace}/{NAME})"
                self.standing_by = True
                refusals.forget()
            except LeaseRefused as error:
                if refusals.one_more(str(error)):
                    raise
                news = f"Waiting: {error}"
            except (Conflict, AlreadyExists):
                continue  # somebody else has just written it
            except NotFound:
                if lease is None:
                    raise  # it is the namespace that is not there
                continue
            except KubeUnavailable as error:
                refusals.forget()
                news = f"Waiting for the Lease {self._namespace}/{NAME}: {error}"
            if news != told:
                log.info(news)
                told = news
            await asyncio.sleep(pause)

    async def _rehearse(self, lease: Lease) -> None:
        """Find out whether the Lease may be written before nobody else is left to do the work."""
        # An admission webhook that knows no dry run says nothing of our rights.
        with contextlib.suppress(Rejected):
            await self._leases.write(lease, dry_run=True)

    def _lead(self, lease: Lease, begun: float) -> None:
        self._good(lease, begun)
        self.standing_by = False
        log.info("Leading as %s (Lease %s/%s)", self.identity, self._namespace, NAME)

    def _good(self, lease: Lease, begun: float) -> None:
        self._lease = lease
        self._until = begun + self._term.good_for
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    # -- staying the leader ----------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Renew the Lease for the length of a block, then give it back.

        Raises:
            LeaseLost: It was lost within the block.
        """
        holding = asyncio.create_task(self._hold(), name="lease")
        try:
            yield
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
            await self._release()
        if self._lost is not None:
            raise LeaseLost(self._lost)

    async def _hold(self) -> None:
        """Renew until it is lost."""
        due = self._clock()
        while self.valid:
            await asyncio.sleep(max(0.0, due - self._clock()))
            begun = self._clock()
            due = begun + self._term.renewal
            if self.left <= 0:
                continue  # it slept for too long, which ends it
            try:
                async with asyncio.timeout(self.left):
                    await self._renew(begun)
            except TimeoutError:
                continue  # nothing is left, which ends it, too
            except NotFound:
                self._lose("somebody deleted it")
            except KubeError as error:
                log.warning("The Lease is not renewed, %.1f s are left: %s", self.left, error)

    async def _renew(self, begun: float) -> None:
        assert self._lease is not None  # noqa: S101 - it leads
        try:
            renewed = await self._leases.write(
                self._lease.taken(self.identity, self._term.duration)
            )
        except Conflict:
            found = await self._leases.read(self._namespace)
            if found is None or found.holder != self.identity:
                now = "nobody" if found is None or not found.holder else found.holder
                self._lose(f"{now} holds it now")
                return
            # An answer to an earlier renewal was lost, or a person has put a label on it.
            self._lease = found
            await self._renew(begun)
            return
        self._good(renewed, begun)
        if not self.may_change() and self.valid:
            log.warning(
                "Renewing the Lease takes %.1f s: changes at Together wait until it is quicker",
                self._clock() - begun,
            )

    def _lose(self, why: str) -> None:
        if self._lost is None:
            self._lost = f"The Lease {self._namespace}/{NAME} is lost: {why}"
            log.error(
                "%s. Nothing new is begun; this process ends, and the next one may lead",
                self._lost,
            )
            self._tell()
            self._on_lost()

    async def _release(self) -> None:
        """Let another one lead at once."""
        if self._lease is None or not self.valid:
            return
        lease, self._lease, self._until = self._lease, None, 0.0
        try:
            await self._leases.write(lease.released())
        except KubeError as error:
            log.warning("The Lease is not given back, and expires by itself: %s", error)
        else:
            log.info("The Lease %s/%s is given back", self._namespace, NAME)
