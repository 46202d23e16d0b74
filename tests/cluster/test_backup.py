"""Backup and restore: the same spec under a new uid, with what a backup tool kept, or from Git.

Where something tells of the past nobody is robbed, nothing is made twice, and a person is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.test_copies import restore, stopped
from tests.support.contract import conditions
from tests.support.judge import Judge
from tests.support.operator import Object, OperatorProcess, eventually, manifest
from tests.support.running import running_operator
from tests.support.team import Team
from together_local.cluster.cluster import Cluster

pytestmark = pytest.mark.timeout(400)


def question(found: Object, original: Object) -> None:
    """It asks for an answer, and says about what."""
    message = conditions(found)["Ready"]["message"]
    assert "together-operator.io/restored-copy" in message
    assert original["metadata"]["uid"] in message
    assert original["status"]["endpointID"] in message
    assert conditions(found)["Stalled"]["status"] == "True"


def test_restored_after_it_was_deleted(operator: OperatorProcess, team: Team) -> None:
    """The endpoint is gone as well: to adopt it finds nothing, anew is another one."""
    for name in ("adopts", "anew"):
        team.apply(manifest(name))
    former = {name: team.until(name, "Serving") for name in ("adopts", "anew")}
    for name in former:
        team.delete(name)
    for name in former:
        team.gone(name)
    assert team.live() == []
    with stopped(operator):
        for name, original in former.items():
            restore(team, original, name, annotations=True, status=True)
    for name, original in former.items():
        question(team.until(name, "RestoredCopy"), original)
    assert len(team.posts()) == 2

    team.annotate("adopts", "restored-copy", "Adopt")
    team.annotate("anew", "restored-copy", "New")
    missing = team.until("adopts", "RemoteMissing")
    assert former["adopts"]["status"]["endpointID"] in conditions(missing)["Ready"]["message"]
    found = team.until("anew", "Serving")
    assert found["status"]["endpointID"] != former["anew"]["status"]["endpointID"]
    assert [e["id"] for e in team.live()] == [found["status"]["endpointID"]]
    for name in former:
        team.delete(name)
    for name in former:
        team.gone(name)
    assert team.live() == []


def test_rebuilt_from_git(operator: OperatorProcess, team: Team) -> None:
    """Nothing tells of the past: a new endpoint, and the former one is nobody's."""
    team.apply(manifest())
    former = team.until("mixtral", "Serving")
    old = Judge.of(operator, team)
    with stopped(operator):
        team.patch("mixtral", {"metadata": {"finalizers": []}})
        team.kubectl("delete", "tep", "mixtral")
        team.apply(manifest())
    found = team.until("mixtral", "Serving", within=90)
    Judge.of(operator, team).one(found["status"]["endpointID"])
    assert old.one(former["status"]["endpointID"])["state"] == "STARTED"
    assert old.touched(former["status"]["endpointID"]) == []
    team.delete()
    team.gone()
    old.one(former["status"]["endpointID"])


@pytest.fixture(params=["the same cluster id", "another cluster id"])
def elsewhere(
    request: pytest.FixtureRequest,
    operator: OperatorProcess,
    control_plane: Cluster,
    helm_binary: Path,
    tmp_path: Path,
) -> Iterator[Team]:
    """A team in another cluster: an operator that sees nothing of the first one's resources."""
    same = request.param == "the same cluster id"
    with running_operator(
        control_plane,
        helm_binary,
        tmp_path,
        shared=operator.simulator,
        flags=("--cluster-id", operator.namespace) if same else (),
        secret=False,
    ) as other:
        yield Team(other, other.space)


def test_restored_into_another_cluster(
    operator: OperatorProcess, team: Team, elsewhere: Team
) -> None:
    """The original lives, and its cluster knows nothing of the copies."""
    team.apply(manifest())
    original = team.until("mixtral", "Serving")
    theirs = original["status"]["endpointID"]
    elsewhere.secret(team.key)
    with stopped(elsewhere.operator):
        for name in ("anew", "adopts"):
            restore(elsewhere, original, name, annotations=True, status=True)
    for name in ("anew", "adopts"):
        question(elsewhere.until(name, "RestoredCopy"), original)
    judge = Judge.of(operator, team)
    assert len(team.posts()) == 1
    assert judge.touched(theirs) == []

    elsewhere.annotate("anew", "restored-copy", "New")
    found = elsewhere.until("anew", "Serving")
    Judge.of(elsewhere.operator, elsewhere, "anew").one(found["status"]["endpointID"])
    assert judge.touched(theirs) == []
    assert team.reason() == "Serving"

    # The cluster of the original is gone for good: the copy takes its endpoint over.
    operator.stop()
    elsewhere.annotate("adopts", "restored-copy", "Adopt")
    found = elsewhere.until("adopts", "Serving")
    assert found["status"]["endpointID"] == theirs
    taken = Judge.of(elsewhere.operator, elsewhere, "adopts")
    eventually(
        "the endpoint bears the new owner's mark",
        lambda: any(taken.marks(e) for e in team.live() if e["id"] == theirs),
        within=90,
    )
    assert len(team.posts()) == 2
    for name in ("anew", "adopts"):
        elsewhere.delete(name)
    for name in ("anew", "adopts"):
        elsewhere.gone(name)
    assert team.live() == []
    operator.start()
    team.until("mixtral", "RemoteMissing")
