"""What we send to API v2.

It refuses a key that it does not know, so that every field here is one of the SDK's, and what is
not set is not mentioned.

Source: the types of Together's SDK 3.1.1 and its guides to dedicated model inference.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class RequestV2(BaseModel):
    """Something that we send, in camelCase."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )

    def body(self) -> dict[str, Any]:
        """The JSON to send: what was set, and nothing else."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class ReplicaBoundsV2(RequestV2):
    """Replica bounds, always both; 0 and 0 is stopped."""

    min_replicas: int
    max_replicas: int


class CreateRoutedEndpoint(RequestV2):
    """The body of an endpoint's create.

    Attributes:
        name: Bare; unique within the project.
        visibility: `None` is private.
    """

    name: str
    visibility: Literal["VISIBILITY_PRIVATE", "VISIBILITY_INTERNAL"] | None = None


class Weight(RequestV2):
    """One deployment's part of the traffic.

    Attributes:
        deployment_id: Whose.
        weight: Per ready replica.
    """

    deployment_id: str
    weight: float


class UpdateRoutedEndpoint(RequestV2):
    """The body of an endpoint's update; `None` leaves a field as it is.

    Attributes:
        traffic_split: The whole of it; empty routes nothing.
        visibility: Who can discover it.
        etag: The version that this was made for; `None` wins over whatever is there.
    """

    traffic_split: tuple[Weight, ...] | None = None
    visibility: Literal["VISIBILITY_PRIVATE", "VISIBILITY_INTERNAL"] | None = None
    etag: str | None = None


class CompliancePolicy(RequestV2):
    """What a place must be certified for."""

    hipaa: bool


class InlinePlacement(RequestV2):
    """Where replicas may run.

    Attributes:
        regions: In Together's words.
        constraint: Whether other regions are out of the question.
        compliance_policy: What the place must be certified for.
    """

    regions: tuple[str, ...] | None = None
    constraint: Literal["ENFORCEMENT_REQUIRED", "ENFORCEMENT_PREFERRED"] | None = None
    compliance_policy: CompliancePolicy | None = None


class Placement(RequestV2):
    """A placement: one of the two.

    Attributes:
        inline: Written out.
        profile: Id of a saved one.
    """

    inline: InlinePlacement | None = None
    profile: str | None = None


class CreateDeployment(RequestV2):
    """The body of a deployment's create; all but bounds, timeout and concurrency is for good.

    Attributes:
        name: Bare.
        model: Resource name of the weights; with a revision, or the newest is pinned.
        config: Resource name of the config.
        autoscaling: Replica bounds; 0 and 0 creates it stopped.
        inactive_timeout: Minutes, 30 to 1440, 0 is never; `None` does not mention it, because some
            pages call it an unknown field.
        placement: `None` is anywhere.
    """

    name: str
    model: str
    config: str
    autoscaling: ReplicaBoundsV2
    inactive_timeout: int | None = None
    placement: Placement | None = None


class UpdateDeployment(RequestV2):
    """The body of a deployment's update; `None` leaves a field as it is.

    Attributes:
        autoscaling: Replica bounds.
        inactive_timeout: Minutes; 0 is never.
        etag: The version that this was made for; `None` wins over whatever is there.
    """

    autoscaling: ReplicaBoundsV2 | None = None
    inactive_timeout: int | None = None
    etag: str | None = None
