"""together 1.5.35, library and command line, against the simulator."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.sdk.clients import Cli, Library, SdkError, environment
from tests.contract.sdk.conftest import HARDWARE, MODEL
from tests.support.venvs import Venv
from together_local.simulator import SimulatorProcess

REQUEST = {"model": MODEL, "hardware": HARDWARE, "min_replicas": 1, "max_replicas": 2}
CREATE = ("endpoints", "create", "--model", MODEL, "--gpu", "h100", "--gpu-count", "2")


def test_library_whole_life(legacy_library: Library, still: SimulatorProcess) -> None:
    created = legacy_library.call("endpoints.create", **REQUEST, display_name="My endpoint")
    assert created["state"] == "PENDING"
    assert created["display_name"] == "My endpoint"
    still.admin.advance(200)
    assert legacy_library.call("endpoints.get", created["id"])["state"] == "STARTED"
    (listed,) = legacy_library.call("endpoints.list", type="dedicated", mine=True)
    assert listed["id"] == created["id"]

    # The library reads the missing bound first and sends both.
    updated = legacy_library.call("endpoints.update", created["id"], max_replicas=5)
    assert updated["autoscaling"] == {"min_replicas": 1, "max_replicas": 5}
    stopping = legacy_library.call("endpoints.update", created["id"], state="STOPPED")
    assert stopping["state"] == "STOPPING"
    still.admin.advance(15)
    started = legacy_library.call("endpoints.update", created["id"], state="STARTED")
    assert started["state"] == "PENDING"

    legacy_library.call("endpoints.delete", created["id"])
    with pytest.raises(SdkError) as gone:
        legacy_library.call("endpoints.get", created["id"])
    assert (gone.value.kind, gone.value.status) == ("InvalidRequestError", 404)
    assert still.admin.live() == []


def test_library_hardware_and_zones(legacy_library: Library) -> None:
    everything = legacy_library.call("endpoints.list_hardware")
    assert HARDWARE in [entry["id"] for entry in everything]
    compatible = legacy_library.call("endpoints.list_hardware", MODEL)
    assert {entry["availability"]["status"] for entry in compatible} == {"available"}
    assert "us-east-1a" in legacy_library.call("endpoints.list_avzones")


def test_library_inference(legacy_library: Library, still: SimulatorProcess) -> None:
    created = legacy_library.call("endpoints.create", **REQUEST)
    question = {"model": created["name"], "messages": [{"role": "user", "content": "Hello"}]}
    with pytest.raises(SdkError, match="dedicated_endpoint_not_running"):
        legacy_library.call("chat.completions.create", **question)
    still.admin.advance(200)
    answer = legacy_library.call("chat.completions.create", **question)
    assert created["name"] in answer["choices"][0]["message"]["content"]
    assert legacy_library.call("chat.completions.create", **question, stream=True)
    completion = legacy_library.call("completions.create", model=created["name"], prompt="Hello")
    assert created["name"] in completion["choices"][0]["text"]


def test_library_models(legacy_library: Library) -> None:
    listed = {model["id"] for model in legacy_library.call("models.list")}
    dedicated = {model["id"] for model in legacy_library.call("models.list", dedicated=True)}
    assert "meta-llama/Llama-3.3-70B-Instruct-Turbo" in dedicated
    assert dedicated <= listed


def test_library_where_v1_is_closed(legacy_library: Library, still: SimulatorProcess) -> None:
    still.admin.profile("retired")
    with pytest.raises(SdkError, match="endpoints_v1_create_access_disabled") as refused:
        legacy_library.call("endpoints.create", **REQUEST)
    assert (refused.value.kind, refused.value.status) == ("InvalidRequestError", 403)


def test_library_denied_key(together_legacy: Venv, still: SimulatorProcess, tmp_path: Path) -> None:
    with (
        Library(together_legacy, environment(still.base_url, "denied", tmp_path)) as library,
        pytest.raises(SdkError) as refused,
    ):
        library.call("endpoints.list")
    assert (refused.value.kind, refused.value.status) == ("AuthenticationError", 401)


def test_cli_whole_life(legacy_cli: Cli, fast: SimulatorProcess) -> None:
    created = legacy_cli.ok(*CREATE, "--display-name", "My endpoint", "--max-replicas", "2")
    (endpoint,) = fast.admin.live()
    # It waits unless told otherwise, and prints the id alone.
    assert created.out.strip() == endpoint["id"]
    assert "Endpoint ready" in created.err
    assert endpoint["state"] == "STARTED"

    assert endpoint["name"] in legacy_cli.ok("endpoints", "list", "--type", "dedicated").out
    assert endpoint["id"] in legacy_cli.ok("endpoints", "list", "--mine", "true").out
    shown = legacy_cli.ok("endpoints", "get", endpoint["id"], "--json").json
    assert shown["display_name"] == "My endpoint"
    bounds = ("--min-replicas", "2", "--max-replicas", "3")
    legacy_cli.ok("endpoints", "update", endpoint["id"], *bounds, "--display-name", "New")
    (endpoint,) = fast.admin.live()
    assert endpoint["autoscaling"] == {"min_replicas": 2, "max_replicas": 3}
    assert endpoint["display_name"] == "New"

    assert "Endpoint stopped" in legacy_cli.ok("endpoints", "stop", endpoint["id"]).err
    assert "Endpoint started" in legacy_cli.ok("endpoints", "start", endpoint["id"]).err
    legacy_cli.ok("endpoints", "delete", endpoint["id"])
    gone = legacy_cli.run("endpoints", "get", endpoint["id"])
    assert gone.code == 1
    assert "not found" in gone.err
    assert fast.admin.live() == []


def test_cli_create_options(legacy_cli: Cli, fast: SimulatorProcess) -> None:
    options = ("--inactive-timeout", "30", "--availability-zone", "us-west-2b", "--no-wait")
    legacy_cli.ok(*CREATE, *options, "--no-auto-start", "--no-speculative-decoding")
    (request,) = fast.admin.requests("POST", "/v1/endpoints")
    assert request["body"]["availability_zone"] == "us-west-2b"
    assert request["body"]["inactive_timeout"] == 30
    (endpoint,) = fast.admin.live()
    assert endpoint["state"] == "STOPPED"


def test_cli_ineligible_hardware_is_told_with_what_fits(legacy_cli: Cli) -> None:
    refused = legacy_cli.run(
        "endpoints", "create", "--model", MODEL, "--gpu", "h100", "--gpu-count", "8"
    )
    assert refused.code == 1
    assert "not available for this model" in refused.err
    assert HARDWARE in refused.err


def test_cli_hardware_and_zones(legacy_cli: Cli) -> None:
    listed = legacy_cli.ok("endpoints", "hardware", "--model", MODEL, "--available", "--json")
    assert HARDWARE in [entry["id"] for entry in listed.json]
    zones = legacy_cli.ok("endpoints", "availability-zones", "--json").json["avzones"]
    assert "us-central-4b" in zones


def test_cli_where_v1_is_closed(legacy_cli: Cli, fast: SimulatorProcess) -> None:
    fast.admin.profile("retired")
    refused = legacy_cli.run(*CREATE)
    assert refused.code == 1
    assert "disabled" in refused.err
    assert fast.admin.endpoints() == []
