"""From a model and hardware to what can be deployed: every case of the search."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.api_v2 import HARDWARE, MODEL, ApiV2
from together_local.simulator import Simulator


async def found(api: ApiV2, search: str, **more: str) -> list[dict[str, Any]]:
    """Search the catalogue of supported models."""
    params = {"search": search, **more}
    response = await api.http.get("/v2/supported-models", params=params)
    assert response.status_code == 200, response.text
    return list(response.json()["data"])


async def on(api: ApiV2, model: str, hardware: str) -> list[dict[str, Any]]:
    """Return a model's profiles whose config is for some hardware."""
    (entry,) = [one for one in await found(api, model) if one["name"] == model]
    matching = []
    for profile in entry["deploymentProfiles"]:
        response = await api.http.get(f"/v2/{profile['config']}")
        config = response.json()
        selectors = {one["key"]: one["value"] for one in config["selectors"]}
        if f"{selectors['accelerator_count']}x{selectors['accelerator_type']}" == hardware:
            matching.append({**profile, "_config": config})
    return matching


async def test_the_quickstart_has_one_answer(api_v2: ApiV2) -> None:
    (profile,) = await on(api_v2, MODEL, HARDWARE)
    assert (profile["gpuType"], profile["gpuCount"]) == ("nvidia-h100-80gb", 2)
    assert profile["modelName"] == MODEL
    assert "draftModel" not in profile["_config"]


async def test_two_that_differ_by_quantization(api_v2: ApiV2) -> None:
    profiles = await on(api_v2, "Qwen/Qwen2.5-72B-Instruct-Turbo", "4xnvidia-h100-80gb")
    assert {one["quantization"] for one in profiles} == {"BF16", "FP8"}
    assert len({one["modelName"] for one in profiles}) == 2
    (by_build,) = await found(api_v2, "Qwen/Qwen2.5-72B-Instruct-Turbo-FP8")
    assert by_build["name"] == "Qwen/Qwen2.5-72B-Instruct-Turbo"


async def test_two_that_differ_by_speculative_decoding(api_v2: ApiV2) -> None:
    profiles = await on(api_v2, "openai/gpt-oss-120b", HARDWARE)
    assert {one["modelName"] for one in profiles} == {"openai/gpt-oss-120b"}
    drafts = ["draftModel" in one["_config"] for one in profiles]
    assert sorted(drafts) == [False, True]
    drafting = next(one for one in profiles if "draftModel" in one["_config"])
    changes = {"model": drafting["model"], "config": drafting["config"]}
    endpoint = await api_v2.endpoint()
    body = {"name": "a", "autoscaling": {"minReplicas": 0}, **changes}
    made = await api_v2.ok("POST", f"/endpoints/{endpoint['id']}/deployments", body)
    assert made["speculator"] == drafting["_config"]["draftModel"]


async def test_none_on_that_hardware_and_none_at_all(api_v2: ApiV2) -> None:
    assert await on(api_v2, MODEL, "8xnvidia-h100-80gb") == []
    (uncertified,) = await found(api_v2, "mistralai/Mixtral-8x7B-v0.1")
    assert (uncertified["deploymentProfiles"], uncertified["baseModel"]) == ([], "")
    assert await found(api_v2, "mistralai/Mixtral-8x7B-v0.1", product="PRODUCT_DEDICATED") == []
    # In v1 it is there.
    assert await found(api_v2, "meta-llama/Llama-3.3-70B-Instruct-Turbo") == []
    (only_fp8,) = await on(api_v2, "deepseek-ai/DeepSeek-V3", "8xnvidia-h200-141gb")
    assert only_fp8["modelName"] == "deepseek-ai/DeepSeek-V3-FP8"


async def test_searches_ignore_case_and_can_hit_several(api_v2: ApiV2) -> None:
    assert len(await found(api_v2, "MIXTRAL")) == 2
    assert await found(api_v2, "nobody") == []
    assert await found(api_v2, "mixtral", modality="MODALITY_IMAGE") == []
    (one,) = await found(api_v2, MODEL)
    same = await api_v2.http.get(f"/v2/supported-models/{one['id']}")
    assert same.json() == one
    assert (await api_v2.http.get("/v2/supported-models/arch_x")).status_code == 404


async def test_configs_need_a_model(api_v2: ApiV2) -> None:
    status, message = await api_v2.refused("GET", "/configs")
    assert (status, message) == (400, "referenceModelId or referenceModel is required")
    (profile,) = await on(api_v2, MODEL, HARDWARE)
    resource = profile["model"].split("/revisions/")[0]
    by_name = await api_v2.ok("GET", "/configs", referenceModel=resource)
    by_id = await api_v2.ok("GET", "/configs", referenceModelId=resource.split("/")[3])
    assert by_name["data"] == by_id["data"] != []
    wrong = {"referenceModel": resource, "referenceModelId": "ml_other"}
    assert (await api_v2.refused("GET", "/configs", **wrong))[0] == 400
    assert (await api_v2.refused("GET", "/configs/cr_none"))[0] == 404
    public = await api_v2.http.get(f"/v2/{resource}")
    assert public.json()["name"] == MODEL


async def test_prices_and_headroom(api_v2: ApiV2, together: Simulator) -> None:
    url = "/v2/public/inference-instance-types"
    answer = (await api_v2.http.get(url)).json()
    assert answer["next_cursor"] is None
    types = {one["name"]: one for one in answer["data"]}
    assert types["1xnvidia-h100-80gb"]["priceCentsPerHour"] == 549
    assert types["8xnvidia-h100-80gb"]["priceCentsPerHour"] == 8 * 549
    assert types["1xnvidia-h200-141gb"]["gpuMemoryGib"] == 141
    assert [region["name"] for region in types["1xnvidia-b200-180gb"]["regions"]] == [
        "us-central-4"
    ]
    together.console.capacity({HARDWARE: 3})
    one = (await api_v2.http.get(f"{url}/{HARDWARE}")).json()
    assert one["regions"][0]["headroom"] == {"value": 3, "relation": "RELATION_EQ"}
    assert (await api_v2.http.get(f"{url}/1xtpu")).status_code == 404


@pytest.mark.parametrize("hardware", ["1xnvidia-h100-80gb", HARDWARE, "4xnvidia-h200-141gb"])
async def test_everything_that_is_offered_can_be_deployed(api_v2: ApiV2, hardware: str) -> None:
    endpoint = await api_v2.endpoint()
    path = f"/endpoints/{endpoint['id']}/deployments"
    count = 0
    for entry in await found(api_v2, ""):
        for profile in entry["deploymentProfiles"]:
            name = f"{profile['gpuCount']}x{profile['gpuType']}"
            if name == hardware:
                body = {
                    "name": f"d{count}",
                    "model": profile["model"],
                    "config": profile["config"],
                    "autoscaling": {"minReplicas": 0},
                }
                made = await api_v2.ok("POST", path, body, validateOnly="true")
                assert made["hardware"] == hardware
                count += 1
    assert count > 2
