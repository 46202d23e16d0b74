"""The words of API v2 about what can be deployed, on what, where, for how much, and by whom.

Source: the types of Together's SDK 3.1.1 and its guides to dedicated model inference.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from together_operator.together._schema import Count, Moment, Text
from together_operator.together._schema_v2 import AnswerV2, Some


class Project(AnswerV2):
    """A project.

    Attributes:
        id: For paths.
        slug: What the names of its endpoints begin with.
        name: What a person calls it.
    """

    id: str = Field(min_length=1)
    slug: str = Field(min_length=1)
    name: Text = ""


class WhoAmI(BaseModel):
    """Whose key it is.

    Attributes:
        type: What kind of credential, such as `project_api_key`.
        project: The project that a key is bound to; `None` for one of an organization.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    type: Text = ""
    project: Project | None = None


class Profile(AnswerV2):
    """A certified pair of weights and config.

    Attributes:
        model: Resource name of the weights, with their revision.
        model_name: The weights by name, like `Qwen/Qwen3.5-9B-FP8`.
        config: Resource name of the config.
        gpu_type: A kind of GPU, in one spelling or another.
        gpu_count: GPUs of a replica.
        quantization: How the weights are written.
        parallelism: How they are spread over the GPUs.
    """

    model: Text = ""
    model_name: Text = ""
    config: Text = ""
    gpu_type: Text = ""
    gpu_count: Count = None
    quantization: Text = ""
    parallelism: Text = ""


class SupportedModel(AnswerV2):
    """An entry of the catalogue.

    Attributes:
        id: Of the architecture.
        name: As people know the model.
        base_model: Resource name of its base weights, empty where there are none.
        deployment_profiles: What can be deployed of it.
    """

    id: str = Field(min_length=1)
    name: Text = ""
    base_model: Text = ""
    deployment_profiles: Annotated[tuple[Profile, ...], Some] = ()


class ProjectModel(AnswerV2):
    """Weights that a project owns, fine-tuned or uploaded, or public ones.

    Attributes:
        id: For paths.
        name: With the project's slug before it.
        project_id: Whose they are.
        base_model: Resource name of what they derive from, empty for public ones.
    """

    id: str = Field(min_length=1)
    name: Text = ""
    project_id: Text = ""
    base_model: Text = ""


class Revision(AnswerV2):
    """One state of weights.

    Attributes:
        revision_id: For resource names.
        validation_status: Any word; `REVISION_VALIDATION_STATUS_SUCCESS` can be deployed.
        created_at: Unix seconds, or `None` where it cannot be read.
    """

    revision_id: str = Field(min_length=1)
    validation_status: Text = ""
    created_at: Moment = None


class Selector(AnswerV2):
    """One requirement of a config."""

    key: Text = ""
    value: Text = ""


class Config(AnswerV2):
    """An immutable recipe.

    Attributes:
        id: For resource names.
        project_id: Whose it is, which is often not the caller's project.
        reference_model: Resource name of the weights that it is made for.
        selectors: Hardware and tuning.
        draft_model: Resource name of the draft model, empty without speculative decoding.
    """

    id: str = Field(min_length=1)
    project_id: Text = ""
    reference_model: Text = ""
    selectors: Annotated[tuple[Selector, ...], Some] = ()
    draft_model: Text = ""

    @property
    def hardware(self) -> str:
        """The instance type that the selectors mean, empty where they do not say."""
        said = {one.key: one.value for one in self.selectors}
        kind, count = said.get("accelerator_type"), said.get("accelerator_count")
        return f"{count}x{kind}" if kind and count else ""


class Headroom(AnswerV2):
    """How many more replicas fit, as an estimate.

    Attributes:
        value: A number of replicas.
        relation: `RELATION_EQ`, or `RELATION_GTE` where it may be more.
    """

    value: Count = None
    relation: Text = ""


class Region(AnswerV2):
    """Where hardware stands."""

    name: str = Field(min_length=1)
    headroom: Headroom | None = None


class InstanceType(AnswerV2):
    """What one replica runs on.

    Attributes:
        id: An opaque text.
        name: Like `2xnvidia-h100-80gb`.
        price_cents_per_hour: US cents per ready replica and hour, or `None` where not told.
        regions: Where it stands.
    """

    id: str = Field(min_length=1)
    name: Text = ""
    price_cents_per_hour: Annotated[Decimal, Field(ge=0, le=100_000_000)] | None = None
    regions: Annotated[tuple[Region, ...], Some] = ()


class PlacementProfile(AnswerV2):
    """A saved placement."""

    id: str = Field(min_length=1)
    name: Text = ""
    preferred_regions: Annotated[tuple[str, ...], Some] = ()
