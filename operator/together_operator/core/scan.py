"""Looking for what an attempt may have made.

A create whose answer was lost is settled by evidence alone: a complete LIST, and the mark on each
newcomer. What cannot be read, or looks like ours without the mark, makes the evidence
inconclusive rather than negative.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from together_operator.core.marker import Marker, cluster_tag, owner_tag
from together_operator.resource.remote import Listing

CLOCK_DOUBT = 600.0
"""Seconds by which the clocks of Together's servers may disagree (create-once rule 6)."""
_LOST_RECORD_DOUBT = 3600.0


@dataclass(frozen=True, slots=True)
class Trait:
    """What one GET tells of an endpoint once and for all.

    Attributes:
        marker: The mark in its display name, if any.
        model: The model it serves.
        hardware: Its hardware id.
        display_name: The name that people see, as it was then.
        replicas: How many replicas it kept running then.
        vacant: Whether it was an endpoint of the second generation with nothing in it, which
            cannot bear a mark.
    """

    marker: Marker | None
    model: str
    hardware: str
    display_name: str = ""
    replicas: int = 1
    vacant: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """An endpoint with our mark.

    Attributes:
        id: Together's id.
        nonce: The attempt that made it; empty where only its name says that it is ours.
        created_at: Unix seconds by Together's clock.
    """

    id: str
    nonce: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Scan:
    """One look at a whole account.

    Attributes:
        credential: The identity of the key that looked.
        sent_at: When the LIST was sent, on the monotonic clock.
        listed: The ids that it held, as far as they are new enough to be an attempt's. All of
            them would be kept for each of a thousand resources.
        ours: Those with our mark, the oldest first.
        suspects: Newcomers without any mark that have our model and hardware.
        unread: Newcomers that could not be read.
    """

    credential: str
    sent_at: float
    listed: frozenset[str]
    ours: tuple[Found, ...] = ()
    suspects: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def horizon(date: float | None, created_at: float) -> float:
    """The time before which nothing of ours can have been made (create-once rule 6).

    Args:
        date: Together's clock before the first open attempt; `None` if that record is lost.
        created_at: The resource's creationTimestamp.

    Returns:
        Unix seconds; endpoints created earlier need not be read.
    """
    return created_at - _LOST_RECORD_DOUBT if date is None else date - CLOCK_DOUBT


def newcomers(listing: Listing, since: float, known: Collection[str]) -> list[str]:
    """The ids that have to be read to classify a LIST.

    Args:
        listing: The LIST.
        since: The horizon, in unix seconds.
        known: Ids whose trait is known already.
    """
    return [
        line.id
        for line in listing.endpoints.values()
        if line.created_at >= since and line.id not in known
    ]


def classify(
    *,
    credential: str,
    sent_at: float,
    listing: Listing,
    traits: Mapping[str, Trait],
    since: float,
    cluster: str,
    uids: Collection[str],
    model: str,
    hardware: str,
    taken: Collection[str],
    name: str = "",
) -> Scan:
    """Tell ours from others' in one LIST.

    Args:
        credential: The identity of the key that looked.
        sent_at: When the LIST was sent, on the monotonic clock.
        listing: The LIST.
        traits: What is known of each newcomer; one that is missing could not be read.
        since: The horizon, in unix seconds.
        cluster: The cluster id.
        uids: The uids whose marks count as ours.
        model: The model that we asked for.
        hardware: The hardware that we asked for.
        taken: Ids that other resources own: no suspects.
        name: The unique name that was asked for, in the generation that has such; there only a
            mark, or the name on something vacant, tells of an attempt.
    """
    tags = {owner_tag(uid) for uid in uids}
    here = cluster_tag(cluster)
    ours: list[Found] = []
    suspects: list[str] = []
    unread: list[str] = []
    for line in listing.endpoints.values():
        if line.created_at < since:
            continue
        trait = traits.get(line.id)
        if trait is None:
            if line.id not in taken:
                unread.append(line.id)
        elif trait.marker is None and name:
            if trait.vacant and line.name == name and line.created_at >= since + CLOCK_DOUBT:
                ours.append(Found(line.id, "", line.created_at))
        elif trait.marker is None:
            if line.id not in taken and (trait.model, trait.hardware) == (model, hardware):
                suspects.append(line.id)
        elif trait.marker.cluster == here and trait.marker.owner in tags:
            ours.append(Found(line.id, trait.marker.nonce, line.created_at))
    ours.sort(key=lambda found: (found.created_at, found.id))
    return Scan(
        credential=credential,
        sent_at=sent_at,
        listed=frozenset(i for i, line in listing.endpoints.items() if line.created_at >= since),
        ours=tuple(ours),
        suspects=tuple(suspects),
        unread=tuple(unread),
    )
