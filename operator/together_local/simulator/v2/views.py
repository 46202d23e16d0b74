"""What API v2 shows of endpoints and deployments, and what the ledger keeps of them.

Why: the same deployment is shown in full, as a summary within its endpoint, and as a line
of the bill.
"""

from __future__ import annotations

import hashlib
from itertools import islice
from typing import Any

from together_local.simulator.clock import rfc3339
from together_local.simulator.listing import in_list
from together_local.simulator.replies import ListView
from together_local.simulator.v2.deployment import Deployment
from together_local.simulator.v2.endpoint import Endpoint
from together_local.simulator.v2.states import DELETED, SCALING

#: Deployments that an endpoint embeds, the newest ones.
EMBEDDED = 10


def endpoint_etag(endpoint: Endpoint) -> str:
    """Return the endpoint's version, which only means something by being equal."""
    parts = [endpoint.id, str(endpoint.version)]
    if endpoint.site.assumptions.etag_follows_status:
        parts += [deployment_etag(one) for one in endpoint.living]
    return _tag(parts)


def deployment_etag(deployment: Deployment) -> str:
    """Return the deployment's version."""
    parts = [deployment.id, str(deployment.version)]
    if deployment.site.assumptions.etag_follows_status:
        parts += [deployment.state, str(deployment.ready)]
    return _tag(parts)


def endpoint_view(endpoint: Endpoint) -> dict[str, Any]:
    """Return what GET shows of an endpoint."""
    shown = {
        "id": endpoint.id,
        "name": endpoint.qualified,
        "projectId": endpoint.project_id,
        "endpointType": "ENDPOINT_TYPE_DEDICATED",
        "visibility": endpoint.visibility,
        "etag": endpoint_etag(endpoint),
        "trafficSplit": [
            {"deploymentId": share.deployment_id, "weight": share.weight}
            for share in endpoint.split
        ],
        "deployments": [_summary(endpoint, one) for one in _embedded(endpoint)],
        "createdAt": rfc3339(endpoint.created_at),
        "updatedAt": rfc3339(endpoint.updated_at),
    }
    return {**shown, **endpoint.overrides}


def deployment_view(endpoint: Endpoint, deployment: Deployment) -> dict[str, Any]:
    """Return what GET shows of a deployment."""
    spec, config = deployment.spec, deployment.spec.config
    state = _state(deployment)
    shown = {
        "id": deployment.id,
        "name": endpoint.called(deployment),
        "projectId": endpoint.project_id,
        "endpointId": endpoint.id,
        "model": spec.weights.pinned(spec.revision),
        "modelId": spec.weights.id,
        "modelRevisionId": spec.revision,
        "config": config.resource,
        "configId": config.id,
        "hardware": config.instance.name,
        "autoscaling": _autoscaling(deployment),
        "inactiveTimeout": spec.inactive_timeout,
        "desiredReplicas": deployment.desired,
        "estimatedEffectiveTrafficShare": endpoint.share(deployment),
        "trafficMode": "TRAFFIC_MODE_LIVE",
        "runtimeInfo": {
            "engineType": "sglang",
            "engineVersion": "0.5.2",
            "functionCallingSupported": True,
            "structuredOutputSupported": True,
        },
        "status": {
            "state": state,
            "message": deployment.message,
            "readyReplicas": deployment.ready,
            "scheduledReplicas": deployment.held,
            "details": {"region": _regions(deployment)},
        },
        "etag": deployment_etag(deployment),
        "createdAt": rfc3339(deployment.created_at),
        "updatedAt": rfc3339(deployment.updated_at),
    }
    if spec.max_concurrent is not None:
        shown["maxConcurrentRequestsPerReplica"] = str(spec.max_concurrent)
    if spec.placement is not None:
        shown["placement"] = spec.placement
    if config.draft is not None:
        shown["speculator"] = config.draft
        shown["speculatorId"] = config.draft.rsplit("/", 1)[-1]
    return {**shown, **deployment.overrides}


def ledger_entry(endpoint: Endpoint, deployment: Deployment) -> dict[str, Any]:
    """Return a deployment's line in the ledger; its times are real ones."""
    spec, site = deployment.spec, deployment.site
    now, rounding = site.timeline.now, site.assumptions.minute_rounding
    return {
        "id": deployment.id,
        "name": endpoint.called(deployment),
        "display_name": spec.name,
        "requested_display_name": spec.requested_name,
        "generation": "v2",
        "model": spec.weights.model.id if spec.weights.base is None else spec.weights.name,
        "hardware": spec.config.instance.name,
        "state": deployment.state,
        "autoscaling": {"min_replicas": spec.low, "max_replicas": spec.high},
        "created_at": deployment.created_wall,
        "deleted_at": deployment.deleted_wall,
        "ran": [list(times) for times in deployment.ran],
        "replica_minutes": round(deployment.meter.minutes(now, rounding), 4),
        "billed_cents": deployment.meter.cents(now, rounding),
        "project": endpoint.project,
        "key_id": spec.key_id,
        "endpoint_id": endpoint.id,
        "endpoint_name": endpoint.qualified,
        "config": spec.config.id,
    }


def endpoint_entry(endpoint: Endpoint) -> dict[str, Any]:
    """Return what the ledger keeps of an endpoint of v2, which is not billed by itself."""
    return {
        "id": endpoint.id,
        "name": endpoint.qualified,
        "project": endpoint.project,
        "key_id": endpoint.key_id,
        "traffic_split": {share.deployment_id: share.weight for share in endpoint.split},
        "deployments": [one.id for one in endpoint.living],
        "created_at": endpoint.created_wall,
        "deleted_at": endpoint.deleted_wall,
    }


def _embedded(endpoint: Endpoint) -> list[Deployment]:
    # Summaries are a list too, so what lists do not show yet is missing among them.
    listed = (one for one in endpoint.living if in_list(endpoint.site, one, ListView()))
    return list(islice(listed, EMBEDDED))


def _summary(endpoint: Endpoint, deployment: Deployment) -> dict[str, Any]:
    full = deployment_view(endpoint, deployment)
    names = (
        *("id", "name", "model", "modelId", "hardware", "autoscaling", "trafficMode"),
        *("desiredReplicas", "estimatedEffectiveTrafficShare", "createdAt"),
    )
    status = full["status"]
    return {
        **{name: full[name] for name in names},
        "state": status["state"],
        "readyReplicas": status["readyReplicas"],
    }


def _autoscaling(deployment: Deployment) -> dict[str, Any]:
    spec = deployment.spec
    return {"minReplicas": spec.low, "maxReplicas": spec.high, **spec.scaling}


def _state(deployment: Deployment) -> str:
    # Lists and GET may lag behind a deletion.
    return deployment.last_state if deployment.state == DELETED else deployment.state


def _regions(deployment: Deployment) -> list[dict[str, Any]]:
    if not deployment.held and deployment.state != SCALING:
        return []
    return [
        {
            "region": deployment.spec.region,
            "readyReplicas": deployment.ready,
            "scheduledReplicas": deployment.held,
        }
    ]


def _tag(parts: list[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
