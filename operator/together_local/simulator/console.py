"""What a test or a person may do to the simulated Together, beside the API.

Why: the same operations serve the admin routes over HTTP and tests in the same
process; every one of them settles the world first and answers in plain values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from together_local.simulator.accounts import DEFAULT_PROJECT
from together_local.simulator.bodies_v1 import CreateBody, parse
from together_local.simulator.endpoints import ForcedFields
from together_local.simulator.faults import Fault
from together_local.simulator.v2.console import ConsoleV2, NewModel
from together_local.simulator.v2.hardware import stock_id
from together_local.simulator.world import Profile, World

_V2_IDS = ("ep_", "dep_")


class Console:
    """Operations on a world.

    Args:
        world: What they act on.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._v2 = ConsoleV2(world)

    def ledger(self, since: float | None = None) -> dict[str, Any]:
        """Return the ledger; ``since`` (real unix seconds) limits the requests.

        ``endpoints`` are what is billed: endpoints of v1, deployments of v2. The endpoints of
        v2, which cost nothing by themselves, are beside them.
        """
        self._world.settle()
        endpoints_v2 = self._world.endpoints_v2.ledger()
        return {**self._world.ledger.snapshot(since), "v2_endpoints": endpoints_v2}

    def faults(self) -> list[dict[str, Any]]:
        """Return the armed faults with their hits."""
        return self._world.faults.shown()

    def arm(self, faults: Iterable[Fault]) -> list[dict[str, Any]]:
        """Add faults and return all of them."""
        self._world.faults.arm(list(faults))
        return self.faults()

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._world.faults.clear()

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an endpoint as a person in the console would.

        Args:
            body: A create body of v1, or one of v2: with a ``name`` for an endpoint, with an
                ``endpointId`` too for a deployment. Optionally ``project``.

        Raises:
            ApiError: The body is wrong.
        """
        self._world.settle()
        fields = dict(body)
        project = str(fields.pop("project", DEFAULT_PROJECT))
        if "name" in fields:
            return self._v2.create(fields, project)
        checked = parse(CreateBody, fields, self._world.site.assumptions)
        return self._world.endpoints.create(checked, project, key_id=None).shown()

    def force(self, endpoint_id: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Change any field of an endpoint or deployment and return what GET shows then.

        Raises:
            ApiError: There is no such endpoint.
        """
        self._world.settle()
        if endpoint_id.startswith(_V2_IDS):
            return self._v2.force(endpoint_id, dict(fields))
        endpoint = self._world.endpoints.anywhere(endpoint_id)
        self._world.endpoints.force(endpoint, ForcedFields.model_validate(fields))
        return endpoint.shown()

    def delete(self, endpoint_id: str) -> None:
        """Delete an endpoint or deployment as a person in the console would.

        Raises:
            ApiError: There is no such endpoint.
        """
        self._world.settle()
        if endpoint_id.startswith(_V2_IDS):
            self._v2.delete(endpoint_id)
            return
        self._world.endpoints.anywhere(endpoint_id).remove()

    def add_model(self, model: NewModel) -> dict[str, Any]:
        """Give a project a model of its own, which API v2 can deploy.

        Raises:
            ApiError: What it derives from is not known.
        """
        self._world.settle()
        return self._v2.add_model(model)

    def keys(
        self,
        deny: Iterable[str] = (),
        allow: Iterable[str] = (),
        projects: Mapping[str, str] | None = None,
    ) -> None:
        """Deny keys, allow them again, or move them into projects."""
        self._world.accounts.deny(deny)
        self._world.accounts.allow(allow)
        self._world.accounts.assign(projects or {})

    def capacity(self, totals: Mapping[str, int | None] | None = None) -> dict[str, int]:
        """Limit the replicas per hardware id (None: no limit) and return the limits.

        Both generations draw on one stock, whichever spelling of the id is used.
        """
        self._world.settle()
        for hardware, replicas in (totals or {}).items():
            self._world.site.capacity.set_total(stock_id(hardware), replicas)
        return self._world.site.capacity.totals()

    def advance(self, seconds: float) -> float:
        """Move simulated time forward and return it in unix seconds."""
        self._world.settle()
        self._world.site.clock.advance(seconds)
        self._world.settle()
        return self._world.site.timeline.now

    def set_profile(self, profile: Profile) -> None:
        """Open or close v1."""
        self._world.profile = profile

    def assumptions(self) -> dict[str, Any]:
        """Return all assumptions."""
        return self._world.site.assumptions.model_dump(mode="json")

    def assume(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Switch assumptions and return all of them.

        Raises:
            AssumptionError: A name or value is wrong.
        """
        self._world.settle()
        self._world.site.assumptions = self._world.site.assumptions.changed(dict(values))
        return self.assumptions()

    def reset(self) -> None:
        """Forget everything and begin as at the start."""
        self._world.reset()

    def health(self) -> dict[str, Any]:
        """Return that it lives, and how it is set."""
        self._world.settle()
        return {
            "status": "ok",
            "profile": self._world.profile.value,
            "speed": self._world.options.speed,
            "seed": self._world.options.seed,
            "now": self._world.site.timeline.now,
            "drawn_faults": self._world.random_faults.drawn,
        }
