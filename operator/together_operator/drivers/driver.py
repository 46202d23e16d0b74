"""What the core asks of a generation of Together's API, and nothing more.

A driver belongs to one credential. It turns one request of the core into the calls of its
generation and folds every answer into the plain values of `resource.remote`; it decides nothing
and keeps nothing that matters beyond a call. Each method returns, it does not raise: what can go
wrong is part of its type. A change that this process may not make just now is `NotSent`.

The second generation fits the same shape: its `create` makes endpoint and deployment at 0/0
(`creates_stopped`), its `start` raises the bounds and writes the traffic split, which is why
`start` is given the whole order; its `get` folds deployments into one `Endpoint`, with the
ownership marker in `display_name`.
"""

from __future__ import annotations

from collections.abc import Callable
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
)
from together_operator.resource.spec import Api


class Driver(Protocol):
    """One generation of the API, with one credential."""

    @property
    def api(self) -> Api:
        """The generation: `V1` or `V2`, never `Auto`."""

    @property
    def creates_stopped(self) -> bool:
        """Whether a create leaves the endpoint stopped, to be started once it is recorded."""

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
        self, endpoint_id: str, change: Change
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Change what can be changed in place."""

    async def start(
        self, endpoint_id: str, order: Order
    ) -> Done | Refused | Absent | Unavailable | NotSent:
        """Make it run."""

    async def stop(self, endpoint_id: str) -> Done | Refused | Absent | Unavailable | NotSent:
        """Make it stop, keeping it."""

    async def delete(self, endpoint_id: str) -> Done | Refused | Absent | Unavailable | NotSent:
        """Remove it. `Done` is an accepted request, not a proof that it is gone."""

    async def probe(self, name: str) -> Done | Refused | Unavailable:
        """Send one minimal inference request; `Done` means that the model answered."""

    async def offers(self, model: str | None = None) -> tuple[Offer, ...] | Unavailable:
        """Read hardware and prices, limited to what the model can use if one is named."""
