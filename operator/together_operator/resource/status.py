"""What is true at Together: the status of a TogetherEndpoint."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from together_operator.resource.reasons import ConditionType


class Fact(BaseModel):
    """A part of the status. Fields of a newer version are kept out, never a reason to fail."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore"
    )


class OperationPhase(StrEnum):
    """Where the create protocol stands."""

    OPEN = "Open"
    REFUSED = "Refused"
    DONE = "Done"


class Refusal(Fact):
    """Why Together (or a guard of the operator) said no."""

    reason: str
    message: str
    generation: int


class Operation(Fact):
    """The create record: evidence of every attempt that may have made an endpoint."""

    phase: OperationPhase
    uid: str
    cluster: str
    credential: str
    nonce: str
    date: str
    attempts: int = 0
    open: tuple[str, ...] = ()
    removing: tuple[str, ...] = ()
    refusal: Refusal | None = None


class StatusAutoscaling(Fact):
    """The replica bounds that Together acknowledges."""

    min_replicas: int
    max_replicas: int


class Inference(Fact):
    """How to call the endpoint."""

    base_url: str = Field(alias="baseURL")
    model: str


class Price(Fact):
    """What one running replica costs."""

    currency: str = "USD"
    per_replica_hour: str


class Applied(Fact):
    """What Together last acknowledged with a 2xx."""

    display_name: str | None = None
    autoscaling: StatusAutoscaling | None = None
    inactive_timeout_minutes: int | None = None
    speculative_decoding: str | None = None
    availability_zone: str | None = None
    state: str | None = None


class Condition(Fact):
    """One condition, in the shape of metav1.Condition."""

    type: ConditionType
    status: str
    observed_generation: int
    last_transition_time: str
    reason: str
    message: str


class Status(Fact):
    """What is true at Together."""

    observed_generation: int = -1
    api: str | None = None
    endpoint_id: str | None = Field(None, alias="endpointID")
    name: str | None = None
    display_name: str | None = None
    hardware: str | None = None
    owner: str | None = None
    created_at: str | None = None
    state: str | None = None
    autoscaling: StatusAutoscaling | None = None
    replicas: int | None = None
    ready_replicas: int | None = None
    selector: str | None = None
    inference: Inference | None = None
    price: Price | None = None
    applied: Applied | None = None
    operation: Operation | None = None
    adopted: bool | None = None
    last_handled_reconcile_at: str | None = None
    last_handled_restart_at: str | None = None
    conditions: tuple[Condition, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The status as Kubernetes takes it."""
        return self.model_dump(by_alias=True, exclude_none=True, mode="json")
