"""Traffic: who answers under an endpoint's name in the second generation.

Only the entries of our own deployments are ours. What a person has put beside them, for a test of
two models, say, is kept with its weight in every write.
"""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.deploying import own_ids
from together_operator.core.steps import Route
from together_operator.resource.endpoint_status import Role
from together_operator.resource.remote import Endpoint, Weight

WHOLE = 100.0
"""The weight of a deployment that has all traffic; only its ratio to others means anything."""


def route(case: Case, endpoint: Endpoint) -> Route | None:
    """The write that brings the current deployment, and no former one, into the traffic.

    Args:
        case: The resource.
        endpoint: Its endpoint.

    Returns:
        The step, or `None` if the traffic is as it is to be.
    """
    current = case.deployment_id
    if current is None or endpoint.deployment(current) is None:
        return None
    former = {d.id for d in case.record.deployments if d.role == Role.FORMER}
    stale = own_ids(case, endpoint) & former
    routed = any(w.deployment_id in stale for w in endpoint.traffic)
    if endpoint.weight(current) > 0 and not routed:
        return None
    return towards(case, endpoint, current, stale | {current})


def towards(case: Case, endpoint: Endpoint, deployment_id: str, own: frozenset[str]) -> Route:
    """The write that gives one deployment all of our traffic, and leaves the others theirs.

    Args:
        case: The resource.
        endpoint: Its endpoint.
        deployment_id: Who gets it.
        own: Our deployments, that one among them.
    """
    strangers = tuple(w for w in endpoint.traffic if w.deployment_id not in own)
    weight = (
        endpoint.weight(deployment_id)
        or max((endpoint.weight(one) for one in own), default=0.0)
        or max((w.weight for w in strangers), default=0.0)
        or WHOLE
    )
    return Route(
        case.credential or "",
        endpoint.id,
        (Weight(deployment_id, weight), *strangers),
        endpoint.version,
    )


def without(case: Case, endpoint: Endpoint, deployment_ids: frozenset[str]) -> Route | None:
    """The write that takes deployments out of the traffic, if any is in it.

    Args:
        case: The resource.
        endpoint: Its endpoint.
        deployment_ids: Which.
    """
    left = tuple(w for w in endpoint.traffic if w.deployment_id not in deployment_ids)
    if len(left) == len(endpoint.traffic):
        return None
    return Route(case.credential or "", endpoint.id, left, endpoint.version)
