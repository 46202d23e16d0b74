"""The words of API v2 about endpoints and deployments.

Reading is lenient: unknown fields, unknown states, fields that come and go. The wire speaks
camelCase.

Source: the types of Together's SDK 3.1.1 and its guides to dedicated model inference.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from together_operator.together._schema import Count, Moment, Text

T = TypeVar("T")


def _share(value: object) -> Decimal | None:
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return Decimal(value) if is_number and isinstance(value, int | Decimal) else None


def _list_or_empty(value: object) -> object:
    return () if value is None else value


Share = Annotated[Decimal | None, BeforeValidator(_share)]
Some = BeforeValidator(_list_or_empty)


class AnswerV2(BaseModel):
    """Something that Together sends; what it adds later is ignored."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


class Page(BaseModel, Generic[T]):
    """One page of a list.

    Attributes:
        data: The entries.
        next_cursor: Where the next page begins; empty on the last one.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    data: Annotated[tuple[T, ...], Some] = ()
    next_cursor: Text = ""


class Autoscaling(AnswerV2):
    """Replica bounds as acknowledged; both 0 is stopped."""

    min_replicas: Count = None
    max_replicas: Count = None


class SplitEntry(AnswerV2):
    """One deployment's part of the traffic.

    Attributes:
        deployment_id: Whose.
        weight: Per ready replica, exact; `None` where it is no number.
    """

    deployment_id: str
    weight: Share = None


class DeploymentSummary(AnswerV2):
    """A deployment as its endpoint embeds it, which it does for the newest ten.

    Attributes:
        id: For management calls.
        name: What inference takes as `model` to reach it alone.
        model: Resource name of the weights, with the revision.
        hardware: The instance type.
        state: Any word, verbatim.
        autoscaling: Replica bounds.
        ready_replicas: Live count.
        desired_replicas: What the autoscaler wants.
        estimated_effective_traffic_share: From 0 to 1.
        created_at: Unix seconds, or `None` where it cannot be read.
    """

    id: str = Field(min_length=1)
    name: Text = ""
    model: Text = ""
    hardware: Text = ""
    state: Text = ""
    autoscaling: Autoscaling = Autoscaling()
    ready_replicas: Count = None
    desired_replicas: Count = None
    estimated_effective_traffic_share: Share = None
    created_at: Moment = None


class RoutedEndpoint(AnswerV2):
    """An endpoint: a stable name, and who answers under it.

    Attributes:
        id: For management calls.
        name: What inference takes as `model`: `<project slug>/<name>`.
        project_id: Whose it is.
        endpoint_type: Such as `ENDPOINT_TYPE_DEDICATED`.
        visibility: Who can discover it.
        etag: The version that a write may name.
        traffic_split: Who answers.
        deployments: Summaries of the newest ten.
        active_rollout_id: The rollout that locks it, empty without one.
        created_at: Unix seconds, or `None` where it cannot be read.
    """

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    project_id: Text = ""
    endpoint_type: Text = ""
    visibility: Text = ""
    etag: Text = ""
    traffic_split: Annotated[tuple[SplitEntry, ...], Some] = ()
    deployments: Annotated[tuple[DeploymentSummary, ...], Some] = ()
    active_rollout_id: Text = ""
    created_at: Moment = None


class RegionStatus(AnswerV2):
    """Replicas in one region."""

    region: Text = ""
    ready_replicas: Count = None
    scheduled_replicas: Count = None


class StatusDetails(AnswerV2):
    """A deployment's status by region."""

    region: Annotated[tuple[RegionStatus, ...], Some] = ()


class DeploymentStatus(AnswerV2):
    """How a deployment is.

    Attributes:
        state: Any word, verbatim.
        message: Why, in Together's words.
        ready_replicas: Live count.
        scheduled_replicas: Those that have hardware.
        details: The same by region.
    """

    state: Text = ""
    message: Text = ""
    ready_replicas: Count = None
    scheduled_replicas: Count = None
    details: StatusDetails | None = None


class Deployment(AnswerV2):
    """A deployment as GET, POST and PATCH show it.

    Attributes:
        id: For management calls; empty after a dry run.
        name: What inference takes as `model` to reach it alone.
        endpoint_id: Where it belongs.
        model: Resource name of the weights, with the revision.
        config: Resource name of the config.
        hardware: The instance type.
        autoscaling: Replica bounds.
        inactive_timeout: Minutes; 0 or `None` is never.
        desired_replicas: What the autoscaler wants.
        speculator: Resource name of the draft model, empty without speculative decoding.
        status: How it is.
        etag: The version that a write may name.
        created_at: Unix seconds, or `None` where it cannot be read.
    """

    id: Text = ""
    name: Text = ""
    endpoint_id: Text = ""
    model: Text = ""
    config: Text = ""
    hardware: Text = ""
    autoscaling: Autoscaling = Autoscaling()
    inactive_timeout: Count = None
    desired_replicas: Count = None
    speculator: Text = ""
    status: DeploymentStatus = DeploymentStatus()
    etag: Text = ""
    created_at: Moment = None


class Event(AnswerV2):
    """An entry of an endpoint's feed.

    Attributes:
        type: Such as `deployment.scaled`.
        level: Such as `LEVEL_WARN`.
        deployment_id: Whom it happened to, empty for the endpoint itself.
        reason: Such as `AllReplicasReady`.
        message: What happened, in Together's words.
        log_excerpt: A few lines of a failed replica.
        created_at: Unix seconds, or `None` where it cannot be read.
    """

    type: Text = ""
    level: Text = ""
    deployment_id: Text = ""
    reason: Text = ""
    message: Text = ""
    log_excerpt: Text = ""
    created_at: Moment = None
