"""What shows of each assumption about API v2: a value to switch it to, and where to look."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from tests.simulator.api import Api
from tests.simulator.api_v2 import MODEL, UP, ApiV2, own_model, path_of
from together_local.simulator import Simulator

Probe = Callable[[Api, Simulator], Awaitable[Any]]
ProbeV2 = Callable[[ApiV2, Simulator], Awaitable[Any]]


def _v2(probe: ProbeV2) -> Probe:
    async def probed(_: Api, together: Simulator) -> Any:
        async with ApiV2(together.url, "key-a") as api:
            return await probe(api, together)

    return probed


async def _odd_name(api: ApiV2, _: Simulator) -> Any:
    return (await api.ask("POST", "/endpoints", {"name": "Odd_Name"})).status_code


async def _twin_deployments(api: ApiV2, _: Simulator) -> Any:
    endpoint = await api.endpoint()
    path, body = f"/endpoints/{endpoint['id']}/deployments", await api.body()
    return [(await api.ask("POST", path, body)).status_code for _ in range(2)]


async def _rename(api: ApiV2, _: Simulator) -> Any:
    deployment = await api.deploy()
    paths = (f"/endpoints/{deployment['endpointId']}", path_of(deployment))
    return [(await api.ask("PATCH", path, {"name": "other"})).status_code for path in paths]


async def _first_split(api: ApiV2, _: Simulator) -> Any:
    deployment = await api.deploy()
    shown = await api.ok("GET", f"/endpoints/{deployment['endpointId']}")
    return len(shown["trafficSplit"])


async def _routed_at_once(api: ApiV2, together: Simulator) -> Any:
    deployment = await api.deploy()
    together.console.advance(UP)
    await api.route(deployment["endpointId"], {deployment["id"]: 1})
    return await api.chat_code("default/mixtral")


async def _zero_weight(api: ApiV2, _: Simulator) -> Any:
    deployment = await api.deploy()
    shown = await api.route(deployment["endpointId"], {deployment["id"]: 0})
    return len(shown["trafficSplit"])


async def _empty_split(api: ApiV2, _: Simulator) -> Any:
    endpoint = await api.endpoint()
    path, body = f"/endpoints/{endpoint['id']}", {"trafficSplit": []}
    return (await api.ask("PATCH", path, body, updateMask="trafficSplit")).status_code


async def _empty_split_without_mask(api: ApiV2, _: Simulator) -> Any:
    endpoint = await api.endpoint()
    path = f"/endpoints/{endpoint['id']}"
    return (await api.ask("PATCH", path, {"trafficSplit": []})).status_code


async def _v1_in_v2(api: ApiV2, together: Simulator) -> Any:
    bounds = {"min_replicas": 1, "max_replicas": 1}
    hardware = "2x_nvidia_h100_80gb_sxm"
    made = together.console.create({"model": MODEL, "hardware": hardware, "autoscaling": bounds})
    found = (await api.ask("GET", f"/endpoints/{made['id']}")).status_code
    return len(await api.listed()), found


async def _never_ready(api: ApiV2, together: Simulator) -> Any:
    together.console.capacity({"2xnvidia-h100-80gb": 0})
    deployment = await api.deploy()
    together.console.advance(3600)
    return await api.state(deployment)


async def _timeout_known(api: ApiV2, _: Simulator) -> Any:
    endpoint = await api.endpoint()
    path, body = f"/endpoints/{endpoint['id']}/deployments", await api.body(inactiveTimeout=30)
    return (await api.ask("POST", path, body)).status_code


async def _bounds_after_idling(api: ApiV2, together: Simulator) -> Any:
    deployment = await api.deploy(inactiveTimeout=30)
    together.console.advance(UP + 1800 + 60)
    return (await api.get(deployment))["autoscaling"]


async def _mars(api: ApiV2, _: Simulator) -> Any:
    endpoint = await api.endpoint()
    body = await api.body(placement={"inline": {"regions": ["mars-1", "us-east-1"]}})
    return (await api.ask("POST", f"/endpoints/{endpoint['id']}/deployments", body)).status_code


async def _unvalidated(api: ApiV2, together: Simulator) -> Any:
    own = own_model(together, validation="PENDING")
    endpoint = await api.endpoint()
    body = await api.body()
    path = f"/endpoints/{endpoint['id']}/deployments"
    return (await api.ask("POST", path, {**body, "model": own["model"]})).status_code


async def _delete_failed(api: ApiV2, together: Simulator) -> Any:
    deployment = await api.deploy()
    together.console.force(deployment["id"], {"state": "FAILED"})
    statuses = [(await api.ask("DELETE", path_of(deployment))).status_code]
    if statuses == [400]:
        await api.scale(deployment, 0, 0)
        statuses.append((await api.ask("DELETE", path_of(deployment))).status_code)
    return statuses


async def _delete_stopping(api: ApiV2, together: Simulator) -> Any:
    deployment = await api.deploy()
    together.console.advance(UP)
    await api.scale(deployment, 0, 0)
    return (await api.ask("DELETE", path_of(deployment))).status_code


async def _refusal(api: ApiV2, _: Simulator) -> Any:
    response = await api.ask("GET", "/endpoints/ep_nobody")
    return sorted(response.json())


async def _delete_running(api: ApiV2, _: Simulator) -> Any:
    deployment = await api.deploy()
    return (await api.ask("DELETE", path_of(deployment))).status_code


async def _stale(api: ApiV2, _: Simulator) -> Any:
    endpoint = await api.endpoint()
    return (await api.ask("DELETE", f"/endpoints/{endpoint['id']}", etag="old")).status_code


async def _etag_over_time(api: ApiV2, together: Simulator) -> Any:
    deployment = await api.deploy()
    together.console.advance(UP)
    return (await api.get(deployment))["etag"] == deployment["etag"]


async def _validated_without_hardware(api: ApiV2, together: Simulator) -> Any:
    together.console.assume({"no_capacity": "refuse"})
    together.console.capacity({"2xnvidia-h100-80gb": 0})
    endpoint, body = await api.endpoint(), await api.body()
    path = f"/endpoints/{endpoint['id']}/deployments"
    return (await api.ask("POST", path, body, validateOnly="true")).status_code


async def _quota(api: ApiV2, _: Simulator) -> Any:
    endpoint, body = await api.endpoint(), await api.body()
    path = f"/endpoints/{endpoint['id']}/deployments"
    bodies = (body, {**body, "name": "second"})
    return [(await api.ask("POST", path, one)).status_code for one in bodies]


async def _pages(api: ApiV2, _: Simulator) -> Any:
    for number in range(3):
        await api.endpoint(f"e{number}")
    return len(await api.listed())


async def _overlong(api: ApiV2, _: Simulator) -> Any:
    return (await api.ask("GET", "/endpoints", limit=501)).status_code


async def _configs(api: ApiV2, together: Simulator) -> Any:
    own = own_model(together)
    public = (await api.profile())["model"].split("/")[3]
    return [
        len((await api.ok("GET", "/configs", referenceModelId=one))["data"])
        for one in (public, own["id"])
    ]


async def _gpu_type(api: ApiV2, _: Simulator) -> Any:
    found = await api.http.get("/v2/supported-models", params={"search": MODEL})
    return found.json()["data"][0]["deploymentProfiles"][0]["gpuType"]


async def _price(api: ApiV2, _: Simulator) -> Any:
    path = "/v2/public/inference-instance-types/1xnvidia-h100-80gb"
    return (await api.http.get(path)).json()["priceCentsPerHour"]


async def _whoami(api: ApiV2, _: Simulator) -> Any:
    return sorted((await api.http.get("/v3/whoami")).json())


_SWITCHES: dict[str, tuple[Any, ProbeV2]] = {
    "endpoint_names": ("any", _odd_name),
    "deployment_names_unique": (False, _twin_deployments),
    "rename": ("refuse", _rename),
    "first_deployment_routed": (True, _first_split),
    "split_lag_seconds": (0, _routed_at_once),
    "zero_weight": ("drop", _zero_weight),
    "empty_split": ("refuse", _empty_split),
    "empty_split_without_mask": ("accept", _empty_split_without_mask),
    "v1_endpoints_in_v2": (True, _v1_in_v2),
    "readiness_budget_seconds": (60, _never_ready),
    "deployment_inactive_timeout": ("refuse", _timeout_known),
    "idle_stop_zeroes_bounds": (False, _bounds_after_idling),
    "unknown_region": ("ignore", _mars),
    "unvalidated_revision": ("accept", _unvalidated),
    "failed_deployment_delete": ("after_stop", _delete_failed),
    "stopping_deployment_delete": ("accept", _delete_stopping),
    "v2_error_shape": ("rpc", _refusal),
    "delete_refusal_status": (409, _delete_running),
    "stale_etag_status": (412, _stale),
    "etag_follows_status": (True, _etag_over_time),
    "validate_only_depth": ("capacity", _validated_without_hardware),
    "gpu_quota": (3, _quota),
    "page_size": (2, _pages),
    "overlong_page": ("refuse", _overlong),
    "configs_of_public_models": (False, _configs),
    "profile_gpu_type": ("short", _gpu_type),
    "h100_cents_per_hour": (399, _price),
    "whoami_key_type": ("org_api_key", _whoami),
}
SWITCHES_V2: dict[str, tuple[Any, Probe]] = {
    name: (value, _v2(probe)) for name, (value, probe) in _SWITCHES.items()
}
