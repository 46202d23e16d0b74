"""What a test or a person may do to API v2's resources, beside the API.

Why: deployments must be able to fail, stop or vanish behind the client's back, and
projects need models of their own, which the simulated API cannot be given otherwise.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from together_local.simulator.accounts import DEFAULT_PROJECT
from together_local.simulator.errors import ApiError
from together_local.simulator.v2.bodies import (
    Autoscaling,
    CreateDeployment,
    CreateEndpoint,
    SplitEntry,
    parse,
)
from together_local.simulator.v2.endpoint import Share
from together_local.simulator.v2.models import Revision, Weights
from together_local.simulator.v2.projects import project_id
from together_local.simulator.v2.views import deployment_view, endpoint_view
from together_local.simulator.world import World

Validation = Literal["PENDING", "SUCCESS", "FAILED", "ERROR"]


class NewModel(BaseModel):
    """``POST /_sim/models``: a model of a project's own."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    base_model: str
    project: str = DEFAULT_PROJECT
    validation: Validation = "SUCCESS"


class ConsoleV2:
    """Operations on the v2 side of a world.

    Args:
        world: What they act on.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def create(self, fields: dict[str, Any], project: str) -> dict[str, Any]:
        """Create an endpoint, or with ``endpointId`` a deployment, as the API's bodies have it.

        Raises:
            ApiError: The body is wrong.
        """
        endpoint_id = fields.pop("endpointId", None)
        if endpoint_id is None:
            body = parse(CreateEndpoint, fields)
            return endpoint_view(self._world.endpoints_v2.create(body, project, key_id=None))
        endpoint, _ = self._world.endpoints_v2.anywhere(str(endpoint_id))
        wanted = parse(CreateDeployment, fields)
        made = self._world.deployments.create(endpoint, wanted, key_id=None)
        return deployment_view(endpoint, made)

    def force(self, unit_id: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Change any field of an endpoint or deployment and return what GET shows then.

        ``trafficSplit``, ``autoscaling``, ``inactiveTimeout`` and ``state`` act; any other
        field is merely shown. ``activeRolloutId`` locks the endpoint as a rollout does.

        Raises:
            ApiError: There is none of that id, or a value is wrong.
        """
        endpoint, deployment = self._world.endpoints_v2.anywhere(unit_id)
        if deployment is None:
            if "trafficSplit" in fields:
                entries = [parse(SplitEntry, one) for one in fields.pop("trafficSplit")]
                endpoint.route([Share(one.deployment_id, one.weight) for one in entries])
            if "state" in fields:
                state = str(fields.pop("state"))
                for one in endpoint.living:
                    one.force(state)
            endpoint.overrides.update(fields)
            self._world.endpoints_v2.changed(endpoint, *sorted(fields))
            return endpoint_view(endpoint)
        if "autoscaling" in fields:
            bounds = parse(Autoscaling, fields.pop("autoscaling"))
            spec = deployment.spec
            low = spec.low if bounds.min_replicas is None else bounds.min_replicas
            high = spec.high if bounds.max_replicas is None else bounds.max_replicas
            deployment.scale(low, high)
        if "inactiveTimeout" in fields:
            deployment.spec.inactive_timeout = int(fields.pop("inactiveTimeout"))
            deployment.watch_idle()
        if "state" in fields:
            deployment.force(str(fields.pop("state")))
        deployment.overrides.update(fields)
        deployment.version += 1
        return deployment_view(endpoint, deployment)

    def delete(self, unit_id: str) -> None:
        """Delete an endpoint with all it has, or a deployment, whatever it is doing.

        Raises:
            ApiError: There is none of that id.
        """
        endpoint, deployment = self._world.endpoints_v2.anywhere(unit_id)
        for one in [deployment] if deployment is not None else endpoint.living:
            self._world.deployments.discard(endpoint, one)
        left = {one.id for one in endpoint.living}
        endpoint.route([share for share in endpoint.split if share.deployment_id in left])
        if deployment is None:
            endpoint.overrides.clear()
            self._world.endpoints_v2.remove(endpoint, etag=None)

    def add_model(self, model: NewModel) -> dict[str, Any]:
        """Add a fine-tuned or uploaded model to a project, or a revision to one that it has.

        Args:
            model: Its name, what it derives from (a name, id or resource name), its project.

        Raises:
            ApiError: 404, when what it derives from is not known.
        """
        base = self._world.catalogue.find(model.base_model)
        if base is None:
            raise ApiError(404, f"Model {model.base_model!r} not found", param="base_model")
        site = self._world.site
        revision = Revision(f"rv_{site.new_hex(20)}", site.timeline.now, model.validation)
        name = f"{model.project}/{model.name.rsplit('/', 1)[-1]}"
        weights = self._world.catalogue.find(name)
        if weights is None:
            weights = Weights(
                id=f"ml_{site.new_hex(20)}",
                name=name,
                project_id=project_id(model.project),
                model=base.model,
                quantization=base.quantization,
                base=base,
            )
            self._world.catalogue.add(weights)
        weights.revisions.append(revision)
        return {
            "id": weights.id,
            "name": weights.name,
            "model": weights.resource,
            "projectId": weights.project_id,
            "revisionId": revision.id,
        }
