"""A simulated Together over HTTP, whose clock only moves when told to, and the v2 driver on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from tests.together.fake import KEY
from together_local.simulator import Options, Simulator
from together_operator.drivers import Deployer, V2Driver
from together_operator.together import Backoff, Credential, Timeouts, V2Client, Wire


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    """A fresh simulator on a free port."""
    async with Simulator(Options(speed=0, seed=1)) as simulator:
        yield simulator


@pytest.fixture
async def opened(sim: Simulator) -> AsyncIterator[Callable[..., Deployer]]:
    """Open a driver, of another key if one is named: a function."""
    async with AsyncExitStack() as stack:

        def open_driver(key: str = KEY) -> Deployer:
            wire = Wire(
                sim.base_url,
                timeouts=Timeouts(connect=5, read=10, change=10, create=10, probe=10),
                backoff=Backoff(attempts=2, first=0.001, budget=1),
            )
            stack.push_async_callback(wire.aclose)
            return V2Driver(V2Client(wire, Credential(key)))

        yield open_driver


@pytest.fixture
def v2(opened: Callable[..., Deployer]) -> Deployer:
    """The driver of one key, in the default project."""
    return opened()
