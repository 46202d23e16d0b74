"""``together endpoints`` of together 2.42.0 against the simulator."""

from __future__ import annotations

from pathlib import Path

from tests.contract.sdk.clients import Cli, environment
from tests.contract.sdk.conftest import HARDWARE, KEY, MODEL
from tests.support.venvs import Venv
from together_local.simulator import SimulatorProcess

CREATE = ("endpoints", "create", "--model", MODEL, "--hardware", HARDWARE)


def test_whole_life_for_people(cli: Cli, fast: SimulatorProcess) -> None:
    created = cli.ok(*CREATE, "--display-name", "My endpoint", "--wait", "--no-json")
    assert "Dedicated endpoint created" in created.out
    assert "Endpoint started" in created.out
    (endpoint,) = fast.admin.live()
    assert endpoint["state"] == "STARTED"
    assert endpoint["display_name"] == "My endpoint"

    assert endpoint["id"] in cli.ok("endpoints", "list", "--no-json").out
    shown = cli.ok("endpoints", "retrieve", endpoint["id"], "--no-json").out
    assert endpoint["name"] in shown
    assert "Started" in shown

    bounds = ("--min-replicas", "2", "--max-replicas", "3")
    updated = cli.ok(
        "endpoints", "update", endpoint["id"], *bounds, "--display-name", "New", "--no-json"
    )
    assert "min: 2" in updated.out
    stopped = cli.ok("endpoints", "stop", endpoint["id"], "--wait", "--no-json")
    assert "Endpoint stopped" in stopped.out
    started = cli.ok("endpoints", "start", endpoint["id"], "--wait", "--no-json")
    assert "Endpoint started" in started.out
    assert "Endpoint deleted" in cli.ok("endpoints", "delete", endpoint["id"], "--no-json").out
    gone = cli.run("endpoints", "retrieve", endpoint["id"], "--no-json")
    assert gone.code == 1
    assert "not found" in gone.out
    assert fast.admin.live() == []


def test_whole_life_as_json(cli: Cli, fast: SimulatorProcess) -> None:
    created = cli.ok(*CREATE, "--wait", "--json").json
    assert created["state"] == "STARTED"
    assert [one["id"] for one in cli.ok("endpoints", "list", "--json").json] == [created["id"]]
    assert cli.ok("endpoints", "retrieve", created["id"], "--json").json["hardware"] == HARDWARE
    updated = cli.ok("endpoints", "update", created["id"], "--inactive-timeout", "0", "--json")
    assert updated.json["id"] == created["id"]
    stopped = cli.ok("endpoints", "stop", created["id"], "--wait", "--json").json
    assert stopped["state"] == "STOPPED"
    started = cli.ok("endpoints", "start", created["id"], "--wait", "--json").json
    assert started["state"] == "STARTED"
    cli.ok("endpoints", "delete", created["id"], "--json")
    assert fast.admin.live() == []


def test_create_with_every_option(cli: Cli, fast: SimulatorProcess) -> None:
    options = (
        *("--min-replicas", "1", "--max-replicas", "2", "--inactive-timeout", "30"),
        *("--availability-zone", "us-west-2b", "--no-speculative-decoding", "--no-auto-start"),
    )
    created = cli.ok(*CREATE, *options, "--json").json
    assert created["state"] == "STOPPED"
    assert created["autoscaling"] == {"min_replicas": 1, "max_replicas": 2}
    (request,) = fast.admin.requests("POST", "/v1/endpoints")
    # This release sends the zone in the query, unlike the specification.
    assert request["query"] == {"availability_zone": "us-west-2b"}
    assert request["body"]["disable_speculative_decoding"] is True
    assert request["body"]["inactive_timeout"] == 30


def test_create_without_options_sends_an_explicit_null(cli: Cli, fast: SimulatorProcess) -> None:
    cli.ok(*CREATE, "--json")
    (request,) = fast.admin.requests("POST", "/v1/endpoints")
    assert request["body"]["inactive_timeout"] is None


def test_missing_hardware_is_named_with_what_fits(cli: Cli) -> None:
    refused = cli.run("endpoints", "create", "--model", MODEL, "--no-json")
    assert refused.code == 1
    assert "Missing required argument --hardware" in refused.out
    assert HARDWARE in refused.out


def test_ineligible_hardware_is_told_with_what_fits(cli: Cli, fast: SimulatorProcess) -> None:
    eight = ("--hardware", "8x_nvidia_h100_80gb_sxm")
    refused = cli.run("endpoints", "create", "--model", MODEL, *eight, "--no-json")
    assert refused.code == 1
    assert "Invalid hardware selected." in refused.out
    assert HARDWARE in refused.out
    assert fast.admin.endpoints() == []


def test_unknown_model(cli: Cli) -> None:
    refused = cli.run(
        "endpoints", "create", "--model", "no/such", "--hardware", HARDWARE, "--no-json"
    )
    assert refused.code == 1
    assert "was not found or is not available for dedicated endpoints" in refused.out


def test_unknown_zone_is_told_with_the_list(cli: Cli, fast: SimulatorProcess) -> None:
    refused = cli.run(*CREATE, "--availability-zone", "mars-1a", "--no-json")
    assert refused.code == 1
    assert "Invalid availability zone 'mars-1a'" in refused.out
    assert "us-central-4b" in refused.out
    assert fast.admin.endpoints() == []


def test_half_of_the_bounds(cli: Cli, fast: SimulatorProcess) -> None:
    created = cli.ok(*CREATE, "--max-replicas", "4", "--json").json
    half = ("endpoints", "update", created["id"], "--min-replicas", "2", "--no-json")
    refused = cli.run(*half)
    assert refused.code == 1
    assert "autoscaling.max_replicas is required" in refused.out
    fast.admin.assume(half_autoscaling="merge")
    assert "max: 4" in cli.ok(*half).out


def test_hardware(cli: Cli, fast: SimulatorProcess) -> None:
    fast.admin.capacity({HARDWARE: 0})
    everything = cli.ok("endpoints", "hardware", "--json").json
    assert HARDWARE in [entry["id"] for entry in everything]
    table = cli.ok("endpoints", "hardware", "--no-json").out
    assert "8x_nvidia_b200_180gb_sxm" in table
    assert "$1.20" in table
    available = cli.ok("endpoints", "hardware", "--model", MODEL, "--available", "--no-json").out
    assert "4x_nvidia_h100_80gb_sxm" in available
    assert HARDWARE not in available


def test_availability_zones(cli: Cli) -> None:
    zones = cli.ok("endpoints", "availability-zones", "--json").json["avzones"]
    assert "us-central-4b" in zones
    assert "us-central-4b" in cli.ok("endpoints", "availability-zones", "--no-json").out


def test_where_v1_is_closed(cli: Cli, fast: SimulatorProcess) -> None:
    created = cli.ok(*CREATE, "--wait", "--json").json
    fast.admin.profile("retired")
    refused = cli.run(*CREATE, "--json")
    assert refused.code == 1
    assert refused.json["error"]["code"] == "endpoints_v1_create_access_disabled"
    cli.ok("endpoints", "stop", created["id"], "--wait", "--json")
    refused = cli.run("endpoints", "start", created["id"], "--json")
    assert refused.code == 1
    assert refused.json["error"]["code"] == "endpoints_v1_create_access_disabled"
    cli.ok("endpoints", "delete", created["id"], "--json")


def test_denied_key(together_v1: Venv, fast: SimulatorProcess, tmp_path: Path) -> None:
    fast.admin.keys(deny=["denied"])
    denied = Cli(together_v1, environment(fast.base_url, "denied", tmp_path))
    refused = denied.run("endpoints", "list", "--no-json")
    assert refused.code == 1
    assert "API key" in refused.out + refused.err


def test_whoami(cli: Cli, fast: SimulatorProcess) -> None:
    fast.admin.keys(projects={KEY: "team-a"})
    assert cli.ok("whoami", "--json").json["project"]["slug"] == "team-a"
