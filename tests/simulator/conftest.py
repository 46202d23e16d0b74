"""A simulator in the test's own process, whose clock only moves when told to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.simulator.api import Api
from tests.simulator.api_v2 import ApiV2
from together_local.simulator import Options, Simulator


@pytest.fixture
async def together() -> AsyncIterator[Simulator]:
    """A fresh simulator on a free port."""
    async with Simulator(Options(speed=0, seed=1)) as simulator:
        yield simulator


@pytest.fixture
async def api(together: Simulator) -> AsyncIterator[Api]:
    """A plain HTTP client of it, with a key."""
    async with Api(together.base_url, key="key-a") as opened:
        yield opened


@pytest.fixture
async def api_v2(together: Simulator) -> AsyncIterator[ApiV2]:
    """A plain HTTP client of its API v2, with a key."""
    async with ApiV2(together.url, key="key-a") as opened:
        yield opened


@pytest.fixture
async def other_api(together: Simulator) -> AsyncIterator[Api]:
    """A second client, with another key."""
    async with Api(together.base_url, key="key-b") as opened:
        yield opened


@pytest.fixture
async def admin(together: Simulator) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """The admin routes over HTTP: a function of method, path and body."""
    async with httpx.AsyncClient(base_url=f"{together.url}/_sim") as http:

        async def ask(method: str, path: str, body: Any = None) -> Any:
            response = await http.request(method, path, json=body)
            assert response.is_success, response.text
            return response.json()

        yield ask
