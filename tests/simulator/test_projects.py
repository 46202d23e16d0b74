"""Keys, projects, and accounts on which v1 is closed."""

from __future__ import annotations

import httpx
import pytest

from tests.simulator.api import UP, Api, error_of
from together_local.simulator import Profile, Simulator

CLOSED = "endpoints_v1_create_access_disabled"


async def test_a_key_sees_only_its_project(api: Api, other_api: Api, together: Simulator) -> None:
    together.console.keys(projects={"key-a": "team-a", "key-b": "team-b"})
    created = await api.create()
    assert created["owner"] == "team-a"
    assert created["name"].startswith("team-a/")
    together.console.advance(UP)
    assert await other_api.listed() == []
    assert (await other_api.get(created["id"])).status_code == 404
    assert (await other_api.patch(created["id"], state="STOPPED")).status_code == 404
    assert (await other_api.delete(created["id"])).status_code == 404
    assert error_of(await other_api.chat(created["name"]))["code"] == "model_not_available"
    assert await api.state(created["id"]) == "STARTED"


async def test_keys_of_one_project_share(api: Api, other_api: Api) -> None:
    created = await api.create()
    assert await other_api.listed() == [created["id"]]
    assert (await other_api.delete(created["id"])).status_code == 204


async def test_mine_may_mean_the_key(api: Api, other_api: Api, together: Simulator) -> None:
    created = await api.create()
    assert await other_api.listed(mine="true") == [created["id"]]
    together.console.assume({"mine_scope": "key"})
    assert await other_api.listed(mine="true") == []
    assert await api.listed(mine="true") == [created["id"]]
    assert await other_api.listed() == [created["id"]]


async def test_a_foreign_id_may_be_forbidden(api: Api, other_api: Api, together: Simulator) -> None:
    together.console.keys(projects={"key-b": "team-b"})
    together.console.assume({"foreign_endpoint_status": 403})
    created = await api.create()
    assert (await other_api.get(created["id"])).status_code == 403


async def test_denied_and_allowed_again(api: Api, together: Simulator) -> None:
    created = await api.create()
    together.console.keys(deny=["key-a"])
    refused = await api.get(created["id"])
    assert refused.status_code == 401
    assert error_of(refused)["code"] == "invalid_api_key"
    assert (await api.post()).status_code == 401
    together.console.keys(allow=["key-a"])
    assert (await api.get(created["id"])).status_code == 200
    assert together.console.ledger()["totals"]["creates"] == 1


@pytest.mark.parametrize("header", [None, "Basic abc", "Bearer"])
async def test_without_a_bearer_key(together: Simulator, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    async with httpx.AsyncClient(base_url=together.base_url, headers=headers) as http:
        assert (await http.get("/endpoints")).status_code == 401
        assert (await http.get("/no/such/path")).status_code == 401


async def test_closed_to_create_and_restart_only(api: Api, together: Simulator) -> None:
    created = await api.create()
    together.console.advance(UP)
    together.console.set_profile(Profile.RETIRED)

    refused = await api.post()
    assert refused.status_code == 403
    assert error_of(refused)["code"] == CLOSED
    assert error_of(await api.http.post("/endpoints", content=b"rubbish"))["code"] == CLOSED

    assert (await api.chat(created["name"])).status_code == 200
    assert await api.listed() == [created["id"]]
    assert (await api.http.get("/hardware")).status_code == 200
    bounds = {"min_replicas": 2, "max_replicas": 2}
    assert (await api.patch(created["id"], autoscaling=bounds)).status_code == 200
    # It runs already: asking for that is no restart.
    assert (await api.patch(created["id"], state="STARTED")).status_code == 200

    await api.patch(created["id"], state="STOPPED")
    for _ in range(2):
        refused = await api.patch(created["id"], state="STARTED", display_name="x")
        assert refused.status_code == 403
        assert error_of(refused)["code"] == CLOSED
        together.console.advance(15)
    assert (await api.get(created["id"])).json()["display_name"] != "x"
    assert await api.state(created["id"]) == "STOPPED"
    assert (await api.delete(created["id"])).status_code == 204


async def test_closed_may_include_metadata(api: Api, together: Simulator) -> None:
    created = await api.create()
    together.console.set_profile(Profile.RETIRED)
    together.console.assume({"retired_patch": "refuse"})
    assert error_of(await api.patch(created["id"], display_name="x"))["code"] == CLOSED
    assert (await api.patch(created["id"], state="STOPPED")).status_code == 200


async def test_an_endpoint_from_before_the_closing(api: Api, together: Simulator) -> None:
    together.console.set_profile(Profile.RETIRED)
    body = {
        "model": "openai/gpt-oss-20b",
        "hardware": "1x_nvidia_h100_80gb_sxm",
        "autoscaling": {"min_replicas": 1, "max_replicas": 1},
    }
    created = together.console.create(body)
    assert await api.listed() == [created["id"]]
