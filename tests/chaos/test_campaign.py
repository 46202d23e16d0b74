"""A part of the campaign that is the same each time; `make chaos` has the whole of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.boundary import Crash, Point
from tests.chaos.campaign import Campaign, install_crd
from tests.chaos.faults import FAULTS
from tests.chaos.mutations import MUTATIONS
from tests.chaos.plan import draw, every_crash, every_part
from tests.chaos.report import explain, show, totals
from tests.chaos.scenarios import SCENARIOS
from together_local.cluster.cluster import Cluster

RUNS = 40
SEED = 1
JOBS = 4


@pytest.mark.timeout(900)
def test_forty_runs_leave_nothing_twice_nothing_behind_and_nothing_lost(
    control_plane: Cluster, helm_binary: Path, tmp_path: Path
) -> None:
    install_crd(control_plane)
    campaign = Campaign(control_plane, helm_binary, tmp_path)
    verdicts = campaign.go([draw(f"{SEED}:{number}") for number in range(RUNS)], JOBS)
    show(verdicts)
    for verdict in verdicts:
        if not verdict.passed:
            explain(verdict)
    found = totals(verdicts)
    assert found["passed"] == RUNS, found
    # The operator was killed where it was to be, or this would prove little.
    assert found["kills"] >= RUNS // 2, found


def test_a_seed_is_the_same_run_for_ever() -> None:
    seeds = [f"{campaign}:{number}" for campaign in (1, 2) for number in range(200)]
    plans = [draw(seed) for seed in seeds]
    assert plans == [draw(seed) for seed in seeds]
    assert {(plan.scenario, plan.api) for plan in plans} == set(every_part())
    for campaign in (1, 2):
        here = [plan for plan in plans if plan.seed.startswith(f"{campaign}:")]
        of_v2 = sum(plan.api == "V2" for plan in here)
        assert 0.4 < of_v2 / len(here) < 0.6
    assert len(set(map(str, plans))) == len(plans)


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_rule_that_is_taken_out_is_still_there(name: str, tmp_path: Path) -> None:
    """`make chaos-mutations` runs without each of them, and has to find what is wrong then."""
    mutation = MUTATIONS[name]
    mutation.apply(tmp_path / "copy")
    assert mutation.scenario in SCENARIOS
    assert mutation.fault in FAULTS


@pytest.mark.timeout(400)
def test_an_order_that_is_repeated_is_noticed(
    control_plane: Cluster, helm_binary: Path, tmp_path: Path
) -> None:
    """Rule 5 is of the process, not of the decision, so only a campaign shows that it holds."""
    install_crd(control_plane)
    mutation = MUTATIONS["order-repeated"]
    environment = mutation.apply(tmp_path / "copy")
    campaign = Campaign(control_plane, helm_binary, tmp_path, environment)
    assert mutation.caught(campaign.go(mutation.plans("order-repeated"), 1))


def test_every_crash_has_its_turn() -> None:
    """Each boundary of each scenario, at each point, in the even runs of any campaign."""
    crashes = every_crash()
    drawn = [draw(f"5:{2 * number}") for number in range(len(crashes))]
    assert {(plan.scenario, plan.api, plan.crashes[0]) for plan in drawn} == set(crashes)
    assert {crash.point for _, _, crash in crashes} == set(Point)
    for _, _, crash in crashes:
        assert Crash.parse(str(crash)) == crash
