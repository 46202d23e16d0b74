"""The words of API v1: what its routes take and give.

Reading is lenient (unknown fields, unknown states, fields that come and go), writing is strict
(every field is spelled out, because the documentation contradicts itself about the defaults).

Source: the schemas of Together's published OpenAPI description, and what third parties observed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

M = TypeVar("M", bound=BaseModel)


def _text_or_empty(value: object) -> object:
    return "" if value is None else value


def _moment(value: object) -> float | None:
    """Unix seconds of an RFC 3339 text; `None` where it is not one, which must hide no endpoint."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_count and isinstance(value, int) else None


Text = Annotated[str, BeforeValidator(_text_or_empty)]
Moment = Annotated[float | None, BeforeValidator(_moment)]
Count = Annotated[int | None, BeforeValidator(_count)]


class Answer(BaseModel):
    """Something that Together sends; what it adds later is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Replicas(Answer):
    """Replica bounds as acknowledged.

    Attributes:
        min_replicas: Replicas that run at least.
        max_replicas: Replicas that run at most.
        ready_replicas: Live count, which only some answers carry.
        current_replicas: Live count with those that are not ready yet, likewise.
    """

    min_replicas: int
    max_replicas: int
    ready_replicas: Count = None
    current_replicas: Count = None


class DedicatedEndpoint(Answer):
    """An endpoint as GET, POST and PATCH show it.

    Attributes:
        id: For management calls.
        name: What inference takes as `model`.
        display_name: Free text.
        model: The model.
        hardware: The hardware id.
        owner: The account's name.
        state: Any word, verbatim.
        autoscaling: Replica bounds.
        created_at: Unix seconds, or `None` where it cannot be read.
    """

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    display_name: Text = ""
    model: Text = ""
    hardware: Text = ""
    owner: Text = ""
    state: str
    autoscaling: Replicas
    created_at: Moment = None


class ListedEndpoint(Answer):
    """An endpoint as LIST shows it: without display name, hardware and bounds.

    Attributes:
        id: For management calls.
        type: `dedicated` or `serverless`.
        state: Any word, verbatim.
        created_at: Unix seconds, or `None` where it cannot be read.
    """

    id: str = Field(min_length=1)
    type: Text = "dedicated"
    state: str
    created_at: Moment = None


class EndpointList(Answer):
    """The answer of LIST.

    Attributes:
        data: The endpoints.
        has_more: Would mean pages, which the API does not document.
        next_cursor: Likewise.
    """

    data: tuple[ListedEndpoint, ...]
    has_more: object = None
    next_cursor: object = None

    @property
    def complete(self) -> bool:
        """Whether this is all there is. What a page holds back must not be taken for gone."""
        return not self.has_more and not self.next_cursor


class Pricing(Answer):
    """A price.

    Attributes:
        cents_per_minute: US cents per replica and minute, exact.
    """

    cents_per_minute: Decimal = Field(ge=0, le=1_000_000)


class Availability(Answer):
    """Whether hardware can be had.

    Attributes:
        status: `available`, `insufficient`, `unavailable`, or a new word.
    """

    status: Text = ""


class Hardware(Answer):
    """One hardware.

    Attributes:
        id: An opaque text.
        pricing: Its price, or `None` where it is not told.
        availability: Told only when a model was asked for.
    """

    id: str = Field(min_length=1)
    pricing: Pricing | None = None
    availability: Availability | None = None


class HardwareList(Answer):
    """The answer of the hardware route."""

    data: tuple[Hardware, ...]


class AvailabilityZones(Answer):
    """The answer of the zones route."""

    avzones: tuple[str, ...]


class Request(BaseModel):
    """Something that we send."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def body(self) -> dict[str, object]:
        """The JSON to send: what was set, and nothing else."""
        return self.model_dump(mode="json", exclude_none=True)


class ReplicaBounds(Request):
    """Replica bounds, always both: what one alone does is not documented."""

    min_replicas: int
    max_replicas: int


EndpointState = Literal["STARTED", "STOPPED"]


class CreateEndpoint(Request):
    """The body of a create.

    `disable_prompt_cache` is left out on purpose: Together ignores it and means to drop it.

    Attributes:
        model: The model.
        hardware: The hardware id.
        autoscaling: Replica bounds.
        display_name: Free text.
        state: Whether it is to run at once.
        inactive_timeout: Minutes; always sent, because the default is documented as both never and
            one hour. 0 is never.
        disable_speculative_decoding: `None` leaves it to Together, whose default is documented both
            ways.
        availability_zone: `None` is any. In the body, as the API describes it.
    """

    model: str
    hardware: str
    autoscaling: ReplicaBounds
    display_name: str
    state: EndpointState
    inactive_timeout: int
    disable_speculative_decoding: bool | None = None
    availability_zone: str | None = None


class UpdateEndpoint(Request):
    """The body of an update; `None` leaves a field as it is.

    Attributes:
        display_name: Free text.
        state: Whether it is to run.
        autoscaling: Replica bounds.
        inactive_timeout: Minutes; 0 is never.
    """

    display_name: str | None = None
    state: EndpointState | None = None
    autoscaling: ReplicaBounds | None = None
    inactive_timeout: int | None = None


def reader(model: type[M]) -> Callable[[str], M]:
    """Make the parser of a body.

    Args:
        model: What the body must be.

    Returns:
        A function that raises `ValueError` for any other body.
    """

    def parse(text: str) -> M:
        # Prices are exact decimals; a float in between would not be.
        return model.model_validate(json.loads(text, parse_float=Decimal))

    return parse


def read_zones(text: str) -> tuple[str, ...]:
    """Read the zones, in today's shape or as the bare list that it was before.

    Args:
        text: The body.
    """
    body = json.loads(text)
    return AvailabilityZones.model_validate(
        {"avzones": body} if isinstance(body, list) else body
    ).avzones
