"""One simulated Together for all, begun afresh for each test, and drivers that talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from together_local.simulator import Options, start_simulator
from together_local.simulator.client import AdminClient
from together_local.simulator.process import SimulatorProcess
from together_operator.drivers import V1Driver
from together_operator.resource.remote import Bounds, Order
from together_operator.together import (
    Backoff,
    Credential,
    Observer,
    Timeouts,
    V1Client,
    V2Client,
    Wire,
)

KEY_A, KEY_B, DENIED = "not-a-real-key-a", "not-a-real-key-b", "not-a-real-key-denied"
MODEL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
ORDER = Order(
    model=MODEL,
    hardware="2x_nvidia_h100_80gb_sxm",
    bounds=Bounds(1, 2),
    display_name="ml/mixtral tep-abcdef-abcdefghijkl-abcd",
    started=True,
    inactive_timeout_minutes=60,
    speculative_decoding=False,
    availability_zone=None,
)

MakeDriver = Callable[..., V1Driver]
MakeWire = Callable[..., Wire]


@pytest.fixture(scope="session")
def simulator() -> Iterator[SimulatorProcess]:
    # Its clock stands still and moves only when a test says so: nothing here waits.
    options = Options(speed=0, seed=1, denied_keys=(DENIED,), projects={KEY_A: "a", KEY_B: "b"})
    with start_simulator(options) as process:
        yield process


@pytest.fixture
def admin(simulator: SimulatorProcess) -> Iterator[AdminClient]:
    yield simulator.admin
    simulator.admin.reset()


@pytest.fixture
async def make_wire(
    simulator: SimulatorProcess, admin: AdminClient, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[MakeWire]:
    """Make wires; `seconds` limits each request, `observer` hears of each."""
    del admin
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    wires: list[Wire] = []

    def make(*, seconds: float = 20, observer: Observer | None = None) -> Wire:
        wire = Wire(
            simulator.base_url,
            timeouts=Timeouts(read=seconds, change=seconds, create=seconds, probe=seconds),
            backoff=Backoff(attempts=3, first=0.01, budget=10),
            observer=observer,
        )
        wires.append(wire)
        return wire

    yield make
    for wire in wires:
        await wire.aclose()


@pytest.fixture
def make_driver(make_wire: MakeWire) -> MakeDriver:
    """Make drivers; `seconds` limits each request, `observer` hears of each."""

    def make(
        key: str = KEY_A, *, seconds: float = 20, observer: Observer | None = None
    ) -> V1Driver:
        wire = make_wire(seconds=seconds, observer=observer)
        return V1Driver(V1Client(wire, Credential(key)))

    return make


@pytest.fixture
def driver(make_driver: MakeDriver) -> V1Driver:
    return make_driver()


@pytest.fixture
def v2(make_wire: MakeWire) -> V2Client:
    return V2Client(make_wire(), Credential(KEY_A))
