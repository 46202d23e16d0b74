"""Faults drawn by chance, within what a careful client can bear."""

from __future__ import annotations

import httpx

from tests.simulator.api import Api
from together_local.simulator import Options, Simulator
from together_local.simulator.faults import FaultKind, Operation
from together_local.simulator.random_faults import RandomFaults


def drawn(seed: int | None, operation: Operation, count: int = 300) -> list[tuple[str, int | None]]:
    """Return kinds and statuses of the faults of so many requests."""
    source = RandomFaults(seed)
    faults = [source.strike(operation, rate=1, seconds=2) for _ in range(count)]
    assert all(fault is not None and fault.seconds <= 2 for fault in faults)
    return [(fault.fault.value, fault.status) for fault in faults if fault is not None]


def test_the_same_seed_draws_the_same() -> None:
    assert drawn(1, Operation.CREATE) == drawn(1, Operation.CREATE)
    assert drawn(1, Operation.CREATE) != drawn(2, Operation.CREATE)


def test_every_kind_is_drawn_where_it_belongs() -> None:
    by_operation = {one: {kind for kind, _ in drawn(1, one)} for one in Operation}
    assert set().union(*by_operation.values()) == {kind.value for kind in FaultKind}
    for operation in (Operation.LIST, Operation.READ, Operation.LOOKUP, Operation.INFER):
        assert not by_operation[operation] & {"reset_after", "late_effect", "hide_in_list"}


def test_only_5xx_and_cuts_have_late_effects() -> None:
    late = {status for kind, status in drawn(1, Operation.CREATE) if kind == "late_effect"}
    assert late == {504, 0}


async def test_the_rate_is_an_assumption() -> None:
    options = Options(speed=0, seed=3, assumptions={"fault_rate": 0.5, "fault_seconds": 0})
    async with Simulator(options) as together, Api(together.base_url, key="key") as api:
        good = 0
        for _ in range(60):
            try:
                good += (await api.http.get("/hardware")).is_success
            except httpx.NetworkError:
                continue
        assert 10 < good < 55
        struck = together.console.health()["drawn_faults"]
        assert 10 < struck < 50
        together.console.assume({"fault_rate": 0})
        assert (await api.http.get("/hardware")).is_success
        assert together.console.health()["drawn_faults"] == struck
