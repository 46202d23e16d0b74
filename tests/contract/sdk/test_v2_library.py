"""together 3.1.1 as a library, sync and async, against the simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.sdk.clients import Library, SdkError
from tests.contract.sdk.conftest import MODEL, PROJECT, environment_v2
from tests.support.venvs import Venv
from together_local.simulator import SimulatorProcess

HARDWARE = "2xnvidia-h100-80gb"


def profile(library: Library, hardware: str = HARDWARE) -> dict[str, Any]:
    """Find the certified profile of the model on some hardware, as a person would."""
    (found,) = library.call("models.list_supported", search=MODEL)["data"]
    count, _, accelerator = hardware.partition("x")
    return next(
        dict(one)
        for one in found["deployment_profiles"]
        if (str(one["gpu_count"]), one["gpu_type"]) == (count, accelerator)
    )


def deployed(library: Library, endpoint_id: str, **more: Any) -> dict[str, Any]:
    found = profile(library)
    wanted = {
        "name": "first",
        "model": found["model"],
        "config": found["config"],
        "autoscaling": {"min_replicas": 1, "max_replicas": 2},
        **more,
    }
    return dict(library.call("endpoints.deployments.create", endpoint_id, **wanted))


def refused(library: Library, method: str, *args: Any, **kwargs: Any) -> SdkError:
    with pytest.raises(SdkError) as refusal:
        library.call(method, *args, **kwargs)
    return refusal.value


def test_who_and_where(library_v2: Library) -> None:
    whoami = library_v2.call("whoami")
    assert (whoami["type"], whoami["project"]["id"]) == ("project_api_key", PROJECT)
    (project,) = library_v2.call("projects.list")["data"]
    assert (project["id"], project["slug"]) == (PROJECT, "default")


def test_whole_life(library_v2: Library, still: SimulatorProcess) -> None:
    endpoint = library_v2.call("endpoints.create", name="mixtral")
    assert endpoint["name"] == "default/mixtral"
    assert endpoint["visibility"] == "VISIBILITY_PRIVATE"

    deployment = deployed(library_v2, endpoint["id"], inactive_timeout=60)
    assert deployment["name"] == "default/mixtral/first"
    assert deployment["hardware"] == HARDWARE
    assert deployment["status"]["state"] == "DEPLOYMENT_STATE_PROVISIONING"
    split = [{"deployment_id": deployment["id"], "weight": 1}]
    routed = library_v2.call(
        "endpoints.update",
        endpoint["id"],
        traffic_split=split,
        update_mask="trafficSplit",
        etag=endpoint["etag"],
    )
    assert [one["deployment_id"] for one in routed["traffic_split"]] == [deployment["id"]]

    where = {"endpoint_id": endpoint["id"]}
    still.admin.advance(10)
    seen = library_v2.call("endpoints.deployments.retrieve", deployment["id"], **where)
    assert seen["status"]["state"] == "DEPLOYMENT_STATE_SCALING"
    still.admin.advance(120)
    seen = library_v2.call("endpoints.deployments.retrieve", deployment["id"], **where)
    assert seen["status"]["state"] == "DEPLOYMENT_STATE_READY"
    assert seen["status"]["ready_replicas"] == 1
    assert seen["status"]["details"]["region"][0]["ready_replicas"] == 1
    (summary,) = library_v2.call("endpoints.retrieve", endpoint["id"])["deployments"]
    assert summary["state"] == "DEPLOYMENT_STATE_READY"
    assert summary["estimated_effective_traffic_share"] == 1

    messages = [{"role": "user", "content": "Hello"}]
    for name in ("default/mixtral", "default/mixtral/first"):
        answer = library_v2.call("chat.completions.create", model=name, messages=messages)
        assert deployment["id"] in answer["choices"][0]["message"]["content"]

    scaled = library_v2.call(
        "endpoints.deployments.update",
        deployment["id"],
        **where,
        autoscaling={"min_replicas": 2, "max_replicas": 3},
        inactive_timeout=0,
        etag=seen["etag"],
    )
    assert scaled["autoscaling"]["min_replicas"] == 2
    stale = refused(
        library_v2,
        "endpoints.deployments.update",
        deployment["id"],
        **where,
        inactive_timeout=30,
        etag=seen["etag"],
    )
    assert (stale.kind, stale.status) == ("ConflictError", 409)

    library_v2.call(
        "endpoints.update", endpoint["id"], traffic_split=[], update_mask="trafficSplit"
    )
    stopped = library_v2.call(
        "endpoints.deployments.update",
        deployment["id"],
        **where,
        autoscaling={"min_replicas": 0, "max_replicas": 0},
    )
    assert stopped["status"]["state"] == "DEPLOYMENT_STATE_STOPPING"
    assert refused(library_v2, "endpoints.delete", endpoint["id"]).status == 400
    assert (
        refused(library_v2, "endpoints.deployments.delete", deployment["id"], **where).status == 400
    )
    still.admin.advance(15)
    library_v2.call("endpoints.deployments.delete", deployment["id"], **where)
    library_v2.call("endpoints.delete", endpoint["id"])
    assert refused(library_v2, "endpoints.retrieve", endpoint["id"]).kind == "NotFoundError"
    assert still.admin.live() == []


def test_a_dry_run_creates_nothing(library_v2: Library, still: SimulatorProcess) -> None:
    endpoint = library_v2.call("endpoints.create", name="mixtral")
    planned = deployed(library_v2, endpoint["id"], validate_only=True)
    assert planned["hardware"] == HARDWARE
    assert library_v2.call("endpoints.deployments.list", endpoint["id"])["data"] == []
    assert still.admin.endpoints() == []


def test_a_taken_name_is_a_conflict_and_found_by_filter(library_v2: Library) -> None:
    made = library_v2.call("endpoints.create", name="mixtral")
    library_v2.call("endpoints.create", name="mixtral-2")
    assert refused(library_v2, "endpoints.create", name="mixtral").kind == "ConflictError"
    found = library_v2.call("endpoints.list", filter='name="mixtral"')["data"]
    assert [one["id"] for one in found] == [made["id"]]


def test_the_library_pages_through(library_v2: Library, still: SimulatorProcess) -> None:
    still.admin.assume(page_size=2)
    names = {library_v2.call("endpoints.create", name=f"e{n}")["name"] for n in range(5)}
    seen, cursor = [], {}
    while True:
        page = library_v2.call("endpoints.list", **cursor)
        seen += [one["name"] for one in page["data"]]
        if not page["next_cursor"]:
            break
        cursor = {"after": page["next_cursor"]}
    assert (len(seen), set(seen)) == (5, names)


def test_what_can_be_deployed_and_for_how_much(library_v2: Library) -> None:
    found = profile(library_v2)
    path, config_id = found["config"].split("/"), found["certified_config_revision_id"]
    config = library_v2.call("models.configs.retrieve", config_id, project_id=path[1])
    selectors = {one["key"]: one["value"] for one in config["selectors"]}
    assert f"{selectors['accelerator_count']}x{selectors['accelerator_type']}" == HARDWARE
    listed = library_v2.call("models.configs.list", reference_model=config["reference_model"])
    assert config_id in [one["id"] for one in listed["data"]]
    types = {one["name"]: one for one in library_v2.call("endpoints.hardware.list")["data"]}
    assert types[HARDWARE]["price_cents_per_hour"] == 1098
    assert types[HARDWARE]["regions"][0]["headroom"]["relation"] == "RELATION_GTE"
    assert library_v2.call("endpoints.hardware.retrieve", HARDWARE)["gpu_count"] == 2
    (first, *_) = library_v2.call("endpoints.placement_profiles.list")["data"]
    assert library_v2.call("endpoints.placement_profiles.retrieve", first["id"]) == first


def test_a_model_of_ones_own(library_v2: Library, still: SimulatorProcess) -> None:
    own = still.admin.add_model("tuned", MODEL)
    (listed,) = library_v2.call("models.list")["data"]
    assert (listed["id"], listed["name"]) == (own["id"], "default/tuned")
    (revision,) = library_v2.call("models.list_revisions", own["id"])["data"]
    assert revision["validation_status"] == "REVISION_VALIDATION_STATUS_SUCCESS"
    base = library_v2.call("models.configs.list", reference_model=listed["base_model"])["data"]
    config = next(
        one for one in base if {"key": "accelerator_count", "value": "2"} in one["selectors"]
    )
    endpoint = library_v2.call("endpoints.create", name="tuned")
    deployment = deployed(
        library_v2,
        endpoint["id"],
        model=own["model"],
        config=f"projects/{config['project_id']}/configs/{config['id']}",
    )
    assert deployment["model"] == f"{own['model']}/revisions/{own['revisionId']}"


def test_events_are_read(library_v2: Library, still: SimulatorProcess) -> None:
    endpoint = library_v2.call("endpoints.create", name="mixtral")
    deployment = deployed(library_v2, endpoint["id"])
    still.admin.advance(130)
    events = library_v2.call(
        "endpoints.list_events",
        endpoint["id"],
        deployment_ids=[deployment["id"]],
        types=["deployment.created", "condition.set"],
        min_level="LEVEL_INFO",
    )["data"]
    assert events[0]["reason"] == "AllReplicasReady"
    assert events[-1]["type"] == "deployment.created"


@pytest.mark.parametrize("shape", ["nested", "rpc"])
def test_both_shapes_of_an_error_are_understood(
    library_v2: Library, still: SimulatorProcess, shape: str
) -> None:
    still.admin.assume(v2_error_shape=shape)
    refusal = refused(
        library_v2, "endpoints.create", name="mixtral", extra_body={"displayName": "My endpoint"}
    )
    assert (refusal.kind, refusal.status) == ("BadRequestError", 400)
    assert "displayName" in refusal.message


def test_the_library_repeats_what_failed(
    together_v2: Venv, still: SimulatorProcess, tmp_path: Path
) -> None:
    still.admin.arm({"method": "GET", "path_regex": "^/v2/", "fault": "status", "status": 503})
    with Library(together_v2, environment_v2(still, tmp_path)) as library:
        assert library.call("endpoints.list")["data"] == []
    statuses = [entry["status"] for entry in still.admin.requests("GET")]
    assert statuses == [503, 200]
