"""Ending in good order, and living on while the cluster has its troubles.

A shutdown never separates a request that costs money from its record; a restarted API server, a
definition that was deleted, or a person who writes at the same time are no reason to end.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.definition import define
from tests.support.judge import Judge
from tests.support.operator import OperatorProcess, eventually, manifest
from tests.support.running import running_operator
from tests.support.team import Team
from together_local.cluster.control_plane import ControlPlane

pytestmark = pytest.mark.timeout(300)

POST = {"method": "POST", "path_regex": "^/v1/endpoints$"}


def test_a_shutdown_waits_for_the_answer_and_its_record(
    operator: OperatorProcess, team: Team
) -> None:
    operator.stop()
    # With more patience than the other tests have, so that the answer may take its time.
    operator.start("--time-scale", "5")
    team.together.arm({**POST, "fault": "delay", "seconds": 4})
    team.apply(manifest())
    judge = Judge.of(operator, team)
    judge.until_posted()
    began = time.monotonic()
    assert operator.stop() == 0
    assert time.monotonic() - began > 2, "it did not wait"
    (made,) = judge.live()
    status = team.status()
    assert status["endpointID"] == made["id"]
    assert status["operation"]["phase"] == "Done"
    assert str(operator.lines()[-1]["message"]).startswith("Stopped")

    operator.start()
    team.until("mixtral", "Serving")
    assert "Claiming" not in team.reasons()
    assert len(judge.posts()) == 1


def test_a_shutdown_with_nothing_to_wait_for_is_quick(
    operator: OperatorProcess, team: Team
) -> None:
    team.apply(manifest())
    found = team.until("mixtral", "Serving")
    assert operator.stop() == 0
    assert team.history(after=found) == []
    operator.start()


def test_the_last_of_many_edits_wins(operator: OperatorProcess, team: Team) -> None:
    """A person and the operator write the same resource at the same time."""
    team.apply(manifest())
    judge = Judge.of(operator, team)
    for number in range(1, 21):
        team.spec(
            "mixtral",
            displayName=f"Edit {number}",
            autoscaling={"minReplicas": number, "maxReplicas": number + 1},
        )
    found = team.until("mixtral", "Serving")
    made = judge.one(found["status"]["endpointID"])
    assert made["autoscaling"] == {"min_replicas": 20, "max_replicas": 21}
    assert made["display_name"].startswith("Edit 20 tep-")
    assert len(judge.posts()) == 1
    assert found["metadata"]["generation"] == 21
    assert found["status"]["observedGeneration"] == 21


@pytest.fixture
def alone(private_control_plane: ControlPlane, helm_binary: Path, tmp_path: Path) -> Iterator[Team]:
    """A team on an operator and a control plane of its own."""
    define(private_control_plane.kubectl)
    with running_operator(private_control_plane, helm_binary, tmp_path, secret=False) as operator:
        team = Team(operator, operator.space)
        team.secret(team.key)
        yield team


def test_the_api_server_goes_and_comes_back(
    alone: Team, private_control_plane: ControlPlane
) -> None:
    operator = alone.operator
    alone.together.arm({**POST, "fault": "delay", "seconds": 1})
    alone.apply(manifest())
    judge = Judge.of(operator, alone)
    judge.until_posted()
    private_control_plane.apiserver.kill()
    time.sleep(3)  # that long nobody can write anything down
    private_control_plane.apiserver.start()
    private_control_plane.apiserver.wait_ready()
    eventually("it serves", lambda: alone.reason() == "Serving")
    judge.one(alone.status()["endpointID"])
    assert len(judge.posts()) == 1

    private_control_plane.apiserver.restart()
    alone.spec("mixtral", autoscaling={"minReplicas": 2})
    alone.until_remote("it is scaled", autoscaling={"min_replicas": 2, "max_replicas": 2})
    assert operator.running
    alone.delete()
    eventually("it is gone", lambda: alone.read() is None)
    judge.none()


def test_the_definition_is_deleted_and_applied_again(
    alone: Team, private_control_plane: ControlPlane
) -> None:
    operator = alone.operator
    alone.apply(manifest())
    alone.until("mixtral", "Serving")
    first = Judge.of(operator, alone)
    crd = "togetherendpoints.together-operator.io"
    kept = alone.status()["endpointID"]
    private_control_plane.kubectl("delete", "crd", crd, "--timeout=90s")
    assert operator.running

    define(private_control_plane.kubectl)
    alone.apply(manifest())
    eventually("it serves", lambda: alone.reason() == "Serving", within=90)
    second = Judge.of(operator, alone)
    second.one(alone.status()["endpointID"])
    first.one(kept)  # nobody has said that it may go
    assert operator.running
