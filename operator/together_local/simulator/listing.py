"""What a LIST shows of what there is.

Why: lists lag behind, and faults distort them, in the same ways for both generations
of the API.
"""

from __future__ import annotations

from typing import Protocol

from together_local.simulator.replies import ListView
from together_local.simulator.site import Site


class Listed(Protocol):
    """Anything that a LIST can show.

    Attributes:
        id: Its id.
        created_at: When it was created, in simulated unix seconds.
        created_wall: The same in real ones.
        deleted_at: When it was deleted, in simulated unix seconds.
        hidden_until_wall: Until when a fault hides it, in real unix seconds.
    """

    id: str
    created_at: float
    created_wall: float
    deleted_at: float | None
    hidden_until_wall: float


def in_list(site: Site, unit: Listed, view: ListView) -> bool:
    """Tell whether a LIST shows ``unit`` now.

    Args:
        site: Clock and assumptions.
        unit: What may be shown.
        view: How a fault distorts this LIST.
    """
    assumptions, now, wall = site.assumptions, site.timeline.now, site.clock.wall()
    if unit.deleted_at is not None:
        if now - unit.deleted_at >= assumptions.delete_list_lag_seconds:
            return False
    elif now - unit.created_at < assumptions.create_list_lag_seconds:
        return False
    if wall < unit.hidden_until_wall:
        return False
    if wall - unit.created_wall < view.hide_younger_than:
        return False
    return not view.omit_all and unit.id not in view.omit
