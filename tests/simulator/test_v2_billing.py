"""What v2 costs and what the ledger keeps: deployments, per ready replica-minute."""

from __future__ import annotations

from typing import Any

from tests.simulator.api_v2 import HARDWARE, MODEL, UP, ApiV2
from together_local.simulator import Simulator

#: US cents per minute of one replica on two H100: $5.49 an hour each.
CENTS = 2 * 549 / 60


def line(together: Simulator) -> dict[str, Any]:
    """Return the only line of the ledger."""
    (entry,) = together.console.ledger()["endpoints"]
    return dict(entry)


async def test_only_ready_replicas_are_billed(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.deploy()
    together.console.advance(UP)
    assert line(together)["billed_cents"] == 0
    together.console.advance(600)
    assert line(together)["replica_minutes"] == 10
    assert line(together)["billed_cents"] == round(10 * CENTS, 4)
    await api_v2.scale(deployment, 3, 3)
    together.console.advance(60)
    assert line(together)["replica_minutes"] == 11
    together.console.advance(120)
    assert line(together)["replica_minutes"] == 11 + 3 * 2
    await api_v2.scale(deployment, 1, 3)
    together.console.advance(60)
    assert line(together)["replica_minutes"] == 11 + 3 * 2 + 1
    await api_v2.scale(deployment, 0, 0)
    together.console.advance(3600)
    assert line(together)["replica_minutes"] == 18


async def test_waiting_for_hardware_is_free(api_v2: ApiV2, together: Simulator) -> None:
    together.console.capacity({HARDWARE: 0})
    await api_v2.deploy()
    together.console.advance(7 * 3600)
    assert together.console.ledger()["totals"]["billed_cents"] == 0


async def test_a_line_of_the_ledger(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.running()
    entry = line(together)
    assert entry["deleted_at"] is None
    assert entry["created_at"] > 0
    assert {
        name: entry[name]
        for name in (
            *("id", "name", "display_name", "requested_display_name", "generation", "model"),
            *("hardware", "state", "autoscaling", "project", "endpoint_id", "endpoint_name"),
        )
    } == {
        "id": deployment["id"],
        "name": "default/mixtral/first",
        "display_name": "first",
        "requested_display_name": "first",
        "generation": "v2",
        "model": MODEL,
        "hardware": HARDWARE,
        "state": "DEPLOYMENT_STATE_PROVISIONING",
        "autoscaling": {"min_replicas": 1, "max_replicas": 2},
        "project": "default",
        "endpoint_id": deployment["endpointId"],
        "endpoint_name": "default/mixtral",
    }
    (endpoint,) = together.console.ledger()["v2_endpoints"]
    assert endpoint["traffic_split"] == {deployment["id"]: 1}
    assert endpoint["deployments"] == [deployment["id"]]
    assert endpoint["deleted_at"] is None


async def test_the_ledger_keeps_when_a_deployment_ran(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.deploy(autoscaling={"minReplicas": 0, "maxReplicas": 0})
    assert line(together)["ran"] == []
    await api_v2.scale(deployment, 1, 1)
    ((began, ended),) = line(together)["ran"]
    assert began > 0
    assert ended is None
    together.console.advance(UP)
    await api_v2.scale(deployment, 0, 0)
    assert line(together)["ran"] == [[began, None]]
    together.console.advance(60)
    ((_, ended),) = line(together)["ran"]
    assert ended >= began
    together.console.force(deployment["id"], {"state": "READY"})
    together.console.force(deployment["id"], {"state": "FAILED"})
    assert [None in times for times in line(together)["ran"]] == [False, False]


async def test_both_generations_are_in_one_bill(api_v2: ApiV2, together: Simulator) -> None:
    bounds = {"min_replicas": 1, "max_replicas": 1}
    hardware = "2x_nvidia_h100_80gb_sxm"
    older = together.console.create({"model": MODEL, "hardware": hardware, "autoscaling": bounds})
    newer = await api_v2.deploy()
    together.console.advance(UP + 60)
    ledger = together.console.ledger()
    bills = {entry["generation"]: entry["billed_cents"] for entry in ledger["endpoints"]}
    assert bills == {"v1": 18, "v2": CENTS}
    assert ledger["totals"] == {"billed_cents": 36.3, "live": 2, "creates": 2, "deletes": 0}
    together.console.delete(older["id"])
    together.console.delete(newer["endpointId"])
    ledger = together.console.ledger()
    assert (ledger["totals"]["live"], ledger["totals"]["deletes"]) == (0, 2)
    assert {entry["state"] for entry in ledger["endpoints"]} == {"DELETED"}
    assert ledger["v2_endpoints"][0]["deleted_at"] is not None


async def test_without_money_or_quota_nothing_is_made(api_v2: ApiV2, together: Simulator) -> None:
    deployment = await api_v2.deploy(autoscaling={"minReplicas": 0})
    path = f"/endpoints/{deployment['endpointId']}/deployments"
    body = await api_v2.body(name="second")
    for assumption, status, named in (
        ({"credit_cents": 0}, 402, "balance"),
        ({"credit_cents": None, "gpu_quota": 1}, 429, "GPU quota exceeded"),
        ({"gpu_quota": None, "no_capacity": "refuse"}, 429, "GPU quota exceeded"),
    ):
        together.console.assume(assumption)
        together.console.capacity({HARDWARE: 0})
        seen, message = await api_v2.refused("POST", path, body)
        assert (seen, named in message) == (status, True)
        start = {"autoscaling": {"minReplicas": 1, "maxReplicas": 1}}
        one = f"{path}/{deployment['id']}"
        assert (await api_v2.refused("PATCH", one, start))[0] == status
        # What it would cost is only looked at where it is bought, unless assumed otherwise.
        assert (await api_v2.ask("POST", path, body, validateOnly="true")).is_success
    assert len(together.console.ledger()["endpoints"]) == 1
