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

    # How long things take. In v2 the same times pass under the names of its states.
    pending_seconds: Seconds = 10
    """PENDING (v2: PROVISIONING) before hardware is looked for. Documented only: it may last
    without end."""
    starting_seconds: Seconds = 120
    """STARTING until STARTED (v2: SCALING until READY). Reported: 1 to 25 minutes, by the model's
    size."""
    stopping_seconds: Seconds = 15
    """STOPPING until STOPPED, in v2 also SCALING while replicas drain. Unknown."""
    serving_delay_seconds: Seconds = 5
    """v1: STARTED until inference answers. Documented: STARTED is no proof of serving."""
    scale_up_seconds: Seconds = 60
    """Until a replica added to a running endpoint or deployment runs. Unknown."""
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
    """A create without free hardware: PENDING (v2: DEGRADED) until there is some, or refused (v2:
    429). Both reported."""
    capacity_refusal_status: Annotated[int, Field(ge=400, le=599)] = 400
    """Status of that refusal in v1. Unknown."""
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
    """True: answers of v1 carry autoscaling.ready_replicas and current_replicas, as some report."""

    # API v2: names and routing.
    endpoint_names: Literal["dns_label", "any"] = "dns_label"
    """What an endpoint of v2 may be called: unknown, a DNS label of 63 characters is safe. Any:
    also capitals, dots and underscores, which the official command line puts into the names of
    deployments."""
    deployment_names_unique: bool = True
    """False: an endpoint may have two deployments of one name. Unknown; 409 where it may not."""
    rename: Literal["accept", "refuse"] = "accept"
    """PATCH of a name in v2. The reference has the field, other pages call names immutable."""
    first_deployment_routed: bool = False
    """True: the first deployment of an endpoint enters the traffic split by itself. Some pages say
    so; the official command line's code does not rely on it."""
    split_lag_seconds: Seconds = 20
    """Until routers follow a changed traffic split. Documented: tens of seconds."""
    zero_weight: Literal["keep", "drop"] = "keep"
    """An entry of weight 0 in a traffic split: it stays and blocks deletion, as the guide says, or
    it leaves, as the official client's description says."""
    empty_split: Literal["accept", "refuse"] = "accept"
    """An empty trafficSplit with updateMask: cleared, or refused as no fields to update. The
    official command line relies on the first."""
    empty_split_without_mask: Literal["accept", "refuse"] = "refuse"
    """The same without updateMask. Reported as refused."""
    v1_endpoints_in_v2: bool = False
    """True: LIST and GET of v2 show the project's v1 endpoints, read-only. Unknown."""

    # API v2: life.
    readiness_budget_seconds: Seconds = 6 * 3600
    """Until a deployment of which no replica ever ran is FAILED. Documented: six hours."""
    deployment_inactive_timeout: Literal["accept", "refuse"] = "accept"
    """inactiveTimeout in v2: the official client has it, some pages call it an unknown field."""
    idle_stop_zeroes_bounds: bool = True
    """Whether an idle stop of v2 leaves bounds of 0/0 behind or those that were asked. Unknown."""
    unknown_region: Literal["refuse", "ignore"] = "refuse"
    """A placement in a region that there is not. Unknown."""
    unvalidated_revision: Literal["refuse", "accept"] = "refuse"
    """A deployment of a project model whose weights are not validated. Unknown."""
    failed_deployment_delete: Literal["accept", "after_stop"] = "accept"
    """DELETE of a FAILED deployment: at once, or only after bounds of 0/0 made it STOPPED.
    Documented is STOPPED as the condition."""
    stopping_deployment_delete: Literal["refuse", "accept"] = "refuse"
    """DELETE of a STOPPING deployment. Documented is STOPPED as the condition."""

    # API v2: requests and refusals.
    v2_error_shape: ErrorShape = ErrorShape.NESTED
    """Shape of error bodies of v2: the official client reads nested and gRPC-like ones."""
    delete_refusal_status: Literal[400, 409] = 400
    """Status of a refused DELETE in v2: still running, routed, or with deployments. Unknown."""
    stale_etag_status: Literal[409, 412] = 409
    """Status of a write with an old etag. Documented 409; one public client expects 412 too."""
    etag_follows_status: bool = False
    """True: etags change with state and ready replicas too, not with writes alone. Unknown."""
    validate_only_depth: Literal["shape", "capacity"] = "shape"
    """Whether validateOnly also meets balance, quota and capacity. Unknown."""
    gpu_quota: Annotated[int, Field(ge=0)] | None = None
    """GPUs that a project may ask for in v2, beyond which 429. Unknown."""
    page_size: Annotated[int, Field(ge=1, le=500)] = 50
    """Entries of a page in v2 where the request has no limit. Documented: 50 for deployments."""
    overlong_page: Literal["clamp", "refuse"] = "clamp"
    """A limit beyond 500 (events: 10000) in v2: as many as may be, or refused. Unknown."""
    configs_of_public_models: bool = True
    """False: the list of configs is empty for public models, as one guide reports, and those of a
    fine-tune are listed under its own id."""
    profile_gpu_type: Literal["accelerator", "short"] = "accelerator"
    """gpuType in a deployment profile: nvidia-h100-80gb or H100. Unknown."""
    h100_cents_per_hour: Annotated[int, Field(ge=1)] = 549
    """Price of one H100 in v2. The API was seen with 549, the documentation says 399."""
    whoami_key_type: Literal["project_api_key", "org_api_key"] = "project_api_key"
    """What /v3/whoami says of a key; one of an organization names no project."""

    # Billing.
    minute_rounding: MinuteRounding = MinuteRounding.UP
    """Each running period of a replica becomes whole minutes. Unknown."""
    bill_stopping: bool = False
    """True: STOPPING is billed. Documented: stopping ends billing at once."""
    bill_scaling_up: bool = False
    """True: an added replica of v1 is billed before it runs. Documented: provisioning is free."""
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
