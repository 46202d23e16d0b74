"""The states of a deployment, and the order in which it can be taken down."""

from __future__ import annotations

import pytest

from tests.simulator.api_v2 import (
    DEGRADED,
    FAILED,
    HARDWARE,
    PROVISIONING,
    READY,
    SCALING,
    STOPPED,
    STOPPING,
    UP,
    ApiV2,
    path_of,
)
from together_local.simulator import Simulator


async def test_from_nothing_to_ready(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.deploy()
    assert deployment["status"]["state"] == PROVISIONING
    assert deployment["desiredReplicas"] == 1
    together.console.advance(10)
    assert await api_v2.state(deployment) == SCALING
    together.console.advance(120)
    shown = await api_v2.get(deployment)
    assert shown["status"]["state"] == READY
    assert shown["status"]["readyReplicas"] == shown["status"]["scheduledReplicas"] == 1
    assert shown["status"]["details"]["region"][0]["region"] == "us-central-4"


async def test_made_stopped_and_started_later(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.deploy(autoscaling={"minReplicas": 0})
    assert deployment["autoscaling"] == {"minReplicas": 0, "maxReplicas": 0}
    together.console.advance(3600)
    assert await api_v2.state(deployment) == STOPPED
    started = await api_v2.scale(deployment, 1, 1)
    assert started["status"]["state"] == PROVISIONING
    together.console.advance(UP)
    assert await api_v2.state(deployment) == READY


async def test_stopping_and_what_it_forbids(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.deploy()
    together.console.advance(UP)
    stopped = await api_v2.scale(deployment, 0, 0)
    assert stopped["status"]["state"] == STOPPING
    assert (stopped["desiredReplicas"], stopped["status"]["readyReplicas"]) == (0, 0)
    body = {"autoscaling": {"minReplicas": 1, "maxReplicas": 1}}
    status, message = await api_v2.refused("PATCH", path_of(deployment), body)
    assert (status, "draining" in message) == (400, True)
    together.console.advance(15)
    assert await api_v2.state(deployment) == STOPPED
    together.console.advance(30 * 86400)
    assert await api_v2.state(deployment) == STOPPED


async def test_a_stop_before_hardware_was_found_is_immediate(
    api_v2: ApiV2, together: Simulator
) -> None:
    together.console.capacity({HARDWARE: 0})
    for seconds in (0, 60):
        deployment = await api_v2.deploy(await api_v2.endpoint(f"e{seconds}"))
        together.console.advance(seconds)
        assert (await api_v2.scale(deployment, 0, 0))["status"]["state"] == STOPPED


async def test_scaling_goes_through_scaling(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.deploy()
    together.console.advance(UP)
    up = await api_v2.scale(deployment, 3, 4)
    assert up["status"]["state"] == SCALING
    assert up["status"]["readyReplicas"] == 1
    together.console.advance(60)
    shown = await api_v2.get(deployment)
    assert (shown["status"]["state"], shown["status"]["readyReplicas"]) == (READY, 3)
    down = await api_v2.scale(deployment, 1, 4)
    assert (down["status"]["state"], down["status"]["readyReplicas"]) == (SCALING, 1)
    together.console.advance(15)
    assert await api_v2.state(deployment) == READY


async def test_without_hardware_it_is_degraded_and_keeps_trying(
    api_v2: ApiV2, together: Simulator
) -> None:
    together.console.capacity({HARDWARE: 0})
    deployment = await api_v2.deploy()
    together.console.advance(60)
    shown = await api_v2.get(deployment)
    assert shown["status"]["state"] == DEGRADED
    assert "Insufficient capacity" in shown["status"]["message"]
    # The other generation's spelling is the same stock.
    together.console.capacity({"2x_nvidia_h100_80gb_sxm": 1})
    together.console.advance(120)
    assert await api_v2.state(deployment) == READY


async def test_both_generations_share_the_hardware(api_v2: ApiV2, together: Simulator) -> None:
    together.console.capacity({HARDWARE: 1})
    bounds = {"min_replicas": 1, "max_replicas": 1}
    model, hardware = "mistralai/Mixtral-8x7B-Instruct-v0.1", "2x_nvidia_h100_80gb_sxm"
    older = together.console.create({"model": model, "hardware": hardware, "autoscaling": bounds})
    together.console.advance(UP)
    deployment = await api_v2.deploy()
    together.console.advance(60)
    assert await api_v2.state(deployment) == DEGRADED
    together.console.delete(older["id"])
    together.console.advance(120)
    assert await api_v2.state(deployment) == READY


async def test_some_replicas_of_those_wanted(api_v2: ApiV2, together: Simulator) -> None:
    together.console.capacity({HARDWARE: 2})
    deployment = await api_v2.deploy(autoscaling={"minReplicas": 3})
    together.console.advance(UP)
    shown = await api_v2.get(deployment)
    assert (shown["status"]["state"], shown["status"]["readyReplicas"]) == (DEGRADED, 2)
    together.console.capacity({HARDWARE: None})
    together.console.advance(60)
    assert await api_v2.state(deployment) == READY


async def test_six_hours_without_a_replica_is_failure(api_v2: ApiV2, together: Simulator) -> None:
    together.console.capacity({HARDWARE: 0})
    deployment = await api_v2.deploy()
    together.console.advance(6 * 3600 - 1)
    assert await api_v2.state(deployment) == DEGRADED
    together.console.advance(1)
    assert await api_v2.state(deployment) == FAILED
    together.console.capacity({HARDWARE: None})
    together.console.advance(3600)
    assert await api_v2.state(deployment) == FAILED
    body = {"autoscaling": {"minReplicas": 1, "maxReplicas": 1}}
    status, message = await api_v2.refused("PATCH", path_of(deployment), body)
    assert (status, "FAILED" in message) == (400, True)
    await api_v2.ok("DELETE", path_of(deployment))


async def test_what_once_was_ready_stays_degraded(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.deploy()
    together.console.advance(UP)
    await api_v2.scale(deployment, 0, 0)
    together.console.advance(15)
    together.console.capacity({HARDWARE: 0})
    await api_v2.scale(deployment, 1, 1)
    together.console.advance(24 * 3600)
    assert await api_v2.state(deployment) == DEGRADED


async def test_idling_out(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.running(inactiveTimeout=30)
    together.console.advance(UP + 29 * 60)
    assert (await api_v2.chat("default/mixtral")).is_success
    together.console.advance(29 * 60)
    assert await api_v2.state(deployment) == READY
    together.console.advance(60)
    assert await api_v2.state(deployment) == STOPPING
    together.console.advance(15)
    shown = await api_v2.get(deployment)
    assert shown["status"]["state"] == STOPPED
    assert shown["autoscaling"] == {"minReplicas": 0, "maxReplicas": 0}
    # It never wakes on a request.
    assert await api_v2.chat_code("default/mixtral") == "endpoint_not_ready"
    together.console.advance(3600)
    assert await api_v2.state(deployment) == STOPPED


async def test_idling_out_may_leave_the_bounds(api_v2: ApiV2, together: Simulator) -> None:
    together.console.assume({"idle_stop_zeroes_bounds": False})
    deployment = await api_v2.deploy(
        autoscaling={"minReplicas": 1, "maxReplicas": 2, "scaleToZeroWindow": "600s"}
    )
    together.console.advance(UP + 600 + 15)
    shown = await api_v2.get(deployment)
    assert shown["status"]["state"] == STOPPED
    assert shown["autoscaling"]["minReplicas"] == 1
    await api_v2.scale(deployment, 1, 2)
    together.console.advance(UP)
    assert await api_v2.state(deployment) == READY


async def test_the_order_of_taking_it_down(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.running()
    together.console.advance(UP)
    endpoint = f"/endpoints/{deployment['endpointId']}"
    status, message = await api_v2.refused("DELETE", endpoint)
    assert (status, "delete them first" in message) == (400, True)
    status, message = await api_v2.refused("DELETE", path_of(deployment))
    assert (status, "traffic split" in message) == (400, True)
    await api_v2.route(deployment["endpointId"], {deployment["id"]: 0})
    status, message = await api_v2.refused("DELETE", path_of(deployment))
    assert "traffic split" in message, "weight 0 is still in the split"
    await api_v2.route(deployment["endpointId"], {})
    status, message = await api_v2.refused("DELETE", path_of(deployment))
    assert (status, "scale it to 0" in message) == (400, True)
    await api_v2.scale(deployment, 0, 0)
    status, message = await api_v2.refused("DELETE", path_of(deployment))
    assert (status, "STOPPING" in message) == (400, True)
    together.console.advance(15)
    assert await api_v2.ok("DELETE", path_of(deployment)) == {}
    assert (await api_v2.refused("GET", path_of(deployment)))[0] == 404
    assert await api_v2.ok("DELETE", endpoint) == {}
    assert (await api_v2.refused("DELETE", endpoint))[0] == 404


@pytest.mark.parametrize("profile", ["classic", "retired"])
async def test_both_profiles_have_v2(api_v2: ApiV2, together: Simulator, profile: str) -> None:
    together.console.set_profile(type(together.world.profile)(profile))
    body = {
        "model": "mistralai/Mixtral-8x7B-Instruct-v0.1",
        "hardware": "2x_nvidia_h100_80gb_sxm",
        "autoscaling": {"min_replicas": 1, "max_replicas": 1},
    }
    v1 = await api_v2.http.post("/v1/endpoints", json=body)
    assert v1.status_code == (200 if profile == "classic" else 403)
    deployment = await api_v2.deploy()
    together.console.advance(UP)
    assert await api_v2.state(deployment) == READY


async def test_a_rollout_locks(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.deploy()
    endpoint_id = deployment["endpointId"]
    together.console.force(endpoint_id, {"activeRolloutId": "rol_1"})
    path, split = f"/endpoints/{endpoint_id}", {"trafficSplit": []}
    status, message = await api_v2.refused("PATCH", path, split, updateMask="trafficSplit")
    assert (status, "rol_1" in message) == (409, True)
    body = {"autoscaling": {"minReplicas": 0, "maxReplicas": 0}}
    assert (await api_v2.refused("PATCH", path_of(deployment), body))[0] == 400
    assert (await api_v2.refused("DELETE", path_of(deployment)))[0] == 409


async def test_placement(api_v2: ApiV2, together: Simulator) -> None:
    endpoint = await api_v2.endpoint()
    path = f"/endpoints/{endpoint['id']}/deployments"

    async def region(name: str, placement: object) -> str:
        body = await api_v2.body(name=name, placement=placement)
        made = await api_v2.ok("POST", path, body)
        together.console.advance(UP)
        regions = (await api_v2.get(made))["status"]["details"]["region"]
        return str(regions[0]["region"])

    assert await region("a", {"inline": {"regions": ["us-west-2"]}}) == "us-west-2"
    assert await region("b", {"profile": "pp_9f30ab51c8"}) == "us-west-2"
    hipaa = {"compliancePolicy": {"hipaa": True}, "regions": ["us-east-1", "us-central-4"]}
    assert await region("c", {"inline": hipaa}) == "us-central-4"
    b200 = await api_v2.body(
        on="1xnvidia-b200-180gb", placement={"inline": {"regions": ["us-west-2"]}}
    )
    status, message = await api_v2.refused("POST", path, b200)
    assert (status, "not available in us-west-2" in message) == (400, True)
    b200["placement"]["inline"]["constraint"] = "ENFORCEMENT_PREFERRED"
    await api_v2.ok("POST", path, b200)


async def test_the_events_tell_the_story(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.deploy()
    together.console.advance(UP)
    await api_v2.scale(deployment, 2, 2)
    together.console.advance(60)
    path = f"/endpoints/{deployment['endpointId']}/events"
    events = (await api_v2.ok("GET", path))["data"]
    assert [one["createdAt"] for one in events] == sorted(
        (one["createdAt"] for one in events), reverse=True
    )
    assert [one["type"] for one in events[-2:]] == ["deployment.created", "endpoint.created"]
    (scaled,) = (await api_v2.ok("GET", path, types="deployment.scaled"))["data"]
    assert (scaled["oldReplicas"], scaled["newReplicas"]) == (1, 2)
    assert scaled["deploymentId"] == deployment["id"]
    assert (await api_v2.ok("GET", path, minLevel="LEVEL_WARN"))["data"] == []
    kinds = (await api_v2.ok("GET", path, sourceKinds="SOURCE_KIND_ENDPOINT"))["data"]
    assert {one["sourceKind"] for one in kinds} == {"SOURCE_KIND_ENDPOINT"}
    early = (await api_v2.ok("GET", path, until=scaled["createdAt"]))["data"]
    late = (await api_v2.ok("GET", path, since=scaled["createdAt"]))["data"]
    assert len(early) + len(late) == len(events)
    assert (await api_v2.refused("GET", path, deploymentIds="dep_none"))[0] == 400
    assert (await api_v2.refused("GET", path, since="yesterday"))[0] == 400
