"""One endpoint of API v2: a name, a traffic split, and the deployments behind it.

Why: the endpoint itself costs nothing and serves nothing; what its split says, and what
the routers have heard of it so far, decides which deployment answers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from together_local.simulator.site import Site
from together_local.simulator.v2.deployment import Deployment
from together_local.simulator.v2.events import Journal
from together_local.simulator.v2.states import DELETED


@dataclass(frozen=True)
class Share:
    """One entry of a traffic split."""

    deployment_id: str
    weight: float


class Endpoint:
    """An endpoint.

    Args:
        site: What it stands on.
        project: Whose it is, by name; also the project's slug.
        project_id: The same by id.
        name: Its bare name.
        visibility: Who can discover it.
        key_id: Hash of the key that made it, or None when made in the console.
    """

    def __init__(
        self,
        site: Site,
        project: str,
        project_id: str,
        name: str,
        visibility: str,
        key_id: str | None,
    ) -> None:
        self.site = site
        self.project = project
        self.project_id = project_id
        self.name = name
        self.visibility = visibility
        self.key_id = key_id
        self.id = f"ep_{site.new_hex(20)}"
        self.split: list[Share] = []
        self.deployments: list[Deployment] = []
        self.created_at = self.updated_at = site.timeline.now
        self.created_wall = site.clock.wall()
        self.deleted_at: float | None = None
        self.deleted_wall: float | None = None
        self.hidden_until_wall = 0.0
        self.version = 1
        self.overrides: dict[str, Any] = {}
        self.journal = Journal(site, self.id)
        self._routed: list[tuple[float, list[Share]]] = [(0.0, [])]

    @property
    def qualified(self) -> str:
        """What inference takes as model: ``<project>/<name>``."""
        return f"{self.project}/{self.name}"

    @property
    def living(self) -> list[Deployment]:
        """Its deployments that are not deleted, the newest first."""
        return [one for one in reversed(self.deployments) if one.state != DELETED]

    @property
    def rollout(self) -> str | None:
        """The rollout that locks it, which only an admin route sets."""
        rollout = self.overrides.get("activeRolloutId")
        return str(rollout) if rollout else None

    def called(self, deployment: Deployment) -> str:
        """What inference takes as model to reach one deployment."""
        return f"{self.qualified}/{deployment.spec.name}"

    def route(self, split: list[Share]) -> None:
        """Replace the split; routers follow after a while."""
        self.split = split
        lag = self.site.assumptions.split_lag_seconds
        self._routed.append((self.site.timeline.now + lag, split))

    def share(self, deployment: Deployment) -> float:
        """Return which part of the traffic a deployment gets by the split."""
        capacities = self._capacities(self.split)
        total = sum(capacities.values())
        return capacities.get(deployment.id, 0.0) / total if total else 0.0

    def choose(self, affinity: str) -> Deployment | None:
        """Return the deployment that answers, or None when none of those routed is ready.

        Args:
            affinity: Requests of the same one go to the same deployment.
        """
        capacities = self._capacities(self.routed())
        total = sum(capacities.values())
        digest = hashlib.sha256(affinity.encode()).digest()
        at = int.from_bytes(digest[:8]) / 2**64 * total
        for deployment in self.living:
            at -= capacities.get(deployment.id, 0.0)
            if at < 0:
                return deployment
        return None

    def routed(self) -> list[Share]:
        """Return the split as the routers know it, without what has no weight."""
        now = self.site.timeline.now
        while len(self._routed) > 1 and self._routed[1][0] <= now:
            self._routed.pop(0)
        return [share for share in self._routed[0][1] if share.weight > 0]

    def _capacities(self, split: list[Share]) -> dict[str, float]:
        ready = {deployment.id: deployment.ready for deployment in self.living}
        return {
            share.deployment_id: share.weight * ready.get(share.deployment_id, 0) for share in split
        }
