"""Orphans on API v2: what a person learns of them, and of a generation that does not answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster.test_orphans import command, told
from tests.support.operator import OperatorProcess, eventually, manifest
from tests.support.team import Team
from together_operator.core.marker import Marker

pytestmark = pytest.mark.timeout(300)

Object = dict[str, Any]


def in_the_console(team: Team, name: str, *deployments: str, like: Object) -> str:
    """An endpoint that a person makes at Together, with deployments like another one; its id."""
    made: Object = team.together.create({"project": team.name, "name": name})
    for deployment in deployments:
        team.together.create(
            {
                "endpointId": made["id"],
                "name": deployment,
                "model": like["model"],
                "config": like["config"],
                "autoscaling": {"minReplicas": 2, "maxReplicas": 2},
            }
        )
    return str(made["id"])


def test_what_nobody_answers_for_in_v2_is_found_beside_v1(
    operator: OperatorProcess, team: Team
) -> None:
    team.apply(manifest(api="V2"))
    status = team.until("mixtral", "Serving")["status"]
    [like] = status["deployments"]
    mark = Marker.of(operator.namespace, "uid-elsewhere", "aaaa")
    lost = in_the_console(team, "lost", f"abcde-{mark}", like=like)
    by_hand = in_the_console(team, "by-hand", "first", "second", like=like)
    empty = in_the_console(team, "empty", like=like)
    here = ("--namespace", team.name)

    def found() -> dict[str, Object]:
        done = command(operator, *here, "--output", "json")
        assert done.returncode == 3, done.stderr
        return {entry["id"]: entry for entry in json.loads(done.stdout)["orphans"]}

    eventually(
        "both run",
        lambda: all(e["state"] == "DEPLOYMENT_STATE_READY" for e in found().values()),
        within=120,
        every=1.0,
    )
    orphans, price = found(), float(status["price"]["perReplicaHour"])
    assert {i: entry["why"] for i, entry in orphans.items()} == {
        lost: "OwnerNotServed",
        by_hand: "Unmanaged",
    }
    assert orphans[lost]["price"]["perHour"] == f"{2 * price:.2f}"
    assert orphans[by_hand]["price"]["perHour"] == f"{4 * price:.2f}"
    # The operator tells the same, and nothing is done about any of it.
    eventually(
        "they are told",
        lambda: all(any(i in text for text in told(operator)) for i in (lost, by_hand)),
        within=120,
        every=0.5,
    )
    assert not any(empty in text for text in told(operator))
    assert status["endpointID"] not in orphans

    team.together.arm(
        {"fault": "status", "status": 503, "method": "GET", "path_regex": "^/v2/", "times": -1}
    )
    done = command(operator, *here)
    assert done.returncode == 4
    assert f"The account of {team.name}/mixtral" in done.stderr
    assert "cannot be looked at in API v2" in done.stderr
    assert "cannot be looked at in API v1" not in done.stderr
    team.together.clear_faults()
    for endpoint_id in (lost, by_hand, empty):
        team.together.delete(endpoint_id)
    done = command(operator, *here)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "No orphans. Looked with 1 key for 1 resource.\n"
