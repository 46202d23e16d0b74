"""API v2 behind the driver's Protocol: endpoints that cost nothing, deployments that run.

An endpoint is a name and a traffic split. What is asked for as a model on hardware is a deployment
within it, of weights and a config that are looked up first; bounds of 0 and 0 are a stop.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from together_operator.drivers._advice import without_answer
from together_operator.drivers._advice_v2 import (
    bad_timeout,
    empty_is_unknown,
    held,
    not_changed,
    not_created,
    not_deployed,
    not_removed,
    timeout_is_unknown,
)
from together_operator.drivers._dates import clock
from together_operator.drivers._resolve import Recipe
from together_operator.drivers._shared import FRESH
from together_operator.drivers._v2_reads import V2Reads
from together_operator.drivers._v2_values import fold_embedded, is_whole
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Ambiguous,
    Bounds,
    Change,
    Done,
    NotSent,
    Order,
    Refused,
    Unavailable,
    Weight,
)
from together_operator.together import (
    CreateDeployment,
    CreateRoutedEndpoint,
    Fence,
    InlinePlacement,
    Kind,
    Placement,
    Project,
    ReplicaBoundsV2,
    RoutedEndpoint,
    UpdateDeployment,
    UpdateRoutedEndpoint,
    V2Client,
    results,
)
from together_operator.together import Weight as Entry

_STOPPED: Final = Bounds(0, 0)
_NoAnswer = results.Refused | results.Absent | results.Unavailable | results.NotSent


class V2Driver(V2Reads):
    """API v2 for one credential.

    Args:
        client: The client of that credential.
    """

    def __init__(self, client: V2Client) -> None:
        super().__init__(client)
        self._no_timeout: tuple[float, Refused] | None = None

    # What is made.

    async def create(
        self, order: Order, *, fence: Fence | None = None
    ) -> Done | Refused | Ambiguous | NotSent:
        """Make an endpoint, in which nothing runs: one request, on a fresh connection.

        What it is to run is looked up before, so that a wrong model or hardware is refused while
        there is nothing at Together yet.

        Args:
            order: What to make, with the endpoint's name.
            fence: Asked when the first byte is about to leave; `False` keeps the request here.
        """
        if not order.endpoint_name:
            raise ValueError("an endpoint of API v2 needs a name")
        project = await self._project()
        if isinstance(project, Unavailable):
            return held(project)
        recipe = await self._recipe(project, order)
        if not isinstance(recipe, Recipe):
            return recipe
        request = CreateRoutedEndpoint(name=order.endpoint_name)
        answer = await self._client.create_endpoint(project.id, request, fence)
        match answer:
            case results.Ok():
                return Done(fold_embedded(answer.value, project.id, clock(answer.date)))
            case results.Refused():
                return not_created(answer, order)
            case results.Absent():
                return NotSent(answer.message)
            case results.Ambiguous():
                return Ambiguous(answer.message)
            case results.NotSent():
                return NotSent(answer.message)

    async def deploy(
        self, endpoint_id: str, name: str, order: Order, *, fence: Fence | None = None
    ) -> Done | Refused | Absent | Ambiguous | NotSent:
        """Make a deployment, stopped: a dry run, then one request on a fresh connection.

        Args:
            endpoint_id: Together's id of the endpoint; `Absent` is about this.
            name: The bare name of the deployment, with our mark in it.
            order: What it is to serve, and on what; its bounds are for the start.
            fence: Asked when the first byte is about to leave; `False` keeps the request here.
        """
        project = await self._project()
        if isinstance(project, Unavailable):
            return held(project)
        recipe = await self._recipe(project, order)
        if not isinstance(recipe, Recipe):
            return recipe
        request = _request(name, recipe, order)
        checked = await self._client.check_deployment(project.id, endpoint_id, request)
        match checked:
            case results.Refused():
                return await self._not_deployed(project, endpoint_id, order, checked)
            case results.Absent():
                return Absent()
            case results.Ambiguous() | results.NotSent():
                return NotSent(f"the dry run got no clear answer: {checked.message}")
        answer = await self._client.create_deployment(project.id, endpoint_id, request, fence)
        match answer:
            case results.Ok():
                return Done(deployment=self._deployment(answer.value, clock(answer.date)))
            case results.Refused():
                return await self._not_deployed(project, endpoint_id, order, answer)
            case results.Absent():
                return Absent()
            case results.Ambiguous():
                return Ambiguous(answer.message)
            case results.NotSent():
                return NotSent(answer.message)

    # What is changed.

    async def update(
        self, endpoint_id: str, change: Change, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Change bounds and idle timeout of a deployment; an endpoint of v2 has no display name.

        Args:
            endpoint_id: Together's id.
            change: What to send; nothing is sent for an empty one.
            deployment_id: Which deployment of it.
        """
        minutes = change.inactive_timeout_minutes
        refused = self._bad_timeout(minutes or 0)
        if refused is not None:
            return refused
        # Never is what an account has that knows of no idle timeout.
        if minutes == 0 and self._timeout_refused() is not None:
            minutes = None
        busy = Reason.UPDATING
        answer = await self._patch(endpoint_id, deployment_id, busy, change.bounds, minutes)
        if minutes == 0 and answer is self._timeout_refused():
            answer = await self._patch(endpoint_id, deployment_id, busy, change.bounds)
        return answer

    async def start(
        self, endpoint_id: str, order: Order, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Make a deployment run.

        Args:
            endpoint_id: Together's id.
            order: The whole order; its bounds are what starts it.
            deployment_id: Which deployment of it.
        """
        return await self._patch(endpoint_id, deployment_id, Reason.STARTING, order.bounds)

    async def stop(
        self, endpoint_id: str, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Make a deployment stop, keeping it.

        Args:
            endpoint_id: Together's id.
            deployment_id: Which deployment of it.
        """
        # A stop is for whatever is there now, so no etag can make it fail.
        self._etags.pop(deployment_id or "", None)
        return await self._patch(endpoint_id, deployment_id, Reason.STOPPING, _STOPPED)

    async def route(
        self, endpoint_id: str, traffic: Sequence[Weight], version: str | None
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Write who answers under an endpoint's name, the whole of it.

        Args:
            endpoint_id: Together's id.
            traffic: Every deployment that is to have a part.
            version: The etag of the picture that this was decided on; where it has changed since,
                the write is refused, and may succeed after another look.
        """
        project = await self._project()
        if isinstance(project, Unavailable):
            return project
        split = tuple(Entry(deployment_id=w.deployment_id, weight=w.weight) for w in traffic)
        request = UpdateRoutedEndpoint(traffic_split=split, etag=version)
        answer = await self._client.update_endpoint(project.id, endpoint_id, request)
        if not split and isinstance(answer, results.Refused) and empty_is_unknown(answer):
            answer = await self._silence(project, endpoint_id, version) or answer
        match answer:
            case results.Ok():
                whole = is_whole(answer.value)
                at = clock(answer.date)
                return Done(fold_embedded(answer.value, project.id, at) if whole else None)
            case results.Refused():
                return not_changed(answer, Reason.UPDATING)
            case _:
                return without_answer(answer)

    async def _silence(
        self, project: Project, endpoint_id: str, version: str | None
    ) -> results.Ok[RoutedEndpoint] | _NoAnswer | None:
        """Take everyone's weight, where Together does not take an empty traffic for what it is.

        Some of its pages say that an empty list counts as none sent, and that an entry without
        weight leaves by itself.
        """
        seen = await self._client.get_endpoint(project.id, endpoint_id)
        if not isinstance(seen, results.Ok) or not seen.value.traffic_split:
            return None
        split = tuple(
            Entry(deployment_id=one.deployment_id, weight=0) for one in seen.value.traffic_split
        )
        request = UpdateRoutedEndpoint(traffic_split=split, etag=version)
        return await self._client.update_endpoint(project.id, endpoint_id, request)

    # What is removed. Together itself refuses what still runs, is routed or is not empty, so that
    # an etag would only get in the way.

    async def undeploy(
        self, endpoint_id: str, deployment_id: str
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Remove a deployment, which has to be stopped and out of the traffic.

        Args:
            endpoint_id: Together's id of the endpoint.
            deployment_id: Together's id of the deployment.
        """
        project = await self._project()
        if isinstance(project, Unavailable):
            return project
        self._etags.pop(deployment_id, None)
        return _removed(
            await self._client.delete_deployment(project.id, endpoint_id, deployment_id)
        )

    async def delete(self, endpoint_id: str) -> Done | Refused | Absent | Unavailable | NotSent:
        """Remove an endpoint without deployments. `Done` is no proof that it is gone.

        Args:
            endpoint_id: Together's id.
        """
        project = await self._project()
        if isinstance(project, Unavailable):
            return project
        return _removed(await self._client.delete_endpoint(project.id, endpoint_id))

    # What these are made of.

    async def _recipe(self, project: Project, order: Order) -> Recipe | Refused | NotSent:
        """What an order means, or why it cannot be carried out."""
        refused = self._bad_timeout(order.inactive_timeout_minutes)
        if refused is not None:
            return refused
        recipe = await self._resolver.resolve(project, order)
        return held(recipe) if isinstance(recipe, Unavailable) else recipe

    async def _not_deployed(
        self, project: Project, endpoint_id: str, order: Order, answer: results.Refused
    ) -> Refused | Absent:
        if answer.status == 404:
            # Model, config or endpoint: only the endpoint can be asked for.
            there = await self._client.get_endpoint(project.id, endpoint_id)
            if isinstance(there, results.Absent):
                return Absent()
            self._resolver.forget(project, order.model)
        refused = not_deployed(answer, order)
        self._note_timeout(answer, refused)
        return refused

    async def _patch(
        self,
        endpoint_id: str,
        deployment_id: str | None,
        busy: Reason,
        bounds: Bounds | None,
        minutes: int | None = None,
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        if deployment_id is None:
            raise ValueError("what runs in API v2 is a deployment, and none is named")
        if bounds is None and minutes is None:
            return Done()
        project = await self._project()
        if isinstance(project, Unavailable):
            return project
        request = UpdateDeployment(
            autoscaling=None if bounds is None else _bounds(bounds),
            inactive_timeout=minutes,
            etag=self._etags.get(deployment_id),
        )
        answer = await self._client.update_deployment(
            project.id, endpoint_id, deployment_id, request
        )
        match answer:
            case results.Ok():
                return Done(deployment=self._deployment(answer.value, clock(answer.date)))
            case results.Refused():
                if answer.kind is Kind.STALE:
                    self._etags.pop(deployment_id, None)
                refused = not_changed(answer, busy)
                self._note_timeout(answer, refused)
                return refused
            case _:
                return without_answer(answer)

    def _bad_timeout(self, minutes: int) -> Refused | None:
        """Why no deployment can have this idle timeout, if so; 0 is never."""
        return bad_timeout(minutes) or (self._timeout_refused() if minutes else None)

    def _timeout_refused(self) -> Refused | None:
        """What Together said, not long ago, where the account has no idle timeout at all."""
        if self._no_timeout is None or time.monotonic() - self._no_timeout[0] > FRESH:
            return None
        return self._no_timeout[1]

    def _note_timeout(self, answer: results.Refused, refused: Refused) -> None:
        if timeout_is_unknown(answer):
            self._no_timeout = (time.monotonic(), refused)


def _request(name: str, recipe: Recipe, order: Order) -> CreateDeployment:
    where = None
    if recipe.region is not None:
        inline = InlinePlacement(regions=(recipe.region,), constraint="ENFORCEMENT_REQUIRED")
        where = Placement(inline=inline)
    return CreateDeployment(
        name=name,
        model=recipe.model,
        config=recipe.config,
        autoscaling=_bounds(_STOPPED),
        inactive_timeout=order.inactive_timeout_minutes or None,
        placement=where,
    )


def _removed(
    answer: results.Ok[None] | _NoAnswer,
) -> Done | Refused | Absent | Unavailable | NotSent:
    match answer:
        case results.Ok():
            return Done()
        case results.Refused():
            return not_removed(answer)
        case _:
            return without_answer(answer)


def _bounds(bounds: Bounds) -> ReplicaBoundsV2:
    return ReplicaBoundsV2(min_replicas=bounds.min, max_replicas=bounds.max)
