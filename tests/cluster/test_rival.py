"""Two resources that claim one endpoint: the one that it was made for keeps it.

The other is told so, changes nothing at Together, and leaves it alone when it is deleted.
"""

from __future__ import annotations

import json

import pytest

from tests.support.contract import conditions
from tests.support.judge import Judge
from tests.support.operator import HARDWARE, MODEL, Object, OperatorProcess, manifest
from tests.support.team import Team

pytestmark = pytest.mark.timeout(300)

POST = {"method": "POST", "path_regex": "^/v1/endpoints$"}


def test_an_answer_that_names_anothers_endpoint(operator: OperatorProcess, team: Team) -> None:
    original = served(team)
    theirs = original["status"]["endpointID"]
    team.together.arm({**POST, "fault": "reset_before"})
    team.apply(manifest("second"))
    judge = Judge.of(operator, team, "second")
    judge.until_posted()
    bounds = {"min_replicas": 1, "max_replicas": 1}
    body = {"model": MODEL, "hardware": HARDWARE, "autoscaling": bounds, "project": team.name}
    strange = str(team.together.create(body)["id"])
    team.until("second", "InconclusiveScan")
    team.annotate("second", "claim", theirs)
    conflict(team, theirs)
    team.delete("second")
    team.gone("second")
    judge.none()
    assert {e["id"] for e in team.live()} == {theirs, strange}
    team.together.delete(strange)
    left_alone(operator, team, theirs)


def test_a_record_that_names_anothers_endpoint(operator: OperatorProcess, team: Team) -> None:
    """Made by hand, or by a tool that copies a status and mends what looks wrong."""
    original = served(team)
    theirs = original["status"]["endpointID"]
    operator.stop()
    team.apply(manifest("second"))
    second = team.read("second")
    assert second is not None
    uid = second["metadata"]["uid"]
    status = json.loads(json.dumps(original["status"]).replace(original["metadata"]["uid"], uid))
    team.kubectl(
        "replace", "--subresource=status", "-f", "-", document={**second, "status": status}
    )
    operator.start()
    conflict(team, theirs)
    # Neither a wish nor time changes that.
    team.spec("second", displayName="Mine", autoscaling={"minReplicas": 5})
    conflict(team, theirs)
    team.polled()
    team.delete("second")
    team.gone("second")
    left_alone(operator, team, theirs)


def served(team: Team) -> Object:
    """The resource that the endpoint was made for."""
    team.apply(manifest())
    return team.until("mixtral", "Serving")


def conflict(team: Team, theirs: str) -> None:
    """The second is told whose endpoint it is, and the first knows nothing of it."""
    found = team.until("second", "EndpointConflict")
    assert conditions(found)["Stalled"]["status"] == "True"
    message = conditions(found)["Ready"]["message"]
    assert f"{team.name}/mixtral" in message
    assert theirs in message
    assert team.reason() == "Serving"


def left_alone(operator: OperatorProcess, team: Team, theirs: str) -> None:
    """Nothing has changed for the first, whose endpoint is still its own to delete."""
    assert [e["id"] for e in team.live()] == [theirs]
    judge = Judge.of(operator, team)
    judge.one(theirs)
    assert judge.touched(theirs) == []
    assert team.reason() == "Serving"
    team.delete()
    team.gone()
    judge.none()
