"""The feed of what happened to an endpoint and its deployments.

Why: a person looks here for why a deployment does not come up, and a client may follow
it; types, levels and reasons are those that the official client describes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from together_local.simulator.clock import rfc3339
from together_local.simulator.site import Site

LEVELS = ("LEVEL_DEBUG", "LEVEL_INFO", "LEVEL_WARN", "LEVEL_ERROR")


@dataclass(frozen=True)
class Event:
    """One entry.

    Attributes:
        id: Its id.
        number: Its place in the feed.
        at: Simulated unix seconds.
        type: What kind of thing happened.
        level: How grave it is.
        deployment_id: Whom it happened to; None: to the endpoint.
        details: The other fields, as the API spells them.
    """

    id: str
    number: int
    at: float
    type: str
    level: str
    deployment_id: str | None
    details: dict[str, Any] = field(default_factory=dict)

    def shown(self, endpoint_id: str) -> dict[str, Any]:
        """Return what the API shows of it."""
        kind = "ENDPOINT" if self.deployment_id is None else "DEPLOYMENT"
        shown = {
            "id": self.id,
            "createdAt": rfc3339(self.at),
            "endpointId": endpoint_id,
            "level": self.level,
            "source": "inference-control-plane",
            "sourceKind": f"SOURCE_KIND_{kind}",
            "type": self.type,
            **self.details,
        }
        return (
            shown if self.deployment_id is None else {**shown, "deploymentId": self.deployment_id}
        )


class Journal:
    """The feed of one endpoint.

    Args:
        site: The clock.
        endpoint_id: Whose it is.
    """

    def __init__(self, site: Site, endpoint_id: str) -> None:
        self._site = site
        self._prefix = f"evt_{endpoint_id.removeprefix('ep_')}"
        self.events: list[Event] = []

    def add(
        self,
        kind: str,
        deployment_id: str | None = None,
        level: str = "LEVEL_INFO",
        **details: Any,
    ) -> None:
        """Write down that something happened now.

        Args:
            kind: The event's type, such as ``deployment.scaled``.
            deployment_id: Whom it happened to; None: to the endpoint.
            level: How grave it is.
            details: Other fields, as the API spells them.
        """
        number = len(self.events)
        now = self._site.timeline.now
        # Counted and not drawn: how much happens must not change the ids of what is created.
        event = Event(
            f"{self._prefix}{number:06x}", number, now, kind, level, deployment_id, details
        )
        self.events.append(event)
