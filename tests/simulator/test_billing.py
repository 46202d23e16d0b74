"""What it costs: per running replica-minute, nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.api import HARDWARE, UP, Api
from together_local.simulator import Simulator

#: Simulated seconds until billing begins, with the default assumptions.
STARTED = 10 + 120


def bill(together: Simulator) -> tuple[float, float]:
    """Return replica-minutes and cents of the only endpoint."""
    (endpoint,) = together.console.ledger()["endpoints"]
    assert together.console.ledger()["totals"]["billed_cents"] == endpoint["billed_cents"]
    return endpoint["replica_minutes"], endpoint["billed_cents"]


async def test_coming_up_is_free_and_minutes_are_whole(api: Api, together: Simulator) -> None:
    await api.create()
    together.console.advance(STARTED)
    assert bill(together) == (0, 0)
    together.console.advance(1)
    assert bill(together) == (1, 18)
    together.console.advance(59)
    assert bill(together) == (1, 18)
    together.console.advance(9 * 60)
    assert bill(together) == (10, 180)


async def test_a_stop_ends_billing_at_once(api: Api, together: Simulator) -> None:
    created = await api.create()
    together.console.advance(STARTED + 600)
    await api.patch(created["id"], state="STOPPED")
    together.console.advance(3600)
    assert bill(together) == (10, 180)


async def test_a_delete_ends_billing_and_keeps_the_line(api: Api, together: Simulator) -> None:
    created = await api.create()
    together.console.advance(STARTED + 600)
    await api.delete(created["id"])
    together.console.advance(3600)
    assert bill(together) == (10, 180)
    assert together.console.ledger()["endpoints"][0]["state"] == "DELETED"


async def test_each_running_period_is_rounded(api: Api, together: Simulator) -> None:
    created = await api.create()
    together.console.advance(STARTED + 30)
    await api.patch(created["id"], state="STOPPED")
    together.console.advance(15)
    await api.patch(created["id"], state="STARTED")
    together.console.advance(STARTED + 30)
    assert bill(together) == (2, 36)


@pytest.mark.parametrize(("rounding", "minutes"), [("up", 2), ("exact", 1.5), ("down", 1)])
async def test_rounding_is_an_assumption(
    api: Api, together: Simulator, rounding: str, minutes: float
) -> None:
    together.console.assume({"minute_rounding": rounding})
    await api.create()
    together.console.advance(STARTED + 90)
    assert bill(together) == (minutes, minutes * 18)


async def test_every_replica_is_billed_from_when_it_runs(api: Api, together: Simulator) -> None:
    created = await api.create()
    together.console.advance(STARTED + 600)
    await api.patch(created["id"], autoscaling={"min_replicas": 3, "max_replicas": 3})
    together.console.advance(60)
    assert bill(together)[0] == 11
    together.console.advance(600)
    assert bill(together)[0] == 11 + 10 + 2 * 10
    await api.patch(created["id"], autoscaling={"min_replicas": 1, "max_replicas": 3})
    together.console.advance(600)
    assert bill(together)[0] == 11 + 10 + 2 * 10 + 10


@pytest.mark.parametrize(
    ("assumption", "minutes"), [({}, 0), ({"bill_stopping": True}, 5)], ids=["free", "billed"]
)
async def test_stopping(
    api: Api, together: Simulator, assumption: dict[str, Any], minutes: float
) -> None:
    together.console.assume({"stopping_seconds": 300, **assumption})
    created = await api.create()
    together.console.advance(STARTED)
    await api.patch(created["id"], state="STOPPED")
    together.console.advance(1000)
    assert bill(together)[0] == minutes


async def test_scaling_up_may_be_billed(api: Api, together: Simulator) -> None:
    together.console.assume({"bill_scaling_up": True})
    created = await api.create()
    together.console.advance(STARTED)
    await api.patch(created["id"], autoscaling={"min_replicas": 2, "max_replicas": 2})
    together.console.advance(60)
    assert bill(together)[0] == 2


async def test_an_idle_stop_ends_billing_at_its_own_moment(api: Api, together: Simulator) -> None:
    await api.create(inactive_timeout=30)
    # Nobody looks for a day; it is billed for half an hour all the same.
    together.console.advance(86400)
    assert bill(together) == (30, 30 * 18)


async def test_prices_are_linear_in_gpus(api: Api, together: Simulator) -> None:
    model = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
    for hardware in ("1x_nvidia_h200_140gb_sxm", "8x_nvidia_b200_180gb_sxm"):
        await api.create(model=model, hardware=hardware)
    together.console.advance(STARTED + 60)
    cents = [endpoint["billed_cents"] for endpoint in together.console.ledger()["endpoints"]]
    assert cents == [11, 8 * 15]


async def test_without_credit_a_create_is_refused(api: Api, together: Simulator) -> None:
    together.console.assume({"credit_cents": 500})
    await api.create()
    together.console.advance(UP + 3600)
    refused = await api.post(hardware=HARDWARE)
    assert refused.status_code == 402
    assert together.console.ledger()["totals"]["live"] == 1
