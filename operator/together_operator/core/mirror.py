"""The status read back: what earlier processes saw and were told, for one that saw nothing yet."""

from __future__ import annotations

from dataclasses import replace

from together_operator.resource.endpoint_status import Applied
from together_operator.resource.remote import Bounds, Deployment, Endpoint, Phase
from together_operator.resource.spec import Api
from together_operator.resource.status import Status


def merge(old: Applied, new: Applied) -> Applied:
    """Lay newer acknowledgements over older ones."""
    fresh = {name: getattr(new, name) for name in new.model_fields_set}
    return old.model_copy(update={k: v for k, v in fresh.items() if v is not None})


def mirror(status: Status) -> Endpoint | None:
    """The endpoint as the status tells it, which is how it was last seen by any process."""
    if status.endpoint_id is None or status.name is None or status.state is None:
        return None
    if status.autoscaling is None or status.api == Api.V2:
        return None  # of deployments the status tells too little to act on
    return Endpoint(
        id=status.endpoint_id,
        name=status.name,
        display_name=status.display_name or "",
        model="",
        hardware=status.hardware or "",
        owner=status.owner or "",
        state=status.state,
        phase=Phase.UNKNOWN,
        bounds=Bounds(status.autoscaling.min_replicas, status.autoscaling.max_replicas),
        ready_replicas=status.ready_replicas,
        created_at=0.0,
    )


def detailed(listed: Endpoint, known: Endpoint | None) -> Endpoint:
    """Add to an endpoint as a LIST shows it what only a GET tells of its deployments.

    Args:
        listed: The newer picture.
        known: The older one, perhaps with more in it.
    """
    if known is None or listed.deployments is None:
        return listed
    return replace(
        listed,
        deployments=tuple(_with(d, known.deployment(d.id)) for d in listed.deployments),
    )


def _with(listed: Deployment, known: Deployment | None) -> Deployment:
    if known is None:
        return listed
    minutes = listed.inactive_timeout_minutes
    return replace(
        listed,
        config=listed.config or known.config,
        quantization=listed.quantization or known.quantization,
        regions=listed.regions or known.regions,
        # Why a deployment is as it is holds for as long as it is so.
        message=listed.message or (known.message if listed.state == known.state else ""),
        inactive_timeout_minutes=known.inactive_timeout_minutes if minutes is None else minutes,
    )
