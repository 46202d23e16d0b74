"""The demo holds the operator to its promise, by the simulator's books."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from together_local.demo.bill import Bill
from together_local.demo.errors import DemoError
from together_local.simulator import Options, SimulatorProcess, start_simulator

_BODY = {
    "model": "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "hardware": "2x_nvidia_h100_80gb_sxm",
    "autoscaling": {"min_replicas": 1, "max_replicas": 1},
}


@pytest.fixture(scope="module")
def simulator() -> Iterator[SimulatorProcess]:
    with start_simulator(Options(speed=0)) as process:
        yield process


def test_it_adds_up_what_ran(simulator: SimulatorProcess) -> None:
    simulator.admin.reset()
    endpoint = simulator.admin.create(_BODY)["id"]
    simulator.admin.advance(130)
    simulator.admin.advance(600)
    simulator.admin.delete(endpoint)
    bill = Bill.of(simulator.admin.ledger(), speed=60)
    (row,) = bill.rows()
    (entry,) = simulator.admin.endpoints()
    assert row[0] == endpoint
    assert row[3:] == ("10", f"${entry['billed_cents'] / 100:.2f}", "deleted")
    assert f"Created: 1. Still there: 0. Billed: {row[4]}," in bill.summary()
    bill.expect(created=1, live=0)


def test_one_too_many_fails_the_demo(simulator: SimulatorProcess) -> None:
    simulator.admin.reset()
    for _ in range(2):
        simulator.admin.delete(simulator.admin.create(_BODY)["id"])
    with pytest.raises(DemoError, match="1 created and 0 left was promised, it was 2 and 0"):
        Bill.of(simulator.admin.ledger(), speed=60).expect(created=1, live=0)


def test_one_left_behind_fails_the_demo(simulator: SimulatorProcess) -> None:
    simulator.admin.reset()
    simulator.admin.create(_BODY)
    with pytest.raises(DemoError, match="it was 1 and 1"):
        Bill.of(simulator.admin.ledger(), speed=60).expect(created=1, live=0)
