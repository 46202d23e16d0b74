"""What can be deployed, on what, where and for how much: the read-only routes of API v2.

Why: no single call goes from a model and hardware to a config, so clients search these.
Fields are those of the official client 3.1.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from together_local.simulator.clock import rfc3339
from together_local.simulator.errors import ApiError
from together_local.simulator.faults import Operation
from together_local.simulator.replies import Call, Reply
from together_local.simulator.routes import Route
from together_local.simulator.v2.endpoints import not_found
from together_local.simulator.v2.hardware import (
    HIPAA_REGIONS,
    INSTANCE_TYPES,
    PLACEMENT_PROFILES,
    REGIONS,
    InstanceType,
)
from together_local.simulator.v2.models import (
    CAPABILITIES,
    PLATFORM,
    Architecture,
    Config,
    Weights,
)
from together_local.simulator.v2.projects import ORGANIZATION, own_project
from together_local.simulator.v2.queries import PAGE, page, read_query
from together_local.simulator.world import World

_SEARCHES = (*PAGE, "search", "product", "modality", "adapterMode")
_MOST_HEADROOM = 8


class CatalogueRoutes:
    """Supported models, project models, configs, instance types, placement profiles.

    Args:
        world: What they show.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes."""
        project = "/v2/projects/{project_id}"
        return [
            Route("GET", path, Operation.LOOKUP, perform)
            for path, perform in {
                "/v2/supported-models": self.supported,
                "/v2/supported-models/{architecture_id}": self.architecture,
                "/v2/public/inference-instance-types": self.instance_types,
                "/v2/public/inference-instance-types/{type_id}": self.instance_type,
                f"{project}/models": self.models,
                f"{project}/models/{{model_id}}": self.model,
                f"{project}/models/{{model_id}}/revisions": self.revisions,
                f"{project}/configs": self.configs,
                f"{project}/configs/{{config_id}}": self.config,
                f"{project}/placement-profiles": self.profiles,
                f"{project}/placement-profiles/{{profile_id}}": self.profile,
            }.items()
        ]

    def supported(self, call: Call) -> Reply:
        """GET /v2/supported-models, of all projects alike."""
        query = read_query(call, *_SEARCHES)
        searched = query.get("search", "")
        found = [
            one
            for one in self._world.catalogue.architectures
            if one.matches(searched)
            and _offers(one, query.get("product"))
            and query.get("modality", "MODALITY_TEXT") == "MODALITY_TEXT"
            and query.get("adapterMode", "ADAPTER_MODE_DISABLED") == "ADAPTER_MODE_DISABLED"
        ]
        return self._page(found, query, [self._architecture(one) for one in found])

    def architecture(self, call: Call) -> Reply:
        """GET /v2/supported-models/{id}."""
        read_query(call)
        wanted = call.params["architecture_id"]
        for one in self._world.catalogue.architectures:
            if one.id == wanted:
                return Reply(200, self._architecture(one))
        raise not_found("Supported model", wanted)

    def models(self, call: Call) -> Reply:
        """GET …/models: a project's own."""
        query = read_query(call, *PAGE, "organizationId", "visibility")
        owner = own_project(call, self._world.site, PLATFORM)
        own = self._world.catalogue.of_project(owner)
        return self._page(own, query, [_model(one) for one in own])

    def model(self, call: Call) -> Reply:
        """GET …/models/{id}, the project's own or a public one."""
        read_query(call)
        return Reply(200, _model(self._weights(call)))

    def revisions(self, call: Call) -> Reply:
        """GET …/models/{id}/revisions, the newest first."""
        read_query(call)
        data = [
            {
                "revisionId": one.id,
                "createdAt": rfc3339(one.created_at),
                "validationStatus": f"REVISION_VALIDATION_STATUS_{one.validation}",
            }
            for one in reversed(self._weights(call).revisions)
        ]
        return Reply(200, {"data": data, "object": "list", "next_cursor": None})

    def configs(self, call: Call) -> Reply:
        """GET …/configs of one reference model."""
        query = read_query(call, *PAGE, "referenceModel", "referenceModelId")
        own_project(call, self._world.site, PLATFORM)
        by_name, by_id = query.get("referenceModel"), query.get("referenceModelId")
        named = by_name.split("/")[3] if by_name and by_name.count("/") >= 3 else by_name
        reference = named or by_id
        if not reference:
            raise ApiError(400, "referenceModelId or referenceModel is required")
        if by_name and by_id and named != by_id:
            raise ApiError(400, "referenceModelId and referenceModel do not agree")
        catalogue, weights = self._world.catalogue, self._world.catalogue.weights.get(reference)
        found = catalogue.configs_for(reference)
        if not self._world.site.assumptions.configs_of_public_models:
            base = weights.base if weights is not None else None
            found = catalogue.configs_for(base.id) if base is not None else []
        return self._page(found, query, [self._config(one) for one in found])

    def config(self, call: Call) -> Reply:
        """GET …/configs/{id}."""
        read_query(call)
        own_project(call, self._world.site, PLATFORM)
        config = self._world.catalogue.configs.get(call.params["config_id"])
        if config is None:
            raise not_found("Config", call.params["config_id"])
        return Reply(200, self._config(config))

    def instance_types(self, call: Call) -> Reply:
        """GET /v2/public/inference-instance-types, always the full list."""
        read_query(call)
        data = [self._instance(one) for one in INSTANCE_TYPES.values()]
        return Reply(200, {"data": data, "object": "list", "next_cursor": None})

    def instance_type(self, call: Call) -> Reply:
        """GET /v2/public/inference-instance-types/{id}."""
        read_query(call)
        instance = INSTANCE_TYPES.get(call.params["type_id"])
        if instance is None:
            raise not_found("Instance type", call.params["type_id"])
        return Reply(200, self._instance(instance))

    def profiles(self, call: Call) -> Reply:
        """GET …/placement-profiles."""
        query = read_query(call, *PAGE)
        owner = own_project(call, self._world.site)
        ids = list(PLACEMENT_PROFILES)
        return self._page(ids, query, [_profile(one, owner) for one in ids])

    def profile(self, call: Call) -> Reply:
        """GET …/placement-profiles/{id}."""
        read_query(call)
        owner, wanted = own_project(call, self._world.site), call.params["profile_id"]
        if wanted not in PLACEMENT_PROFILES:
            raise not_found("Placement profile", wanted)
        return Reply(200, _profile(wanted, owner))

    def _page(
        self, found: Sequence[object], query: dict[str, str], shown: Sequence[dict[str, Any]]
    ) -> Reply:
        numbered = list(enumerate(shown)) if found else []
        assumptions = self._world.site.assumptions
        answer = page(numbered, lambda one: (0.0, one[0]), query, assumptions)
        return Reply(200, {**answer, "data": [one for _, one in answer["data"]]})

    def _weights(self, call: Call) -> Weights:
        owner = own_project(call, self._world.site, PLATFORM)
        weights = self._world.catalogue.weights.get(call.params["model_id"])
        if weights is None or weights.project_id != owner:
            raise not_found("Model", call.params["model_id"])
        return weights

    def _architecture(self, one: Architecture) -> dict[str, Any]:
        moment = rfc3339(self._world.catalogue.since)
        base = one.builds[0] if one.builds else None
        return {
            "id": one.id,
            "name": one.model.id,
            "displayName": one.model.id.split("/", 1)[1],
            "displayType": one.model.type.value,
            "publisher": one.model.organization,
            "baseModel": base.resource if base else "",
            "baseModelId": base.id if base else "",
            "capabilities": CAPABILITIES[one.model.type],
            "contextLength": str(one.model.context),
            "deploymentProfiles": [
                self._profile(config, self._world.catalogue.weights[config.reference])
                for config in one.configs
            ],
            "inputModalities": ["MODALITY_TEXT"],
            "outputModalities": ["MODALITY_TEXT"],
            "products": _products(one),
            "status": "SUPPORTED_MODEL_STATUS_SUPPORTED",
            "createdAt": moment,
            "updatedAt": moment,
        }

    def _profile(self, config: Config, weights: Weights) -> dict[str, Any]:
        accelerator = config.instance.accelerator
        spellings = {"accelerator": accelerator.slug, "short": accelerator.short}
        revision = weights.revisions[-1].id
        return {
            "profileId": config.id,
            "certifiedConfigRevisionId": config.id,
            "certifiedModelRevisionId": revision,
            "config": config.resource,
            "model": weights.pinned(revision),
            "modelName": weights.name,
            "gpuType": spellings[self._world.site.assumptions.profile_gpu_type],
            "gpuCount": config.instance.hardware.count,
            "parallelism": f"TP{config.instance.hardware.count}",
            "quantization": weights.quantization,
            "performanceBenchmarks": {},
            "adapterMode": "ADAPTER_MODE_DISABLED",
        }

    def _config(self, config: Config) -> dict[str, Any]:
        weights = self._world.catalogue.weights[config.reference]
        revision = weights.revisions[-1].id
        accelerator, hardware = config.instance.accelerator, config.instance.hardware
        shown: dict[str, Any] = {
            "id": config.id,
            "projectId": PLATFORM,
            "referenceModel": weights.resource,
            "referenceModelId": weights.id,
            "selectors": [
                {"key": "accelerator_type", "value": accelerator.slug},
                {"key": "accelerator_count", "value": str(hardware.count)},
                {"key": "optimization", "value": config.optimization},
            ],
            "certifications": [
                {
                    "certificationType": "CERTIFICATION_TYPE_CERTIFIED",
                    "certifiedAt": rfc3339(self._world.catalogue.since),
                    "certifiedBy": "together",
                    "model": weights.pinned(revision),
                    "modelRevisionId": revision,
                    "target": "CERTIFICATION_TARGET_DE_SERVERLESS",
                }
            ],
        }
        return shown if config.draft is None else {**shown, "draftModel": config.draft}

    def _instance(self, instance: InstanceType) -> dict[str, Any]:
        accelerator, hardware = instance.accelerator, instance.hardware
        free = self._world.site.capacity.free(hardware.id)
        headroom = (
            {"value": _MOST_HEADROOM, "relation": "RELATION_GTE"}
            if free is None or free > _MOST_HEADROOM
            else {"value": free, "relation": "RELATION_EQ"}
        )
        return {
            "id": instance.name,
            "name": instance.name,
            "description": f"{hardware.count} x {accelerator.short}",
            "gpuType": accelerator.short,
            "gpuCount": hardware.count,
            "gpuMemoryGib": accelerator.memory_gib,
            "priceCentsPerHour": instance.cents_per_hour(self._world.site.assumptions),
            "regions": [
                {
                    "name": region,
                    "headroom": headroom,
                    "compliance": [{"policy": {"hipaa": True}, "headroom": headroom}]
                    if region in HIPAA_REGIONS
                    else [],
                }
                for region, gpus in REGIONS.items()
                if accelerator.gpu in gpus
            ],
        }


def _products(one: Architecture) -> list[str]:
    products = ["PRODUCT_DEDICATED"] if one.configs else []
    return [*products, "PRODUCT_SERVERLESS"] if one.model.serverless else products


def _offers(one: Architecture, product: str | None) -> bool:
    return product is None or product in _products(one)


def _model(weights: Weights) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": weights.id,
        "name": weights.name,
        "projectId": weights.project_id,
        "organizationId": ORGANIZATION["id"],
        "visibility": "VISIBILITY_PRIVATE",
        "weights": {
            "type": "WEIGHTS_TYPE_DEFAULT",
            "contextLength": str(weights.model.context),
        },
    }
    if weights.base is not None:
        shown |= {"baseModel": weights.base.resource, "baseModelId": weights.base.id}
    return shown


def _profile(profile_id: str, project: str) -> dict[str, Any]:
    name, regions = PLACEMENT_PROFILES[profile_id]
    return {
        "id": profile_id,
        "name": name,
        "organizationId": ORGANIZATION["id"],
        "projectId": project,
        "preferredRegions": list(regions),
    }
