"""What has been seen, by this process, up to now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from together_operator.core.memory import Memory
from together_operator.core.scan import Found
from together_operator.core.timing import Timing
from together_operator.resource.remote import Phase, Summary, Unavailable
from together_operator.resource.spec import Api


@dataclass(frozen=True, slots=True)
class Keys:
    """Which keys there are, by identity; never the keys themselves.

    Attributes:
        user: The key that the person gives now.
        held: The copy that outlives the person's Secret.
        trouble: Why there is no key of the person, if there is none.
    """

    user: str | None
    held: str | None
    trouble: Unavailable | None = None


@dataclass(frozen=True, slots=True)
class Poll:
    """The newest complete LIST with the key in use.

    Attributes:
        credential: The identity of that key.
        sent_at: When it was sent, on the monotonic clock.
        date: Together's clock at the answer, in unix seconds.
        lines: What it held, by id.
    """

    credential: str
    sent_at: float
    date: float
    lines: Mapping[str, Summary]


class Link(StrEnum):
    """How the ConfigMap for applications stands."""

    UNWANTED = "Unwanted"
    DUE = "Due"
    CURRENT = "Current"
    FOREIGN = "Foreign"
    DENIED = "Denied"


@dataclass(frozen=True, slots=True)
class Observed:
    """What has been seen.

    Attributes:
        cluster: The cluster id.
        api: The generation that carries, or would carry, the endpoint.
        nonce: A fresh draw of four letters, for an attempt if one begins.
        timing: The waits in force.
        keys: Which keys there are.
        memory: What this process knows of the resource.
        poll: The newest LIST, if there is one yet.
        trouble: What is wrong with the credential, after several failed polls.
        forbidden: Why the operator's guards do not allow the resource, or cannot tell, if so.
        rival: Another resource that owns the recorded endpoint, as `namespace/name`.
        holder: Another resource that has the endpoint of `spec.adopt`, as `namespace/name`.
        buried: Marks (owner and nonce) whose endpoints are deleted wherever they show up, because
            their resource is gone.
        former_phase: What the state word in the status means; that of the deployment, where there
            is one.
        markers_lost: Whether display names of this credential do not come back intact.
        deploys: Whether what runs are deployments within the endpoint (a trait of the driver), so
            that a create runs nothing.
        closed: Whether Together is known to refuse this key to create anything in v1.
        stop_is_final: Whether a stopped endpoint may not be startable again.
        marked: Endpoints with our mark in the newest LIST, other than the recorded one.
        link: How the ConfigMap for applications stands.
        probes: Whether serving is proved by a request.
        unsynced: Seconds for which the Synced condition has been False already.
        beside: What has been seen of the other endpoint, while there are two.
    """

    cluster: str
    api: Api
    nonce: str
    timing: Timing
    keys: Keys
    memory: Memory
    poll: Poll | None = None
    trouble: Unavailable | None = None
    forbidden: str | Unavailable | None = None
    rival: str | None = None
    holder: str | None = None
    buried: frozenset[tuple[str, str]] = frozenset()
    former_phase: Phase = Phase.UNKNOWN
    markers_lost: bool = False
    deploys: bool = False
    closed: bool = False
    stop_is_final: bool = True
    marked: tuple[Found, ...] = ()
    link: Link = Link.UNWANTED
    probes: bool = True
    unsynced: float = 0.0
    beside: Observed | None = None
