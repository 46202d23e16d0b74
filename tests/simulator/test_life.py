"""An endpoint's life in simulated time."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest

from tests.simulator.api import MODEL, UP, Api, error_of
from together_local.simulator import Simulator
from together_local.simulator.clock import Clock, rfc3339


async def test_from_pending_to_serving(api: Api, together: Simulator) -> None:
    created = await api.create()
    assert created["state"] == "PENDING"
    together.console.advance(9.999)
    assert await api.state(created["id"]) == "PENDING"
    together.console.advance(0.001)
    assert await api.state(created["id"]) == "STARTING"
    together.console.advance(120)
    assert await api.state(created["id"]) == "STARTED"
    # STARTED is not yet serving.
    assert error_of(await api.chat(created["name"]))["code"] == "dedicated_endpoint_not_running"
    together.console.advance(5)
    assert (await api.chat(created["name"])).status_code == 200


async def test_created_stopped(api: Api, together: Simulator) -> None:
    created = await api.create(state="STOPPED")
    assert created["state"] == "STOPPED"
    together.console.advance(UP)
    assert await api.state(created["id"]) == "STOPPED"


async def test_stop_and_start_again(api: Api, together: Simulator) -> None:
    created = await api.create()
    together.console.advance(UP)
    assert (await api.patch(created["id"], state="STOPPED")).json()["state"] == "STOPPING"
    assert error_of(await api.chat(created["name"]))["code"] == "dedicated_endpoint_not_running"
    together.console.advance(15)
    assert await api.state(created["id"]) == "STOPPED"
    assert (await api.patch(created["id"], state="STARTED")).json()["state"] == "PENDING"
    together.console.advance(UP)
    assert (await api.chat(created["name"])).status_code == 200


@pytest.mark.parametrize(("age", "then"), [(0, "STOPPED"), (10, "STOPPING"), (130, "STOPPING")])
async def test_stop_is_legal_at_any_age(
    api: Api, together: Simulator, age: float, then: str
) -> None:
    created = await api.create()
    together.console.advance(age)
    assert (await api.patch(created["id"], state="STOPPED")).json()["state"] == then
    together.console.advance(1000)
    assert await api.state(created["id"]) == "STOPPED"


async def test_start_while_stopping_starts_afterwards(api: Api, together: Simulator) -> None:
    created = await api.create()
    together.console.advance(UP)
    await api.patch(created["id"], state="STOPPED")
    assert (await api.patch(created["id"], state="STARTED")).json()["state"] == "STOPPING"
    together.console.advance(15)
    assert await api.state(created["id"]) == "PENDING"


async def test_idle_stop_counts_from_the_last_request(api: Api, together: Simulator) -> None:
    created = await api.create(inactive_timeout=30)
    together.console.advance(UP)
    together.console.advance(29 * 60)
    assert (await api.chat(created["name"])).status_code == 200
    together.console.advance(30 * 60 - 1)
    assert await api.state(created["id"]) == "STARTED"
    together.console.advance(1)
    assert await api.state(created["id"]) == "STOPPING"
    together.console.advance(15)
    shown = (await api.get(created["id"])).json()
    assert shown["state"] == "STOPPED"
    assert not {"reason", "message", "error"} & set(shown)


async def test_management_requests_are_not_activity(api: Api, together: Simulator) -> None:
    created = await api.create(inactive_timeout=30)
    together.console.advance(UP)
    for _ in range(3):
        together.console.advance(10 * 60)
        await api.patch(created["id"], display_name="still here")
    assert await api.state(created["id"]) != "STARTED"


async def test_no_idle_stop_with_zero(api: Api, together: Simulator) -> None:
    created = await api.create(inactive_timeout=0)
    together.console.advance(30 * 86400)
    assert await api.state(created["id"]) == "STARTED"


async def test_a_shortened_timeout_falls_due_at_once(api: Api, together: Simulator) -> None:
    created = await api.create(inactive_timeout=600)
    together.console.advance(UP + 3600)
    await api.patch(created["id"], inactive_timeout=30)
    assert await api.state(created["id"]) == "STOPPING"


async def test_deleted_lags_in_list_then_is_gone(api: Api, together: Simulator) -> None:
    created = await api.create()
    response = await api.delete(created["id"])
    assert (response.status_code, response.content) == (204, b"")
    assert (await api.get(created["id"])).status_code == 404
    assert await api.listed() == [created["id"]]
    together.console.advance(10)
    assert await api.listed() == []
    assert (await api.delete(created["id"])).status_code == 404
    assert (await api.patch(created["id"], display_name="x")).status_code == 404
    assert error_of(await api.chat(created["name"]))["code"] == "model_not_available"


async def test_what_is_never_shown(api: Api) -> None:
    created = await api.create(
        inactive_timeout=30, availability_zone="us-central-4b", disable_speculative_decoding=True
    )
    assert set(created) == {
        *("object", "id", "name", "display_name", "model", "hardware", "type", "owner", "state"),
        *("autoscaling", "created_at"),
    }
    assert set(created["autoscaling"]) == {"min_replicas", "max_replicas"}
    (listed,) = (await api.http.get("/endpoints", params={"mine": "true"})).json()["data"]
    assert set(listed) == {
        *("object", "id", "name", "model", "type", "owner", "state", "created_at"),
    }


async def test_identity_is_made_by_the_server(api: Api) -> None:
    first, second = await api.create(), await api.create()
    assert first["id"] != second["id"]
    assert first["id"].startswith("endpoint-")
    assert first["name"].startswith(f"default/{MODEL}-")
    assert first["name"] != second["name"]
    assert first["display_name"] == MODEL


async def test_date_and_created_at_are_simulated_time(api: Api, together: Simulator) -> None:
    together.console.advance(365 * 86400)
    response = await api.post()
    date = parsedate_to_datetime(response.headers["Date"]).timestamp()
    assert abs(date - together.world.site.clock.now()) <= 1
    assert response.json()["created_at"] == rfc3339(together.world.site.clock.now())


def test_seconds_pass_by_themselves_with_speed() -> None:
    fast, still = Clock(speed=1000), Clock(speed=0)
    fast_before, still_before = fast.now(), still.now()
    while fast.now() < fast_before + 10:
        pass
    assert still.now() == still_before
