"""``tg endpoints`` of together 3.1.1 against the simulator."""

from __future__ import annotations

from typing import Any

from tests.contract.sdk.clients import Cli
from tests.contract.sdk.conftest import MODEL
from together_local.simulator import SimulatorProcess

UP = 130
DRAINED = 15


def config_of(cli: Cli, model: str = MODEL, gpus: int = 2) -> str:
    """Choose a config from what the command line shows of a model."""
    found = cli.ok("models", "public", "--search", model, "--json").json
    profiles = found["data"][0]["deploymentProfiles"]
    return next(str(one["profileId"]) for one in profiles if one["gpuCount"] == gpus)


def deploy(cli: Cli, *more: str) -> dict[str, Any]:
    """Deploy the model on two GPUs, on an endpoint called mixtral."""
    command = ("endpoints", "deploy", MODEL, "--endpoint", "mixtral", "--config", config_of(cli))
    return dict(cli.ok(*command, *more, "--json").json)


def test_whole_life_for_people(cli_v2: Cli, still: SimulatorProcess) -> None:
    assert "default" in cli_v2.ok("whoami", "--no-json").out
    command = ("endpoints", "deploy", MODEL, "--endpoint", "mixtral")
    several = cli_v2.run(*command, "--no-json")
    assert several.code == 1
    assert "Multiple configs found" in several.out + several.err
    config = config_of(cli_v2)
    made = cli_v2.ok(*command, "--config", config, "--traffic-weight", "1", "--no-json").out
    assert "$10.98/hr" in made
    assert "Model deployed to endpoint default/mixtral" in made
    assert "No traffic split configured" not in made
    (line,) = still.admin.live()

    still.admin.advance(UP)
    listed = cli_v2.ok("endpoints", "ls", "--no-json").out
    assert "1/1 ready" in listed
    assert "2x H100 80GB" in listed
    shown = cli_v2.ok("endpoints", "get", "mixtral", "--no-json").out
    assert "100%" in shown
    assert "Ready" in shown
    detail = cli_v2.ok("endpoints", "get", line["id"], "--no-json").out
    assert "accelerator_count: 2" in detail

    bounds = ("--min-replicas", "2", "--max-replicas", "3")
    updated = cli_v2.ok("endpoints", "update", line["id"], *bounds, "--no-json").out
    assert "Updated deployment" in updated
    assert still.admin.live()[0]["autoscaling"] == {"min_replicas": 2, "max_replicas": 3}
    assert "deployment.scaled" in cli_v2.ok("endpoints", "events", "mixtral", "--no-json").out

    blocked = cli_v2.run("endpoints", "rm", line["endpoint_id"], "--no-json")
    assert blocked.code == 1
    assert f"tg endpoints rm {line['id']}" in blocked.out
    assert len(still.admin.live()) == 1


def test_whole_life_as_json(cli_v2: Cli, still: SimulatorProcess) -> None:
    made = deploy(cli_v2, "--traffic-weight", "1", "--inactive-timeout", "60")
    endpoint, deployment = made["endpoint"], made["deployment"]
    assert endpoint["trafficSplit"] == [{"deploymentId": deployment["id"], "weight": 1}]
    assert deployment["inactiveTimeout"] == 60
    listed = cli_v2.ok("endpoints", "ls", "--json").json
    assert [one["id"] for one in listed["data"]] == [endpoint["id"]]
    assert cli_v2.ok("endpoints", "get", "mixtral", "--json").json["id"] == endpoint["id"]
    still.admin.advance(UP)
    shown = cli_v2.ok("endpoints", "get", deployment["id"], "--json").json
    assert shown["status"]["state"] == "DEPLOYMENT_STATE_READY"
    # With the etag of the endpoint as it was read.
    cli_v2.ok("endpoints", "update", deployment["id"], "--traffic-weight", "0", "--json")
    stop = ("--min-replicas", "0", "--max-replicas", "0", "--etag", shown["etag"])
    stopped = cli_v2.ok("endpoints", "update", deployment["id"], *stop, "--json").json
    assert stopped["status"]["state"] == "DEPLOYMENT_STATE_STOPPING"


def test_an_existing_endpoint_gets_a_second_deployment(
    cli_v2: Cli, still: SimulatorProcess
) -> None:
    first = deploy(cli_v2, "--traffic-weight", "1")
    second = deploy(cli_v2, "--deployment-name", "second", "--traffic-weight", "3")
    assert second["endpoint"]["id"] == first["endpoint"]["id"]
    assert len(second["endpoint"]["trafficSplit"]) == 2
    assert len(still.admin.v2_endpoints()) == 1
    still.admin.advance(UP)
    shown = cli_v2.ok("endpoints", "get", "mixtral", "--no-json").out
    assert "25%" in shown
    assert "75%" in shown


def test_a_refused_deployment_takes_the_new_endpoint_with_it(
    cli_v2: Cli, still: SimulatorProcess
) -> None:
    still.admin.assume(gpu_quota=1)
    command = ("endpoints", "deploy", MODEL, "--endpoint", "mixtral")
    refused = cli_v2.run(*command, "--config", config_of(cli_v2), "--no-json")
    assert refused.code == 1
    assert "GPU quota exceeded" in refused.out
    assert [one["deleted_at"] is None for one in still.admin.v2_endpoints()] == [False]


def test_removing_step_by_step(cli_v2: Cli, still: SimulatorProcess) -> None:
    made = deploy(cli_v2)
    endpoint, deployment = made["endpoint"]["id"], made["deployment"]["id"]
    still.admin.advance(UP)
    deferred = cli_v2.run("endpoints", "rm", deployment, "--no-json")
    assert deferred.code == 1
    assert "must be stopped before it can be deleted" in deferred.out
    still.admin.advance(DRAINED)
    assert "Deleted deployment" in cli_v2.ok("endpoints", "rm", deployment, "--no-json").out
    assert "Deleted endpoint" in cli_v2.ok("endpoints", "rm", endpoint, "--no-json").out
    assert still.admin.live() == []
    gone = cli_v2.run("endpoints", "get", endpoint, "--no-json")
    assert gone.code == 1
    assert "not found" in gone.out


def test_removing_by_force(cli_v2: Cli, still: SimulatorProcess) -> None:
    still.admin.assume(delete_refusal_status=409)
    made = deploy(cli_v2, "--traffic-weight", "1")
    endpoint = made["endpoint"]["id"]
    still.admin.advance(UP)
    # It deletes right after it scaled to zero, which a draining deployment does not bear.
    draining = cli_v2.run("endpoints", "rm", endpoint, "--force", "--no-json")
    assert draining.code == 1
    assert "STOPPING" in draining.out
    still.admin.advance(DRAINED)
    assert "Deleted endpoint" in cli_v2.ok("endpoints", "rm", endpoint, "--force", "--no-json").out
    assert still.admin.live() == []


def test_errors_of_the_grpc_kind_are_shown(cli_v2: Cli, still: SimulatorProcess) -> None:
    still.admin.assume(v2_error_shape="rpc")
    gone = cli_v2.run("endpoints", "get", "ep_nobody", "--no-json")
    assert gone.code == 1
    assert "'ep_nobody' not found" in gone.out


def test_a_model_of_ones_own_is_deployed(cli_v2: Cli, still: SimulatorProcess) -> None:
    own = still.admin.add_model("tuned", MODEL)
    command = ("endpoints", "deploy", "default/tuned", "--endpoint", "tuned", "--json")
    # Its configs are those of what it derives from.
    made = cli_v2.ok(*command, "--config", config_of(cli_v2)).json["deployment"]
    assert made["model"] == f"{own['model']}/revisions/{own['revisionId']}"
    assert made["hardware"] == "2xnvidia-h100-80gb"
