"""`kubectl delete` while Together is away or refuses the key: what blocks, and the way past it.

The endpoint is paid for as long as it is there, so that the resource does not go by itself; a
person may let it go, and is told what is left behind then.
"""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.support.contract import conditions
from tests.support.judge import Judge
from tests.support.operator import Object, OperatorProcess, eventually, manifest
from tests.support.team import Team
from together_operator.resource.names import RELEASE

pytestmark = pytest.mark.timeout(300)

POST = {"method": "POST", "path_regex": "^/v1/endpoints$"}


def hint(release: str) -> str:
    """How a person gets past it."""
    return f"set the annotation {RELEASE} to '{release}'"


def message(found: Object) -> str:
    """What the Ready condition says."""
    return str(conditions(found)["Ready"]["message"])


def synced(found: Object) -> Any:
    """Whether Together answered."""
    return conditions(found)["Synced"]["status"]


def test_together_is_away(team: Team) -> None:
    for name in ("waits", "released"):
        team.apply(manifest(name))
    made = {
        name: team.until(name, "Serving")["status"]["endpointID"] for name in ("waits", "released")
    }
    team.together.arm({"path_regex": "^/v1/", "fault": "status", "status": 503, "times": -1})
    for name in made:
        team.delete(name)
    # At once it is told, and how one gets past it; after a while it counts as blocked.
    for name, endpoint_id in made.items():
        found = team.awaits(
            name,
            "it tells",
            lambda it: it["metadata"].get("deletionTimestamp") and RELEASE in message(it),
        )
        assert hint(endpoint_id) in message(found)
        assert synced(found) == "False"
    for name, endpoint_id in made.items():
        found = team.until(name, "DeletionBlocked", within=120)
        assert hint(endpoint_id) in message(found)
        assert conditions(found)["Stalled"]["status"] == "True"
        assert hint(endpoint_id) in team.until_told("DeletionBlocked", name)
    # What a person sees whose kubectl waits.
    with pytest.raises(subprocess.TimeoutExpired):
        team.cluster.kubectl("-n", team.name, "delete", "tep", "waits", timeout=3)

    team.annotate("released", "release", made["released"])
    team.gone("released")
    said = team.until_told("EndpointRetained", "released")
    assert made["released"] in said
    assert "$10.80 per hour" in said
    assert len(team.live()) == 2

    team.together.clear_faults()
    team.gone("waits", within=90)
    assert [e["id"] for e in team.live()] == [made["released"]]
    assert "EndpointRetained" not in team.told("waits")


def test_the_key_is_revoked_while_an_attempt_is_open(operator: OperatorProcess, team: Team) -> None:
    # After the LIST that precedes an order nothing can be seen, until the key is revoked.
    blind = {"method": "GET", "fault": "status", "status": 503, "after": 1, "times": -1}
    team.together.arm({**POST, "fault": "reset_after"}, {**blind, "path_regex": "^/v1/endpoints"})
    team.apply(manifest())
    judge = Judge.of(operator, team)
    judge.until_posted()
    team.together.keys(deny=[team.key])
    team.together.clear_faults()
    team.delete()
    found = team.until("mixtral", "DeletionBlocked", within=120)
    assert hint("unresolved") in message(found)
    assert "401" in message(found) or "key" in message(found)
    assert hint("unresolved") in team.until_told("DeletionBlocked")
    team.annotate("mixtral", "release", "unresolved")
    team.gone()
    assert "DeletedWithDoubt" in team.events()
    (left,) = judge.live()

    # The tombstone sees to it, should the key serve again.
    team.together.keys(allow=[team.key])
    eventually("what was left is removed", lambda: judge.live() == [], within=90)
    assert left["deleted_at"] is None


def test_with_another_key_the_deletion_goes_on(team: Team) -> None:
    team.apply(manifest())
    made = team.until("mixtral", "Serving")["status"]["endpointID"]
    team.together.keys(deny=[team.key])
    team.delete()
    blocked = team.until("mixtral", "DeletionBlocked")
    assert hint(made) in message(blocked)
    other = f"{team.key}-renewed"
    team.together.keys(projects={other: team.name})
    team.secret(other)
    team.gone(within=90)
    assert team.live() == []
    team.together.keys(allow=[team.key])
