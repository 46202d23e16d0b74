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

KEPT = {
    "all-kept": {"annotations": True, "status": True},
    "status-dropped": {"annotations": True, "status": False},
    "annotations-dropped": {"annotations": False, "status": True},
}
"""What a backup tool may bring back of an original."""


def test_a_copy_of_a_living_resource_gets_its_own_endpoint(
    operator: OperatorProcess, team: Team
) -> None:
    original = served(team)
    theirs = original["status"]["endpointID"]
    with stopped(operator):
        for name, kept in KEPT.items():
            restore(team, original, name, **kept)
    judges = {}
    for name in KEPT:
        team.awaits(
            name, "nothing of it is left", lambda it: it["status"].get("endpointID") != theirs
        )
        ours = team.until(name, "Serving")["status"]["endpointID"]
        assert ours != theirs
        judges[name] = Judge.of(operator, team, name)
        judges[name].one(ours)
        assert len(judges[name].posts()) == 1
    Judge.of(operator, team).one(theirs)

    for name in KEPT:
        team.delete(name)
    for name, judge in judges.items():
        team.gone(name)
        judge.none()
    assert [e["id"] for e in team.live()] == [theirs]
    assert Judge.of(operator, team).touched(theirs) == []
    assert team.reason() == "Serving"


def test_a_copy_of_a_lost_resource_asks_and_takes_over(
    operator: OperatorProcess, team: Team
) -> None:
    former = lost(operator, team)
    for name in KEPT:
        team.annotate(name, "restored-copy", "Adopt")
    for name, original in former.items():
        found = team.until(name, "Serving")
        assert found["status"]["endpointID"] == original["status"]["endpointID"]
        team.awaits(
            name,
            "the answer is taken off",
            lambda it: "together-operator.io/restored-copy" not in it["metadata"]["annotations"],
        )
        # It is this resource's now: by name, and so in the end.
        (now,) = [e for e in team.live() if e["id"] == found["status"]["endpointID"]]
        assert Judge.of(operator, team, name).marks(now)
    assert len(team.posts()) == len(KEPT)
    for name in KEPT:
        team.delete(name)
    for name in KEPT:
        team.gone(name)
    assert team.live() == []


def test_a_copy_of_a_lost_resource_asks_and_begins_anew(
    operator: OperatorProcess, team: Team
) -> None:
    former = lost(operator, team)
    left = {original["status"]["endpointID"] for original in former.values()}
    for name in KEPT:
        team.annotate(name, "restored-copy", "New")
    judges = {}
    for name in KEPT:
        found = team.until(name, "Serving")
        judges[name] = Judge.of(operator, team, name)
        judges[name].one(found["status"]["endpointID"])
        team.delete(name)
    for name, judge in judges.items():
        team.gone(name)
        judge.none()
    assert {e["id"] for e in team.live()} == left
    assert not any(judges["all-kept"].touched(endpoint_id) for endpoint_id in left)


def test_a_copy_that_is_deleted_before_anybody_answered(
    operator: OperatorProcess, team: Team
) -> None:
    former = lost(operator, team, finalizer=True)
    # It is asked for as long as nobody answers, be the operator restarted or not.
    operator.kill()
    operator.start()
    for name in KEPT:
        team.annotate(name, "reconcile-requested-at", "now")
    team.polled()
    for name in KEPT:
        assert team.reason(name) == "RestoredCopy"
        team.delete(name)
    for name in KEPT:
        team.gone(name)
    left = {original["status"]["endpointID"] for original in former.values()}
    assert {e["id"] for e in team.live()} == left
    for original in former.values():
        judge = Judge(operator, original["metadata"]["uid"])
        assert judge.touched(original["status"]["endpointID"]) == []


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


def lost(operator: OperatorProcess, team: Team, *, finalizer: bool = False) -> dict[str, Object]:
    """Resources that were lost without their endpoints and came back as copies; the former ones."""
    for name in KEPT:
        team.apply(manifest(name))
    former = {name: team.until(name, "Serving") for name in KEPT}
    with stopped(operator):
        for name, original in former.items():
            team.patch(name, {"metadata": {"finalizers": []}})
            team.kubectl("delete", "tep", name)
            restore(team, original, name, finalizer=finalizer, **KEPT[name])
    for name, original in former.items():
        found = team.until(name, "RestoredCopy")
        assert conditions(found)["Stalled"]["status"] == "True"
        message = conditions(found)["Ready"]["message"]
        assert "together-operator.io/restored-copy" in message
        assert original["metadata"]["uid"] in message
        if KEPT[name]["status"]:
            assert original["status"]["endpointID"] in message
    assert len(team.posts()) == len(KEPT)
    return former
