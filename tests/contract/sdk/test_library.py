"""together 2.42.0 as a library, sync and async, against the simulator."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.contract.sdk.clients import Library, SdkError, environment
from tests.contract.sdk.conftest import HARDWARE, KEY, MODEL
from tests.support.venvs import Venv
from together_local.simulator import SimulatorProcess

BOUNDS = {"min_replicas": 1, "max_replicas": 3}


def test_whole_life(library: Library, still: SimulatorProcess) -> None:
    created = library.call(
        "endpoints.create",
        model=MODEL,
        hardware=HARDWARE,
        autoscaling=BOUNDS,
        display_name="My endpoint",
        inactive_timeout=0,
        disable_speculative_decoding=True,
        availability_zone="us-central-4b",
    )
    assert created["state"] == "PENDING"
    assert created["display_name"] == "My endpoint"
    assert created["autoscaling"] == BOUNDS
    assert created["name"].startswith(f"default/{MODEL}-")

    still.admin.advance(10)
    assert library.call("endpoints.retrieve", created["id"])["state"] == "STARTING"
    still.admin.advance(120)
    assert library.call("endpoints.retrieve", created["id"])["state"] == "STARTED"

    updated = library.call(
        "endpoints.update",
        created["id"],
        display_name="Renamed",
        autoscaling={"min_replicas": 2, "max_replicas": 2},
        inactive_timeout=30,
    )
    assert updated["display_name"] == "Renamed"
    assert updated["autoscaling"] == {"min_replicas": 2, "max_replicas": 2}

    assert library.call("endpoints.update", created["id"], state="STOPPED")["state"] == "STOPPING"
    still.admin.advance(15)
    assert library.call("endpoints.retrieve", created["id"])["state"] == "STOPPED"
    assert library.call("endpoints.update", created["id"], state="STARTED")["state"] == "PENDING"

    library.call("endpoints.delete", created["id"])
    with pytest.raises(SdkError) as gone:
        library.call("endpoints.retrieve", created["id"])
    assert (gone.value.kind, gone.value.status) == ("NotFoundError", 404)
    assert still.admin.live() == []


def test_list_is_thin_and_includes_serverless_unless_filtered(library: Library) -> None:
    created = library.call("endpoints.create", model=MODEL, hardware=HARDWARE, autoscaling=BOUNDS)
    mine = library.call("endpoints.list", type="dedicated", mine=True)["data"]
    assert [entry["id"] for entry in mine] == [created["id"]]
    assert not {"display_name", "hardware", "autoscaling"} & set(mine[0])

    everything = library.call("endpoints.list")["data"]
    assert {entry["type"] for entry in everything} == {"dedicated", "serverless"}
    assert library.call("endpoints.list", usage_type="reserved")["data"] == []


def test_hardware_and_zones(library: Library) -> None:
    everything = library.call("endpoints.list_hardware")["data"]
    assert all(entry.get("availability") is None for entry in everything)
    prices = {entry["id"]: entry["pricing"]["cents_per_minute"] for entry in everything}
    assert prices["1x_nvidia_h100_80gb_sxm"] == 9
    assert prices["8x_nvidia_h100_80gb_sxm"] == 72
    assert prices["1x_nvidia_h200_140gb_sxm"] == 11
    assert prices["1x_nvidia_b200_180gb_sxm"] == 15

    compatible = library.call("endpoints.list_hardware", model=MODEL)["data"]
    assert HARDWARE in {entry["id"] for entry in compatible}
    assert "8x_nvidia_h100_80gb_sxm" not in {entry["id"] for entry in compatible}
    assert {entry["availability"]["status"] for entry in compatible} == {"available"}
    assert "us-central-4b" in library.call("endpoints.list_avzones")["avzones"]


def test_inference(library: Library, still: SimulatorProcess) -> None:
    created = library.call("endpoints.create", model=MODEL, hardware=HARDWARE, autoscaling=BOUNDS)
    question = {"model": created["name"], "messages": [{"role": "user", "content": "Hello"}]}
    with pytest.raises(SdkError, match="dedicated_endpoint_not_running"):
        library.call("chat.completions.create", **question)

    still.admin.advance(200)
    answer = library.call("chat.completions.create", **question)
    assert created["name"] in answer["choices"][0]["message"]["content"]
    chunks = library.call("chat.completions.create", **question, stream=True)
    streamed = "".join(f"{chunk['choices'][0]['delta']['content']} " for chunk in chunks)
    assert created["name"] in streamed
    completion = library.call("completions.create", model=created["name"], prompt="Hello")
    assert created["name"] in completion["choices"][0]["text"]


def test_a_model_that_does_not_chat(library: Library, still: SimulatorProcess) -> None:
    created = library.call(
        "endpoints.create",
        model="intfloat/multilingual-e5-large-instruct",
        hardware="1x_nvidia_h100_80gb_sxm",
        autoscaling=BOUNDS,
    )
    still.admin.advance(200)
    embedded = library.call("embeddings.create", model=created["name"], input="Hello")
    assert len(embedded["data"][0]["embedding"]) > 0
    with pytest.raises(SdkError) as refused:
        library.call(
            "chat.completions.create",
            model=created["name"],
            messages=[{"role": "user", "content": "Hello"}],
        )
    assert refused.value.status == 400
    assert "not_running" not in refused.value.message


@pytest.mark.parametrize(
    ("change", "kind", "fragment"),
    [
        ({"model": "nobody/nothing"}, "NotFoundError", "not found"),
        ({"hardware": ""}, "BadRequestError", "Hardware is required"),
        ({"hardware": "1x_abacus"}, "BadRequestError", "check the hardware API"),
        (
            {"hardware": "8x_nvidia_h100_80gb_sxm"},
            "NotFoundError",
            "not available for this model",
        ),
        ({"availability_zone": "mars-1a"}, "BadRequestError", "Invalid availability zone"),
        (
            {"autoscaling": {"min_replicas": 3, "max_replicas": 1}},
            "BadRequestError",
            "min_replicas must not be greater",
        ),
        ({"extra_body": {"replicas": 2}}, "BadRequestError", "unknown field 'replicas'"),
    ],
)
def test_create_is_refused(
    library: Library,
    still: SimulatorProcess,
    change: dict[str, object],
    kind: str,
    fragment: str,
) -> None:
    request = {"model": MODEL, "hardware": HARDWARE, "autoscaling": BOUNDS, **change}
    with pytest.raises(SdkError) as refused:
        library.call("endpoints.create", **request)
    assert refused.value.kind == kind
    assert fragment in refused.value.message
    assert still.admin.endpoints() == []


def test_where_v1_is_closed(library: Library, still: SimulatorProcess) -> None:
    created = library.call("endpoints.create", model=MODEL, hardware=HARDWARE, autoscaling=BOUNDS)
    still.admin.profile("retired")
    with pytest.raises(SdkError) as create:
        library.call("endpoints.create", model=MODEL, hardware=HARDWARE, autoscaling=BOUNDS)
    assert create.value.kind == "PermissionDeniedError"
    assert "endpoints_v1_create_access_disabled" in create.value.message

    assert library.call("endpoints.update", created["id"], state="STOPPED")["state"] == "STOPPED"
    with pytest.raises(SdkError, match="endpoints_v1_create_access_disabled"):
        library.call("endpoints.update", created["id"], state="STARTED")
    library.call("endpoints.delete", created["id"])


def test_denied_key(together_v1: Venv, still: SimulatorProcess, tmp_path: Path) -> None:
    with (
        Library(together_v1, environment(still.base_url, "denied", tmp_path)) as library,
        pytest.raises(SdkError) as refused,
    ):
        library.call("endpoints.list")
    assert (refused.value.kind, refused.value.status) == ("AuthenticationError", 401)


def test_the_library_retries_a_create_whose_reply_was_lost(
    library: Library, still: SimulatorProcess
) -> None:
    """The reason why a careful client sends POST once: the official one pays twice."""
    still.admin.arm({"method": "POST", "path_regex": "^/v1/endpoints$", "fault": "reset_after"})
    library.call("endpoints.create", model=MODEL, hardware=HARDWARE, autoscaling=BOUNDS)
    assert len(still.admin.live()) == 2


def test_the_library_honours_retry_after(library: Library, still: SimulatorProcess) -> None:
    still.admin.arm({"fault": "status", "status": 429, "headers": {"Retry-After": "1"}})
    began = time.time()
    assert library.call("endpoints.list")["object"] == "list"
    first, second = still.admin.requests("GET", "/v1/endpoints", since=began)
    assert [first["status"], second["status"]] == [429, 200]
    assert second["at"] - first["at"] >= 1


def test_text_bodies_do_not_break_the_library(library: Library, still: SimulatorProcess) -> None:
    still.admin.arm({"fault": "status", "status": 403, "body": "error code: 1010"})
    with pytest.raises(SdkError) as refused:
        library.call("endpoints.list")
    assert (refused.value.status, refused.value.kind) == (403, "PermissionDeniedError")
    assert "1010" in refused.value.message


def test_projects_do_not_see_each_other(
    library: Library, together_v1: Venv, still: SimulatorProcess, tmp_path: Path
) -> None:
    still.admin.keys(projects={KEY: "team-a", "key-of-team-b": "team-b"})
    created = library.call("endpoints.create", model=MODEL, hardware=HARDWARE, autoscaling=BOUNDS)
    assert created["owner"] == "team-a"
    assert library.call("whoami")["project_slug"] == "team-a"
    with Library(together_v1, environment(still.base_url, "key-of-team-b", tmp_path)) as other:
        assert other.call("endpoints.list", type="dedicated")["data"] == []
        with pytest.raises(SdkError) as refused:
            other.call("endpoints.delete", created["id"])
    assert refused.value.status == 404
    assert len(still.admin.live()) == 1


def test_models(library: Library) -> None:
    serverless = {model["id"] for model in library.call("models.list")}
    dedicated = {model["id"] for model in library.call("models.list", dedicated=True)}
    assert MODEL in dedicated
    assert serverless < dedicated
