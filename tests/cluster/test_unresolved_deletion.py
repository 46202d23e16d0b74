"""Deleted while it is not known what was made: the resource goes last, and nothing comes after it.

An answer from Together that is wrong for a moment must not end a deletion, nor be told to a person
as the truth.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.contract import conditions
from tests.support.judge import Judge
from tests.support.operator import OperatorProcess, eventually, manifest
from tests.support.team import Team

pytestmark = pytest.mark.timeout(300)

POST = {"method": "POST", "path_regex": "^/v1/endpoints$"}
LIST = {"method": "GET", "path_regex": "^/v1/endpoints$"}


def test_deleted_while_creates_are_unresolved(operator: OperatorProcess, team: Team) -> None:
    lost: dict[str, dict[str, Any]] = {
        "made": {"fault": "reset_after"},
        "not-made": {"fault": "reset_before"},
        "late": {"fault": "late_effect", "seconds": 3.5},
        "slow": {"fault": "delay", "seconds": 4},
    }
    team.together.arm({"fault": "hide_in_list", **LIST, "seconds": 1.5, "times": -1})
    judges = {}
    for name, fault in lost.items():
        team.together.arm({**POST, **fault})
        team.apply(manifest(name))
        judges[name] = Judge.of(operator, team, name)
        judges[name].until_posted()
        team.delete(name)
    for name, judge in judges.items():
        team.gone(name)
        judge.none()
        assert len(judge.posts()) == 1
        assert len(judge.endpoints()) == (0 if name == "not-made" else 1)


def test_what_comes_after_the_resource_is_gone(operator: OperatorProcess, team: Team) -> None:
    team.together.arm({**POST, "fault": "late_effect", "seconds": 18})
    team.apply(manifest())
    judge = Judge.of(operator, team)
    judge.until_posted()
    team.delete()
    team.gone()
    assert judge.endpoints() == []
    assert "DeletedWithDoubt" in team.events()
    tombstone = key_copy(operator, judge.uid)["metadata"]["annotations"]
    assert judge.posts()[0]["body"]["display_name"].endswith(
        json.loads(tombstone["together-operator.io/tombstone"])["nonces"][0]
    )
    # It is remembered by the key copy, not by the process.
    operator.kill()
    operator.start()

    eventually("it comes", judge.endpoints)
    eventually("it is removed", lambda: not judge.live())
    assert len(operator.writes("DELETE", f"/v1/endpoints/{judge.endpoints()[0]['id']}")) == 1


def test_a_deletion_is_not_over_for_one_wrong_answer(operator: OperatorProcess, team: Team) -> None:
    team.apply(manifest())
    judge = Judge.of(operator, team)
    made = team.until("mixtral", "Serving")["status"]["endpointID"]
    team.together.arm({"method": "DELETE", "fault": "not_found"})
    team.delete()
    met = team.together.faults
    eventually("its deletion is answered wrongly", lambda: met()[0]["hits"], every=0.02)
    # Not before: a LIST that leaves it out is reason enough not to delete it.
    team.together.arm(
        {"method": "GET", "path_regex": f"/{made}$", "fault": "not_found"},
        {**LIST, "fault": "omit", "times": -1},
    )
    both_met(team)
    team.gone()
    judge.none()
    assert len(operator.writes("DELETE", f"/v1/endpoints/{made}")) == 2


def test_an_endpoint_is_not_missing_for_one_wrong_answer(
    operator: OperatorProcess, team: Team
) -> None:
    team.apply(manifest())
    judge = Judge.of(operator, team)
    made = team.until("mixtral", "Serving")["status"]["endpointID"]
    team.together.arm(
        {"method": "GET", "path_regex": f"/{made}$", "fault": "not_found"},
        {**LIST, "fault": "omit", "times": -1},
    )
    before = team.read()
    both_met(team)
    team.polled(4)
    assert team.history(after=before) == []

    team.together.delete(made)
    found = team.until("mixtral", "RemoteMissing")
    assert made in conditions(found)["Ready"]["message"]
    assert conditions(found)["Available"]["status"] == "False"
    assert found["status"]["replicas"] == 0
    assert len(judge.posts()) == 1
    team.delete()
    team.gone()
    assert operator.writes("DELETE", f"/v1/endpoints/{made}") == []


def both_met(team: Team) -> None:
    """Wait until LIST and GET were both wrong, and let them be right from then on."""
    eventually(
        "LIST and GET are wrong", lambda: all(f["hits"] for f in team.together.faults()), every=0.02
    )
    team.together.clear_faults()


def key_copy(operator: OperatorProcess, uid: str) -> dict[str, Any]:
    """The copy of a resource's key in the operator's own namespace."""
    text = operator.cluster.kubectl("-n", operator.namespace, "get", "secrets", "-o", "json").stdout
    (found,) = [
        secret
        for secret in json.loads(text)["items"]
        if (secret["metadata"].get("annotations") or {}).get("together-operator.io/uid") == uid
    ]
    return dict(found)
