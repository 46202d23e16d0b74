"""Every fault and admin route works for API v2 as for v1."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.simulator.api import eventually
from tests.simulator.api_v2 import FAILED, MODEL, READY, STOPPED, UP, ApiV2, path_of
from together_local.simulator import Simulator
from together_local.simulator.faults import Fault

ENDPOINTS = r"/endpoints$"
DEPLOYMENTS = r"/deployments$"


def arm(together: Simulator, **fault: Any) -> None:
    together.console.arm([Fault.model_validate(fault)])


def live(together: Simulator) -> int:
    return int(together.console.ledger()["totals"]["live"])


async def test_a_lost_reply_leaves_its_effect(api_v2: ApiV2, together: Simulator) -> None:
    endpoint, body = await api_v2.endpoint(), await api_v2.body()
    path = f"/endpoints/{endpoint['id']}/deployments"
    arm(together, method="POST", path_regex=DEPLOYMENTS, fault="reset_after")
    with pytest.raises(httpx.TransportError):
        await api_v2.ask("POST", path, body)
    assert live(together) == 1
    # The name tells the second attempt that the first one was carried out.
    assert (await api_v2.refused("POST", path, body))[0] == 409
    assert live(together) == 1


async def test_a_lost_request_has_none(api_v2: ApiV2, together: Simulator) -> None:
    arm(together, method="POST", path_regex=ENDPOINTS, fault="reset_before")
    with pytest.raises(httpx.TransportError):
        await api_v2.endpoint()
    assert together.console.ledger()["v2_endpoints"] == []


async def test_an_error_whose_effect_comes_late(api_v2: ApiV2, together: Simulator) -> None:
    arm(together, method="POST", path_regex=ENDPOINTS, fault="late_effect", seconds=0.2)
    status, _ = await api_v2.refused("POST", "/endpoints", {"name": "mixtral"})
    assert status == 503

    async def there() -> bool:
        return await api_v2.listed() != []

    await eventually(there)


async def test_hidden_in_lists_but_there(api_v2: ApiV2, together: Simulator) -> None:
    arm(together, method="POST", path_regex=ENDPOINTS, fault="hide_in_list", seconds=600)
    endpoint = await api_v2.endpoint()
    assert await api_v2.listed(filter='name="mixtral"') == []
    assert (await api_v2.refused("POST", "/endpoints", {"name": "mixtral"}))[0] == 409
    deployment = await api_v2.deploy(endpoint)
    arm(together, method="GET", path_regex=DEPLOYMENTS, fault="omit", body=[deployment["id"]])
    path = f"/endpoints/{endpoint['id']}/deployments"
    assert await api_v2.listed(path) == []
    assert await api_v2.listed(path) == [deployment["id"]]
    arm(together, method="POST", path_regex=DEPLOYMENTS, fault="hide_in_list", seconds=600)
    hidden = await api_v2.ok("POST", path, await api_v2.body(name="hidden"))
    assert await api_v2.listed(path) == [deployment["id"]]
    embedded = (await api_v2.ok("GET", f"/endpoints/{endpoint['id']}"))["deployments"]
    assert [one["id"] for one in embedded] == [deployment["id"]]
    assert (await api_v2.get(hidden))["id"] == hidden["id"]


async def test_a_false_404_names_what_was_asked_for(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.deploy()
    arm(together, method="GET", path_regex="/deployments/", fault="not_found")
    status, message = await api_v2.refused("GET", path_of(deployment))
    assert (status, deployment["id"] in message) == (404, True)
    assert (await api_v2.ask("GET", path_of(deployment))).is_success


async def test_statuses_and_bodies_as_armed(api_v2: ApiV2, together: Simulator) -> None:
    arm(together, path_regex="^/v2/", fault="status", status=429, headers={"Retry-After": "7"})
    limited = await api_v2.ask("GET", "/endpoints")
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "7")
    arm(together, path_regex="^/v2/", fault="status", status=403, body="error code: 1010")
    assert (await api_v2.ask("GET", "/endpoints")).text == "error code: 1010"
    together.console.assume({"v2_error_shape": "rpc"})
    arm(together, path_regex="^/v2/", fault="status", status=503)
    assert (await api_v2.ask("GET", "/endpoints")).json()["code"] == 14


async def test_a_project_is_limited_in_both_generations(api_v2: ApiV2, together: Simulator) -> None:
    await api_v2.listed()
    together.console.assume({"rate_limit_per_minute": 1})
    await api_v2.http.get("/v1/endpoints")
    assert (await api_v2.refused("GET", "/endpoints"))[0] == 429


@pytest.mark.parametrize("word", ["FAILED", FAILED])
async def test_forcing_a_state(api_v2: ApiV2, together: Simulator, word: str) -> None:
    deployment = await api_v2.running()
    together.console.advance(UP)
    together.console.force(deployment["id"], {"state": word})
    together.console.advance(3600)
    assert await api_v2.state(deployment) == FAILED
    assert await api_v2.chat_code("default/mixtral") == "endpoint_not_ready"
    together.console.force(deployment["id"], {"state": "MIGRATING", "colour": "green"})
    shown = await api_v2.get(deployment)
    assert (shown["status"]["state"], shown["colour"]) == ("DEPLOYMENT_STATE_MIGRATING", "green")
    together.console.force(deployment["endpointId"], {"state": "READY"})
    shown = await api_v2.get(deployment)
    assert (shown["status"]["state"], shown["status"]["readyReplicas"]) == (READY, 1)


async def test_a_person_in_the_console(api_v2: ApiV2, together: Simulator, admin: Any) -> None:
    profile = await api_v2.profile()
    endpoint = await admin("POST", "/endpoints", {"name": "by-hand", "project": "default"})
    body = {"name": "d", "model": profile["model"], "config": profile["config"]}
    bounds = {"autoscaling": {"minReplicas": 1, "maxReplicas": 1}}
    made = await admin("POST", "/endpoints", {"endpointId": endpoint["id"], **body, **bounds})
    assert made["name"] == "default/by-hand/d"
    split = [{"deploymentId": made["id"], "weight": 2}]
    shown = await admin("POST", f"/endpoints/{endpoint['id']}", {"trafficSplit": split})
    assert shown["trafficSplit"] == split
    together.console.advance(UP)
    zero = {"autoscaling": {"minReplicas": 0, "maxReplicas": 0}, "inactiveTimeout": 45}
    await admin("POST", f"/endpoints/{made['id']}", zero)
    together.console.advance(15)
    seen = await api_v2.get(made)
    assert (seen["status"]["state"], seen["inactiveTimeout"]) == (STOPPED, 45)
    await admin("DELETE", f"/endpoints/{made['id']}")
    left = await api_v2.ok("GET", f"/endpoints/{endpoint['id']}")
    assert (left["deployments"], left["trafficSplit"]) == ([], [])
    await admin("DELETE", f"/endpoints/{endpoint['id']}")
    assert (await api_v2.refused("GET", f"/endpoints/{endpoint['id']}"))[0] == 404
    totals = (await admin("GET", "/ledger"))["totals"]
    assert (totals["creates"], totals["live"]) == (1, 0)


async def test_models_and_their_revisions(api_v2: ApiV2, admin: Any) -> None:
    first = await admin("POST", "/models", {"name": "tuned", "base_model": MODEL})
    body = {"name": "tuned", "base_model": MODEL, "validation": "FAILED"}
    second = await admin("POST", "/models", body)
    assert second["id"] == first["id"]
    (model,) = (await api_v2.ok("GET", "/models"))["data"]
    assert model["name"] == "default/tuned"
    revisions = (await api_v2.ok("GET", f"/models/{first['id']}/revisions"))["data"]
    assert [one["revisionId"] for one in revisions] == [second["revisionId"], first["revisionId"]]
    endpoint = await api_v2.endpoint()
    path = f"/endpoints/{endpoint['id']}/deployments"
    newest = {**await api_v2.body(), "model": first["model"]}
    status, message = await api_v2.refused("POST", path, newest)
    assert (status, "not validated" in message) == (400, True)
    pinned = f"{first['model']}/revisions/{first['revisionId']}"
    assert (await api_v2.ok("POST", path, {**newest, "model": pinned}))["model"] == pinned


async def test_a_reset_forgets_all(api_v2: ApiV2, together: Simulator) -> None:
    await api_v2.running()
    together.console.reset()
    assert await api_v2.listed() == []
    assert together.console.ledger()["v2_endpoints"] == []
