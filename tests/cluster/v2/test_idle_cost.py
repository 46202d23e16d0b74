"""What resources of both generations behind one key cost while nothing happens."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.measure import all_serve, at_rest, kubernetes_writes, many, reconciles, versions
from tests.support.operator import eventually
from tests.support.running import running_operator
from tests.support.team_v2 import TeamV2
from together_local.cluster.cluster import Cluster

pytestmark = pytest.mark.timeout(600)

INTERVAL = 3
WATCHED_SECONDS = 24
OF_V2 = [f"of-v2-{number}" for number in range(30)]
OF_V1 = [f"of-v1-{number}" for number in range(5)]


@pytest.fixture(scope="module")
def team(
    control_plane: Cluster, helm_binary: Path, crd: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TeamV2]:
    """One key with resources of each generation, all of them serving."""
    with running_operator(
        control_plane,
        helm_binary,
        tmp_path_factory.mktemp("idle"),
        secret=False,
        flags=("--poll-interval", str(INTERVAL), "--drift-interval", "1000000"),
    ) as operator:
        found = TeamV2(operator, operator.space)
        found.secret(found.key)
        many(found, OF_V2, api="V2")
        many(found, OF_V1, api="V1")
        all_serve(found, [*OF_V2, *OF_V1])
        yield found


def test_nothing_happens_and_nothing_is_done(team: TeamV2) -> None:
    at_rest(team.operator, INTERVAL)
    writes, worked = kubernetes_writes(team.operator), reconciles(team.operator)
    before = versions(team.operator.spaces)
    began = time.time()
    time.sleep(WATCHED_SECONDS)
    ended = time.time()

    asked = [r for r in team.of_v1(path="/") if began < r["at"] < ended]
    assert {r["method"] for r in asked} == {"GET"}
    paths = [r["path"] for r in asked]
    (home,) = {path for path in paths if path.startswith("/v2/")}
    assert home.endswith("/endpoints")
    assert set(paths) == {"/v1/endpoints", home}
    for path in ("/v1/endpoints", home):
        # One more than fit between the first and the last.
        assert 3 <= paths.count(path) <= WATCHED_SECONDS / INTERVAL + 2, paths
    assert kubernetes_writes(team.operator) == writes
    assert versions(team.operator.spaces) == before
    assert len(before) == len(OF_V1) + len(OF_V2)
    assert reconciles(team.operator) == worked


def test_a_restart_writes_nothing(team: TeamV2) -> None:
    at_rest(team.operator, INTERVAL)
    before, everything = versions(team.operator.spaces), len(OF_V1) + len(OF_V2)
    team.operator.stop()
    began = time.time()
    team.operator.start()
    eventually(
        "every resource has been looked at",
        lambda: reconciles(team.operator, "resume") >= everything,
    )
    at_rest(team.operator, INTERVAL)
    asked = [r for r in team.of_v1(path="/") if r["at"] > began]
    assert {r["method"] for r in asked} == {"GET"}
    others = [r["path"] for r in asked if not r["path"].endswith("/endpoints")]
    # What is asked besides is asked once for the key, never once for each resource.
    assert len(others) == len(set(others)) <= 4, others
    assert versions(team.operator.spaces) == before
    assert kubernetes_writes(team.operator) == {}
