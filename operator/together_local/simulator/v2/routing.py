"""Who answers an inference request that names an endpoint or deployment of API v2.

Why: a READY deployment outside the traffic split serves nothing, and the two refusals
that say so are how a client learns that it forgot the split or drained too early.
"""

from __future__ import annotations

from together_local.simulator.errors import ApiError
from together_local.simulator.site import Site
from together_local.simulator.v2.deployment import Deployment
from together_local.simulator.v2.endpoint import Endpoint
from together_local.simulator.v2.endpoints import Endpoints


def addressed(
    endpoints: Endpoints, site: Site, name: str, project: str, affinity: str
) -> tuple[Endpoint, Deployment] | None:
    """Return the deployment that answers, or None when the name is not of this kind.

    Args:
        endpoints: Where it may be.
        site: The assumptions.
        name: ``<project>/<endpoint>`` goes through the split, ``…/<deployment>`` does not.
        project: Whose key asks.
        affinity: Requests of the same one go to the same deployment.

    Raises:
        ApiError: 400, when nothing can answer.
    """
    for endpoint in endpoints.of_project(project):
        if name == endpoint.qualified:
            return endpoint, _by_split(endpoint, site, affinity)
        for deployment in endpoint.living:
            if name == endpoint.called(deployment):
                if not _answers(deployment, site):
                    raise _not_ready(name)
                return endpoint, deployment
    return None


def _by_split(endpoint: Endpoint, site: Site, affinity: str) -> Deployment:
    if not endpoint.routed():
        raise ApiError(
            400,
            f"Endpoint {endpoint.qualified} has no deployment in its traffic split",
            code="endpoint_not_configured",
            param="model",
            with_id=True,
        )
    chosen = endpoint.choose(affinity)
    if chosen is None or not _answers(chosen, site):
        raise _not_ready(endpoint.qualified)
    return chosen


def _answers(deployment: Deployment, site: Site) -> bool:
    flaps = site.assumptions.not_running_share
    return deployment.ready > 0 and not (flaps > 0 and site.chance.random() < flaps)


def _not_ready(name: str) -> ApiError:
    return ApiError(
        400,
        f"{name} has no deployment that is ready",
        code="endpoint_not_ready",
        param="model",
        with_id=True,
    )
