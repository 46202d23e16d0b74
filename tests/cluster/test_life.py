"""The whole life of an endpoint as a person with kubectl sees it, and as it is billed.

From nothing to Ready, scaled, renamed, stopped, started and deleted: what kubectl prints, which
events tell of it, which requests reached Together, and how much the operator asked of the cluster.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.operator import HARDWARE, MODEL, OperatorProcess, eventually, manifest
from tests.support.rows import assert_serving
from tests.support.team import Team
from together_operator.resource.names import FINALIZER, OWNER_UID

MARKER = r" tep-[a-z2-7]{6}-[a-z2-7]{12}-[a-z2-7]{4}"


def test_from_nothing_to_ready_and_back(team: Team) -> None:
    team.apply(manifest(displayName="My Mixtral Endpoint"))
    serving = team.until("mixtral", "Serving")
    assert_serving(serving)
    expect_health(Situation.SERVING, serving)

    made = team.endpoint()
    status = serving["status"]
    assert status["endpointID"] == made["id"]
    assert status["name"] == made["name"]
    assert status["api"] == "V1"
    assert status["state"] == made["state"] == "STARTED"
    assert status["hardware"] == HARDWARE
    assert status["price"] == {"currency": "USD", "perReplicaHour": "10.80"}
    assert status["inference"] == {
        "baseURL": team.operator.simulator.base_url,
        "model": made["name"],
    }
    assert team.columns() | {"AGE": "", "NAME": ""} == {
        "NAME": "",
        "READY": "True",
        "REASON": "Serving",
        "MODEL": MODEL,
        "REPLICAS": "1",
        "$/H": "10.80",
        "AGE": "",
    }
    wide = team.columns("-o", "wide")
    assert wide["NAME"] == made["name"]
    assert (wide["HARDWARE"], wide["ENDPOINT"], wide["API"]) == (HARDWARE, made["id"], "V1")
    assert made["id"] in team.until_told("EndpointCreated")
    team.until_told("Serving")

    team.kubectl("scale", "tep", "mixtral", "--replicas=2")
    scaled = team.awaits("mixtral", "two replicas", lambda it: it["status"].get("replicas") == 2)
    scaled = team.until("mixtral", "Serving")
    assert_serving(scaled)
    assert team.columns()["REPLICAS"] == "2"
    assert team.patches() == [{"autoscaling": {"min_replicas": 2, "max_replicas": 2}}]
    assert "2-2" in team.until_told("Scaled")

    team.spec("mixtral", autoscaling={"minReplicas": 1, "maxReplicas": 3})
    team.until("mixtral", "Serving")
    assert team.patches()[1:] == [{"autoscaling": {"min_replicas": 1, "max_replicas": 3}}]
    assert team.endpoint()["autoscaling"] == {"min_replicas": 1, "max_replicas": 3}

    team.spec("mixtral", displayName="Another name")
    team.until("mixtral", "Serving")
    (renamed,) = team.patches()[2:]
    assert list(renamed) == ["display_name"]
    assert re.fullmatch("Another name" + MARKER, renamed["display_name"])
    # The very mark under which it was made: by it the operator knows its endpoint.
    assert renamed["display_name"].split()[-1] == made["display_name"].split()[-1]
    team.until_told("Renamed")

    team.spec("mixtral", state="Stopped")
    stopped = team.until("mixtral", "Stopped")
    assert_row(
        stopped, "Stopped",
        ready=True, available=False, reconciling=False, stalled=False, synced=True,
    )  # fmt: skip
    expect_health(Situation.STOPPED, stopped)
    assert stopped["status"]["replicas"] == 0
    assert team.patches()[3:] == [{"state": "STOPPED"}]
    # On most accounts a stop of API v1 is for good: that is said where people look.
    assert "no longer starts" in team.until_told("StopMayBeFinal")
    assert "no longer starts" in conditions(stopped)["Ready"]["message"]
    assert team.endpoint()["state"] == "STOPPED"

    team.spec("mixtral", state="Started")
    started = team.until("mixtral", "Serving")
    assert_serving(started)
    assert started["status"]["endpointID"] == made["id"]
    assert team.patches()[4:] == [{"state": "STARTED"}]
    assert len(team.probes()) >= 2, "a start is proven like a first start"

    team.delete()
    team.gone()
    assert team.live() == []
    assert len(team.posts()) == 1
    assert len(team.requests("DELETE", f"/v1/endpoints/{made['id']}")) == 1
    team.until_told("DeleteRequested")


def test_a_clean_create_costs_one_order_one_probe_and_few_writes(team: Team) -> None:
    team.together.assume(serving_delay_seconds=0)
    team.apply(manifest())
    serving = team.until("mixtral", "Serving")

    (order,) = team.posts()
    name = order["body"].pop("display_name")
    assert re.fullmatch(f"{team.name}/mixtral"[:34] + MARKER, name)
    assert order["body"] == {
        "model": MODEL,
        "hardware": HARDWARE,
        "autoscaling": {"min_replicas": 1, "max_replicas": 1},
        "state": "STARTED",
        "inactive_timeout": 0,
    }
    (probe,) = team.probes()
    assert probe["body"]["model"] == team.endpoint()["name"]
    assert probe["body"]["max_tokens"] == 1
    assert team.requests("PATCH") == []

    history = team.history()
    writes = len(history) - 1  # the first version is the person's
    states = {v["status"]["state"] for v in history if v["status"].get("state")}
    assert writes <= 3 + len(states), [v["status"] for v in history]
    assert FINALIZER in serving["metadata"]["finalizers"]
    assert serving["metadata"]["annotations"][OWNER_UID] == serving["metadata"]["uid"]


def test_nothing_is_written_while_nothing_changes(team: Team) -> None:
    team.apply(manifest())
    serving = team.until("mixtral", "Serving")
    remote = len(team.requests()) - len(team.lists())

    def quiet() -> bool:
        before = kubernetes_writes(team.operator)
        team.polled(4)
        return kubernetes_writes(team.operator) == before

    # What went before may still be told in events, or tidied up.
    eventually("nothing is written to the cluster", quiet, within=30)
    assert team.history(after=serving) == []
    assert len(team.requests()) - len(team.lists()) == remote, team.requests()[-5:]
    # The same manifest once more is no change.
    team.apply(manifest())
    team.polled(2)
    assert team.patches() == []


def kubernetes_writes(operator: OperatorProcess) -> dict[str, float]:
    """The operator's calls that write to the cluster, by what /metrics says."""
    found: dict[str, float] = {}
    for line in operator.metrics().splitlines():
        if line.startswith("together_operator_kubernetes_calls_total{"):
            series, value = line.rsplit(" ", 1)
            if not re.search(r'verb="(get|list)"', series):
                found[series] = float(value)
    return found


def test_every_wish_is_in_the_order(team: Team) -> None:
    team.apply(
        manifest(
            autoscaling={"minReplicas": 2, "maxReplicas": 3},
            inactiveTimeoutMinutes=45,
            speculativeDecoding="Disabled",
            availabilityZone="us-central-4b",
            displayName="Everything",
        )
    )
    serving = team.until("mixtral", "Serving")
    (order,) = team.posts()
    assert order["body"].pop("display_name").startswith("Everything tep-")
    assert order["body"] == {
        "model": MODEL,
        "hardware": HARDWARE,
        "autoscaling": {"min_replicas": 2, "max_replicas": 3},
        "state": "STARTED",
        "inactive_timeout": 45,
        "disable_speculative_decoding": True,
        "availability_zone": "us-central-4b",
    }
    applied = serving["status"]["applied"]
    assert applied["inactiveTimeoutMinutes"] == 45
    assert applied["speculativeDecoding"] == "Disabled"
    assert applied["availabilityZone"] == "us-central-4b"
    assert serving["status"]["replicas"] == 2

    # What no GET shows is known by what Together acknowledged.
    team.spec("mixtral", inactiveTimeoutMinutes=0)
    found = team.awaits(
        "mixtral",
        "the new timeout is acknowledged",
        lambda it: it["status"]["applied"]["inactiveTimeoutMinutes"] == 0,
    )
    assert found["status"]["endpointID"] == serving["status"]["endpointID"]
    team.until("mixtral", "Serving")
    assert team.patches() == [{"inactive_timeout": 0}]


def test_an_endpoint_may_be_made_stopped_and_started_later(team: Team) -> None:
    team.apply(manifest(state="Stopped", speculativeDecoding="Enabled"))
    stopped = team.until("mixtral", "Stopped")
    (order,) = team.posts()
    assert order["body"]["state"] == "STOPPED"
    assert order["body"]["disable_speculative_decoding"] is False
    assert team.endpoint()["billed_cents"] == 0
    assert conditions(stopped)["Available"]["status"] == "False"
    assert team.probes() == []

    team.spec("mixtral", state="Started")
    team.until("mixtral", "Serving")
    assert team.patches() == [{"state": "STARTED"}]


def test_kubectl_wait_and_the_words_on_the_way(team: Team) -> None:
    team.together.assume(serving_delay_seconds=60)
    team.apply(manifest())
    creating = team.until("mixtral", "Creating")
    assert_row(
        creating, "Creating",
        ready=False, available=False, reconciling=True, stalled=False, synced=True,
    )  # fmt: skip
    expect_health(Situation.CHANGING, creating)
    # Started is not yet serving.
    probing = team.until("mixtral", "Probing")
    assert_row(
        probing, "Probing",
        ready=False, available=False, reconciling=True, stalled=False, synced=True,
    )  # fmt: skip
    assert probing["status"]["state"] == "STARTED"
    said = team.kubectl("wait", "--for=condition=Ready", "tep/mixtral", "--timeout=30s")
    assert "condition met" in said
    assert team.reasons() == ["Creating", "Probing", "Serving"]


def test_a_model_that_does_not_chat_serves_as_well(team: Team) -> None:
    team.apply(
        manifest(
            model="intfloat/multilingual-e5-large-instruct", hardware="1x_nvidia_h100_80gb_sxm"
        )
    )
    assert_serving(team.until("mixtral", "Serving"))
    assert {probe["status"] for probe in team.probes()} == {400}


def test_a_change_while_it_is_being_made_is_carried_out(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Creating")
    eventually("it is ordered", team.live, within=20)
    team.spec("mixtral", displayName="Changed my mind", autoscaling={"minReplicas": 2})
    team.until("mixtral", "Serving")
    made = team.endpoint()
    assert made["display_name"].startswith("Changed my mind tep-")
    assert made["autoscaling"] == {"min_replicas": 2, "max_replicas": 2}
    assert len(team.posts()) == 1


def test_the_same_name_again_is_another_endpoint(team: Team) -> None:
    team.apply(manifest())
    first = team.until("mixtral", "Serving")
    team.delete()
    deleting = team.until("mixtral", "Deleting")
    assert_row(
        deleting, "Deleting",
        ready=False, available=True, reconciling=True, stalled=False, synced=True,
    )  # fmt: skip
    expect_health(Situation.DELETING, deleting)
    team.gone()
    team.apply(manifest())
    second = team.until("mixtral", "Serving")
    assert second["status"]["endpointID"] != first["status"]["endpointID"]
    assert team.endpoint()["id"] == second["status"]["endpointID"]
    assert len(team.posts()) == 2


@pytest.mark.parametrize("state", ["PENDING", "STARTING", "STOPPED", "ERROR"])
def test_it_can_be_deleted_in_every_state(team: Team, state: str) -> None:
    team.apply(manifest())
    eventually("it is ordered", team.live, within=20)
    team.together.force(team.endpoint()["id"], state=state)
    team.awaits("mixtral", state, lambda it: it["status"].get("state") == state)
    team.delete()
    team.gone()
    assert team.live() == []


def test_several_at_once_get_one_endpoint_each(team: Team) -> None:
    names = [f"model-{number}" for number in range(8)]
    before = len(team.lists())
    items: list[Any] = [manifest(name) for name in names]
    team.kubectl("apply", "-f", "-", document={"apiVersion": "v1", "kind": "List", "items": items})
    ids = {team.until(name, "Serving")["status"]["endpointID"] for name in names}
    assert len(ids) == len(team.posts()) == 8
    assert {entry["id"] for entry in team.live()} == ids
    # One LIST per interval serves all of them.
    spent = team.lists()[before:]
    seconds = spent[-1]["at"] - spent[0]["at"]
    assert len(spent) <= seconds / 0.2 + 4


def test_another_process_takes_over_without_a_word(team: Team) -> None:
    team.apply(manifest())
    serving = team.until("mixtral", "Serving")
    asked = [r for r in team.requests() if r["method"] != "GET"]
    team.operator.stop()
    team.operator.start()
    team.polled(3)
    assert team.history(after=serving) == []
    assert [r for r in team.requests() if r["method"] != "GET"] == asked
    # It is as attentive as the former one.
    team.spec("mixtral", displayName="Seen by the second")
    team.until("mixtral", "Serving")
    assert team.endpoint()["display_name"].startswith("Seen by the second tep-")


def test_what_is_the_persons_stays_the_persons(team: Team) -> None:
    document = manifest(displayName="Mine")
    document["metadata"]["labels"] = {"team": "mine"}
    team.apply(document)
    serving = team.until("mixtral", "Serving")
    assert serving["spec"] == team.history()[0]["spec"]
    assert serving["metadata"]["labels"] == {"team": "mine"}
    text = team.kubectl("get", "tep", "mixtral", "-o", "json", "--show-managed-fields")
    for entry in json.loads(text)["metadata"]["managedFields"]:
        if entry["manager"].startswith("kubectl"):
            continue
        assert "f:spec" not in entry["fieldsV1"], entry
        assert "f:labels" not in entry["fieldsV1"].get("f:metadata", {}), entry


def test_metrics_tell_what_runs_and_what_it_costs(team: Team) -> None:
    team.apply(manifest(autoscaling={"minReplicas": 2}))
    team.until("mixtral", "Serving")
    mine = f'namespace="{team.name}"'

    def shows(series: str, value: float) -> bool:
        return f"{series} {value}" in team.operator.metrics()

    eventually(
        "it is counted",
        lambda: shows(f'together_operator_resources{{{mine},reason="Serving"}}', 1.0),
        within=30,
    )
    assert shows(f"together_operator_price_per_hour_usd{{{mine}}}", 21.6)
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    eventually(
        "it costs nothing",
        lambda: shows(f"together_operator_price_per_hour_usd{{{mine}}}", 0.0),
        within=30,
    )
    team.delete()
    team.gone()
    eventually("nothing is left", lambda: mine not in team.operator.metrics(), within=30)


def test_the_longest_names_that_kubernetes_has(team: Team) -> None:
    name = "-".join(["a" * 62] * 4)[:252] + "z"
    team.apply(manifest(name))
    serving = team.until(name, "Serving")
    assert len(serving["status"]["displayName"]) <= 63
    assert team.until_told("EndpointCreated", name)
    team.delete(name)
    team.gone(name)
    assert team.live() == []
