"""Everything about the real API that nobody has documented.

Why: a simulator must decide what the documentation leaves open, and a client must
not come to rely on such a decision. Each one is a field here, with what is known,
and can be switched at start (``--assume NAME=VALUE``) or while it runs
(``POST /_sim/assumptions``). Seconds are simulated unless a field says otherwise.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from together_local.simulator.billing import MinuteRounding
from together_local.simulator.errors import ErrorShape

Seconds = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class AssumptionError(ValueError):
    """An assumption has no such name, or cannot have that value."""


class Assumptions(BaseModel):
    """What the simulator takes to be true where the real API is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    # How long things take.
    pending_seconds: Seconds = 10
    """PENDING before hardware is looked for. Documented only: it may last without end."""
    starting_seconds: Seconds = 120
    """STARTING until STARTED. Reported: 1 to 25 minutes, by the model's size."""
    stopping_seconds: Seconds = 15
    """STOPPING until STOPPED. Unknown."""
    serving_delay_seconds: Seconds = 5
    """STARTED until inference answers. Documented: STARTED is no proof of serving."""
    scale_up_seconds: Seconds = 60
    """Until a replica added to a STARTED endpoint runs. Unknown."""
    create_list_lag_seconds: Seconds = 0
    """How long a new endpoint is missing from LIST. Unknown."""
    create_get_lag_seconds: Seconds = 0
    """How long GET by id answers 404 for a new endpoint. Unknown."""
    delete_list_lag_seconds: Seconds = 10
    """How long a deleted endpoint stays in LIST. One report: up to 20 s."""
    delete_get_lag_seconds: Seconds = 0
    """How long GET still answers for a deleted endpoint. Unknown."""
    date_skew_seconds: float = 0
    """Added to the ``Date`` header, so that it disagrees with ``created_at``. Unknown."""

    # What a create does with its fields.
    inactive_timeout_when_omitted: Annotated[int, Field(ge=0)] = 60
    """Minutes (0 = never). Most pages say one hour, the API specification says disabled."""
    inactive_timeout_when_null: Annotated[int, Field(ge=0)] = 0
    """Minutes (0 = never) for an explicit null on create. Documented: disabled."""
    inactive_timeout_null_on_update: Literal["disable", "keep"] = "disable"
    """PATCH with an explicit null. Documented is only that 0 disables."""
    inactive_timeout_ceiling: Annotated[int, Field(ge=1)] | None = None
    """Largest inactive_timeout in minutes. Unknown; API v2 ends at 1440."""
    inactive_timeout_shown: bool = False
    """True: GET returns inactive_timeout. Documented: no answer has it."""
    min_replicas_floor: Annotated[int, Field(ge=0)] = 0
    """Smallest min_replicas. The official command line permits 0; one replica runs then."""
    max_replicas_ceiling: Annotated[int, Field(ge=1)] = 100
    """Largest max_replicas. Unknown."""
    half_autoscaling: Literal["refuse", "merge"] = "refuse"
    """PATCH with one bound only: documentation demands both, one official CLI sends one."""
    display_name_default: Literal["model", "name", "empty"] = "model"
    """display_name of an endpoint that was given none. Unknown."""
    display_name_max_length: Annotated[int, Field(ge=1)] = 256
    """Longest display_name. Unknown."""
    display_name_overlong: Literal["refuse", "truncate"] = "refuse"
    """What happens to a longer display_name. Unknown."""
    display_names_kept: bool = True
    """False: the server ignores display_name and answers with its own default."""
    display_names_unique: bool = False
    """True: a second endpoint of that display_name is refused with 409. Probably not so."""
    availability_zone_from: Literal["both", "body", "query"] = "both"
    """Where a create's zone is read: the specification says body, one official client
    sends it in the query."""
    bad_zone: Literal["refuse", "ignore"] = "refuse"
    """A create with an unknown zone. Unknown."""

    # How it refuses.
    error_shape: ErrorShape = ErrorShape.NESTED
    """Shape of error bodies; official clients cope with several."""
    validation_status: Literal[400, 422] = 400
    """Status of a refused request body. No 4xx is documented for it."""
    foreign_endpoint_status: Literal[403, 404] = 404
    """Status for an id of another project. Unknown."""
    second_delete_status: Literal[204, 404] = 404
    """Status of DELETE for an endpoint that is deleted already. Unknown."""
    retired_patch: Literal["accept", "refuse"] = "accept"
    """PATCH of name, bounds or timeout where v1 is closed. Not on the list of what works."""
    empty_patch: Literal["accept", "refuse"] = "accept"
    """PATCH without any field. Unknown."""
    patch_while_starting: Literal["accept", "conflict", "refuse"] = "accept"
    """PATCH, other than a stop, during PENDING and STARTING: 200, 409 or 400. Unknown."""
    patch_while_stopping: Literal["accept", "conflict", "refuse"] = "accept"
    """PATCH during STOPPING: 200, 409 or 400. Unknown."""
    delete_in_transition: Literal["accept", "conflict", "refuse"] = "accept"
    """DELETE during STARTING and STOPPING: 204, 409 or 400. Unknown."""
    start_from_error: Literal["accept", "refuse"] = "accept"
    """PATCH state=STARTED of an endpoint in ERROR. One script does it."""
    mine_false: Literal["accept", "refuse"] = "accept"
    """LIST with mine=false; a report against the official client calls it unsupported."""
    mine_scope: Literal["project", "key"] = "project"
    """Whose endpoints mine=true lists. Documented: those "owned by caller"."""
    list_order: Literal["newest", "oldest"] = "newest"
    """Order of LIST. Unknown."""
    list_limit: Annotated[int, Field(ge=1)] | None = None
    """Largest number of endpoints in one LIST, which has no cursor. Unknown."""
    rate_limit_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Management requests of one project in a real minute, beyond which 429. Unknown."""
    rate_limit_retry_after: bool = True
    """Whether that 429 carries Retry-After. Unknown."""

    # Capacity.
    no_capacity: Literal["queue", "refuse"] = "queue"
    """A create without free hardware: PENDING until there is some, or refused. Both reported."""
    capacity_refusal_status: Annotated[int, Field(ge=400, le=599)] = 400
    """Status of that refusal. Unknown."""
    partial_capacity: Literal["start", "queue"] = "start"
    """Hardware for some replicas: documented to start with fewer and add the rest later."""
    insufficient_below: Annotated[int, Field(ge=1)] = 2
    """Free replicas below which /hardware says ``insufficient`` instead of ``available``."""

    # Life and inference.
    patch_bounces: bool = False
    """True: new bounds take a STARTED endpoint through STARTING again. Ambiguous in the docs."""
    idle_stop_path: Literal["stopping", "direct"] = "stopping"
    """Whether an idle stop passes through STOPPING. Unknown."""
    inference_by_id: bool = False
    """True: inference accepts the endpoint's id for its name. Sources disagree."""
    not_running_share: Share = 0
    """Share of inference requests to a STARTED endpoint that are told it is not running.
    One report: 1 in 5."""
    refused_requests_are_activity: bool = True
    """Whether a request that the running endpoint refuses resets the idle timer. Unknown."""
    extra_fields: bool = False
    """True: answers carry autoscaling.ready_replicas and current_replicas, as some report."""

    # Billing.
    minute_rounding: MinuteRounding = MinuteRounding.UP
    """Each running period of a replica becomes whole minutes. Unknown."""
    bill_stopping: bool = False
    """True: STOPPING is billed. Documented: stopping ends billing at once."""
    bill_scaling_up: bool = False
    """True: an added replica is billed before it runs. Documented: provisioning is free."""
    credit_cents: float | None = None
    """Prepaid credit per project; once billed, a create is refused with 402. What runs goes on:
    what happens to it is unknown."""

    # Faults drawn at random.
    fault_rate: Share = 0
    """Share of API requests that meet a random fault, drawn by the seed."""
    fault_seconds: Seconds = 1
    """Upper bound, in real seconds, of a random fault's delay, late effect or LIST gap."""

    def changed(self, values: dict[str, Any]) -> Self:
        """Return a copy with some assumptions switched.

        Args:
            values: New values by name.

        Raises:
            AssumptionError: A name or value is wrong; the message names it.
        """
        try:
            return self.model_validate({**self.model_dump(), **values})
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise AssumptionError(f"assumption {name!r}: {first['msg']}") from None

    @classmethod
    def described(cls) -> list[tuple[str, Any, str]]:
        """Return name, default and meaning of every assumption."""
        return [
            (name, field.default, " ".join((field.description or "").split()))
            for name, field in cls.model_fields.items()
        ]


def parse_assumption(text: str) -> tuple[str, Any]:
    """Split ``NAME=VALUE`` as given on the command line; the value is JSON or a plain word.

    Raises:
        AssumptionError: There is no ``=``.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise AssumptionError(f"{text!r} is not NAME=VALUE, for example starting_seconds=30")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()
