"""What a person asks for: the spec of a TogetherEndpoint.

The models are the source of the CRD: a docstring below a field is what `kubectl explain` prints,
a bound on a field is what the API server enforces. Rules that span fields, or whose refusal needs
advice, are CEL (`rules.py`); the two that protect money or ownership are repeated here, because a
cluster may still hold resources from before its CRD was upgraded.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from together_operator.resource.names import MARKER_PATTERN

MAX_REPLICAS = 1000
"""Upper bound of both replica numbers: a typing error away from any real endpoint."""

MAX_INACTIVE_MINUTES = 525_600
"""Upper bound of the inactivity timeout: a year."""


class Part(BaseModel):
    """A part of the spec: Kubernetes spelling outside, Python spelling inside."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
    )


class State(StrEnum):
    """Whether the endpoint is to run."""

    STARTED = "Started"
    STOPPED = "Stopped"


class Api(StrEnum):
    """Which generation of Together's API carries the endpoint."""

    AUTO = "Auto"
    V1 = "V1"
    V2 = "V2"


class DeletionPolicy(StrEnum):
    """What becomes of the remote endpoint when the resource is deleted."""

    DELETE = "Delete"
    STOP = "Stop"
    RETAIN = "Retain"


class Replacement(StrEnum):
    """Whether what cannot be changed in place may be replaced."""

    NEVER = "Never"
    SWAP = "Swap"


class OnMissing(StrEnum):
    """What becomes of the resource when its endpoint has gone from Together."""

    REPORT = "Report"
    RECREATE = "Recreate"


class SpeculativeDecoding(StrEnum):
    """Whether speculative decoding is required, forbidden, or Together's choice."""

    AUTO = "Auto"
    ENABLED = "Enabled"
    DISABLED = "Disabled"


ReplicaNumber = Annotated[int, Field(ge=1, le=MAX_REPLICAS, json_schema_extra={"format": "int32"})]
ObjectName = Annotated[str, Field(min_length=1, max_length=253)]


class Autoscaling(Part):
    """Replica bounds."""

    min_replicas: ReplicaNumber = 1
    """Replicas that always run while the endpoint is started: the floor of the cost. At least 1;
    to stop the endpoint set `spec.state` to `Stopped`. `kubectl scale`, an HPA and KEDA write this
    field through the scale subresource."""

    max_replicas: ReplicaNumber | None = None
    """Replicas that Together may scale out to under load: the ceiling of the cost. Absent means
    the same as `minReplicas`, a fixed size."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max_replicas is not None and self.min_replicas > self.max_replicas:
            raise ValueError("minReplicas must not exceed maxReplicas")
        return self


class SecretKeyRef(Part):
    """A key of a Secret in the same namespace."""

    name: ObjectName
    """Name of the Secret."""

    key: Annotated[str, Field(min_length=1, max_length=253)] = "api-key"
    """Key within the Secret that holds the API key."""


class Adopt(Part):
    """An endpoint that exists already."""

    endpoint_id: Annotated[str, Field(alias="endpointID", min_length=1, max_length=256)]
    """Together's ID of the endpoint to take over, such as `endpoint-5b1c…`; not its name. The
    project of the API key must have it, with the model and hardware that the spec names; on
    API v2 (`ep_…`) that is a matter of the deployment with most of the traffic."""


class V2Options(Part):
    """What only API v2 has. Without effect where API v1 carries the endpoint."""

    endpoint_name: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Name of the endpoint at Together, unique in its project and the last part of the name that
    inference takes: lower-case letters, digits and `-`. Defaults to the resource's name and five
    letters. Fixed once an attempt to create the endpoint exists."""

    config_id: Annotated[str, Field(min_length=1, max_length=256)] | None = Field(
        None, alias="configID"
    )
    """Together's ID (`cr_…`) of the config to deploy, where the model has several for the
    hardware: they differ in quantization and tuning, and the refusal lists them. Fixed once a
    deployment exists."""


class MigrationOptions(Part):
    """A move from API v1 to v2."""

    confirm: bool = False
    """Whether the endpoint of API v1 may go. While false it is kept beside that of API v2, which
    answers under another name, and both are billed; once true it is removed, or stopped and kept,
    as `deletionPolicy` says, as soon as the other one serves."""


class Connection(Part):
    """Where applications find the endpoint."""

    config_map_name: ObjectName
    """Name of the ConfigMap that the operator writes, in the resource's namespace. It holds
    `OPENAI_BASE_URL` and `OPENAI_MODEL` for `envFrom`, is owned by the resource and deleted with
    it. A ConfigMap of that name that belongs to somebody else is never overwritten."""


class Spec(Part):
    """What the endpoint at Together is to be."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    """Model to serve, by Together's ID, for example `mistralai/Mixtral-8x7B-Instruct-v0.1`. Fixed
    once an attempt to create the endpoint exists, but for `replacement: Swap`; a model that
    Together refused can be corrected."""

    hardware: Annotated[str, Field(min_length=1, max_length=128)]
    """Hardware of each replica, by Together's ID in API v1 or v2, for example
    `2x_nvidia_h100_80gb_sxm` or `2xnvidia-h100-80gb`. Fixed once an attempt to create the endpoint
    exists, but for `replacement: Swap`; hardware that Together refused can be corrected, and the
    refusal lists what the model runs on, with prices."""

    autoscaling: Autoscaling = Autoscaling()
    """Replica bounds. Leave it out where an HPA or KEDA scales the resource."""

    state: State = State.STARTED
    """Whether the endpoint runs: `Started` (default) or `Stopped`. A stopped endpoint costs
    nothing and keeps its settings. On most accounts Together no longer starts a stopped endpoint
    of API v1 again."""

    display_name: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Name shown in Together's console. Defaults to `<namespace>/<name>`. The operator appends a
    29-character marker, by which it recognises its endpoint, and cuts this name to what is left
    of 63 characters: the first 34 are shown. API v2 has no such name, and shows none."""

    inactive_timeout_minutes: Annotated[
        int, Field(ge=0, le=MAX_INACTIVE_MINUTES, json_schema_extra={"format": "int32"})
    ] = 0
    """Minutes without an inference request after which Together stops the endpoint; 0 (default)
    means never. API v2 takes 30 to 1440. An endpoint that stopped this way stays stopped until
    `spec.state` goes from `Stopped` to `Started` or the annotation
    `together-operator.io/restart-requested-at` changes."""

    speculative_decoding: SpeculativeDecoding = SpeculativeDecoding.AUTO
    """Speculative decoding: `Auto` (default) leaves it to Together, `Enabled` and `Disabled` are
    requirements, on API v2 to the config. Fixed once an attempt to create the endpoint exists."""

    availability_zone: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Zone to run in, for example `us-central-4b`. Absent means any; a zone narrows the hardware
    that can be had. API v2 has regions, such as `us-central-4`, and takes a zone for the region it
    is in. Fixed once an attempt to create the endpoint exists."""

    api: Api = Api.AUTO
    """Generation of Together's API: `Auto` (default) uses what the account has, v1 first unless the
    operator is set otherwise; `V1` and `V2` are requirements. `status.api` says which one carries
    the endpoint. `V2` moves an endpoint of v1: another is made on v2 beside it, and the first goes
    once `migration.confirm` says so; setting this back before that calls the move off. There is no
    way back to v1."""

    v2: V2Options | None = None
    """Settings for API v2 alone."""

    migration: MigrationOptions | None = None
    """The move of an endpoint of API v1 to v2, which begins with `api: V2`. Without effect on any
    other endpoint."""

    api_key_secret_ref: SecretKeyRef | None = None
    """Secret with the Together API key, in the resource's namespace. Absent means the operator's
    own key, where its settings allow this namespace to use it."""

    deletion_policy: DeletionPolicy | None = None
    """What becomes of the endpoint when this resource is deleted: `Delete` removes it, `Stop` stops
    and keeps it, `Retain` leaves it as it is, running and billed. Absent means `Delete`, or
    `Retain` for an endpoint that was adopted."""

    adopt: Adopt | None = None
    """Takes over an endpoint that exists already; none is ordered. Refused where its model or
    hardware differs, or another resource or cluster has it. What the spec says, defaults included,
    is then applied: replicas, inactivity timeout, name; `suspend: true` shows that first. One that
    is stopped is not started by this. Needs `apiKeySecretRef`. Fixed once an endpoint is
    recorded."""

    on_missing: OnMissing = OnMissing.REPORT
    """What happens when the endpoint has gone from Together and this resource did not delete it:
    `Report` (default) says so and waits for a person, `Recreate` orders another one, once it is
    certain that the former is gone. One that was not running is only reported, since another one
    would run."""

    replacement: Replacement = Replacement.NEVER
    """What happens to a change of model, hardware, zone, config or speculative decoding while the
    endpoint exists: `Never` (default) refuses it, `Swap` (API v2 only) builds a second deployment
    beside the first, tries it, moves the traffic and removes the first. Both are billed
    meanwhile. If the second does not come up, it is removed and the first goes on serving."""

    suspend: bool = False
    """Whether to only observe: while true the operator reports differences and changes nothing at
    Together; a deletion waits."""

    connection: Connection | None = None
    """Publishes how to call the endpoint to applications in the namespace. Absent means nothing
    is published."""

    @field_validator("display_name")
    @classmethod
    def _unmarked(cls, value: str | None) -> str | None:
        if value is not None and re.search(MARKER_PATTERN, value, re.IGNORECASE):
            raise ValueError("must not contain the operator's own marker")
        return value
