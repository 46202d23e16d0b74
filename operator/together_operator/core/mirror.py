"""The status read back: what earlier processes saw and were told, for one that saw nothing yet."""

from __future__ import annotations

from together_operator.resource.remote import Bounds, Endpoint, Phase
from together_operator.resource.status import Applied, Status


def merge(old: Applied, new: Applied) -> Applied:
    """Lay newer acknowledgements over older ones."""
    fresh = {name: getattr(new, name) for name in new.model_fields_set}
    return old.model_copy(update={k: v for k, v in fresh.items() if v is not None})


def mirror(status: Status) -> Endpoint | None:
    """The endpoint as the status tells it, which is how it was last seen by any process."""
    if status.endpoint_id is None or status.name is None or status.state is None:
        return None
    if status.autoscaling is None:
        return None
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
