"""One endpoint as a status tells of it, and the record of how it came to be.

A resource has one, and a second one while it moves from one generation of Together's API to the
other. The docstrings are what `kubectl explain` prints.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from together_operator.resource.facts import (
    Count,
    Fact,
    Generation,
    Identifier,
    Message,
    Timestamp,
    Word,
)
from together_operator.resource.reasons import ConditionType


class OperationPhase(StrEnum):
    """Where the create protocol stands."""

    OPEN = "Open"
    REFUSED = "Refused"
    DONE = "Done"


class Refusal(Fact):
    """Why Together (or a guard of the operator) said no."""

    reason: Word
    """Reason that the conditions show."""

    message: Message
    """What was said, and the next step."""

    generation: Generation
    """Generation of the resource that was refused; a newer one is tried afresh."""


class Operation(Fact):
    """The create record: evidence of every attempt that may have made an endpoint."""

    phase: OperationPhase
    """`Open` while an attempt may still make an endpoint, `Refused` after a definite no, `Done`
    once the endpoint is recorded."""

    uid: Identifier
    """UID of the resource that the record belongs to; under another UID it proves nothing."""

    cluster: Identifier
    """Cluster that the record belongs to; in another cluster it proves nothing."""

    credential: Identifier
    """Identity of the API key that was used: a keyed hash, not the key."""

    nonce: Identifier
    """Nonce of the latest attempt, the last part of the marker in the display name."""

    date: Annotated[str, Field(max_length=64)]
    """Together's own clock shortly before the first open attempt; older endpoints cannot be its
    effect."""

    attempts: Count = 0
    """Attempts whose outcome was ambiguous."""

    open: Annotated[tuple[Identifier, ...], Field(max_length=64)] = ()
    """Nonces of attempts that may still take effect."""

    removing: Annotated[tuple[Identifier, ...], Field(max_length=64)] = ()
    """IDs of surplus endpoints, proven to be of this resource, that are being deleted."""

    refusal: Refusal | None = None
    """The refusal, while `phase` is `Refused`."""

    former_marker: Word | None = None
    """Marker that an adopted endpoint carried when it was taken over, of a resource that is gone.
    With any other resource's marker on it the endpoint is left alone."""

    replaces: Identifier | None = None
    """ID of the endpoint that had gone, and in whose place this attempt is made."""

    deploying: Identifier | None = None
    """Name of the deployment that is being made, until its ID is known."""

    v1_closed: bool | None = None
    """True if Together refused to create it in API v1, so that v2 carries it."""

    markers_lost: bool | None = None
    """True if Together did not return the display name with the marker that was sent."""


class Role(StrEnum):
    """What a deployment is to the resource."""

    CURRENT = "Current"
    NEXT = "Next"
    FORMER = "Former"


class DeploymentStatus(Fact):
    """A deployment of API v2 that the operator made, or took over."""

    id: Identifier
    """Together's ID of the deployment."""

    name: Identifier
    """Its name at Together, with the operator's marker."""

    role: Annotated[str, Field(max_length=16, json_schema_extra={"enum": [*Role]})]
    """`Current` for the one that is to serve, `Next` for one that is to take its place, `Former`
    for one that is being removed."""

    state: Word | None = None
    """State in Together's own word, for example `DEPLOYMENT_STATE_READY`; an open set."""

    message: Word | None = None
    """Why it is so, in Together's words, where it says."""

    model: Word | None = None
    """Resource name of the weights, with the revision that was pinned."""

    config: Word | None = None
    """Resource name of the config: engine, GPUs, quantization."""

    hardware: Word | None = None
    """Instance type of each replica."""

    quantization: Word | None = None
    """How the weights are written, where the catalogue tells."""

    regions: Annotated[tuple[Word, ...], Field(max_length=64)] = ()
    """Where its replicas are."""

    ready_replicas: Count | None = None
    """Replicas that serve."""

    weight: Word | None = None
    """Its part of the traffic, per ready replica, as Together has it; `0` is none."""


class StatusAutoscaling(Fact):
    """The replica bounds that Together acknowledges."""

    min_replicas: Count
    """Replicas that run at least."""

    max_replicas: Count
    """Replicas that run at most."""


class Inference(Fact):
    """How to call the endpoint."""

    base_url: Annotated[str, Field(alias="baseURL", max_length=2048)]
    """Base URL for an OpenAI-compatible client."""

    model: Identifier
    """Value of `model` in a request."""


class Price(Fact):
    """What one running replica costs."""

    currency: Annotated[str, Field(max_length=3)] = "USD"
    """Currency by ISO 4217."""

    per_replica_hour: Annotated[str, Field(max_length=32)]
    """Price of one running replica per hour, a decimal number as text, for example `5.49`."""


class Applied(Fact):
    """What Together last acknowledged with a 2xx."""

    display_name: Word | None = None
    """Display name, marker included."""

    autoscaling: StatusAutoscaling | None = None
    """Replica bounds."""

    inactive_timeout_minutes: Count | None = None
    """Minutes without an inference request before Together stops the endpoint; 0 means never."""

    speculative_decoding: Word | None = None
    """Speculative decoding as it was asked for."""

    availability_zone: Word | None = None
    """Zone as it was asked for."""

    state: Word | None = None
    """State as it was asked for."""


class Condition(Fact):
    """One condition, in the shape of metav1.Condition."""

    type: ConditionType
    """`Ready`: this generation is carried out, nothing is left to do. `Reconciling`: the operator
    is at work or waiting. `Stalled`: a person must act. `Available`: a request sent now is
    answered. `Synced`: Together answered the operator's last calls."""

    status: Annotated[
        str, Field(max_length=7, json_schema_extra={"enum": ["True", "False", "Unknown"]})
    ]
    """`True`, `False` or `Unknown`."""

    observed_generation: Generation
    """Generation of the resource that the condition speaks of."""

    last_transition_time: Timestamp
    """When `status` last changed."""

    reason: Annotated[
        str,
        Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
    ]
    """Reason in one CamelCase word, of a closed, documented set."""

    message: Message
    """What is the case and what to do next, for a person."""


class Remote(Fact):
    """One endpoint at Together, and the record of how it came to be."""

    api: Annotated[str, Field(max_length=8, json_schema_extra={"enum": ["V1", "V2"]})] | None = None
    """Generation of Together's API that carries the endpoint: `V1` or `V2`."""

    endpoint_id: Identifier | None = Field(None, alias="endpointID")
    """Together's ID of the endpoint, for its console, CLI and support."""

    name: Identifier | None = None
    """Name of the endpoint for inference: the value of `model` in a request."""

    display_name: Word | None = None
    """Name shown in Together's console, the operator's marker included."""

    hardware: Word | None = None
    """Hardware of each replica, in Together's words."""

    owner: Word | None = None
    """Account that Together names as the owner."""

    created_at: Timestamp | None = None
    """When Together created the endpoint, by its clock."""

    state: Word | None = None
    """State in Together's own word, for example `STARTED`; an open set."""

    autoscaling: StatusAutoscaling | None = None
    """Replica bounds that Together acknowledges."""

    replicas: Count | None = None
    """Replicas that Together acknowledges to keep running; 0 while the endpoint is not started."""

    ready_replicas: Count | None = None
    """Replicas that serve, where Together tells a live count."""

    inference: Inference | None = None
    """How to call the endpoint."""

    price: Price | None = None
    """What one running replica costs."""

    applied: Applied | None = None
    """What Together last acknowledged, among it what it never shows again."""

    operation: Operation | None = None
    """Record of the creation, kept as long as the resource lives. It is what prevents a second
    endpoint: do not edit it."""

    deployments: Annotated[
        tuple[DeploymentStatus, ...],
        Field(
            max_length=16,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["id"],
            },
        ),
    ] = ()
    """What runs behind the endpoint on API v2, as far as it is this resource's."""

    adopted: bool | None = None
    """Whether the endpoint existed before this resource took it over; permanent once true."""

    conditions: Annotated[
        tuple[Condition, ...],
        Field(
            max_length=16,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = ()
    """The situation: `Ready`, `Reconciling`, `Stalled`, `Available` and `Synced`, all five always
    present once the operator saw the resource."""


class MigrationPhase(StrEnum):
    """Where a move to the other generation of the API stands."""

    BUILDING = "Building"
    LEAVING = "Leaving"


class Migration(Remote):
    """The other endpoint of a resource, while it moves from one API to the other."""

    phase: Annotated[str, Field(max_length=16, json_schema_extra={"enum": [*MigrationPhase]})]
    """`Building` while the endpoint of API v2 is made, and until the move to it is confirmed;
    `Leaving` for the endpoint that is given up meanwhile: that of v1 once it is confirmed, that of
    v2 if the move is called off."""
