"""The copies of keys, with the operator killed as it writes and deletes them, and around that.

Never missing while an endpoint may live, and gone with the resource or its tombstone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.judge import Judge
from tests.support.key_copies import KeyCopies, Written, faults
from tests.support.operator import OperatorProcess, eventually, manifest
from tests.support.team import Team
from together_local.cluster.supervision import Supervisor
from together_operator.resource.names import FINALIZER

pytestmark = pytest.mark.timeout(400)

CREATING = ("KeepKey", "Prepare", "Record", "Create")
DELETING = ("Delete", "Look", "Finish", "Finish")
NOW = 1_000_000.0


@pytest.fixture
def copies(operator: OperatorProcess, tmp_path: Path) -> Iterator[KeyCopies]:
    """A watch of the key copies in the operator's namespace."""
    with Supervisor(tmp_path / "processes.json", tmp_path / "supervisor.log") as supervisor:
        yield KeyCopies(operator.cluster, supervisor, tmp_path, operator.namespace)


def wrong(team: Team, copies: KeyCopies, uid: str, name: str) -> list[str]:
    """What is wrong with the copy of a resource now."""
    versions = [v for v in team.history(name) if v["metadata"]["uid"] == uid]
    return copies.faults(uid, versions, team.stream.deleted(team.name, name))


def test_killed_around_every_write_of_a_copy(
    operator: OperatorProcess, team: Team, copies: KeyCopies
) -> None:
    judges = {}
    for number, step in enumerate(CREATING):
        name = f"r{number}"
        team.apply(manifest(name))
        judges[name] = Judge.of(operator, team, name)
        operator.kill_at(step, name)
        operator.start()
    for name, judge in judges.items():
        judge.one(team.until(name, "Serving", within=90)["status"]["endpointID"])
        assert wrong(team, copies, judge.uid, name) == []
        assert copies.of(judge.uid)

    for step, name in zip(DELETING, judges, strict=True):
        team.delete(name)
        operator.kill_at(step, name)
        operator.start()
    for name, judge in judges.items():
        team.gone(name, within=90)
        judge.none()
        # A copy that was not deleted before the kill is swept.
        eventually(
            f"the copy of {name} is as it must be",
            lambda judge=judge, name=name: not wrong(team, copies, judge.uid, name),
            within=120,
            every=0.5,
        )
    assert any(copies.of(judge.uid)[-1].gone for judge in judges.values())


def test_killed_as_a_tombstone_is_left(
    operator: OperatorProcess, team: Team, copies: KeyCopies
) -> None:
    team.together.arm(
        {"method": "POST", "path_regex": "^/v1/endpoints$", "fault": "late_effect", "seconds": 25}
    )
    team.apply(manifest())
    judge = Judge.of(operator, team)
    judge.until_posted()
    team.delete()
    team.annotate("mixtral", "release", "unresolved")
    operator.kill_at("Finish", "mixtral")
    operator.start()
    team.gone(within=90)
    # A later sweep leaves it where it is, for as long as something may come.
    eventually("it came", judge.endpoints)
    judge.until_gone(within=60)
    assert wrong(team, copies, judge.uid, "mixtral") == []
    (tombstone,) = [w.tombstone for w in copies.of(judge.uid)[-1:]]
    assert tombstone is not None
    assert judge.posts()[0]["body"]["display_name"].endswith(tombstone["nonces"][0])


# -- the judge itself ------------------------------------------------------------------------------


def version(number: int, phase: str | None = None, *, held: bool = True) -> dict[str, Any]:
    """One version of a resource."""
    status = {"operation": {"uid": "u", "phase": phase}} if phase else {}
    meta = {"uid": "u", "resourceVersion": str(number), "finalizers": [FINALIZER] if held else []}
    return {"metadata": meta, "status": status}


LIFE = [version(2, held=False), version(4), version(5, "Open"), version(6, "Done")]
GRAVE = {"nonces": ["aaaa"], "expires": NOW + 3600.0}
CASES: dict[str, tuple[int | None, list[Written], str]] = {
    "as it must be": (8, [Written(3, False), Written(9, True)], ""),
    "while it lives": (None, [Written(3, False)], ""),
    "replaced by another key": (8, [Written(3, False), Written(7, False), Written(9, True)], ""),
    "with a tombstone": (8, [Written(3, False), Written(7, False, GRAVE)], ""),
    "never there": (None, [], "copied at never"),
    "too late": (None, [Written(5, False)], "copied at 5"),
    "too soon": (8, [Written(3, False), Written(7, True)], "went at 7"),
    "gone while it lives": (None, [Written(3, False), Written(7, True)], "went at 7"),
    "left behind": (8, [Written(3, False)], "still there"),
    "kept for nothing": (8, [Written(3, False, {**GRAVE, "nonces": []})], "watches for nothing"),
    "kept too long": (8, [Written(3, False, {**GRAVE, "expires": NOW})], "beyond a day"),
    "kept for ever": (8, [Written(3, False, {**GRAVE, "expires": 9e9})], "beyond a day"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_judge_sees_what_is_wrong(case: str) -> None:
    deleted, written, complaint = CASES[case]
    found = faults("u", LIFE, deleted, written, now=NOW)
    assert len(found) == (1 if complaint else 0)
    assert complaint in "".join(found)


def test_what_ordered_nothing_needs_no_copy() -> None:
    assert faults("u", LIFE[:2], 8, [], now=NOW) == []
