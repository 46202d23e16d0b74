"""What the world at Together looks like, in plain values of no generation.

Drivers speak one API generation each and the core speaks none. What passes between them is
defined here, below both, so that neither has to know the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from together_operator.resource.reasons import Reason


class Phase(StrEnum):
    """Together's open-ended state words, folded to what a decision needs."""

    PENDING = "Pending"
    STARTING = "Starting"
    STARTED = "Started"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"
    UNKNOWN = "Unknown"


ENDED: Final = frozenset({Phase.STOPPED, Phase.FAILED})
"""What does not run and costs nothing."""

HALTED: Final = ENDED | {Phase.STOPPING}
"""What does not run, or is about to end."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Replica bounds, always both.

    Attributes:
        min: Replicas that run at least.
        max: Replicas that run at most.
    """

    min: int
    max: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """What runs behind an endpoint of the second generation.

    Attributes:
        id: Together's id for management calls.
        name: Its bare name, without project and endpoint before it.
        model: Resource name of the weights, with the revision.
        config: Resource name of the config; empty where a summary does not tell it.
        hardware: Together's hardware id.
        state: Together's own word, verbatim.
        phase: What that word and the live count mean together.
        bounds: The replica bounds that Together acknowledges; 0 and 0 is stopped.
        ready_replicas: Live count, where Together tells one.
        created_at: Unix seconds by Together's clock.
        message: Why it is so, in Together's words, where it says.
        regions: Where its replicas are.
        inactive_timeout_minutes: Minutes; 0 is never, `None` where Together does not tell.
        quantization: How the weights are written, where the catalogue has told.
    """

    id: str
    name: str
    model: str
    config: str
    hardware: str
    state: str
    phase: Phase
    bounds: Bounds
    ready_replicas: int | None
    created_at: float
    message: str = ""
    regions: tuple[str, ...] = ()
    inactive_timeout_minutes: int | None = None
    quantization: str = ""


@dataclass(frozen=True, slots=True)
class Weight:
    """One deployment's part of an endpoint's traffic, per ready replica.

    Attributes:
        deployment_id: Whose.
        weight: The number; 0 is none. Exact, as far as Together's own is.
    """

    deployment_id: str
    weight: float


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint as a GET shows it.

    In the second generation what runs are its deployments; the attributes that tell of one
    (model, hardware, state, phase, bounds, ready replicas) are then those of the deployment
    through which it is seen.

    Attributes:
        id: Together's id for management calls.
        name: What inference takes as `model`.
        display_name: Free text of ours; empty where the generation has none.
        model: The model it serves.
        hardware: Together's hardware id.
        owner: The account that Together names as its owner.
        state: Together's own word, verbatim.
        phase: What that word means.
        bounds: The replica bounds that Together acknowledges.
        ready_replicas: Live count, where Together tells one.
        created_at: Unix seconds by Together's clock.
        deployments: What runs behind it, the oldest first; `None` in the first generation.
        traffic: Who answers under its name; empty in the first generation.
        version: The etag that a write of the traffic may name, where there is one.
        locked_by: The rollout that keeps its traffic from being written, where there is one.
    """

    id: str
    name: str
    display_name: str
    model: str
    hardware: str
    owner: str
    state: str
    phase: Phase
    bounds: Bounds
    ready_replicas: int | None
    created_at: float
    deployments: tuple[Deployment, ...] | None = None
    traffic: tuple[Weight, ...] = ()
    version: str | None = None
    locked_by: str | None = None

    def deployment(self, deployment_id: str | None) -> Deployment | None:
        """One of its deployments, if it has it.

        Args:
            deployment_id: Together's id.
        """
        return next((d for d in self.deployments or () if d.id == deployment_id), None)

    def weight(self, deployment_id: str) -> float:
        """How much of the traffic a deployment has; 0 is none.

        Args:
            deployment_id: Together's id.
        """
        return next((w.weight for w in self.traffic if w.deployment_id == deployment_id), 0.0)

    def through(self, deployment: Deployment | None) -> Endpoint:
        """The endpoint as one deployment of it makes it.

        Args:
            deployment: Whose state, bounds, model and hardware count; without one nothing runs.
        """
        if deployment is None:
            return replace(
                self, model="", hardware="", state="", phase=Phase.STOPPED, bounds=Bounds(0, 0),
                ready_replicas=0,
            )  # fmt: skip
        return replace(
            self,
            model=deployment.model,
            hardware=deployment.hardware,
            state=deployment.state,
            phase=deployment.phase,
            bounds=deployment.bounds,
            ready_replicas=deployment.ready_replicas,
        )


@dataclass(frozen=True, slots=True)
class Summary:
    """One line of a LIST: all that a poll sees of an endpoint.

    Attributes:
        id: Together's id for management calls.
        state: Together's own word, verbatim.
        phase: What that word means.
        created_at: Unix seconds by Together's clock.
        name: The bare name, where it is chosen by who creates it; else empty.
        whole: The whole endpoint, where a LIST shows all that a GET does.
    """

    id: str
    state: str
    phase: Phase
    created_at: float
    name: str = ""
    whole: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """Everything that one create sends.

    Attributes:
        model: The model to serve.
        hardware: The hardware id, in v1 or v2 spelling.
        bounds: Replica bounds.
        display_name: The name with its marker.
        started: Whether it is to run at once.
        inactive_timeout_minutes: Minutes without traffic before Together stops it; 0 is never.
        speculative_decoding: `True` or `False` where it is a requirement, else `None`.
        availability_zone: Zone to run in, or `None` for any.
        endpoint_name: Bare name of the endpoint, where it is chosen by who creates it.
        config: Id of the config to use, where the person chose one.
    """

    model: str
    hardware: str
    bounds: Bounds
    display_name: str
    started: bool
    inactive_timeout_minutes: int
    speculative_decoding: bool | None
    availability_zone: str | None
    endpoint_name: str = ""
    config: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What one update sends; `None` leaves a field as it is.

    Attributes:
        display_name: The name with its marker.
        bounds: Replica bounds, both.
        inactive_timeout_minutes: Minutes; 0 is never.
    """

    display_name: str | None = None
    bounds: Bounds | None = None
    inactive_timeout_minutes: int | None = None

    def __bool__(self) -> bool:
        """Whether there is anything to send."""
        return self != Change()


@dataclass(frozen=True, slots=True)
class Done:
    """Together carried it out and said so.

    Attributes:
        endpoint: The endpoint after it; `None` where the answer carries none (a delete).
        deployment: The deployment after it, where that is what the answer tells.
    """

    endpoint: Endpoint | None = None
    deployment: Deployment | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Together answered, and nothing happened.

    Attributes:
        reason: Which situation this is for the person.
        message: Together's words, and the next step.
        retryable: Whether the same request may succeed later without a person's help.
        retry_after: Seconds that Together asked to wait, if it did.
    """

    reason: Reason
    message: str
    retryable: bool = False
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """It may or may not have happened, or may still happen.

    Attributes:
        message: What was seen instead of an answer.
    """

    message: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """It failed before a byte of the request left.

    Attributes:
        message: Why.
    """

    message: str


@dataclass(frozen=True, slots=True)
class Absent:
    """Together says that this id does not exist, for this key, this once."""


@dataclass(frozen=True, slots=True)
class Unavailable:
    """No answer to be had now.

    Attributes:
        reason: `Unreachable`, `RateLimited`, or what is wrong with the key.
        message: What was seen.
        retry_after: Seconds that Together asked to wait, if it did.
    """

    reason: Reason
    message: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """One complete LIST.

    Attributes:
        endpoints: What it held, by id.
        date: Together's clock at the answer, in unix seconds.
    """

    endpoints: dict[str, Summary]
    date: float


@dataclass(frozen=True, slots=True)
class Offer:
    """One hardware that can be had.

    Attributes:
        hardware: Its id.
        cents_per_hour: Price per replica and hour in US cents, exact.
        availability: Together's own word (`available`, `insufficient`, `unavailable`), or `None`
            where it says nothing.
    """

    hardware: str
    cents_per_hour: Decimal
    availability: str | None
