"""API v1, one method per route."""

from __future__ import annotations

from together_operator.together._credential import Credential
from together_operator.together._ids import NO_SUCH_ID, are_ids
from together_operator.together._schema import (
    CreateEndpoint,
    DedicatedEndpoint,
    EndpointList,
    HardwareList,
    UpdateEndpoint,
    read_zones,
    reader,
)
from together_operator.together._verbs import Account
from together_operator.together._wire import Call, Fence, Wire
from together_operator.together.results import (
    Absent,
    Ambiguous,
    NotSent,
    Ok,
    Refused,
    Unavailable,
)

_endpoint = reader(DedicatedEndpoint)


def _nothing(_: str) -> None:
    """What the body of a deletion or of a probe says does not matter."""


class V1Client:
    """Together's API v1 for one credential.

    Args:
        wire: The connections, shared by all clients.
        credential: Whose key the calls carry.
    """

    def __init__(self, wire: Wire, credential: Credential) -> None:
        self._wire = wire
        self._account = Account(wire, credential)

    @property
    def base_url(self) -> str:
        """The root of management and inference."""
        return self._wire.base_url

    async def list_endpoints(self) -> Ok[EndpointList] | Refused | Absent | Unavailable:
        """`GET /endpoints`, dedicated ones only.

        Without `mine`: whether it means user, project or organisation is not documented.
        """
        call = Call("GET", "/endpoints", params={"type": "dedicated"})
        return await self._account.read(call, reader(EndpointList))

    async def get_endpoint(
        self, endpoint_id: str
    ) -> Ok[DedicatedEndpoint] | Refused | Absent | Unavailable:
        """`GET /endpoints/{id}`.

        Args:
            endpoint_id: Together's id.
        """
        if not are_ids(endpoint_id):
            return NO_SUCH_ID
        return await self._account.read(Call("GET", "/endpoints/{id}", id=endpoint_id), _endpoint)

    async def create_endpoint(
        self, request: CreateEndpoint, fence: Fence | None = None
    ) -> Ok[DedicatedEndpoint] | Refused | Ambiguous | NotSent:
        """`POST /endpoints`, once, on a connection of its own.

        Args:
            request: What to create.
            fence: Asked when the first byte is about to leave; `False` keeps the request here.
        """
        call = Call("POST", "/endpoints", json=request.body())
        return await self._account.create(call, _endpoint, fence)

    async def update_endpoint(
        self, endpoint_id: str, request: UpdateEndpoint
    ) -> Ok[DedicatedEndpoint] | Refused | Absent | Unavailable | NotSent:
        """`PATCH /endpoints/{id}`.

        Args:
            endpoint_id: Together's id.
            request: What to change.
        """
        if not are_ids(endpoint_id):
            return NO_SUCH_ID
        call = Call("PATCH", "/endpoints/{id}", id=endpoint_id, json=request.body())
        return await self._account.change(call, _endpoint)

    async def delete_endpoint(
        self, endpoint_id: str
    ) -> Ok[None] | Refused | Absent | Unavailable | NotSent:
        """`DELETE /endpoints/{id}`.

        Args:
            endpoint_id: Together's id.
        """
        if not are_ids(endpoint_id):
            return NO_SUCH_ID
        return await self._account.change(
            Call("DELETE", "/endpoints/{id}", id=endpoint_id), _nothing
        )

    async def list_hardware(
        self, model: str | None = None
    ) -> Ok[HardwareList] | Refused | Absent | Unavailable:
        """`GET /hardware`.

        Args:
            model: Limits the answer to what this model can use, and adds availability.
        """
        call = Call("GET", "/hardware", params={"model": model} if model else None)
        return await self._account.read(call, reader(HardwareList))

    async def list_availability_zones(
        self,
    ) -> Ok[tuple[str, ...]] | Refused | Absent | Unavailable:
        """`GET /clusters/availability-zones`."""
        return await self._account.read(Call("GET", "/clusters/availability-zones"), read_zones)

    async def probe(self, name: str) -> Ok[None] | Refused | Ambiguous | NotSent:
        """`POST /chat/completions` with the smallest question there is.

        Args:
            name: The endpoint's inference name.
        """
        body = {
            "model": name,
            "messages": [{"role": "user", "content": "ping"}],
            "max_tokens": 1,
        }
        return await self._account.ask(Call("POST", "/chat/completions", json=body), _nothing)
