"""Inference goes through the traffic split, and only through it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.api_v2 import ROUTED, UP, ApiV2
from together_local.simulator import Simulator


async def test_ready_is_not_serving(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.deploy()
    together.console.advance(UP)
    assert await api_v2.chat_code("default/mixtral") == "endpoint_not_configured"
    # Its own name works without the split: the smoke test before a cutover.
    answer = (await api_v2.chat("default/mixtral/first")).json()
    said = answer["choices"][0]["message"]["content"]
    assert f"default/mixtral/first ({deployment['id']}) on 2xnvidia-h100-80gb" in said
    assert answer["model"] == "default/mixtral/first"
    await api_v2.route(deployment["endpointId"], {deployment["id"]: 0})
    together.console.advance(ROUTED)
    assert await api_v2.chat_code("default/mixtral") == "endpoint_not_configured"
    await api_v2.route(deployment["endpointId"], {deployment["id"]: 1})
    together.console.advance(ROUTED)
    assert await api_v2.chat_code("default/mixtral") == "ok"


async def test_routed_is_not_ready(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.running()
    together.console.advance(ROUTED)
    for name in ("default/mixtral", "default/mixtral/first"):
        assert await api_v2.chat_code(name) == "endpoint_not_ready"
    together.console.advance(UP)
    assert await api_v2.chat_code("default/mixtral") == "ok"
    await api_v2.scale(deployment, 0, 0)
    assert await api_v2.chat_code("default/mixtral") == "endpoint_not_ready"


async def test_an_unknown_name_is_no_endpoint(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.running()
    together.console.advance(UP)
    for name in ("mixtral", deployment["id"], deployment["endpointId"], "default/mixtral/second"):
        assert await api_v2.chat_code(name) == "model_not_available"


async def test_routers_follow_after_a_while(api_v2: ApiV2, together: Simulator) -> None:
    old = await api_v2.running()
    endpoint = {"id": old["endpointId"]}
    new = await api_v2.deploy(endpoint, name="second")
    together.console.advance(UP)
    await api_v2.route(endpoint["id"], {new["id"]: 1})
    assert old["id"] in (await api_v2.chat("default/mixtral")).text
    # Whoever drains the old one before the routers know loses requests.
    together.console.advance(ROUTED - 1)
    assert old["id"] in (await api_v2.chat("default/mixtral")).text
    together.console.advance(1)
    assert new["id"] in (await api_v2.chat("default/mixtral")).text


async def test_shares_follow_weight_and_ready_replicas(api_v2: ApiV2, together: Simulator) -> None:
    first = await api_v2.deploy()
    endpoint = {"id": first["endpointId"]}
    second = await api_v2.deploy(endpoint, name="second", autoscaling={"minReplicas": 3})
    shown = await api_v2.route(endpoint["id"], {first["id"]: 1, second["id"]: 1})
    assert [one["estimatedEffectiveTrafficShare"] for one in shown["deployments"]] == [0, 0]
    together.console.advance(UP)
    shown = await api_v2.ok("GET", f"/endpoints/{endpoint['id']}")
    shares = {one["id"]: one["estimatedEffectiveTrafficShare"] for one in shown["deployments"]}
    assert shares == {first["id"]: 0.25, second["id"]: 0.75}
    answers = [(await api_v2.chat("default/mixtral", user=str(n))).text for n in range(60)]
    by_first = sum(first["id"] in text for text in answers)
    assert 3 < by_first < 30
    again = [(await api_v2.chat("default/mixtral", user=str(n))).text for n in range(10)]
    served = [first["id"] in text for text in answers[:10]]
    assert [first["id"] in text for text in again] == served, "requests are sticky"


@pytest.mark.parametrize(
    ("split", "named"),
    [
        ([{"deploymentId": "dep_none", "weight": 1}], "dep_none"),
        ([{"deploymentId": "{id}", "weight": -1}], "weight"),
        ([{"deploymentId": "{id}"}], "weight is required"),
        ([{"deploymentId": "{id}", "weight": 1}] * 2, "twice"),
        ([{"deploymentId": "{id}", "weight": 1, "percent": 5}], "percent"),
    ],
)
async def test_a_wrong_split(api_v2: ApiV2, split: list[dict[str, Any]], named: str) -> None:
    deployment = await api_v2.deploy()
    entries = [
        {name: deployment["id"] if value == "{id}" else value for name, value in one.items()}
        for one in split
    ]
    path, body = f"/endpoints/{deployment['endpointId']}", {"trafficSplit": entries}
    status, message = await api_v2.refused("PATCH", path, body, updateMask="trafficSplit")
    assert (status, named in message) == (400, True)
    assert (await api_v2.ok("GET", path))["trafficSplit"] == []


async def test_the_split_is_replaced_whole_and_cleared_with_the_mask(api_v2: ApiV2) -> None:
    first = await api_v2.running()
    endpoint = {"id": first["endpointId"]}
    second = await api_v2.deploy(endpoint, name="second")
    shown = await api_v2.route(endpoint["id"], {second["id"]: 2})
    assert shown["trafficSplit"] == [{"deploymentId": second["id"], "weight": 2}]
    path = f"/endpoints/{endpoint['id']}"
    status, message = await api_v2.refused("PATCH", path, {"trafficSplit": []})
    assert (status, "no fields to update" in message) == (400, True)
    assert (await api_v2.route(endpoint["id"], {}))["trafficSplit"] == []


async def test_streams_completions_and_other_models(api_v2: ApiV2, together: Simulator) -> None:
    await api_v2.running()
    e5 = "intfloat/multilingual-e5-large-instruct"
    embedder = await api_v2.deploy(
        await api_v2.endpoint("embedder"), of=e5, on="1xnvidia-h100-80gb"
    )
    await api_v2.route(embedder["endpointId"], {embedder["id"]: 1})
    together.console.advance(UP)
    assert "[DONE]" in (await api_v2.chat("default/mixtral", stream=True)).text
    body = {"model": "default/mixtral", "prompt": "Hello"}
    assert (await api_v2.http.post("/v1/completions", json=body)).is_success
    asked = {"model": "default/embedder", "input": "Hello"}
    assert (await api_v2.http.post("/v1/embeddings", json=asked)).is_success
    assert await api_v2.chat_code("default/embedder") == "unsupported_model_type"
