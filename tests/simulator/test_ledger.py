"""The ledger, by which tests judge."""

from __future__ import annotations

import time

from tests.simulator.api import HARDWARE, MODEL, UP, Api, create_body
from together_local.simulator import Simulator

REQUEST_FIELDS = {"at", "method", "path", "status", "key_id", "body"}
ENDPOINT_FIELDS = {
    *("id", "name", "display_name", "requested_display_name", "generation", "model", "hardware"),
    *("state", "autoscaling", "created_at", "deleted_at", "replica_minutes", "billed_cents"),
}


async def test_every_request_with_its_body_and_status(api: Api, together: Simulator) -> None:
    began = time.time()
    created = await api.create(display_name="x")
    await api.patch(created["id"], state="STOPPED")
    await api.post(hardware="")
    await api.listed()
    requests = together.console.ledger()["requests"]
    assert [(r["method"], r["path"], r["status"]) for r in requests] == [
        ("POST", "/v1/endpoints", 200),
        ("PATCH", f"/v1/endpoints/{created['id']}", 200),
        ("POST", "/v1/endpoints", 400),
        ("GET", "/v1/endpoints", 200),
    ]
    assert set(requests[0]) >= REQUEST_FIELDS
    assert requests[0]["body"] == create_body(display_name="x")
    assert requests[1]["body"] == {"state": "STOPPED"}
    assert requests[3]["body"] is None
    assert requests[3]["query"] == {"type": "dedicated"}
    assert began <= requests[0]["at"] <= requests[-1]["at"] <= time.time()


async def test_since_limits_the_requests_only(api: Api, together: Simulator) -> None:
    await api.create()
    await api.listed()
    last = together.console.ledger()["requests"][-1]["at"]
    ledger = together.console.ledger(since=last)
    assert [request["method"] for request in ledger["requests"]] == ["GET"]
    assert len(ledger["endpoints"]) == 1
    assert together.console.ledger(since=last + 60)["requests"] == []


async def test_a_life_in_wall_time(api: Api, together: Simulator) -> None:
    before = time.time()
    created = await api.create(display_name="asked for")
    between = time.time()
    together.console.advance(UP + 600)
    await api.patch(created["id"], display_name="renamed")
    await api.delete(created["id"])
    (endpoint,) = together.console.ledger()["endpoints"]
    assert set(endpoint) >= ENDPOINT_FIELDS
    assert before <= endpoint["created_at"] <= between <= endpoint["deleted_at"] <= time.time()
    assert endpoint["requested_display_name"] == "asked for"
    assert endpoint["display_name"] == "renamed"
    assert endpoint["generation"] == "v1"
    assert (endpoint["model"], endpoint["hardware"]) == (MODEL, HARDWARE)
    assert endpoint["autoscaling"] == {"min_replicas": 1, "max_replicas": 3}


async def test_the_requested_name_survives_a_server_that_drops_it(
    api: Api, together: Simulator
) -> None:
    together.console.assume({"display_names_kept": False})
    created = await api.create(display_name="asked for")
    assert created["display_name"] == MODEL
    (endpoint,) = together.console.ledger()["endpoints"]
    assert endpoint["requested_display_name"] == "asked for"


async def test_totals(api: Api, together: Simulator) -> None:
    first, _second = await api.create(), await api.create()
    together.console.advance(130 + 60)
    await api.delete(first["id"])
    assert together.console.ledger()["totals"] == {
        "billed_cents": 36.0,
        "live": 1,
        "creates": 2,
        "deletes": 1,
    }


async def test_keys_appear_only_as_hashes(api: Api, other_api: Api, together: Simulator) -> None:
    await api.create(display_name="key-a leaked into a name")
    await other_api.listed()
    await api.http.post("/endpoints", content=b"key-a is not JSON")
    assert "key-a" not in str(together.console.ledger()["requests"])
    hashes = [request["key_id"] for request in together.console.ledger()["requests"]]
    assert hashes[0] == hashes[2] != hashes[1]
    assert together.console.ledger()["endpoints"][0]["key_id"] == hashes[0]


async def test_admin_requests_are_not_recorded(together: Simulator, api: Api) -> None:
    await api.http.get(f"{together.url}/_sim/healthz")
    assert together.console.ledger()["requests"] == []


async def test_refused_keys_are_recorded(together: Simulator) -> None:
    async with Api(together.base_url, key=None) as nobody:
        await nobody.post()
    (request,) = together.console.ledger()["requests"]
    assert (request["status"], request["key_id"]) == (401, None)
