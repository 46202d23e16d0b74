"""From nothing to Ready and back, where what runs is a deployment within an endpoint.

An endpoint of the second generation is a name that costs nothing. What is told of it, what was
ordered for it, and that a stop leaves nothing that is billed, is what these tests look at.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.operator import HARDWARE, MODEL, eventually
from tests.support.rows import assert_serving
from tests.support.team_v2 import (
    HARDWARE_V2,
    JudgeV2,
    TeamV2,
    bounds,
    manifest_v2,
    of_state,
)

MARKED = r"[a-z2-7]{5}-tep-[a-z2-7]{6}-[a-z2-7]{12}-[a-z2-7]{4}"


def test_from_nothing_to_ready_and_back(team: TeamV2) -> None:
    team.apply(manifest_v2())
    serving = team.until("mixtral", "Serving")
    judge = JudgeV2.of(team)
    assert_serving(serving)
    expect_health(Situation.SERVING, serving)

    home, made = team.home(), judge.one(serving)
    status = serving["status"]
    assert status["api"] == "V2"
    assert status["endpointID"] == home["id"]
    assert home["id"].startswith("ep_")
    assert status["name"] == home["name"]
    assert re.fullmatch(f"{team.name}/mixtral-[a-z2-7]{{5}}", home["name"])
    assert status["state"] == made["state"] == of_state("READY")
    assert status["hardware"] == HARDWARE_V2
    assert status["price"] == {"currency": "USD", "perReplicaHour": "10.98"}
    base = team.operator.simulator.base_url
    assert status["inference"] == {"baseURL": base, "model": home["name"]}
    (entry,) = status["deployments"]
    (order,) = team.deploys()
    assert re.fullmatch(MARKED, entry["name"])
    assert entry | {"message": "", "regions": []} == {
        "id": made["id"],
        "name": order["body"]["name"],
        "role": "Current",
        "state": of_state("READY"),
        "model": entry["model"],
        "config": order["body"]["config"],
        "hardware": HARDWARE_V2,
        "quantization": "BF16",
        # What no LIST shows is as old as the last look.
        "message": "",
        "regions": [],
        "readyReplicas": 1,
        "weight": "100",
    }
    # The revision is pinned when it is made, and so is on record.
    assert re.fullmatch(r"projects/\w+/models/ml_\w+/revisions/rv_\w+", entry["model"])
    assert team.split() == {made["id"]: 100}
    assert team.columns() | {"AGE": "", "NAME": ""} == {
        "NAME": "",
        "READY": "True",
        "REASON": "Serving",
        "MODEL": MODEL,
        "REPLICAS": "1",
        "$/H": "10.98",
        "AGE": "",
    }
    wide = team.columns("-o", "wide")
    assert wide["NAME"] == home["name"]
    assert (wide["HARDWARE"], wide["ENDPOINT"], wide["API"]) == (HARDWARE, home["id"], "V2")
    assert home["id"] in team.until_told("EndpointCreated")
    assert made["id"] in team.until_told("DeploymentCreated")
    assert made["id"] in team.until_told("TrafficRouted")
    team.until_told("Serving")

    team.kubectl("scale", "tep", "mixtral", "--replicas=2")
    team.awaits("mixtral", "two replicas", lambda it: it["status"].get("readyReplicas") == 2)
    assert_serving(team.until("mixtral", "Serving"))
    assert team.columns()["REPLICAS"] == "2"
    assert team.patches()[1:] == [{"autoscaling": bounds(2, 2)}]
    assert "2-2" in team.until_told("Scaled")

    team.spec("mixtral", autoscaling={"minReplicas": 1, "maxReplicas": 3})
    assert_serving(team.until("mixtral", "Serving"))
    assert team.patches()[2:] == [{"autoscaling": bounds(1, 3)}]

    team.spec("mixtral", state="Stopped")
    stopped = team.until("mixtral", "Stopped")
    assert_row(
        stopped, "Stopped",
        ready=True, available=False, reconciling=False, stalled=False, synced=True,
    )  # fmt: skip
    expect_health(Situation.STOPPED, stopped)
    assert stopped["status"]["replicas"] == 0
    assert team.patches()[3:] == [{"autoscaling": bounds(0, 0)}]
    assert team.deployment()["state"] == of_state("STOPPED")
    # There a stop is for as long as one likes, so that nothing else is said.
    assert "no longer starts" not in conditions(stopped)["Ready"]["message"]
    assert "StopMayBeFinal" not in team.told()
    team.until_told("StopRequested")

    team.spec("mixtral", state="Started")
    started = team.until("mixtral", "Serving")
    assert_serving(started)
    # The bounds of the spec are what it is started with.
    assert team.patches()[4:] == [{"autoscaling": bounds(1, 3)}]
    assert len(team.probes()) >= 2, "a start is proven like a first start"
    assert judge.one(started)["id"] == made["id"]
    assert len(team.deploys()) == len(team.posts()) == 1

    team.delete()
    team.gone()
    judge.none()
    assert team.homes() == []
    team.until_told("DeleteRequested")
    team.until_told("DeploymentDeleted")


def in_words(team: TeamV2) -> list[str]:
    """What the team changed at Together, in order and in words."""
    words = []
    for request in team.requests():
        kind = "deployment" if "/deployments" in request["path"] else "endpoint"
        body = request["body"] if isinstance(request["body"], dict) else {}
        match request["method"]:
            case "POST":
                words.append(f"{'try' if 'validateOnly' in request['query'] else 'make'} {kind}")
            case "DELETE":
                words.append(f"delete {kind}")
            case "PATCH" if "trafficSplit" in body:
                words.append(f"route {len(body['trafficSplit'])}")
            case "PATCH":
                words.append(f"scale to {body['autoscaling']['minReplicas']}")
    return words


def test_a_clean_create_costs_few_requests_and_few_writes(team: TeamV2) -> None:
    team.apply(manifest_v2(autoscaling={"minReplicas": 2, "maxReplicas": 3}))
    serving = team.until("mixtral", "Serving")
    assert in_words(team) == [
        "make endpoint",
        "try deployment",
        "make deployment",
        "scale to 2",
        "route 1",
    ]
    (order,) = team.posts()
    assert order["body"] == {"name": team.home()["name"].partition("/")[2]}
    (deployed,) = team.deploys()
    name = deployed["body"]["name"]
    assert deployed["body"]["autoscaling"] == bounds(0, 0), "it is started once it is on record"
    assert "inactiveTimeout" not in deployed["body"]
    assert "placement" not in deployed["body"]
    assert team.dry_runs()[0]["body"]["name"] == name
    assert team.patches() == [{"autoscaling": bounds(2, 3)}]
    (probe,) = [p for p in team.probes() if p["status"] == 200]
    assert probe["body"]["model"] == team.home()["name"]

    history = team.history()
    states = {v["status"]["state"] for v in history if v.get("status", {}).get("state")}
    # The first version is the person's; one write for each thing on record before it is ordered.
    assert len(history) - 1 <= 7 + len(states), [v.get("status") for v in history]
    assert serving["status"]["replicas"] == 2


def test_the_order_of_a_deletion(team: TeamV2) -> None:
    team.apply(manifest_v2())
    team.until("mixtral", "Serving")
    before = len(in_words(team))
    team.delete()
    deleting = team.until("mixtral", "Deleting")
    assert conditions(deleting)["Ready"]["status"] == "False"
    expect_health(Situation.DELETING, deleting)
    team.gone()
    # Together refuses any other order, so that there is no refusal either.
    assert in_words(team)[before:] == [
        "route 0",
        "scale to 0",
        "delete deployment",
        "delete endpoint",
    ]
    assert {r["status"] for r in team.requests("DELETE")} == {200}


def test_nothing_is_written_while_nothing_changes(team: TeamV2) -> None:
    team.apply(manifest_v2())
    serving = team.until("mixtral", "Serving")
    remote = len(team.requests()) - len(team.lists())
    team.polled(6)
    assert team.history(after=serving) == []
    assert len(team.requests()) - len(team.lists()) == remote, team.requests()[-5:]
    team.apply(manifest_v2())
    team.polled(2)
    assert team.history(after=serving) == []


def test_one_made_stopped_costs_nothing_and_is_started_later(team: TeamV2) -> None:
    team.apply(manifest_v2(state="Stopped", autoscaling={"minReplicas": 2}))
    stopped = team.until("mixtral", "Stopped")
    made = JudgeV2.of(team).one(stopped)
    assert made["autoscaling"] == {"min_replicas": 0, "max_replicas": 0}
    assert made["state"] == of_state("STOPPED")
    assert conditions(stopped)["Available"]["status"] == "False"
    assert team.probes() == []
    assert team.patches() == []
    assert team.routings() == []
    team.polled(3)
    assert team.deployment()["billed_cents"] == 0

    team.spec("mixtral", state="Started")
    found = team.until("mixtral", "Serving")
    assert team.patches() == [{"autoscaling": bounds(2, 2)}]
    assert JudgeV2.of(team).one(found)["id"] == made["id"]


def test_the_words_on_the_way(team: TeamV2) -> None:
    team.apply(manifest_v2())
    creating = team.until("mixtral", "Creating")
    assert_row(
        creating, "Creating",
        ready=False, available=False, reconciling=True, stalled=False, synced=True,
    )  # fmt: skip
    expect_health(Situation.CHANGING, creating)
    said = team.kubectl("wait", "--for=condition=Ready", "tep/mixtral", "--timeout=60s")
    assert "condition met" in said
    team.until("mixtral", "Serving")
    words = team.reasons()
    assert words[0] == "Creating"
    assert words[-1] == "Serving"
    assert set(words) <= {"Creating", "Probing", "Serving"}, words


def test_the_hardware_may_be_named_as_either_generation_does(team: TeamV2) -> None:
    team.apply(manifest_v2(hardware=HARDWARE_V2))
    found = team.until("mixtral", "Serving")
    assert found["status"]["hardware"] == HARDWARE_V2
    assert team.deployment()["hardware"] == HARDWARE_V2


def test_a_name_of_ones_own(team: TeamV2) -> None:
    team.apply(manifest_v2(v2={"endpointName": "chat"}))
    found = team.until("mixtral", "Serving")
    assert found["status"]["inference"]["model"] == team.home()["name"] == f"{team.name}/chat"
    said = team.kubectl(
        "patch", "tep", "mixtral", "--type=merge",
        "-p", '{"spec":{"v2":{"endpointName":"talk"}}}', check=False,
    )  # fmt: skip
    assert "spec.v2.endpointName" in said
    assert "is fixed" in said


def test_a_display_name_is_not_shown_and_that_is_said(team: TeamV2) -> None:
    team.apply(manifest_v2(displayName="My Mixtral"))
    found = team.until("mixtral", "Serving")
    assert "displayName is not shown" in conditions(found)["Ready"]["message"]
    patched = len(team.patches())
    team.spec("mixtral", displayName="Another")
    team.until("mixtral", "Serving")
    assert len(team.patches()) == patched


def test_the_same_name_again_is_another_endpoint(team: TeamV2) -> None:
    team.apply(manifest_v2())
    first = team.until("mixtral", "Serving")
    team.delete()
    team.gone()
    team.apply(manifest_v2())
    second = team.until("mixtral", "Serving")
    assert second["status"]["endpointID"] != first["status"]["endpointID"]
    # What applications call it stays the same.
    assert second["status"]["inference"] == first["status"]["inference"]
    assert team.home()["id"] == second["status"]["endpointID"]


@pytest.mark.parametrize(
    "state", ["PROVISIONING", "SCALING", "DEGRADED", "STOPPING", "STOPPED", "FAILED", "ODD"]
)
def test_it_can_be_deleted_in_every_state(team: TeamV2, state: str) -> None:
    team.apply(manifest_v2())
    eventually("it is started", team.starts, within=20)
    made = team.deployment()["id"]
    team.together.force(made, state=state)
    word = of_state(state)
    team.awaits("mixtral", state, lambda it: it["status"].get("state") == word)
    team.delete()
    if state == "STOPPING":
        team.polled(2)
        assert team.live(), "it is not deleted while it is stopping"
        team.together.force(made, state="STOPPED")
    team.gone()
    team.until_homeless()


def test_it_can_be_deleted_before_anything_runs(team: TeamV2) -> None:
    team.together.arm(
        {"fault": "status", "status": 503, "path_regex": "/deployments$", "times": -1}
    )
    team.apply(manifest_v2())
    eventually("the endpoint is made", team.homes, within=20)
    team.awaits("mixtral", "on record", lambda it: it["status"].get("endpointID"))
    team.together.clear_faults()
    team.delete()
    team.gone()
    team.until_homeless()
    assert JudgeV2(team, "").deployments() == []


def test_several_at_once_get_one_endpoint_each(team: TeamV2) -> None:
    names = [f"model-{number}" for number in range(6)]
    items: list[Any] = [manifest_v2(name) for name in names]
    team.kubectl("apply", "-f", "-", document={"apiVersion": "v1", "kind": "List", "items": items})
    ids = {team.until(name, "Serving")["status"]["endpointID"] for name in names}
    assert len(ids) == len(team.posts()) == len(team.deploys()) == 6
    assert {one["id"] for one in team.homes()} == ids


def test_another_process_takes_over_without_a_word(team: TeamV2) -> None:
    team.apply(manifest_v2())
    serving = team.until("mixtral", "Serving")
    asked = [r for r in team.requests() if r["method"] != "GET"]
    team.operator.stop()
    team.operator.start()
    team.polled(3)
    assert team.history(after=serving) == []
    assert [r for r in team.requests() if r["method"] != "GET"] == asked
    team.kubectl("scale", "tep", "mixtral", "--replicas=2")
    team.awaits("mixtral", "scaled", lambda it: it["status"].get("readyReplicas") == 2)


def test_the_longest_names_that_kubernetes_has(team: TeamV2) -> None:
    name = ".".join(["a" * 60] * 4)[:240] + "z"
    team.apply(manifest_v2(name))
    serving = team.until(name, "Serving")
    assert len(team.home()["name"].partition("/")[2]) <= 63
    assert serving["status"]["inference"]["model"] == team.home()["name"]
    team.delete(name)
    team.gone(name)
    team.until_homeless()
