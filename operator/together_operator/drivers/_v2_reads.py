"""The half of the v2 driver that only looks: what there is, what it costs, whether it serves."""

from __future__ import annotations

import math
from typing import Final

from together_operator.drivers._advice import TOLD, unavailable, with_hardware
from together_operator.drivers._dates import clock, listed_at
from together_operator.drivers._probing import probed
from together_operator.drivers._resolve import Resolver
from together_operator.drivers._shared import SharedReads
from together_operator.drivers._v2_project import find_project
from together_operator.drivers._v2_values import (
    fold_deployment,
    fold_endpoint,
    fold_summary,
    phase_of,
)
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Deployment,
    Done,
    Endpoint,
    Listing,
    Offer,
    Order,
    Phase,
    Refused,
    Unavailable,
)
from together_operator.resource.spec import Api
from together_operator.together import Deployment as Seen
from together_operator.together import Project, V2Client, results

_LONGEST_PAGE: Final = 500
"""Entries of a LIST's page, so that one request sees all that most projects have."""


class V2Reads:
    """What a driver of API v2 does without changing anything.

    Args:
        client: The client of that credential.
    """

    def __init__(self, client: V2Client) -> None:
        self._client = client
        self._projects: SharedReads[None, Project | Unavailable] = SharedReads(
            lambda _: find_project(client.catalogue),
            good=lambda seen: isinstance(seen, Project),
            seconds=math.inf,
        )
        self._resolver = Resolver(client.catalogue)
        self._page: int | None = _LONGEST_PAGE
        self._etags: dict[str, str] = {}

    @property
    def api(self) -> Api:
        """The generation."""
        return Api.V2

    @property
    def deploys(self) -> bool:
        """Yes: this is a `Deployer`."""
        return True

    def phase(self, state: str) -> Phase:
        """What a state word means, without a count of replicas.

        Args:
            state: Together's word, as a status holds it.
        """
        return phase_of(state)

    @property
    def inference_url(self) -> str:
        """The host for inference, which is not that for management."""
        return self._client.inference_base_url

    async def list(self) -> Listing | Unavailable:
        """Read every dedicated endpoint of the project, completely or not at all."""
        project = await self._project()
        if isinstance(project, Unavailable):
            return project
        answer = await self._client.list_endpoints(project.id, page_size=self._page)
        if self._page is not None and _about_the_page(answer):
            self._page = None
            answer = await self._client.list_endpoints(project.id)
        if not isinstance(answer, results.Ok):
            return unavailable(answer)
        # This picture is newer than any etag in hand, and shows none of deployments.
        self._etags.clear()
        listed = [one for one in answer.value if not one.endpoint_type.endswith("_SERVERLESS")]
        date = listed_at(answer.date, (one.created_at for one in listed))
        at = clock(answer.date)
        return Listing({one.id: fold_summary(one, project.id, at) for one in listed}, date)

    async def get(self, endpoint_id: str) -> Endpoint | Absent | Unavailable:
        """Read one endpoint and all its deployments.

        Args:
            endpoint_id: Together's id.
        """
        project = await self._project()
        if isinstance(project, Unavailable):
            return project
        answer = await self._client.get_endpoint(project.id, endpoint_id)
        if isinstance(answer, results.Absent):
            return Absent()
        if not isinstance(answer, results.Ok):
            return unavailable(answer)
        # Read after the endpoint: if it changes in between, its etag is an old one and a write
        # that was decided on this mixture is refused.
        within = await self._client.list_deployments(project.id, endpoint_id)
        if isinstance(within, results.Absent):
            return unavailable(results.Unavailable(f"{endpoint_id} is there, its deployments not"))
        if not isinstance(within, results.Ok):
            return unavailable(within)
        at = clock(answer.date)
        deployments = [self._deployment(one, at) for one in within.value if one.id]
        return fold_endpoint(answer.value, deployments, project.id, at)

    async def probe(self, name: str) -> Done | Refused | Unavailable:
        """Send one minimal inference request; `Done` means that the model answered.

        Args:
            name: `<project slug>/<endpoint>`, or with `/<deployment>` behind it.
        """
        return probed(name, await self._client.probe(name))

    async def offers(self, model: str | None = None) -> tuple[Offer, ...] | Unavailable:
        """Read hardware and prices, limited to what the model can use if one is named.

        Shared between all callers, and read at most every six hours; a failure is not kept.

        Args:
            model: The model, or `None` for all hardware.

        Returns:
            The offers, hardware in the spelling of v2; none of them for an unknown model.
        """
        if model is None:
            return await self._resolver.offers()
        project = await self._project()
        if isinstance(project, Unavailable):
            return project
        return await self._resolver.offers_for(project, model)

    async def weights(self, model: str) -> frozenset[str] | Unavailable:
        """Read which weights a model stands for, by their resource names.

        Args:
            model: The model, as a resource names it.
        """
        project = await self._project()
        if isinstance(project, Unavailable):
            return project
        return await self._resolver.weights(project, model)

    async def explain(self, order: Order, refused: Refused) -> Refused:
        """Add to a refusal of Together's what a person needs: alternatives, with prices.

        Args:
            order: What was asked for.
            refused: The refusal. One that was found by looking the model up tells all already.
        """
        if refused.reason is not Reason.INVALID_HARDWARE or TOLD in refused.message:
            return refused
        offers = await self.offers(order.model)
        return with_hardware(refused, order.model, offers) if isinstance(offers, tuple) else refused

    async def _project(self) -> Project | Unavailable:
        return await self._projects.get(None)

    def _deployment(self, seen: Seen, at: float) -> Deployment:
        if seen.etag:
            self._etags[seen.id] = seen.etag
        return fold_deployment(seen, at, self._resolver.quantization(seen.model, seen.config))


def _about_the_page(answer: object) -> bool:
    """Whether Together found the page too long."""
    return (
        isinstance(answer, results.Refused)
        and answer.status in {400, 422}
        and "limit" in f"{answer.field or ''} {answer.message}".lower()
    )
