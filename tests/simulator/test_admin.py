"""The admin routes over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.simulator.api import HARDWARE, UP, Api, create_body, error_of
from together_local.simulator import Options, Simulator

Admin = Callable[..., Awaitable[Any]]


async def test_health(admin: Admin) -> None:
    health = await admin("GET", "/healthz")
    assert (health["status"], health["profile"], health["speed"]) == ("ok", "classic", 0)


async def test_ledger_since(api: Api, admin: Admin) -> None:
    await api.listed()
    at = (await admin("GET", "/ledger"))["requests"][0]["at"]
    assert len((await admin("GET", f"/ledger?since={at}"))["requests"]) == 1
    assert (await admin("GET", f"/ledger?since={at + 60}"))["requests"] == []


@pytest.mark.parametrize("state", ["ERROR", "FAILED", "STOPPED", "READY", "STARTED", "STOPPING"])
async def test_a_forced_state_stays(api: Api, admin: Admin, state: str) -> None:
    created = await api.create()
    forced = await admin("POST", f"/endpoints/{created['id']}", {"state": state})
    assert forced["state"] == state
    await admin("POST", "/advance", {"seconds": 3600})
    assert await api.state(created["id"]) == state


async def test_forced_states_bill_and_serve_accordingly(api: Api, admin: Admin) -> None:
    created = await api.create()
    path = f"/endpoints/{created['id']}"
    await admin("POST", path, {"state": "STARTED"})
    assert (await api.chat(created["name"])).status_code == 200
    await admin("POST", "/advance", {"seconds": 60})
    await admin("POST", path, {"state": "ERROR"})
    await admin("POST", "/advance", {"seconds": 3600})
    (endpoint,) = (await admin("GET", "/ledger"))["endpoints"]
    assert endpoint["replica_minutes"] == 1
    assert error_of(await api.chat(created["name"]))["code"] == "dedicated_endpoint_not_running"


async def test_out_of_a_forced_state(api: Api, admin: Admin) -> None:
    created = await api.create()
    await admin("POST", f"/endpoints/{created['id']}", {"state": "ERROR"})
    await api.patch(created["id"], state="STARTED")
    await admin("POST", "/advance", {"seconds": UP})
    assert await api.state(created["id"]) == "STARTED"


async def test_any_field_can_be_forced(api: Api, admin: Admin) -> None:
    created = await api.create()
    fields = {
        "display_name": "by hand",
        "autoscaling": {"min_replicas": 2, "max_replicas": 5},
        "inactive_timeout": 30,
        "owner": "somebody",
        "maintenance_window": "tonight",
    }
    shown = await admin("POST", f"/endpoints/{created['id']}", fields)
    assert shown == (await api.get(created["id"])).json()
    assert "inactive_timeout" not in shown
    del fields["inactive_timeout"]
    assert fields.items() <= shown.items()
    await admin("POST", "/advance", {"seconds": UP + 1800})
    assert await api.state(created["id"]) != "STARTED"


async def test_a_person_creates_and_deletes_in_the_console(api: Api, admin: Admin) -> None:
    await admin("POST", "/keys", {"projects": {"key-a": "team-a"}})
    theirs = await admin("POST", "/endpoints", create_body(project="team-b"))
    ours = await admin("POST", "/endpoints", create_body(project="team-a", display_name="console"))
    assert await api.listed() == [ours["id"]]
    await admin("DELETE", f"/endpoints/{ours['id']}")
    assert (await api.get(ours["id"])).status_code == 404
    ledger = await admin("GET", "/ledger")
    assert [entry["deleted_at"] is None for entry in ledger["endpoints"]] == [True, False]
    assert ledger["endpoints"][0]["id"] == theirs["id"]
    assert ledger["endpoints"][1]["requested_display_name"] == "console"


async def test_capacity_profile_and_keys(api: Api, admin: Admin) -> None:
    assert await admin("POST", "/capacity", {HARDWARE: 3}) == {HARDWARE: 3}
    assert await admin("POST", "/capacity", {HARDWARE: None}) == {}
    assert await admin("POST", "/profile", {"profile": "retired"}) == {"profile": "retired"}
    assert (await api.post()).status_code == 403
    await admin("POST", "/keys", {"deny": ["key-a"], "allow": []})
    assert (await api.post()).status_code == 401


async def test_assumptions(admin: Admin) -> None:
    before = await admin("GET", "/assumptions")
    after = await admin("POST", "/assumptions", {"starting_seconds": 7})
    assert after == {**before, "starting_seconds": 7}


async def test_reset_returns_to_the_start(api: Api) -> None:
    options = Options(speed=0, seed=5, denied_keys=("bad",), assumptions={"pending_seconds": 1})
    async with (
        Simulator(options) as together,
        Api(together.base_url, key="good") as good,
        Api(together.base_url, key="bad") as bad,
        httpx.AsyncClient(base_url=f"{together.url}/_sim") as http,
    ):
        first = await good.create()
        for path, body in (
            ("/keys", {"deny": ["good"], "allow": ["bad"]}),
            ("/profile", {"profile": "retired"}),
            ("/assumptions", {"pending_seconds": 9}),
            ("/capacity", {HARDWARE: 0}),
            ("/advance", {"seconds": 86400}),
            ("/faults", [{"fault": "status", "times": -1}]),
        ):
            assert (await http.post(path, json=body)).is_success
        assert (await http.post("/reset")).is_success
        assert (await bad.post()).status_code == 401
        assert await good.listed() == []
        again = await good.create()
        # The seed makes the same ids once more.
        assert again["id"] == first["id"]
        together.console.advance(1)
        assert await good.state(again["id"]) == "STARTING"
        assert together.console.ledger()["totals"]["creates"] == 1


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/advance", {"seconds": -1}, "seconds"),
        ("/advance", {"minutes": 1}, "seconds"),
        ("/profile", {"profile": "open"}, "profile"),
        ("/keys", {"denied": []}, "denied"),
        ("/capacity", {HARDWARE: -1}, HARDWARE),
        ("/assumptions", {"nonsense": 1}, "nonsense"),
        ("/endpoints", {"model": "x"}, "ardware"),
        ("/endpoints/endpoint-nobody", {"state": "ERROR"}, "endpoint-nobody"),
    ],
)
async def test_mistakes_are_refused_by_name(
    together: Simulator, path: str, body: dict[str, Any], named: str
) -> None:
    async with httpx.AsyncClient() as http:
        refused = await http.post(f"{together.url}/_sim{path}", json=body)
        garbage = await http.post(f"{together.url}/_sim{path}", content=b"{")
    assert refused.status_code in (400, 404)
    assert named in error_of(refused)["message"]
    assert error_of(garbage)["message"] == "the body is not valid JSON"
