"""The second generation in memory: one account whose endpoints hold deployments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from tests.controller.fake_driver import FakeDriver
from tests.controller.virtual import wall
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Ambiguous,
    Bounds,
    Change,
    Deployment,
    Done,
    Endpoint,
    Listing,
    NotSent,
    Order,
    Phase,
    Refused,
    Summary,
    Unavailable,
    Weight,
)
from together_operator.resource.spec import Api

_WORDS = {
    "PROVISIONING": Phase.STARTING,
    "READY": Phase.STARTED,
    "STOPPING": Phase.STOPPING,
    "STOPPED": Phase.STOPPED,
    "FAILED": Phase.FAILED,
}


def phase_of(state: str) -> Phase:
    """What a state word means."""
    return _WORDS.get(state, Phase.UNKNOWN)


class FakeDeployer(FakeDriver):
    """One account; what is there is in `endpoints`, and what runs within their deployments.

    Attributes:
        losing_deploys: As `losing`, for deployments.
        most_running: How many deployments there ever were that ran at the same time.
    """

    api = Api.V2
    deploys = True
    inference_url = "https://inference.together.test/v1"
    phase = staticmethod(phase_of)

    def __init__(self, prefix: str = "ep_") -> None:
        super().__init__(prefix)
        self.prices = {"1x_gpu": Decimal(800)}
        self.losing_deploys: list[float | None] = []
        self.most_running = 0

    def hold(
        self, endpoint_id: str, *names: str, state: str = "READY", hardware: str = "1x_gpu"
    ) -> Endpoint:
        """Have an endpoint there with deployments of these names in it, whoever made it."""
        made = tuple(
            Deployment(
                f"dep_{endpoint_id}_{number}", name, "acme/model", "cr_1", hardware, state,
                phase_of(state), Bounds(1, 1), 1, wall(),
            )
            for number, name in enumerate(names)
        )  # fmt: skip
        whole = Endpoint(
            endpoint_id, f"acme/{endpoint_id}", "", "", "", "acme", "", Phase.STOPPED,
            Bounds(0, 0), 0, wall(), made, version="1",
        )  # fmt: skip
        self.endpoints[endpoint_id] = whole
        return whole

    def turn(self, endpoint_id: str, state: str) -> None:
        """Have everything in an endpoint change its state by itself."""
        whole = self.endpoints[endpoint_id]
        turned = (replace(d, state=state, phase=phase_of(state)) for d in whole.deployments or ())
        self.endpoints[endpoint_id] = replace(whole, deployments=tuple(turned))

    def _shown(self, whole: Endpoint) -> Endpoint:
        bare = whole.name.rpartition("/")[2]
        marks = [d.name for d in whole.deployments or () if "-tep-" in d.name]
        mark = " tep-" + marks[0].partition("-tep-")[2] if marks else ""
        seen = replace(whole, display_name=bare + mark)
        return seen.through(next(iter(whole.deployments or ()), None))

    async def list(self) -> Listing | Unavailable:
        """Every endpoint, whole."""
        answer = await super().list()
        if isinstance(answer, Unavailable):
            return answer
        shown = {i: self._shown(self.endpoints[i]) for i in answer.endpoints}
        lines = {
            e.id: Summary(e.id, e.state, e.phase, e.created_at, e.name.rpartition("/")[2], e)
            for e in shown.values()
        }
        return Listing(lines, answer.date)

    async def get(self, endpoint_id: str) -> Endpoint | Absent | Unavailable:
        """One endpoint."""
        answer = await super().get(endpoint_id)
        return self._shown(answer) if isinstance(answer, Endpoint) else answer

    async def create(
        self, order: Order, *, fence: Callable[[], bool] | None = None
    ) -> Done | Refused | Ambiguous | NotSent:
        """One more endpoint, unless there is one of that name."""
        if self._named(order.endpoint_name) is not None:
            await self._begin("create")
            return Refused(Reason.NAME_TAKEN, f"{order.endpoint_name} is there already")
        return await super().create(order, fence=fence)

    def _named(self, name: str) -> Endpoint | None:
        return next((e for e in self.endpoints.values() if e.name == f"acme/{name}"), None)

    def _make(self, order: Order) -> Endpoint:
        there = self._named(order.endpoint_name)
        if there is not None:
            return self._shown(there)  # of a request whose answer nobody waits for any more
        made = self.hold(f"{self.prefix}{next(self._numbers)}")
        made = replace(made, name=f"acme/{order.endpoint_name}")
        self.endpoints[made.id] = made
        self.most = max(self.most, len(self.endpoints))
        return self._shown(made)

    async def deploy(
        self,
        endpoint_id: str,
        name: str,
        order: Order,
        *,
        fence: Callable[[], bool] | None = None,
    ) -> Done | Refused | Absent | Ambiguous | NotSent:
        """One more deployment, stopped."""
        del fence
        await self._begin("deploy")
        if endpoint_id not in self.endpoints:
            return Absent()
        if self.losing_deploys:
            late = self.losing_deploys.pop(0)
            if late is not None:
                loop = asyncio.get_running_loop()
                loop.call_later(late, self._deploy, endpoint_id, name, order)
            return Ambiguous("the connection was cut")
        return Done(deployment=self._deploy(endpoint_id, name, order))

    def _deploy(self, endpoint_id: str, name: str, order: Order) -> Deployment | None:
        whole = self.endpoints.get(endpoint_id)
        if whole is None:
            return None
        made = Deployment(
            f"dep_{next(self._numbers)}", name, order.model, "cr_1", order.hardware, "STOPPED",
            Phase.STOPPED, Bounds(0, 0), 0, wall(),
        )  # fmt: skip
        self.endpoints[endpoint_id] = replace(whole, deployments=(*(whole.deployments or ()), made))
        return made

    @property
    def running(self) -> list[Deployment]:
        """What costs money."""
        held = (d for e in self.endpoints.values() for d in e.deployments or ())
        return [d for d in held if d.bounds.max > 0]

    async def undeploy(
        self, endpoint_id: str, deployment_id: str
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Remove a deployment that is stopped and out of the traffic."""
        await self._begin("undeploy")
        whole = self.endpoints.get(endpoint_id)
        found = whole.deployment(deployment_id) if whole is not None else None
        if whole is None or found is None:
            return Absent()
        if found.phase is not Phase.STOPPED or whole.weight(deployment_id):
            return Refused(Reason.DELETING, "it is not stopped, or has traffic", retryable=True)
        left = tuple(d for d in whole.deployments or () if d.id != deployment_id)
        self.endpoints[endpoint_id] = replace(whole, deployments=left)
        return Done()

    async def route(
        self, endpoint_id: str, traffic: Sequence[Weight], version: str | None
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Write the traffic."""
        await self._begin("route")
        whole = self.endpoints.get(endpoint_id)
        if whole is None:
            return Absent()
        if version != whole.version:
            return Refused(Reason.UPDATING, "it has changed since", retryable=True)
        written = replace(whole, traffic=tuple(traffic), version=f"{whole.version}+")
        self.endpoints[endpoint_id] = written
        return Done(self._shown(written))

    def _bounded(
        self, endpoint_id: str, deployment_id: str | None, bounds: Bounds
    ) -> Done | Absent:
        whole = self.endpoints.get(endpoint_id)
        found = whole.deployment(deployment_id) if whole is not None else None
        if whole is None or found is None:
            return Absent()
        state = "READY" if bounds.min else "STOPPED"
        new = replace(
            found, bounds=bounds, state=state, phase=phase_of(state), ready_replicas=bounds.min
        )
        others = tuple(new if d.id == deployment_id else d for d in whole.deployments or ())
        self.endpoints[endpoint_id] = replace(whole, deployments=others)
        self.most_running = max(self.most_running, len(self.running))
        return Done(deployment=new)

    async def update(
        self, endpoint_id: str, change: Change, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable:
        """Change a deployment's bounds."""
        await self._begin("update")
        return self._bounded(endpoint_id, deployment_id, change.bounds or Bounds(1, 1))

    async def start(
        self, endpoint_id: str, order: Order, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable:
        """Start a deployment."""
        await self._begin("start")
        return self._bounded(endpoint_id, deployment_id, order.bounds)

    async def stop(
        self, endpoint_id: str, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable:
        """Stop a deployment."""
        await self._begin("stop")
        return self._bounded(endpoint_id, deployment_id, Bounds(0, 0))

    async def delete(self, endpoint_id: str) -> Done | Refused | Absent | Unavailable:
        """Remove an endpoint in which there is nothing."""
        whole = self.endpoints.get(endpoint_id)
        if whole is not None and whole.deployments:
            await self._begin("delete")
            return Refused(Reason.DELETING, "it has deployments", retryable=True)
        return await super().delete(endpoint_id)
