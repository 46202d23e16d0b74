"""What may be done to deployments of API v2.

Why: what is immutable, what a bound may be, and the order in which a deployment can be
taken down are the rules that a client must learn; they are all here, apart from the life
that follows from them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from together_local.simulator.errors import ApiError, plain_error
from together_local.simulator.ledger import Ledger
from together_local.simulator.site import Site
from together_local.simulator.v2.bodies import Autoscaling, CreateDeployment, UpdateDeployment
from together_local.simulator.v2.deployment import Deployment, DeploymentSpec
from together_local.simulator.v2.endpoint import Endpoint
from together_local.simulator.v2.endpoints import Endpoints, bare_name, check_etag, refuse_rename
from together_local.simulator.v2.events import Journal
from together_local.simulator.v2.models import PLATFORM, SUCCESS, Catalogue, Config, Weights
from together_local.simulator.v2.placement import region_for
from together_local.simulator.v2.states import FAILED, STOPPED, STOPPING
from together_local.simulator.v2.views import deployment_etag, ledger_entry

#: Fields that PATCH can change.
UPDATABLE = ("name", "autoscaling", "inactiveTimeout", "maxConcurrentRequestsPerReplica")

_MODEL = re.compile(r"projects/([^/]+)/models/([^/]+)(?:/revisions/([^/]+))?")
_CONFIG = re.compile(r"projects/([^/]+)/configs/([^/]+)")
_TIMEOUTS = range(30, 1441)


@dataclass
class Line:
    """A deployment as the ledger bills it."""

    endpoint: Endpoint
    deployment: Deployment = field(repr=False)

    def ledger_entry(self) -> dict[str, Any]:
        """Return its line."""
        return ledger_entry(self.endpoint, self.deployment)


class Deployments:
    """Creates, changes and deletes deployments.

    Args:
        site: What they stand on.
        ledger: The books that they enter.
        catalogue: What can be deployed.
        endpoints: Where they are.
    """

    def __init__(
        self, site: Site, ledger: Ledger, catalogue: Catalogue, endpoints: Endpoints
    ) -> None:
        self._site = site
        self._ledger = ledger
        self._catalogue = catalogue
        self._endpoints = endpoints

    def create(
        self,
        endpoint: Endpoint,
        body: CreateDeployment,
        key_id: str | None,
        *,
        validate_only: bool = False,
        hide_seconds: float = 0,
    ) -> Deployment:
        """Create a deployment and set it going.

        Args:
            endpoint: Where it belongs.
            body: The checked request.
            key_id: Hash of the key that asks, or None for the console.
            validate_only: Only tell what would come of it.
            hide_seconds: Real seconds for which lists do not show it.

        Raises:
            ApiError: Something forbids it.
        """
        spec = self._spec(endpoint, body, key_id)
        if not validate_only or self._site.assumptions.validate_only_depth == "capacity":
            self._affordable(endpoint, spec, spec.low)
        if validate_only:
            planned = Deployment(self._site, spec, Journal(self._site, endpoint.id))
            planned.id = ""
            return planned
        deployment = Deployment(self._site, spec, endpoint.journal)
        deployment.hidden_until_wall = self._site.clock.wall() + hide_seconds
        endpoint.deployments.append(deployment)
        self._ledger.add_unit(Line(endpoint, deployment))
        endpoint.journal.add("deployment.created", deployment.id, name=endpoint.called(deployment))
        if self._site.assumptions.first_deployment_routed and len(endpoint.deployments) == 1:
            self._endpoints.route_first(endpoint, deployment)
        if spec.low:
            deployment.start()
        return deployment

    def update(
        self,
        endpoint: Endpoint,
        deployment: Deployment,
        body: UpdateDeployment,
        mask: frozenset[str],
    ) -> None:
        """Change a deployment; nothing changes unless all of it is legal.

        Args:
            endpoint: Where it belongs.
            deployment: What to change.
            body: The checked request.
            mask: Fields to change; empty: those that the request carries.

        Raises:
            ApiError: Something forbids it.
        """
        check_etag(body.etag, deployment_etag(deployment), self._site)
        carried = {name for name in UPDATABLE if body.has(_SNAKE[name])}
        fields = {path.split(".")[0] for path in mask} or carried
        missing = sorted(fields - carried)
        if missing or not fields:
            what = f": the body has no {', '.join(missing)}" if missing else ""
            raise ApiError(400, f"no fields to update{what}")
        spec, scaling = deployment.spec, body.autoscaling or Autoscaling()
        name, timeout = spec.name, spec.inactive_timeout
        if "name" in fields:
            name = self._name(endpoint, body.name or "")
            if name != spec.name:
                refuse_rename(self._site)
                self._free(endpoint, name)
        if "inactiveTimeout" in fields:
            timeout = self._timeout(body.inactive_timeout)
        bounds = spec.low, spec.high
        if "autoscaling" in fields:
            bounds = self._may_scale(endpoint, deployment, scaling)
        spec.name, spec.inactive_timeout = name, timeout
        if "maxConcurrentRequestsPerReplica" in fields:
            spec.max_concurrent = int(body.max_concurrent_requests_per_replica or 0)
        deployment.version += 1
        deployment.updated_at = self._site.timeline.now
        endpoint.journal.add("deployment.updated", deployment.id, paths=sorted(mask or carried))
        if "autoscaling" in fields:
            spec.scaling = {**spec.scaling, **scaling.details()}
            deployment.scale(*bounds)
        deployment.watch_idle()

    def remove(self, endpoint: Endpoint, deployment: Deployment, etag: str | None) -> None:
        """Delete a deployment that is stopped and out of everything.

        Raises:
            ApiError: It is not, or the etag is old.
        """
        check_etag(etag, deployment_etag(deployment), self._site)
        assumptions = self._site.assumptions
        deletable = {STOPPED}
        if assumptions.failed_deployment_delete == "accept":
            deletable.add(FAILED)
        if assumptions.stopping_deployment_delete == "accept":
            deletable.add(STOPPING)
        problem = None
        if any(share.deployment_id == deployment.id for share in endpoint.split):
            problem = "is in the endpoint's traffic split; remove it from there first"
        elif endpoint.rollout:
            problem = f"may take part in rollout {endpoint.rollout}; end that first"
        elif deployment.state not in deletable:
            problem = f"is {deployment.state}; scale it to 0 and wait until it is STOPPED"
        if problem is not None:
            status = 409 if endpoint.rollout else assumptions.delete_refusal_status
            raise ApiError(status, f"Deployment {deployment.id} {problem}", kind="conflict")
        self.discard(endpoint, deployment)

    @staticmethod
    def discard(endpoint: Endpoint, deployment: Deployment) -> None:
        """Delete a deployment, whatever it is doing."""
        deployment.remove()
        endpoint.journal.add("deployment.deleted", deployment.id, name=endpoint.called(deployment))

    def _spec(
        self, endpoint: Endpoint, body: CreateDeployment, key_id: str | None
    ) -> DeploymentSpec:
        name = self._name(endpoint, body.name)
        self._free(endpoint, name)
        weights, revision = self._weights(endpoint, body)
        config = self._config(endpoint, body, weights)
        low, high = self._bounds(body.autoscaling, None)
        wanted = body.max_concurrent_requests_per_replica
        placement = body.placement
        return DeploymentSpec(
            name=name,
            requested_name=body.name,
            weights=weights,
            revision=revision,
            config=config,
            low=low,
            high=high,
            scaling=body.autoscaling.details(),
            inactive_timeout=self._timeout(body.inactive_timeout),
            max_concurrent=None if wanted is None else int(wanted),
            placement=None
            if placement is None
            else placement.model_dump(by_alias=True, exclude_none=True),
            region=region_for(placement, config.instance, self._site.assumptions),
            key_id=key_id,
        )

    def _name(self, endpoint: Endpoint, name: str) -> str:
        return bare_name(name, (endpoint.project, endpoint.name), self._site)

    def _free(self, endpoint: Endpoint, name: str) -> None:
        if not self._site.assumptions.deployment_names_unique:
            return
        if any(one.spec.name == name for one in endpoint.living):
            message = f"A deployment named {name!r} already exists on this endpoint"
            raise ApiError(409, message, kind="conflict", param="name")

    def _weights(self, endpoint: Endpoint, body: CreateDeployment) -> tuple[Weights, str]:
        project, model_id, revision = None, body.model_id, body.model_revision_id
        if body.model is not None:
            match = _MODEL.fullmatch(body.model)
            if match is None:
                form = "projects/{projectId}/models/{modelId}[/revisions/{revisionId}]"
                raise ApiError(400, f"model must have the form {form}", param="model")
            project, model_id, revision = match.groups()
        if not model_id:
            raise ApiError(400, "model is required", param="model")
        weights = self._catalogue.weights.get(model_id)
        hidden = weights is None or weights.project_id not in (PLATFORM, endpoint.project_id)
        if weights is None or hidden or project not in (None, weights.project_id):
            raise ApiError(404, f"Model {body.model or model_id!r} not found", param="model")
        pinned = weights.revisions[-1] if weights.revisions else None
        if revision:
            pinned = next((one for one in weights.revisions if one.id == revision), None)
        if pinned is None:
            raise ApiError(404, f"Model revision {revision!r} not found", param="model")
        refused = self._site.assumptions.unvalidated_revision == "refuse"
        if pinned.validation != SUCCESS and refused:
            message = f"Model revision {pinned.id} is not validated: {pinned.validation}"
            raise ApiError(400, message, param="model")
        return weights, pinned.id

    def _config(self, endpoint: Endpoint, body: CreateDeployment, weights: Weights) -> Config:
        project, config_id = None, body.config_id
        if body.config is not None:
            match = _CONFIG.fullmatch(body.config)
            if match is None:
                form = "projects/{projectId}/configs/{configRevisionId}"
                raise ApiError(400, f"config must have the form {form}", param="config")
            project, config_id = match.groups()
        if not config_id:
            raise ApiError(400, "config is required", param="config")
        config = self._catalogue.configs.get(config_id)
        if config is None or project not in (None, PLATFORM):
            raise ApiError(404, f"Config {body.config or config_id!r} not found", param="config")
        if not self._catalogue.fits(config, weights):
            message = f"Config {config.id} is not compatible with model {weights.name}"
            raise ApiError(400, message, param="config")
        return config

    def _bounds(self, wanted: Autoscaling, current: tuple[int, int] | None) -> tuple[int, int]:
        """Check bounds; an omitted one keeps its value, and on create the upper is the lower."""
        low, high = wanted.min_replicas, wanted.max_replicas
        if low is None:
            if current is None:
                message = "autoscaling.minReplicas is required"
                raise ApiError(400, message, param="autoscaling.minReplicas")
            low = current[0]
        if high is None:
            high = low if current is None else current[1]
        problem = None
        if low > high:
            problem = f"minReplicas ({low}) must not be greater than maxReplicas ({high})"
        elif low == 0 and high > 0:
            problem = "minReplicas must be at least 1 unless both bounds are 0"
        elif high > self._site.assumptions.max_replicas_ceiling:
            problem = f"maxReplicas must be at most {self._site.assumptions.max_replicas_ceiling}"
        if problem is not None:
            raise ApiError(400, f"autoscaling: {problem}", param="autoscaling")
        return low, high

    def _may_scale(
        self, endpoint: Endpoint, deployment: Deployment, wanted: Autoscaling
    ) -> tuple[int, int]:
        spec = deployment.spec
        low, high = self._bounds(wanted, (spec.low, spec.high))
        if low and deployment.state == STOPPING:
            message = f"Deployment {deployment.id} is draining; start it when it is STOPPED"
            raise ApiError(400, message, param="autoscaling")
        if low and deployment.state == FAILED:
            message = f"Deployment {deployment.id} has FAILED and cannot be started; create another"
            raise ApiError(400, message, param="autoscaling")
        if not low and endpoint.rollout:
            message = f"Rollout {endpoint.rollout} is active; the deployment cannot be stopped"
            raise ApiError(400, message, param="autoscaling")
        if low > spec.low or (low and deployment.state == STOPPED):
            self._affordable(endpoint, spec, low)
        return low, high

    def _timeout(self, minutes: int | None) -> int:
        if minutes is not None and self._site.assumptions.deployment_inactive_timeout == "refuse":
            raise ApiError(400, "unknown field 'inactiveTimeout'", param="inactiveTimeout")
        if minutes and minutes not in _TIMEOUTS:
            message = "inactiveTimeout must be 0 or between 30 and 1440 minutes"
            raise ApiError(400, message, param="inactiveTimeout")
        return minutes or 0

    def _affordable(self, endpoint: Endpoint, spec: DeploymentSpec, replicas: int) -> None:
        assumptions, hardware = self._site.assumptions, spec.config.instance.hardware
        credit = assumptions.credit_cents
        if credit is not None and self._ledger.billed_cents(endpoint.project) >= credit:
            raise plain_error(402)
        asked = sum(
            one.spec.low * one.spec.config.instance.hardware.count
            for other in self._endpoints.of_project(endpoint.project)
            for one in other.living
            if one.spec is not spec
        )
        quota = assumptions.gpu_quota
        if quota is not None and asked + replicas * hardware.count > quota:
            message = f"GPU quota exceeded: {asked} of {quota} GPUs are in use in this project"
            raise ApiError(429, message, kind="rate_limit_error", code="gpu_quota_exceeded")
        enough = min(replicas, 1) if assumptions.partial_capacity == "start" else replicas
        short = self._site.capacity.offer(hardware.id, replicas) < enough
        if short and assumptions.no_capacity == "refuse":
            message = f"GPU quota exceeded: no {spec.config.instance.name} is free on the platform"
            raise ApiError(429, message, kind="rate_limit_error", code="gpu_quota_exceeded")


_SNAKE = {
    "name": "name",
    "autoscaling": "autoscaling",
    "inactiveTimeout": "inactive_timeout",
    "maxConcurrentRequestsPerReplica": "max_concurrent_requests_per_replica",
}
