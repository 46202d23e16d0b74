"""An operator that is told to try the second generation first."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.operator import manifest
from tests.support.team_v2 import JudgeV2, TeamV2


@pytest.fixture(scope="module")
def flags() -> Sequence[str]:
    """V2 before V1."""
    return ("--first-api", "V2")


def test_nobody_asks_v1(team: TeamV2) -> None:
    team.apply(manifest())
    found = team.until("mixtral", "Serving")
    assert found["status"]["api"] == "V2"
    JudgeV2.of(team).one(found)
    assert team.of_v1("POST") == []
    assert "MovedToV2" not in team.told()


def test_a_resource_that_asks_for_v1_has_it(team: TeamV2) -> None:
    team.apply(manifest(api="V1"))
    found = team.until("mixtral", "Serving")
    assert found["status"]["api"] == "V1"
    assert team.homes() == []


def looks(team: TeamV2) -> tuple[list[float], list[float], int]:
    """When each generation was listed, and how much else was asked of Together."""
    asked = team.of_v1("GET", path="/")
    lists = [r for r in asked if r["path"].endswith("/endpoints")]
    of_v1 = [r["at"] for r in lists if r["path"] == "/v1/endpoints"]
    of_v2 = [r["at"] for r in lists if r["path"] != "/v1/endpoints"]
    return of_v1, of_v2, len(asked) - len(lists)


def test_one_key_for_both_costs_one_look_at_each(team: TeamV2) -> None:
    team.apply(manifest("first", api="V1"))
    team.apply(manifest("second"))
    team.until("first", "Serving")
    team.until("second", "Serving")
    versions = {name: team.read(name) for name in ("first", "second")}
    before = looks(team)
    team.polled(8)
    after = looks(team)
    for old, new in zip(before[:2], after[:2], strict=True):
        seen = new[len(old) :]
        # An interval is a second, give or take a tenth; the first one may still be a short one.
        assert 4 <= len(seen) <= (seen[-1] - seen[0]) / 0.85 + 3, seen
    assert after[2] == before[2]
    for name, version in versions.items():
        assert version is not None
        assert team.history(name, after=version) == []
