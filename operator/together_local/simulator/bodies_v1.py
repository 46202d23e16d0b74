"""Bodies that API v1 accepts, and how it refuses the others.

Why: strictness is what finds a client's mistakes. Fields and types are those of the
public API specification (CreateEndpointRequest and the PATCH body); anything else
is refused by name.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from together_local.simulator.assumptions import Assumptions
from together_local.simulator.errors import ApiError

Int32 = Annotated[int, Field(ge=0, le=2**31 - 1)]
DesiredState = Literal["STARTED", "STOPPED"]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Bounds(_Body):
    """Replica bounds; both are required by the specification."""

    min_replicas: Int32
    max_replicas: Int32


class HalfBounds(_Body):
    """Replica bounds of a PATCH, of which one client sends only one."""

    min_replicas: Int32 | None = None
    max_replicas: Int32 | None = None


class CreateBody(_Body):
    """POST /v1/endpoints."""

    model: Annotated[str, Field(min_length=1)]
    hardware: Annotated[str, Field(min_length=1)]
    autoscaling: Bounds
    display_name: str = ""
    disable_speculative_decoding: bool = False
    disable_prompt_cache: bool = False
    state: DesiredState = "STARTED"
    inactive_timeout: Int32 | None = None
    availability_zone: str = ""


class UpdateBody(_Body):
    """PATCH /v1/endpoints/{id}."""

    display_name: str = ""
    state: DesiredState = "STARTED"
    autoscaling: HalfBounds = HalfBounds()
    inactive_timeout: Int32 | None = None

    def has(self, field: str) -> bool:
        """Tell whether the request carried ``field``, even as null."""
        return field in self.model_fields_set


class InferenceBody(BaseModel):
    """What every inference route needs; it is lenient about everything else."""

    model_config = ConfigDict(extra="ignore")

    model: Annotated[str, Field(min_length=1)]
    stream: bool = False
    prompt_cache_key: str | None = None
    user: str | None = None


class Message(BaseModel):
    """One message of a chat."""

    model_config = ConfigDict(extra="ignore")

    role: str
    content: Any = None


class ChatBody(InferenceBody):
    """POST /v1/chat/completions."""

    messages: Annotated[list[Message], Field(min_length=1)]


class CompletionBody(InferenceBody):
    """POST /v1/completions."""

    prompt: Any


class EmbeddingBody(InferenceBody):
    """POST /v1/embeddings."""

    input: Annotated[str, Field(min_length=1)] | Annotated[list[str], Field(min_length=1)]


# Seen in public projects wherever the body was wrong, replicas sent flat among them.
_PREFIX = "Error parsing endpoint request: "

_BodyT = TypeVar("_BodyT", bound=BaseModel)


def parse(kind: type[_BodyT], body: dict[str, Any], assumptions: Assumptions) -> _BodyT:
    """Check a body.

    Raises:
        ApiError: The body is not as specified; message and ``param`` name the field.
    """
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        raise _refusal(error, assumptions.validation_status) from None


def _refusal(error: ValidationError, status: int) -> ApiError:
    # Unknown fields last: a missing one says more about what is wrong with the request.
    problems = sorted(error.errors(), key=lambda problem: problem["type"] == "extra_forbidden")
    problem = problems[0]
    param = ".".join(str(part) for part in problem["loc"])
    if problem["type"] in ("missing", "string_too_short"):
        # The official command line looks for "hardware is required".
        known = param in ("model", "hardware")
        message = f"{'' if known else _PREFIX}{param.capitalize() if known else param} is required"
    elif problem["type"] == "extra_forbidden":
        message = f"{_PREFIX}unknown field {param!r}"
    else:
        message = f"{_PREFIX}{param}: {problem['msg']}"
    return ApiError(status, message, param=param)


def check_bounds(min_replicas: int, max_replicas: int, assumptions: Assumptions) -> None:
    """Check replica bounds against each other and against the limits.

    Raises:
        ApiError: They cannot be.
    """
    floor, ceiling = assumptions.min_replicas_floor, assumptions.max_replicas_ceiling
    if min_replicas < floor:
        problem, param = f"min_replicas must be at least {floor}", "min_replicas"
    elif max_replicas < 1:
        problem, param = "max_replicas must be at least 1", "max_replicas"
    elif max_replicas > ceiling:
        problem, param = f"max_replicas must be at most {ceiling}", "max_replicas"
    elif min_replicas > max_replicas:
        problem, param = "min_replicas must not be greater than max_replicas", "min_replicas"
    else:
        return
    raise ApiError(
        assumptions.validation_status,
        f"{_PREFIX}{problem}",
        param=f"autoscaling.{param}",
    )


def check_timeout(minutes: int, assumptions: Assumptions) -> None:
    """Check an inactivity timeout against the limit.

    Raises:
        ApiError: It is too long.
    """
    ceiling = assumptions.inactive_timeout_ceiling
    if ceiling is not None and minutes > ceiling:
        raise ApiError(
            assumptions.validation_status,
            f"{_PREFIX}inactive_timeout must be at most {ceiling}",
            param="inactive_timeout",
        )
