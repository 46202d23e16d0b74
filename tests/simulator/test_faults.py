"""Every kind of fault, as a test author meets it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.simulator.api import Api, error_of, eventually
from together_local.simulator import Simulator

Admin = Callable[..., Awaitable[Any]]
CREATES = {"method": "POST", "path_regex": "^/v1/endpoints$"}
LISTS = {"method": "GET", "path_regex": "^/v1/endpoints$"}


def live(together: Simulator) -> int:
    """Return how many endpoints the ledger knows as living."""
    return int(together.console.ledger()["totals"]["live"])


async def until_live(together: Simulator, count: int) -> None:
    """Wait until so many endpoints live."""

    async def reached() -> bool:
        return live(together) == count

    await eventually(reached)


async def test_status_has_no_effect(api: Api, admin: Admin, together: Simulator) -> None:
    await admin("POST", "/faults", [{**CREATES, "fault": "status", "status": 500}])
    response = await api.post()
    assert response.status_code == 500
    assert error_of(response)["message"]
    assert live(together) == 0
    assert (await api.post()).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "text"),
    [
        ({"status": 403, "body": "error code: 1010"}, 403, "text/plain", "error code: 1010"),
        ({"status": 503, "body": "upstream connect error"}, 503, "text/plain", "upstream"),
        (
            {"status": 502, "body": {"message": "flat"}},
            502,
            "application/json",
            '"message": "flat"',
        ),
        ({"status": 402}, 402, "application/json", "balance"),
        ({"status": 429}, 429, "application/json", "Too many requests"),
        ({"status": 200, "body": "<html>"}, 200, "text/plain", "<html>"),
    ],
)
async def test_status_with_any_body(
    api: Api, admin: Admin, fault: dict[str, Any], status: int, content_type: str, text: str
) -> None:
    await admin("POST", "/faults", [{"fault": "status", **fault}])
    response = await api.post()
    assert response.status_code == status
    assert response.headers["Content-Type"].startswith(content_type)
    assert text in response.text


async def test_headers_of_a_fault(api: Api, admin: Admin) -> None:
    fault = {"fault": "status", "status": 429, "headers": {"Retry-After": "7"}}
    await admin("POST", "/faults", [fault])
    assert (await api.post()).headers["Retry-After"] == "7"


async def test_delay_has_its_effect_now_and_its_reply_later(
    api: Api, admin: Admin, together: Simulator
) -> None:
    await admin("POST", "/faults", [{**CREATES, "fault": "delay", "seconds": 0.3}])
    pending = asyncio.create_task(api.post())
    await until_live(together, 1)
    assert not pending.done()
    assert (await pending).status_code == 200


async def test_delay_beyond_the_client_timeout(api: Api, admin: Admin, together: Simulator) -> None:
    await admin("POST", "/faults", [{**CREATES, "fault": "delay", "seconds": 30}])
    with pytest.raises(httpx.ReadTimeout):
        await api.http.post("/endpoints", json={}, timeout=0.1)
    assert together.console.faults()[0]["hits"] == 1


async def test_reset_before_cuts_without_effect(
    api: Api, admin: Admin, together: Simulator
) -> None:
    await admin("POST", "/faults", [{**CREATES, "fault": "reset_before"}])
    with pytest.raises(httpx.NetworkError):
        await api.post()
    assert live(together) == 0
    (request,) = together.console.ledger()["requests"]
    assert request["status"] is None


async def test_reset_after_cuts_with_the_effect_done(
    api: Api, admin: Admin, together: Simulator
) -> None:
    await admin("POST", "/faults", [{**CREATES, "fault": "reset_after"}])
    with pytest.raises(httpx.NetworkError):
        await api.post()
    assert live(together) == 1


@pytest.mark.parametrize("status", [504, 0])
async def test_late_effect(api: Api, admin: Admin, together: Simulator, status: int) -> None:
    fault = {**CREATES, "fault": "late_effect", "status": status, "seconds": 0.2}
    await admin("POST", "/faults", [fault])
    if status:
        assert (await api.post()).status_code == status
    else:
        with pytest.raises(httpx.NetworkError):
            await api.post()
    assert live(together) == 0
    await until_live(together, 1)
    (endpoint,) = together.console.ledger()["endpoints"]
    (request,) = together.console.ledger()["requests"]
    assert endpoint["created_at"] >= request["at"] + 0.2


async def test_late_effect_of_patch_and_delete(api: Api, admin: Admin, together: Simulator) -> None:
    created = await api.create()
    late = {"path_regex": "/v1/endpoints/", "fault": "late_effect", "seconds": 0.1}
    await admin("POST", "/faults", [{**late, "method": "PATCH"}, {**late, "method": "DELETE"}])
    assert (await api.patch(created["id"], display_name="later")).status_code == 503

    async def renamed() -> bool:
        return bool((await api.get(created["id"])).json()["display_name"] == "later")

    await eventually(renamed)
    assert (await api.delete(created["id"])).status_code == 503
    await until_live(together, 0)


async def test_a_late_effect_does_not_outlive_a_reset(
    api: Api, admin: Admin, together: Simulator
) -> None:
    await admin("POST", "/faults", [{**CREATES, "fault": "late_effect", "seconds": 0.05}])
    await api.post()
    await admin("POST", "/reset")
    # A second one, due after the first, tells when the first would have landed.
    await admin("POST", "/faults", [{**CREATES, "fault": "late_effect", "seconds": 0.1}])
    await api.post()
    await until_live(together, 1)
    assert together.console.ledger()["totals"]["creates"] == 1


async def test_hide_in_list(api: Api, admin: Admin) -> None:
    await admin("POST", "/faults", [{**CREATES, "fault": "hide_in_list", "seconds": 0.2}])
    hidden, shown = await api.create(), await api.create()
    assert await api.listed() == [shown["id"]]
    # Only LIST hides it.
    assert (await api.get(hidden["id"])).status_code == 200

    async def both() -> bool:
        return await api.listed() == [shown["id"], hidden["id"]]

    await eventually(both)


async def test_hide_in_list_on_the_list_itself(api: Api, admin: Admin) -> None:
    created = await api.create()
    await admin("POST", "/faults", [{**LISTS, "fault": "hide_in_list", "seconds": 60}])
    assert await api.listed() == []
    assert await api.listed() == [created["id"]]


async def test_omit(api: Api, admin: Admin) -> None:
    first, second = await api.create(), await api.create()
    faults = [{"fault": "omit", "body": [first["id"]]}, {"fault": "omit"}]
    await admin("POST", "/faults", faults)
    assert await api.listed() == [second["id"]]
    assert await api.listed() == []
    assert await api.listed() == [second["id"], first["id"]]


async def test_not_found_is_false(api: Api, admin: Admin) -> None:
    created = await api.create()
    fault = {"method": "GET", "path_regex": created["id"], "fault": "not_found"}
    await admin("POST", "/faults", [fault])
    refused = await api.get(created["id"])
    assert refused.status_code == 404
    assert error_of(refused) == error_of(await api.get("endpoint-nobody")) | {
        "message": f"Endpoint {created['id']!r} not found"
    }
    assert (await api.get(created["id"])).status_code == 200


async def test_times_and_after(api: Api, admin: Admin) -> None:
    fault = {**LISTS, "fault": "status", "status": 500, "after": 2, "times": 2}
    await admin("POST", "/faults", [fault])
    statuses = [(await api.http.get("/endpoints")).status_code for _ in range(6)]
    assert statuses == [200, 200, 500, 500, 200, 200]
    (shown,) = await admin("GET", "/faults")
    assert shown["hits"] == 2


async def test_until_cleared(api: Api, admin: Admin) -> None:
    await admin("POST", "/faults", [{"fault": "status", "status": 500, "times": -1}])
    assert {(await api.http.get("/hardware")).status_code for _ in range(5)} == {500}
    assert (await admin("GET", "/faults"))[0]["hits"] == 5
    await admin("DELETE", "/faults")
    assert await admin("GET", "/faults") == []
    assert (await api.http.get("/hardware")).status_code == 200


async def test_the_first_armed_fault_strikes(api: Api, admin: Admin) -> None:
    faults = [{"fault": "status", "status": 500}, {"fault": "status", "status": 502}]
    await admin("POST", "/faults", faults)
    statuses = [(await api.http.get("/hardware")).status_code for _ in range(3)]
    assert statuses == [500, 502, 200]


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"fault": "explode"}, "fault"),
        ({"fault": "status", "tmies": 2}, "tmies"),
        ({"fault": "status", "path_regex": "("}, "path_regex"),
        ({"fault": "delay", "seconds": -1}, "seconds"),
        ({"status": 500}, "fault"),
    ],
)
async def test_a_misspelt_fault_is_refused_by_name(
    together: Simulator, fault: dict[str, Any], named: str
) -> None:
    async with httpx.AsyncClient() as http:
        response = await http.post(f"{together.url}/_sim/faults", json=[fault])
    assert response.status_code == 400
    assert named in response.json()["error"]["message"]
    assert together.console.faults() == []
