"""What API v2 refuses, by name, and that a refused request changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.api_v2 import MODEL, ApiV2, own_model, path_of
from together_local.simulator import Simulator


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "name is required"),
        ({"name": ""}, "name is required"),
        ({"name": 7}, "name"),
        ({"name": "mixtral", "displayName": "Mine"}, "unknown field 'displayName'"),
        ({"name": "mixtral", "visibility": "PUBLIC"}, "visibility"),
        ({"name": "Mixtral"}, "lower-case"),
        ({"name": "-mixtral"}, "lower-case"),
        ({"name": "x" * 64}, "63"),
        ({"name": "elsewhere/mixtral"}, "does not belong to 'default'"),
    ],
)
async def test_a_wrong_endpoint(api_v2: ApiV2, body: dict[str, Any], named: str) -> None:
    status, message = await api_v2.refused("POST", "/endpoints", body)
    assert status == 400
    assert named in message
    assert await api_v2.listed() == []


@pytest.mark.parametrize(
    ("changes", "status", "named"),
    [
        ({"name": None}, 400, "name is required"),
        ({"model": None}, 400, "model is required"),
        ({"config": None}, 400, "config is required"),
        ({"autoscaling": None}, 400, "autoscaling is required"),
        ({"autoscaling": {}}, 400, "autoscaling.minReplicas is required"),
        ({"autoscaling": {"minReplicas": 0, "maxReplicas": 1}}, 400, "at least 1 unless both"),
        ({"autoscaling": {"minReplicas": 2, "maxReplicas": 1}}, 400, "greater than maxReplicas"),
        ({"autoscaling": {"minReplicas": -1}}, 400, "minReplicas"),
        ({"autoscaling": {"minReplicas": 101}}, 400, "at most 100"),
        ({"autoscaling": {"minReplicas": "1"}}, 400, "minReplicas"),
        ({"autoscaling": {"minReplicas": 1, "replicas": 2}}, 400, "autoscaling.replicas"),
        ({"autoscaling": {"minReplicas": 1, "scaleUpWindow": "5m"}}, 400, "scaleUpWindow"),
        ({"inactiveTimeout": 29}, 400, "between 30 and 1440"),
        ({"inactiveTimeout": 1441}, 400, "between 30 and 1440"),
        ({"maxConcurrentRequestsPerReplica": "many"}, 400, "maxConcurrentRequestsPerReplica"),
        ({"hardware": "2xnvidia-h100-80gb"}, 400, "unknown field 'hardware'"),
        ({"model": MODEL}, 400, "model must have the form"),
        ({"model": "projects/proj_x/models/ml_x"}, 404, "not found"),
        ({"config": "cr_x"}, 400, "config must have the form"),
        ({"config": "projects/proj_x/configs/cr_x"}, 404, "not found"),
        ({"placement": {}}, 400, "exactly one of inline and profile"),
        ({"placement": {"profile": "pp_none"}}, 404, "pp_none"),
        ({"placement": {"inline": {"regions": ["mars-1"]}}}, 400, "known regions"),
        ({"name": "a/b/c"}, 400, "does not belong"),
        ({"name": "späße"}, 400, "letters"),
    ],
)
async def test_a_wrong_deployment(
    api_v2: ApiV2, together: Simulator, changes: dict[str, Any], status: int, named: str
) -> None:
    endpoint = await api_v2.endpoint()
    body = await api_v2.body(**changes)
    path = f"/endpoints/{endpoint['id']}/deployments"
    for query in ({}, {"validateOnly": "true"}):
        seen, message = await api_v2.refused("POST", path, body, **query)
        assert seen == status
        assert named in message
    assert together.console.ledger()["endpoints"] == []


async def test_a_config_is_for_its_model(api_v2: ApiV2) -> None:
    endpoint = await api_v2.endpoint()
    other = await api_v2.profile("openai/gpt-oss-20b", "1xnvidia-h100-80gb")
    body = await api_v2.body(config=other["config"])
    path = f"/endpoints/{endpoint['id']}/deployments"
    status, message = await api_v2.refused("POST", path, body)
    assert (status, "not compatible" in message) == (400, True)


async def test_both_spellings_of_a_key_are_known(api_v2: ApiV2) -> None:
    body = await api_v2.body(autoscaling={"min_replicas": 1, "maxReplicas": 1})
    endpoint = await api_v2.endpoint()
    path = f"/endpoints/{endpoint['id']}/deployments"
    planned = await api_v2.ok("POST", path, {**body, "inactive_timeout": 30}, validate_only="true")
    assert (planned["inactiveTimeout"], planned["id"]) == (30, "")
    assert await api_v2.listed(path) == []


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/endpoints", {"mine": "true"}),
        ("GET", "/endpoints/{endpoint}", {"expand": "all"}),
        ("PATCH", "/endpoints/{endpoint}", {"mask": "name"}),
        ("DELETE", "/endpoints/{endpoint}", {"force": "true"}),
        ("POST", "/endpoints/{endpoint}/deployments", {"dryRun": "true"}),
        ("GET", "/models", {"search": "x"}),
    ],
)
async def test_an_unknown_query_key(
    api_v2: ApiV2, method: str, path: str, query: dict[str, str]
) -> None:
    endpoint = await api_v2.endpoint()
    url = path.format(endpoint=endpoint["id"])
    status, message = await api_v2.refused(method, url, {} if method == "PATCH" else None, **query)
    assert (status, "unknown query parameter" in message) == (400, True)


@pytest.mark.parametrize("field", ["model", "config", "placement", "hardware"])
async def test_what_is_fixed_is_not_a_field_of_an_update(api_v2: ApiV2, field: str) -> None:
    deployment = await api_v2.deploy()
    status, message = await api_v2.refused("PATCH", path_of(deployment), {field: "x"})
    assert (status, field in message) == (400, True)
    status, message = await api_v2.refused("PATCH", path_of(deployment), {}, updateMask=field)
    assert (status, "updateMask" in message) == (400, True)


@pytest.mark.parametrize(
    ("body", "query", "named"),
    [
        ({}, {}, "no fields to update"),
        ({}, {"updateMask": "autoscaling"}, "the body has no autoscaling"),
        ({"autoscaling": {"maxReplicas": 0}}, {}, "greater than"),
        ({"autoscaling": {"minReplicas": 0}}, {}, "at least 1 unless both"),
        ({"inactiveTimeout": 5}, {}, "between 30 and 1440"),
    ],
)
async def test_a_wrong_update(
    api_v2: ApiV2, body: dict[str, Any], query: dict[str, str], named: str
) -> None:
    deployment = await api_v2.deploy()
    status, message = await api_v2.refused("PATCH", path_of(deployment), body, **query)
    assert (status, named in message) == (400, True)
    assert await api_v2.get(deployment) == deployment


async def test_the_mask_decides_what_counts(api_v2: ApiV2) -> None:
    deployment = await api_v2.deploy()
    body = {"autoscaling": {"maxReplicas": 5}, "inactiveTimeout": 30}
    changed = await api_v2.ok("PATCH", path_of(deployment), body, update_mask="inactive_timeout")
    assert changed["inactiveTimeout"] == 30
    assert changed["autoscaling"] == {"minReplicas": 1, "maxReplicas": 2}
    changed = await api_v2.ok("PATCH", path_of(deployment), body, updateMask="autoscaling")
    # An omitted bound stays.
    assert changed["autoscaling"] == {"minReplicas": 1, "maxReplicas": 5}


async def test_an_old_etag_is_refused_and_none_wins(api_v2: ApiV2) -> None:
    deployment = await api_v2.deploy()
    old = deployment["etag"]
    changed = await api_v2.scale(deployment, 2, 3)
    assert changed["etag"] != old
    body = {"inactiveTimeout": 30, "etag": old}
    status, message = await api_v2.refused("PATCH", path_of(deployment), body)
    assert (status, "etag" in message) == (409, True)
    assert (await api_v2.refused("DELETE", path_of(deployment), etag=old))[0] == 409
    assert (await api_v2.get(deployment))["inactiveTimeout"] == 0
    await api_v2.ok("PATCH", path_of(deployment), {**body, "etag": changed["etag"]})
    await api_v2.ok("PATCH", path_of(deployment), {"inactiveTimeout": 60})

    path = f"/endpoints/{deployment['endpointId']}"
    before = (await api_v2.ok("GET", path))["etag"]
    await api_v2.route(deployment["endpointId"], {deployment["id"]: 1})
    stale = {"trafficSplit": [], "etag": before}
    status, _ = await api_v2.refused("PATCH", path, stale, updateMask="trafficSplit")
    assert status == 409


async def test_errors_of_the_grpc_kind(api_v2: ApiV2, together: Simulator) -> None:
    together.console.assume({"v2_error_shape": "rpc"})
    response = await api_v2.ask("POST", "/endpoints", {"name": "mixtral", "tags": []})
    body = response.json()
    assert (response.status_code, body["code"]) == (400, 3)
    assert body["message"] == body["details"][0]["detail"] == "unknown field 'tags'"
    # The other generation keeps its own shape.
    assert "error" in (await api_v2.http.get("/v1/endpoints/endpoint-none")).json()


async def test_another_project_sees_nothing(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.running()
    own = own_model(together)
    together.console.keys(projects={"key-b": "team-b"})
    async with ApiV2(together.url, "key-b") as other:
        assert await other.listed() == []
        assert await other.listed("/models") == []
        path = f"/endpoints/{deployment['endpointId']}"
        assert (await other.refused("GET", path))[0] == 404
        assert (await other.refused("DELETE", path))[0] == 404
        # Not by the other project's path either.
        foreign = f"/v2/projects/{api_v2.project}{path}"
        assert (await other.http.get(foreign)).status_code == 404
        endpoint = await other.endpoint()
        body = {**await other.body(), "model": own["model"]}
        made = await other.refused("POST", f"/endpoints/{endpoint['id']}/deployments", body)
        assert made[0] == 404
        assert await other.chat_code("default/mixtral") == "model_not_available"
        together.console.assume({"foreign_endpoint_status": 403})
        assert (await other.refused("GET", path))[0] == 403


async def test_a_key_is_needed(together: Simulator, api_v2: ApiV2) -> None:
    together.console.keys(deny=["key-a"])
    assert (await api_v2.refused("GET", "/endpoints"))[0] == 401
    assert (await api_v2.http.get("/v2/supported-models")).status_code == 401


async def test_names_are_unique_within_a_project(api_v2: ApiV2, together: Simulator) -> None:
    made = await api_v2.endpoint()
    for name in ("mixtral", "default/mixtral"):
        status, message = await api_v2.refused("POST", "/endpoints", {"name": name})
        assert (status, "already exists" in message) == (409, True)
    together.console.keys(projects={"key-b": "team-b"})
    async with ApiV2(together.url, "key-b") as other:
        assert (await other.endpoint())["name"] == "team-b/mixtral"
    await api_v2.ok("DELETE", f"/endpoints/{made['id']}")
    # Free again at once, while LIST still lags.
    again = await api_v2.endpoint()
    assert set(await api_v2.listed(filter='name="mixtral"')) == {made["id"], again["id"]}
    together.console.advance(60)
    assert await api_v2.listed(filter='name="mixtral"') == [again["id"]]
