"""Answers of API v2 as the plain values that the core decides on.

What runs there is a deployment, and there is no field of ours on an endpoint: the ownership marker
is in the names of the deployments. Here an endpoint gets a display name that ends with it, as one
of v1 has it, so that nobody else has to know where it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from together_operator.resource.names import MARK_PATTERN
from together_operator.resource.remote import Bounds, Deployment, Endpoint, Phase, Summary, Weight
from together_operator.together import Deployment as Seen
from together_operator.together import DeploymentSummary, RoutedEndpoint

EMBEDDED: Final = 10
"""Deployments that an endpoint shows of itself; where there are so many, there may be more."""

_PREFIX: Final = "DEPLOYMENT_STATE_"
_PHASES: Final = {
    "": Phase.STOPPED,
    "PROVISIONING": Phase.STARTING,
    "SCALING": Phase.STARTING,
    "READY": Phase.STARTED,
    "DEGRADED": Phase.STARTING,
    "STOPPING": Phase.STOPPING,
    "STOPPED": Phase.STOPPED,
    "FAILED": Phase.FAILED,
}
_BY_COUNT: Final = {"SCALING": Phase.STARTING, "DEGRADED": Phase.PENDING}
"""Words that replicas of any number may have, with what they mean of none."""

_MARK: Final = re.compile(rf"(?:^|-)({MARK_PATTERN})$")


def phase_of(state: str, ready: int | None = None) -> Phase:
    """Tell what a state word of v2 means.

    Args:
        state: Together's word, with or without its prefix; empty without a deployment.
        ready: Ready replicas, or `None` where no count is known.
    """
    word = state.upper().removeprefix(_PREFIX)
    if word in _BY_COUNT and ready is not None:
        return Phase.STARTED if ready >= 1 else _BY_COUNT[word]
    return _PHASES.get(word, Phase.UNKNOWN)


def bare(name: str) -> str:
    """A name without what it belongs to.

    Args:
        name: `<project slug>/<endpoint>`, or with `/<deployment>` behind it.
    """
    return name.rsplit("/", 1)[-1]


def fold_deployment(
    seen: Seen | DeploymentSummary, at: float, quantization: str = ""
) -> Deployment:
    """One deployment.

    Args:
        seen: As Together shows it, in full or embedded in its endpoint.
        at: Unix seconds that stand in for a time of creation that cannot be read.
        quantization: How its weights are written, where it is known.
    """
    low, high = seen.autoscaling.min_replicas or 0, seen.autoscaling.max_replicas
    bounds = Bounds(low, low if high is None else high)
    created = at if seen.created_at is None else seen.created_at
    if isinstance(seen, DeploymentSummary):
        return Deployment(
            id=seen.id,
            name=bare(seen.name),
            model=seen.model,
            config="",
            hardware=seen.hardware,
            state=seen.state,
            phase=phase_of(seen.state, seen.ready_replicas),
            bounds=bounds,
            ready_replicas=seen.ready_replicas,
            created_at=created,
            quantization=quantization,
        )
    status = seen.status
    details = status.details.region if status.details is not None else ()
    regions = [one.region for one in details if one.region and one.scheduled_replicas != 0]
    return Deployment(
        id=seen.id,
        name=bare(seen.name),
        model=seen.model,
        config=seen.config,
        hardware=seen.hardware,
        state=status.state,
        phase=phase_of(status.state, status.ready_replicas),
        bounds=bounds,
        ready_replicas=status.ready_replicas,
        created_at=created,
        message=status.message,
        regions=tuple(dict.fromkeys(regions)),
        inactive_timeout_minutes=seen.inactive_timeout,
        quantization=quantization,
    )


def fold_endpoint(
    seen: RoutedEndpoint, deployments: Iterable[Deployment], owner: str, at: float
) -> Endpoint:
    """An endpoint, seen through one of its deployments.

    Args:
        seen: As Together shows it.
        deployments: What runs behind it, in any order.
        owner: Whose it is where it does not say so itself.
        at: Unix seconds that stand in for a time of creation that cannot be read.
    """
    ordered = tuple(sorted(deployments, key=lambda one: (one.created_at, one.id)))
    marks = {one.id: match[1] for one in ordered if (match := _MARK.search(one.name))}
    marked = next((one for one in ordered if one.id in marks), None)
    name = bare(seen.name)
    endpoint = Endpoint(
        id=seen.id,
        name=seen.name,
        display_name=name if marked is None else f"{name} {marks[marked.id]}",
        model="",
        hardware="",
        owner=seen.project_id or owner,
        state="",
        phase=Phase.STOPPED,
        bounds=Bounds(0, 0),
        ready_replicas=0,
        created_at=at if seen.created_at is None else seen.created_at,
        deployments=ordered,
        traffic=tuple(
            Weight(one.deployment_id, float(one.weight or 0)) for one in seen.traffic_split
        ),
        version=seen.etag or None,
        locked_by=seen.active_rollout_id or None,
    )
    return endpoint.through(marked or _busiest(endpoint, ordered))


def fold_embedded(seen: RoutedEndpoint, owner: str, at: float) -> Endpoint:
    """An endpoint with the deployments that it embeds; arguments as for `fold_endpoint`."""
    return fold_endpoint(seen, (fold_deployment(one, at) for one in seen.deployments), owner, at)


def fold_summary(seen: RoutedEndpoint, owner: str, at: float) -> Summary:
    """A line of a LIST; arguments as for `fold_endpoint`."""
    endpoint = fold_embedded(seen, owner, at)
    return Summary(
        id=endpoint.id,
        state=endpoint.state,
        phase=endpoint.phase,
        created_at=endpoint.created_at,
        name=bare(endpoint.name),
        whole=endpoint if is_whole(seen) else None,
    )


def is_whole(seen: RoutedEndpoint) -> bool:
    """Whether an endpoint certainly embeds all of its deployments.

    Args:
        seen: As Together shows it.
    """
    return len(seen.deployments) < EMBEDDED


def _busiest(endpoint: Endpoint, ordered: tuple[Deployment, ...]) -> Deployment | None:
    """Who has most of the traffic; of equals, as where there is none, the oldest."""
    return max(ordered, key=lambda one: endpoint.weight(one.id), default=None)
