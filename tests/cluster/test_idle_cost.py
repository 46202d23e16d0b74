"""The bar: what 200 resources cost while nothing happens, and when the operator is restarted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.measure import (
    all_serve,
    at_rest,
    kubernetes_writes,
    many,
    reconciles,
    samples,
    versions,
)
from tests.support.operator import OperatorProcess, eventually
from tests.support.running import running_operator
from tests.support.team import Team
from together_local.cluster.cluster import Cluster
from together_local.simulator.accounts import key_id

pytestmark = pytest.mark.timeout(600)

EACH = 100
INTERVAL = 5
WATCHED_SECONDS = 60
NAMES = [f"idle-{number}" for number in range(EACH)]


@pytest.fixture(scope="module")
def teams(
    control_plane: Cluster, helm_binary: Path, crd: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Team]]:
    """Two keys with 100 resources each, all of them serving."""
    with running_operator(
        control_plane,
        helm_binary,
        tmp_path_factory.mktemp("idle"),
        spaces=2,
        secret=False,
        # Name and bounds are read again every so often; that is for another test.
        flags=("--poll-interval", str(INTERVAL), "--drift-interval", "1000000"),
    ) as operator:
        found = [Team(operator, space) for space in operator.spaces]
        for team in found:
            team.secret(team.key)
            many(team, NAMES)
        for team in found:
            all_serve(team, NAMES)
        yield found


def test_nothing_happens_and_nothing_is_done(teams: list[Team]) -> None:
    operator = teams[0].operator
    at_rest(operator, INTERVAL)
    writes, worked = kubernetes_writes(operator), reconciles(operator)
    before = versions(operator.spaces)
    began = time.time()
    time.sleep(WATCHED_SECONDS)
    ended = time.time()

    requests = [r for r in operator.simulator.admin.ledger(began)["requests"] if r["at"] < ended]
    for team in teams:
        mine = [r for r in requests if r["key_id"] == key_id(team.key)]
        assert {(r["method"], r["path"]) for r in mine} == {("GET", "/v1/endpoints")}
        # One more than fit between the first and the last.
        assert 5 <= len(mine) <= WATCHED_SECONDS / INTERVAL + 1, len(mine)
    assert {r["key_id"] for r in requests} == {key_id(team.key) for team in teams}
    assert kubernetes_writes(operator) == writes
    assert versions(operator.spaces) == before
    assert len(before) == 2 * EACH
    assert reconciles(operator) == worked


def test_a_restart_writes_nothing(teams: list[Team]) -> None:
    operator = teams[0].operator
    at_rest(operator, INTERVAL)
    before = versions(operator.spaces)
    operator.stop()
    began = time.time()
    operator.start()
    eventually(
        "every resource has been looked at", lambda: reconciles(operator, "resume") >= 2 * EACH
    )
    at_rest(operator, INTERVAL)

    since = operator.simulator.admin.ledger(began)["requests"]
    assert {(r["method"], r["path"]) for r in since} == {("GET", "/v1/endpoints")}
    assert versions(operator.spaces) == before
    assert kubernetes_writes(operator) == {}
    assert per_hour(operator) == 2 * EACH * 10.80


def per_hour(operator: OperatorProcess) -> float:
    """What the operator says that everything costs per hour."""
    found = samples(operator.metrics(), "together_operator_price_per_hour_usd")
    return round(sum(value for _, value in found), 2)
