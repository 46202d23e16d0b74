"""What the core asks of a generation of Together's API, and nothing more.

A driver belongs to one credential. It turns one request of the core into the calls of its
generation and folds every answer into the plain values of `resource.remote`; it decides nothing
and keeps nothing that matters beyond a call. Each method returns, it does not raise: what can go
wrong is part of its type. A change that this process may not make just now is `NotSent`.

The second generation fits the same shape, with more of it (`Deployer`): its `create` makes an
endpoint that costs nothing and runs nothing, what runs are deployments that are made within it,
stopped, and the traffic between them is written apart. Its endpoints have no display name: the
ownership marker is in the names of the deployments, and `get` puts it into `display_name`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from together_operator.resource.remote import (
    Absent,
    Ambiguous,
    Change,
    Done,
    Endpoint,
    Listing,
    NotSent,
    Offer,
    Order,
    Phase,
    Refused,
    Unavailable,
    Weight,
)
from together_operator.resource.spec import Api


class Driver(Protocol):
    """One generation of the API, with one credential."""

    @property
    def api(self) -> Api:
        """The generation: `V1` or `V2`, never `Auto`."""

    @property
    def deploys(self) -> bool:
        """Whether what runs are deployments within the endpoint: whether this is a `Deployer`."""

    def phase(self, state: str) -> Phase:
        """What a state word of this generation means, as a status holds it."""

    @property
    def inference_url(self) -> str:
        """The base URL under which the endpoints answer inference."""

    async def list(self) -> Listing | Unavailable:
        """Read every dedicated endpoint of the account, completely or not at all."""

    async def get(self, endpoint_id: str) -> Endpoint | Absent | Unavailable:
        """Read one endpoint."""

    async def create(
        self, order: Order, *, fence: Callable[[], bool] | None = None
    ) -> Done | Refused | Ambiguous | NotSent:
        """Make an endpoint: one request, on a fresh connection, never repeated.

        Args:
            order: What to make.
            fence: Asked when the first byte is about to leave; `False` keeps the request here.
        """

    async def explain(self, order: Order, refused: Refused) -> Refused:
        """Add to a refusal what a person needs: alternatives, availability, prices, zones."""

    async def update(
        self, endpoint_id: str, change: Change, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Change what can be changed in place.

        Args:
            endpoint_id: Together's id.
            change: What to send.
            deployment_id: Which deployment of it, where there are deployments.
        """

    async def start(
        self, endpoint_id: str, order: Order, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Make it run; arguments as for `update`, and the whole order."""

    async def stop(
        self, endpoint_id: str, deployment_id: str | None = None
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Make it stop, keeping it; arguments as for `update`."""

    async def delete(self, endpoint_id: str) -> Done | Refused | Absent | Unavailable | NotSent:
        """Remove it. `Done` is an accepted request, not a proof that it is gone."""

    async def probe(self, name: str) -> Done | Refused | Unavailable:
        """Send one minimal inference request; `Done` means that the model answered."""

    async def offers(self, model: str | None = None) -> tuple[Offer, ...] | Unavailable:
        """Read hardware and prices, limited to what the model can use if one is named."""


class Deployer(Driver, Protocol):
    """A generation in which deployments run within endpoints."""

    async def weights(self, model: str) -> frozenset[str] | Unavailable:
        """Read which weights a model stands for, by their resource names; none if it is unknown.

        Args:
            model: The model, as a resource names it.
        """

    async def deploy(
        self,
        endpoint_id: str,
        name: str,
        order: Order,
        *,
        fence: Callable[[], bool] | None = None,
    ) -> Done | Refused | Absent | Ambiguous | NotSent:
        """Make a deployment, stopped, so that it costs nothing: one request, never repeated.

        It is tried by a dry run first, so that what Together refuses is refused before anything
        is made. A name that is taken is `Refused` with `NameTaken`.

        Args:
            endpoint_id: Together's id of the endpoint; `Absent` is about this.
            name: The bare name of the deployment, with our mark in it.
            order: What it is to serve, and on what; its bounds are for the start.
            fence: Asked when the first byte is about to leave; `False` keeps the request here.

        Returns:
            `Done` with the deployment.
        """

    async def undeploy(
        self, endpoint_id: str, deployment_id: str
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Remove a deployment, which has to be stopped and out of the traffic."""

    async def route(
        self, endpoint_id: str, traffic: Sequence[Weight], version: str | None
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Write who answers under an endpoint's name, the whole of it.

        Args:
            endpoint_id: Together's id.
            traffic: Every deployment that is to have a part.
            version: The etag of the picture that this was decided on. Where it has changed since
                the write is `Refused`, retryable.
        """
