"""Hardware that runs out, in part or altogether."""

from __future__ import annotations

import pytest

from tests.simulator.api import HARDWARE, MODEL, UP, Api, error_of
from together_local.simulator import Simulator


async def test_pending_without_end_until_there_is_hardware(api: Api, together: Simulator) -> None:
    together.console.capacity({HARDWARE: 0})
    created = await api.create()
    together.console.advance(7 * 86400)
    assert await api.state(created["id"]) == "PENDING"
    assert together.console.ledger()["totals"]["billed_cents"] == 0
    together.console.capacity({HARDWARE: 1})
    assert await api.state(created["id"]) == "STARTING"
    together.console.advance(120)
    assert await api.state(created["id"]) == "STARTED"


async def test_who_waits_longest_comes_first(api: Api, together: Simulator) -> None:
    together.console.capacity({HARDWARE: 1})
    running, first, second = [await api.create() for _ in range(3)]
    together.console.advance(UP)
    assert await api.state(running["id"]) == "STARTED"
    await api.delete(running["id"])
    assert await api.state(first["id"]) == "STARTING"
    assert await api.state(second["id"]) == "PENDING"
    await api.patch(first["id"], state="STOPPED")
    assert await api.state(second["id"]) == "PENDING"
    together.console.advance(15)
    assert await api.state(second["id"]) == "STARTING"


async def test_a_deleted_one_no_longer_waits(api: Api, together: Simulator) -> None:
    together.console.capacity({HARDWARE: 0})
    first, second = await api.create(), await api.create()
    together.console.advance(UP)
    await api.delete(first["id"])
    together.console.capacity({HARDWARE: 1})
    assert await api.state(second["id"]) == "STARTING"


async def test_partial_capacity_starts_with_fewer_and_fills_up(
    api: Api, together: Simulator
) -> None:
    together.console.assume({"extra_fields": True})
    together.console.capacity({HARDWARE: 2})
    created = await api.create(autoscaling={"min_replicas": 3, "max_replicas": 3})
    together.console.advance(UP)
    shown = (await api.get(created["id"])).json()
    assert shown["state"] == "STARTED"
    assert shown["autoscaling"]["ready_replicas"] == 2
    together.console.capacity({HARDWARE: 3})
    together.console.advance(59)
    assert (await api.get(created["id"])).json()["autoscaling"]["ready_replicas"] == 2
    together.console.advance(1)
    assert (await api.get(created["id"])).json()["autoscaling"]["ready_replicas"] == 3


async def test_partial_capacity_may_queue_until_min_is_lowered(
    api: Api, together: Simulator
) -> None:
    together.console.assume({"partial_capacity": "queue"})
    together.console.capacity({HARDWARE: 2})
    created = await api.create(autoscaling={"min_replicas": 3, "max_replicas": 3})
    together.console.advance(UP)
    assert await api.state(created["id"]) == "PENDING"
    await api.patch(created["id"], autoscaling={"min_replicas": 2, "max_replicas": 3})
    assert await api.state(created["id"]) == "STARTING"


@pytest.mark.parametrize("status", [400, 429, 503])
async def test_a_create_may_be_refused(api: Api, together: Simulator, status: int) -> None:
    together.console.assume({"no_capacity": "refuse", "capacity_refusal_status": status})
    together.console.capacity({HARDWARE: 0})
    refused = await api.post()
    assert refused.status_code == status
    assert "not available" in error_of(refused)["message"]
    assert together.console.ledger()["totals"]["creates"] == 0
    # One that is not to run needs no hardware.
    assert (await api.post(state="STOPPED")).status_code == 200
    together.console.capacity({HARDWARE: None})
    assert (await api.post()).status_code == 200


@pytest.mark.parametrize(
    ("free", "status"), [(0, "unavailable"), (1, "insufficient"), (2, "available")]
)
async def test_availability_is_told_with_a_model_only(
    api: Api, together: Simulator, free: int, status: str
) -> None:
    together.console.capacity({HARDWARE: free})
    for_model = (await api.http.get("/hardware", params={"model": MODEL})).json()["data"]
    told = {entry["id"]: entry["availability"]["status"] for entry in for_model}
    assert told.pop(HARDWARE) == status
    assert set(told.values()) == {"available"}
    everything = (await api.http.get("/hardware")).json()["data"]
    assert not any("availability" in entry for entry in everything)


async def test_hardware_of_an_unknown_model(api: Api) -> None:
    refused = await api.http.get("/hardware", params={"model": "nobody/nothing"})
    assert refused.status_code == 404
    assert "No GPU configurations found for model" in error_of(refused)["message"]
