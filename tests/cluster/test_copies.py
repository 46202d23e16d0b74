"""Restored copies: a resource with another one's annotations or status takes nothing from it.

A backup brings a resource back under a new uid, with what the former one knew. While the original
lives, its endpoint is its own; when it is gone, a person says what is to become of the endpoint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.contract import conditions
from tests.support.judge import Judge
from tests.support.operator import OperatorProcess, manifest
from tests.support.team import Team
from together_operator.resource.names import FINALIZER

pytestmark = pytest.mark.timeout(300)

Object = dict[str, Any]

KEPT = pytest.mark.parametrize(
    ("annotations", "status"),
    [(True, True), (True, False), (False, True)],
    ids=["all-kept", "status-dropped", "annotations-dropped"],
)
"""What a backup tool may bring back of the original."""


@KEPT
def test_a_copy_of_a_living_resource_gets_its_own_endpoint(
    operator: OperatorProcess, team: Team, *, annotations: bool, status: bool
) -> None:
    original = served(team)
    theirs = original["status"]["endpointID"]
    with stopped(operator):
        restore(team, original, "copy", annotations=annotations, status=status)
    copy = team.until("copy", "Serving")
    ours = copy["status"]["endpointID"]
    assert ours != theirs
    judge = Judge.of(operator, team, "copy")
    judge.one(ours)
    assert len(judge.posts()) == 1
    Judge.of(operator, team).one(theirs)

    team.delete("copy")
    team.gone("copy")
    judge.none()
    assert [e["id"] for e in team.live()] == [theirs]
    assert judge.touched(theirs) == []
    assert team.reason() == "Serving"


@KEPT
def test_a_copy_of_a_lost_resource_asks_and_takes_over(
    operator: OperatorProcess, team: Team, *, annotations: bool, status: bool
) -> None:
    former = lost(operator, team, annotations=annotations, status=status)
    theirs = former["status"]["endpointID"]
    assert [e["id"] for e in team.live()] == [theirs]

    team.annotate("mixtral", "restored-copy", "Adopt")
    found = team.until("mixtral", "Serving")
    assert found["status"]["endpointID"] == theirs
    assert len(team.posts()) == 1
    team.awaits(
        "mixtral",
        "the answer is taken off",
        lambda it: "together-operator.io/restored-copy" not in it["metadata"]["annotations"],
    )
    # It is this resource's now, by name and in the end.
    judge = Judge.of(operator, team)
    assert judge.marks(team.live()[0])
    team.delete()
    team.gone()
    assert team.live() == []


@KEPT
def test_a_copy_of_a_lost_resource_asks_and_begins_anew(
    operator: OperatorProcess, team: Team, *, annotations: bool, status: bool
) -> None:
    former = lost(operator, team, annotations=annotations, status=status)
    theirs = former["status"]["endpointID"]

    team.annotate("mixtral", "restored-copy", "New")
    found = team.until("mixtral", "Serving")
    ours = found["status"]["endpointID"]
    judge = Judge.of(operator, team)
    judge.one(ours)
    assert {e["id"] for e in team.live()} == {ours, theirs}
    team.delete()
    team.gone()
    judge.none()
    assert [e["id"] for e in team.live()] == [theirs]
    assert judge.touched(theirs) == []


def test_a_copy_that_is_deleted_before_anybody_answered(
    operator: OperatorProcess, team: Team
) -> None:
    former = lost(operator, team, annotations=True, status=True, finalizer=True)
    theirs = former["status"]["endpointID"]
    # Asked for as long as nobody answers, be the operator restarted or not.
    operator.kill()
    operator.start()
    team.annotate("mixtral", "reconcile-requested-at", "now")
    team.polled()
    assert team.reason() == "RestoredCopy"
    team.delete()
    team.gone()
    assert [e["id"] for e in team.live()] == [theirs]
    assert Judge(operator, former["metadata"]["uid"]).touched(theirs) == []


def test_a_status_that_is_restored_over_a_new_record(operator: OperatorProcess, team: Team) -> None:
    """A backup tool creates first and writes the status then: over what was recorded since."""
    original = served(team)
    theirs = original["status"]["endpointID"]
    restore(team, original, "copy", annotations=False, status=False)
    ours = team.until("copy", "Serving")["status"]["endpointID"]
    judge = Judge.of(operator, team, "copy")

    write_status(team, "copy", original["status"])
    team.annotate("copy", "reconcile-requested-at", "now")
    team.awaits("copy", "its own endpoint", lambda it: it["status"].get("endpointID") == ours)
    team.until("copy", "Serving")
    judge.one(ours)
    assert len(judge.posts()) == 1
    assert judge.touched(theirs) == []


def served(team: Team, name: str = "mixtral") -> Object:
    """A resource that serves."""
    team.apply(manifest(name))
    return team.until(name, "Serving")


@contextmanager
def stopped(operator: OperatorProcess) -> Iterator[None]:
    """The operator is away, as it is while a cluster is restored."""
    operator.stop()
    yield
    operator.start()


def restore(
    team: Team,
    original: Object,
    name: str,
    *,
    annotations: bool,
    status: bool,
    finalizer: bool = False,
) -> None:
    """Create a resource as a backup tool does."""
    metadata: Object = {"name": name}
    if annotations:
        metadata["annotations"] = original["metadata"]["annotations"]
    if finalizer:
        metadata["finalizers"] = [FINALIZER]
    document = {**original, "metadata": metadata}
    document.pop("status")
    team.kubectl("create", "-f", "-", document=document)
    if status:
        write_status(team, name, original["status"])


def write_status(team: Team, name: str, status: Object) -> None:
    """Write the status of a resource, as only a backup tool would."""
    found = json.loads(team.kubectl("get", "tep", name, "-o", "json"))
    team.kubectl("replace", "--subresource=status", "-f", "-", document={**found, "status": status})


def lost(
    operator: OperatorProcess,
    team: Team,
    *,
    annotations: bool,
    status: bool,
    finalizer: bool = False,
) -> Object:
    """A resource that was lost without its endpoint and came back as a copy; the former one."""
    original = served(team)
    with stopped(operator):
        team.patch("mixtral", {"metadata": {"finalizers": []}})
        team.kubectl("delete", "tep", "mixtral")
        restore(
            team, original, "mixtral", annotations=annotations, status=status, finalizer=finalizer
        )
    found = team.until("mixtral", "RestoredCopy")
    assert conditions(found)["Stalled"]["status"] == "True"
    message = conditions(found)["Ready"]["message"]
    assert "together-operator.io/restored-copy" in message
    assert original["metadata"]["uid"] in message
    if status:
        assert original["status"]["endpointID"] in message
    assert len(team.posts()) == 1
    return original
