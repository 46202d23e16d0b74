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


def test_one_key_for_both_costs_one_look_at_each(team: TeamV2) -> None:
    team.apply(manifest("first", api="V1"))
    team.apply(manifest("second"))
    team.until("first", "Serving")
    team.until("second", "Serving")
    polls = team.lists()
    of_v1 = [r for r in team.of_v1("GET") if r["path"] == "/v1/endpoints"]
    before = len(polls), len(of_v1)
    versions = {name: team.read(name) for name in ("first", "second")}
    others = len(team.requests()) - before[0] + len(team.of_v1()) - before[1]

    team.polled(6)
    after = team.lists()
    of_v1 = [r for r in team.of_v1("GET") if r["path"] == "/v1/endpoints"]
    for seen in (after[before[0] :], of_v1[before[1] :]):
        seconds = after[-1]["at"] - polls[-1]["at"]
        # An interval is a second, and no two looks are closer than that but for jitter.
        assert 3 <= len(seen) <= seconds / 0.75 + 2, (len(seen), seconds)
    assert len(team.requests()) - len(after) + len(team.of_v1()) - len(of_v1) == others
    for name, version in versions.items():
        assert version is not None
        assert team.history(name, after=version) == []
