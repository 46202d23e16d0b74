"""What a create or an update must not contain."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.api import HARDWARE, MODEL, Api, error_of
from together_local.simulator import Simulator

BOTH = {"min_replicas": 1, "max_replicas": 1}


@pytest.mark.parametrize(
    ("changes", "param", "message"),
    [
        ({"model": None}, "model", "Model is required"),
        ({"model": ""}, "model", "Model is required"),
        ({"model": 7}, "model", "valid string"),
        ({"hardware": None}, "hardware", "Hardware is required"),
        ({"hardware": ""}, "hardware", "Hardware is required"),
        ({"hardware": "3x_nvidia_h100_80gb_sxm"}, "hardware", "Invalid hardware provided"),
        ({"autoscaling": None}, "autoscaling", "autoscaling is required"),
        ({"autoscaling": {"min_replicas": 1}}, "autoscaling.max_replicas", "is required"),
        ({"autoscaling": {"max_replicas": 1}}, "autoscaling.min_replicas", "is required"),
        ({"autoscaling": {**BOTH, "target": 5}}, "autoscaling.target", "unknown field"),
        (
            {"autoscaling": {"min_replicas": "1", "max_replicas": 1}},
            "autoscaling.min_replicas",
            "valid integer",
        ),
        (
            {"autoscaling": {"min_replicas": True, "max_replicas": 1}},
            "autoscaling.min_replicas",
            "valid integer",
        ),
        (
            {"autoscaling": {"min_replicas": 1.5, "max_replicas": 2}},
            "autoscaling.min_replicas",
            "valid integer",
        ),
        (
            {"autoscaling": {"min_replicas": -1, "max_replicas": 2}},
            "autoscaling.min_replicas",
            "greater than or equal to 0",
        ),
        (
            {"autoscaling": {"min_replicas": 2, "max_replicas": 1}},
            "autoscaling.min_replicas",
            "must not be greater than max_replicas",
        ),
        (
            {"autoscaling": {"min_replicas": 0, "max_replicas": 0}},
            "autoscaling.max_replicas",
            "at least 1",
        ),
        (
            {"autoscaling": {"min_replicas": 1, "max_replicas": 101}},
            "autoscaling.max_replicas",
            "at most 100",
        ),
        ({"autoscaling": None, "min_replicas": 1}, "autoscaling", "Error parsing endpoint request"),
        ({"min_replicas": 1}, "min_replicas", "unknown field"),
        ({"displayName": "x"}, "displayName", "unknown field"),
        ({"display_name": 5}, "display_name", "valid string"),
        ({"display_name": "x" * 257}, "display_name", "at most 256"),
        ({"state": "RUNNING"}, "state", "STARTED"),
        ({"inactive_timeout": -1}, "inactive_timeout", "greater than or equal to 0"),
        ({"inactive_timeout": "60"}, "inactive_timeout", "valid integer"),
        ({"disable_speculative_decoding": "yes"}, "disable_speculative_decoding", "boolean"),
        ({"availability_zone": "mars-1a"}, "availability_zone", "Invalid availability zone"),
        (
            {"availability_zone": "us-west-2b", "hardware": "2x_nvidia_h200_140gb_sxm"},
            "availability_zone",
            "not available in zone",
        ),
    ],
)
async def test_create_is_refused_by_name(
    api: Api, together: Simulator, changes: dict[str, Any], param: str, message: str
) -> None:
    refused = await api.post(**changes)
    assert refused.status_code == 400
    assert error_of(refused)["param"] == param
    assert message in error_of(refused)["message"]
    assert together.console.ledger()["totals"]["creates"] == 0


async def test_status_and_shape_are_assumptions(api: Api, together: Simulator) -> None:
    together.console.assume({"validation_status": 422, "error_shape": "flat"})
    refused = await api.post(hardware="")
    assert refused.status_code == 422
    assert refused.json()["message"] == "Hardware is required"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"'])
async def test_a_body_that_is_no_object(api: Api, body: bytes) -> None:
    refused = await api.http.post("/endpoints", content=body)
    assert refused.status_code == 400
    assert error_of(refused)["message"]


async def test_unknown_model_and_ineligible_hardware_are_404(api: Api) -> None:
    unknown = await api.post(model="nobody/nothing")
    assert (unknown.status_code, error_of(unknown)["param"]) == (404, "model")
    ineligible = await api.post(hardware="8x_nvidia_h100_80gb_sxm")
    assert (ineligible.status_code, error_of(ineligible)["param"]) == (404, "hardware")
    assert "not available for this model" in error_of(ineligible)["message"]


async def test_the_zone_in_body_and_query(api: Api) -> None:
    request = {"model": MODEL, "hardware": HARDWARE, "autoscaling": BOTH}
    query = {"availability_zone": "us-east-1a"}
    assert (await api.http.post("/endpoints", json=request, params=query)).status_code == 200
    refused = await api.http.post(
        "/endpoints", json=request, params={"availability_zone": "mars-1a"}
    )
    assert error_of(refused)["param"] == "availability_zone"


async def test_ignored_and_default_fields(api: Api) -> None:
    created = await api.create(disable_prompt_cache=True, display_name="Kept as it is ✓")
    assert created["display_name"] == "Kept as it is ✓"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": MODEL}, "model"),
        ({"hardware": HARDWARE}, "hardware"),
        ({"availability_zone": "us-east-1a"}, "availability_zone"),
        ({"disable_speculative_decoding": True}, "disable_speculative_decoding"),
        ({"disable_prompt_cache": True}, "disable_prompt_cache"),
        ({"state": "STOPPING"}, "state"),
        ({"display_name": None}, "display_name"),
        ({"autoscaling": {"min_replicas": 2}}, "autoscaling.max_replicas"),
        ({"autoscaling": {"min_replicas": 3, "max_replicas": 2}}, "autoscaling.min_replicas"),
        ({"autoscaling": {"min_replicas": 3, "max_replicas": 101}}, "autoscaling.max_replicas"),
    ],
)
async def test_update_is_refused_and_changes_nothing(
    api: Api, fields: dict[str, Any], param: str
) -> None:
    created = await api.create()
    fields = {"display_name": "changed", **fields}
    refused = await api.http.patch(f"/endpoints/{created['id']}", json=fields)
    assert refused.status_code == 400
    assert error_of(refused)["param"] == param
    assert (await api.get(created["id"])).json() == created


async def test_an_update_without_change_is_accepted(api: Api) -> None:
    created = await api.create()
    same = {"display_name": created["display_name"], "autoscaling": created["autoscaling"]}
    assert (await api.patch(created["id"], **same)).json() == created
    assert (await api.patch(created["id"])).json() == created


async def test_list_filters(api: Api) -> None:
    created = await api.create()

    async def types(**query: str) -> set[str]:
        data = (await api.http.get("/endpoints", params=query)).json()["data"]
        return {entry["type"] for entry in data}

    assert await types() == {"dedicated", "serverless"}
    assert await types(type="serverless") == {"serverless"}
    assert await types(mine="true") == {"dedicated"}
    # One official client writes Python's own words.
    assert await types(mine="True") == {"dedicated"}
    assert await types(usage_type="reserved") == set()
    assert await api.listed() == [created["id"]]
    for query in ({"type": "any"}, {"usage_type": "spot"}, {"mine": "perhaps"}):
        assert (await api.http.get("/endpoints", params=query)).status_code == 400


async def test_unknown_paths(api: Api) -> None:
    for method, path in (("GET", "/nothing"), ("PUT", "/endpoints"), ("DELETE", "/endpoints")):
        refused = await api.http.request(method, path)
        assert refused.status_code == 404
        assert error_of(refused)["message"] == "Unknown path or method"
