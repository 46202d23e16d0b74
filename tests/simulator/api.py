"""A plain client of API v1, so that tests see the wire and no library's opinion."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import httpx

MODEL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
HARDWARE = "2x_nvidia_h100_80gb_sxm"
#: Simulated seconds until a new endpoint serves, with the default assumptions.
UP = 10 + 120 + 5


def create_body(**changes: Any) -> dict[str, Any]:
    """Return a legal create body, with changes; a change to None leaves the field out."""
    body = {
        "model": MODEL,
        "hardware": HARDWARE,
        "autoscaling": {"min_replicas": 1, "max_replicas": 3},
        "inactive_timeout": 0,
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something that happens in real time has happened."""
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 - it happens on the other side of HTTP
            await asyncio.sleep(0.01)


class Api:
    """Sends requests with a key; a context manager."""

    def __init__(self, base_url: str, key: str | None) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self.http = httpx.AsyncClient(base_url=base_url, headers=headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.http.aclose()

    async def post(self, **changes: Any) -> httpx.Response:
        """POST /endpoints with a legal body and changes to it."""
        return await self.http.post("/endpoints", json=create_body(**changes))

    async def create(self, **changes: Any) -> dict[str, Any]:
        """Create an endpoint, which must succeed."""
        response = await self.post(**changes)
        assert response.status_code == 200, response.text
        return dict(response.json())

    async def get(self, endpoint_id: str) -> httpx.Response:
        return await self.http.get(f"/endpoints/{endpoint_id}")

    async def state(self, endpoint_id: str) -> str:
        return str((await self.get(endpoint_id)).json()["state"])

    async def patch(self, endpoint_id: str, **fields: Any) -> httpx.Response:
        return await self.http.patch(f"/endpoints/{endpoint_id}", json=fields)

    async def delete(self, endpoint_id: str) -> httpx.Response:
        return await self.http.delete(f"/endpoints/{endpoint_id}")

    async def listed(self, **query: Any) -> list[str]:
        """Return the ids of a dedicated LIST."""
        response = await self.http.get("/endpoints", params={"type": "dedicated", **query})
        assert response.status_code == 200, response.text
        return [entry["id"] for entry in response.json()["data"]]

    async def chat(self, name: str) -> httpx.Response:
        messages = [{"role": "user", "content": "Hello"}]
        return await self.http.post("/chat/completions", json={"model": name, "messages": messages})


def error_of(response: httpx.Response) -> dict[str, Any]:
    """Return the error of a refusal in the nested shape."""
    assert response.is_error, response.text
    return dict(response.json()["error"])
