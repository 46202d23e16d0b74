"""What a person asks for: the spec of a TogetherEndpoint."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Part(BaseModel):
    """A part of the spec: Kubernetes spelling outside, Python spelling inside."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid"
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


class SpeculativeDecoding(StrEnum):
    """Whether speculative decoding is required, forbidden, or Together's choice."""

    AUTO = "Auto"
    ENABLED = "Enabled"
    DISABLED = "Disabled"


class Autoscaling(Part):
    """Replica bounds."""

    min_replicas: int = Field(1, ge=1)
    max_replicas: int | None = None


class SecretKeyRef(Part):
    """A key of a Secret in the same namespace."""

    name: str
    key: str = "api-key"


class Connection(Part):
    """Where applications find the endpoint."""

    config_map_name: str


class Spec(Part):
    """What a person asks for."""

    model: str
    hardware: str
    autoscaling: Autoscaling = Autoscaling()
    state: State = State.STARTED
    display_name: str | None = None
    inactive_timeout_minutes: int = 0
    speculative_decoding: SpeculativeDecoding = SpeculativeDecoding.AUTO
    availability_zone: str | None = None
    api: Api = Api.AUTO
    api_key_secret_ref: SecretKeyRef | None = None
    deletion_policy: DeletionPolicy | None = None
    suspend: bool = False
    connection: Connection | None = None
