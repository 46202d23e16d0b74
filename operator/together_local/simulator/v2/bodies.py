"""Bodies that API v2 accepts, and how it refuses the others.

Why: strictness is what finds a client's mistakes. Fields and ranges are those of the
official client 3.1.1 (its request types) and of Together's guides; a key is known in
camelCase and in snake_case, and anything else is refused by name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from together_local.simulator.errors import ApiError

Int32 = Annotated[int, Field(ge=0, le=2**31 - 1)]
Int64 = Annotated[str, Field(pattern=r"^\d{1,18}$")]
Duration = Annotated[str, Field(pattern=r"^\d{1,12}(\.\d{1,9})?s$")]
Visibility = Literal["VISIBILITY_PRIVATE", "VISIBILITY_INTERNAL"]


class _Body(BaseModel):
    model_config = ConfigDict(
        extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=True
    )

    def has(self, field: str) -> bool:
        """Tell whether the request carried ``field`` with a value."""
        return field in self.model_fields_set and getattr(self, field) is not None


class CreateEndpoint(_Body):
    """POST …/endpoints."""

    name: Annotated[str, Field(min_length=1)]
    visibility: Visibility | None = None


class SplitEntry(_Body):
    """One deployment's weight in a traffic split."""

    deployment_id: Annotated[str, Field(min_length=1)]
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class UpdateEndpoint(_Body):
    """PATCH …/endpoints/{id}."""

    name: str | None = None
    traffic_split: list[SplitEntry] | None = None
    visibility: Visibility | None = None
    etag: str | None = None


class _Policy(_Body):
    period_seconds: Annotated[int, Field(ge=1, le=1800)]
    type: Literal["SCALING_POLICY_TYPE_PODS", "SCALING_POLICY_TYPE_PERCENT"]
    value: Annotated[int, Field(ge=1)]


class _Rules(_Body):
    policies: list[_Policy] | None = None
    select_policy: (
        Literal[
            "SCALING_POLICY_SELECT_MAX",
            "SCALING_POLICY_SELECT_MIN",
            "SCALING_POLICY_SELECT_DISABLED",
        ]
        | None
    ) = None


class _Metric(_Body):
    name: Literal[
        "active_sessions",
        "cache_hit_rate",
        "decoding_speed",
        "e2e_latency",
        "gpu_utilization",
        "inflight_requests",
        "throughput_per_replica",
        "token_utilization",
        "ttft",
    ]
    target: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    type: Literal[
        "METRIC_TARGET_TYPE_VALUE",
        "METRIC_TARGET_TYPE_UTILIZATION",
        "METRIC_TARGET_TYPE_AVERAGE_VALUE",
    ]
    percentile: Literal["p50", "p90", "p95", "p99"] | None = None


class Autoscaling(_Body):
    """Replica bounds and how to move between them."""

    min_replicas: Int32 | None = None
    max_replicas: Int32 | None = None
    scale_up: _Rules | None = None
    scale_down: _Rules | None = None
    scale_up_window: Duration | None = None
    scale_down_window: Duration | None = None
    scale_to_zero_window: Duration | None = None
    scaling_metrics: Annotated[list[_Metric], Field(max_length=1)] | None = None

    def details(self) -> dict[str, Any]:
        """Return everything but the bounds, as the API spells it."""
        bounds = {"min_replicas", "max_replicas"}
        return self.model_dump(mode="json", by_alias=True, exclude=bounds, exclude_none=True)


class _Compliance(_Body):
    hipaa: bool = False


class Inline(_Body):
    """Where replicas may run."""

    regions: list[str] = []
    constraint: Literal["ENFORCEMENT_REQUIRED", "ENFORCEMENT_PREFERRED"] = "ENFORCEMENT_REQUIRED"
    compliance_policy: _Compliance | None = None


class Placement(_Body):
    """A saved placement or one that is written out."""

    inline: Inline | None = None
    profile: str | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.inline is None) == (self.profile is None):
            raise ValueError("exactly one of inline and profile is required")
        return self


class CreateDeployment(_Body):
    """POST …/deployments; ``model_id``, ``model_revision_id`` and ``config_id`` are deprecated."""

    name: Annotated[str, Field(min_length=1)]
    autoscaling: Autoscaling
    model: str | None = None
    config: str | None = None
    model_id: str | None = None
    model_revision_id: str | None = None
    config_id: str | None = None
    inactive_timeout: Int32 | None = None
    max_concurrent_requests_per_replica: Int64 | None = None
    placement: Placement | None = None


class UpdateDeployment(_Body):
    """PATCH …/deployments/{id}: model, config, hardware and placement are not among its fields."""

    name: str | None = None
    autoscaling: Autoscaling | None = None
    inactive_timeout: Int32 | None = None
    max_concurrent_requests_per_replica: Int64 | None = None
    etag: str | None = None


_BodyT = TypeVar("_BodyT", bound=BaseModel)


def parse(kind: type[_BodyT], body: dict[str, Any]) -> _BodyT:
    """Check a body.

    Raises:
        ApiError: 400, when the body is not as specified; message and ``param`` name the field.
    """
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        # Unknown fields last: a missing one says more about what is wrong with the request.
        problem = min(error.errors(), key=lambda one: one["type"] == "extra_forbidden")
        param = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            message = f"unknown field {param!r}"
        elif problem["type"] in ("missing", "string_too_short"):
            message = f"{param} is required"
        else:
            message = f"{param}: {problem['msg']}" if param else problem["msg"]
        raise ApiError(400, message, param=param or None) from None
