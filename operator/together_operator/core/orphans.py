"""Orphans: endpoints that cost money and that no resource answers for.

An owner that cannot be found is no proof that there is none: etcd may have been put back, a backup
may be on its way, and the operator may not look everywhere. So what is found here is told, at most
stopped, and never deleted; and it is told only once a complete look at the cluster, begun after
the endpoint was first seen without an owner, has found none either.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from together_operator.core.scan import CLOCK_DOUBT, Trait
from together_operator.resource.remote import Phase, Summary


class Why(StrEnum):
    """Why nobody answers for an endpoint. The names are a contract: metrics, JSON, documents."""

    OWNER_GONE = "OwnerGone"
    OWNER_NOT_SERVED = "OwnerNotServed"
    RELEASED = "Released"
    UNMANAGED = "Unmanaged"
    OTHER_CLUSTER = "OtherCluster"


MEANINGS: Mapping[Why, str] = {
    Why.OWNER_GONE: "it carries this cluster's mark, and the resource it was made for is gone",
    Why.OWNER_NOT_SERVED: "it carries this cluster's mark, and the resource it was made for is not"
    " in the namespaces that were looked at",
    Why.RELEASED: "its resource was let go and left it at Together, as was asked for",
    Why.UNMANAGED: "it was not made by an operator, and no resource manages it",
    Why.OTHER_CLUSTER: "it carries the mark of another cluster",
}
"""What each word says to a person."""

ORPHANED = frozenset(Why) - {Why.OTHER_CLUSTER}
"""What is an orphan; what belongs to another cluster is that one's to tell."""

_IDLE = frozenset({Phase.STOPPED, Phase.FAILED, Phase.PENDING, Phase.STARTING})
"""Phases that are not billed: the others are, or may be."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """An order of a resource that is not settled yet, and may be what an unmarked endpoint is.

    Attributes:
        since: Together's clock before it was sent, in unix seconds.
        model: The model that was ordered.
        hardware: The hardware that was ordered, in the spelling of v1.
    """

    since: float
    model: str
    hardware: str

    def explains(self, line: Summary, trait: Trait) -> bool:
        """Whether an endpoint may be the effect of it."""
        ordered = (self.model, self.hardware) == (trait.model, trait.hardware)
        return ordered and line.created_at >= self.since - CLOCK_DOUBT


@dataclass(frozen=True, slots=True)
class Claims:
    """What there is in the cluster that answers for endpoints.

    Attributes:
        endpoints: Ids that a resource has on record.
        owners: Owner parts of marks, of resources that live or may live.
        graves: Owner and nonce of what a tombstone watches for.
        released: Ids that were left at Together on purpose.
        attempts: Orders that are not settled yet.
        wanted: Ids that a resource asks for and may not have got. That makes nobody answer for
            them, or whoever may write a resource could hide what others pay for; but what somebody
            may be about to take over is not stopped under their hands.
        everywhere: Whether all namespaces of the cluster were looked at.
    """

    endpoints: Container[str]
    owners: Container[str]
    graves: Container[tuple[str, str]] = ()
    released: Container[str] = ()
    attempts: Sequence[Attempt] = ()
    wanted: Container[str] = ()
    everywhere: bool = True


def why(line: Summary, trait: Trait | None, claims: Claims, cluster: str) -> Why | None:
    """Tell why nobody answers for an endpoint.

    Args:
        line: Its line in a LIST.
        trait: What one GET told of it; `None` if it could not be read.
        claims: What there is in the cluster.
        cluster: The cluster part of our own marks.

    Returns:
        `None` if somebody answers for it, or may.
    """
    if trait is None or line.id in claims.endpoints:
        return None
    marker = trait.marker
    if marker is None:
        if any(attempt.explains(line, trait) for attempt in claims.attempts):
            return None
        return Why.RELEASED if line.id in claims.released else Why.UNMANAGED
    if marker.cluster != cluster:
        return Why.OTHER_CLUSTER
    if marker.owner in claims.owners or (marker.owner, marker.nonce) in claims.graves:
        return None
    if line.id in claims.released:
        return Why.RELEASED
    return Why.OWNER_GONE if claims.everywhere else Why.OWNER_NOT_SERVED


def cost(line: Summary, trait: Trait, price: Decimal | None) -> Decimal | None:
    """What an endpoint costs now, in US dollars per hour.

    Args:
        line: Its line in a LIST.
        trait: What one GET told of it.
        price: What one replica of it costs per hour.

    Returns:
        `None` where the price is not known; 0 where it does not run.
    """
    if line.phase in _IDLE:
        return Decimal(0)
    return None if price is None else price * trait.replicas


def running(line: Summary) -> bool:
    """Whether there is anything to stop."""
    return line.phase in (Phase.PENDING, Phase.STARTING, Phase.STARTED)


@dataclass(slots=True)
class Suspicion:
    """That nobody answers for an endpoint.

    Attributes:
        why: Why it seems so.
        since: When it began to seem so, on the monotonic clock.
        seen: When it was listed last, likewise.
        confirmed: When the newest complete look at the cluster began that found no owner either;
            `None` before there was one.
    """

    why: Why
    since: float
    seen: float
    confirmed: float | None = None


@dataclass(slots=True)
class Suspicions:
    """What is suspected of the endpoints of one account, over time.

    Attributes:
        lag: How long a living endpoint may be missing from a LIST, in seconds.
    """

    lag: float
    _of: dict[str, Suspicion] = field(default_factory=dict)

    def look(
        self,
        sent_at: float,
        lines: Mapping[str, Summary],
        traits: Mapping[str, Trait],
        found: Mapping[str, Why],
    ) -> None:
        """Take in a complete LIST.

        Args:
            sent_at: When it was sent, on the monotonic clock.
            lines: What it held.
            traits: What is known of each.
            found: Those of them that nobody answers for, and why.
        """
        for endpoint_id, suspicion in tuple(self._of.items()):
            if endpoint_id in found:
                continue
            if endpoint_id in lines:
                answered_for = endpoint_id in traits
            else:
                answered_for = sent_at - suspicion.seen > self.lag
            if answered_for:
                del self._of[endpoint_id]
        for endpoint_id, reason in found.items():
            known = self._of.get(endpoint_id)
            if known is None or known.why is not reason:
                self._of[endpoint_id] = Suspicion(reason, sent_at, sent_at)
            else:
                known.seen = sent_at

    def confirm(self, began: float, answered_for: Container[str]) -> None:
        """Take in a complete look at the cluster.

        Args:
            began: When it began, on the monotonic clock.
            answered_for: The ids for which it found somebody who answers, or may.
        """
        for endpoint_id, suspicion in tuple(self._of.items()):
            if endpoint_id in answered_for:
                del self._of[endpoint_id]
            elif suspicion.since <= began:
                suspicion.confirmed = began

    def told(self, now: float) -> dict[str, Suspicion]:
        """Those that may be told of: confirmed, and not only for a moment."""
        return {
            endpoint_id: suspicion
            for endpoint_id, suspicion in self._of.items()
            if suspicion.confirmed is not None and suspicion.since + self.lag <= now
        }

    def ripe(self, census: float, wait: float) -> Iterable[str]:
        """Those of ours that may be stopped: confirmed by this very look, and for long enough.

        Args:
            census: When the newest complete look at the cluster began, on the monotonic clock.
            wait: Seconds for which they must have been without an owner by then.
        """
        return [
            endpoint_id
            for endpoint_id, suspicion in self._of.items()
            if suspicion.why is Why.OWNER_GONE
            and suspicion.confirmed == census
            and suspicion.since + max(wait, self.lag) <= census
        ]

    def ids(self) -> list[str]:
        """All that are suspected."""
        return list(self._of)

    def __contains__(self, endpoint_id: object) -> bool:
        return endpoint_id in self._of

    def __len__(self) -> int:
        return len(self._of)


@dataclass(frozen=True, slots=True)
class Orphan:
    """One endpoint that nobody answers for, as it is told.

    Attributes:
        id: Together's id.
        why: Why nobody does.
        credential: The identity of a key that sees it.
        line: Its line in the newest LIST.
        trait: What one GET told of it.
        price: What one replica of it costs per hour in US dollars, if that is known.
    """

    id: str
    why: Why
    credential: str
    line: Summary
    trait: Trait
    price: Decimal | None

    @property
    def cost(self) -> Decimal | None:
        """What it costs now per hour in US dollars; `None` where its price is not known."""
        return cost(self.line, self.trait, self.price)

    def __str__(self) -> str:
        amount = "an unknown price" if self.cost is None else f"${self.cost:.2f}"
        name = f" '{self.trait.display_name}'" if self.trait.display_name else ""
        return (
            f"{self.id}{name} ({self.trait.model} on {self.trait.hardware}, {self.line.state},"
            f" {amount} an hour): {MEANINGS[self.why]}"
        )
