"""A part of the campaign that is the same each time; `make chaos` has the whole of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple, cast

import pytest

from tests.chaos import campaign
from tests.chaos.boundary import Crash, Point
from tests.chaos.campaign import Campaign
from tests.chaos.faults import FAULTS
from tests.chaos.mutations import MUTATIONS
from tests.chaos.plan import Plan, draw, every_crash, every_part
from tests.chaos.report import explain, show, totals
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.verdict import Verdict
from tests.support.definition import define
from together_local.cluster.cluster import Cluster

RUNS = 40
SEED = 1
JOBS = 4


@pytest.mark.timeout(900)
def test_forty_runs_leave_nothing_twice_nothing_behind_and_nothing_lost(
    control_plane: Cluster, helm_binary: Path, tmp_path: Path
) -> None:
    define(control_plane.kubectl)
    verdicts = Campaign(control_plane, helm_binary, tmp_path).go(
        [draw(f"{SEED}:{number}") for number in range(RUNS)], JOBS
    )
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
    for number in (1, 2):
        here = [plan for plan in plans if plan.seed.startswith(f"{number}:")]
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
    define(control_plane.kubectl)
    mutation = MUTATIONS["order-repeated"]
    environment = mutation.apply(tmp_path / "copy")
    changed = Campaign(control_plane, helm_binary, tmp_path, environment)
    assert mutation.caught(changed.go(mutation.plans("order-repeated"), 1))


class Plane(NamedTuple):
    """What stands for a control plane."""

    name: str
    kubectl: None = None


def test_a_run_that_spoils_its_control_plane_takes_no_other_with_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    planes: list[str] = []
    spoiled: set[Plane] = set()

    @contextmanager
    def start(folder: Path, binaries: object) -> Iterator[Plane]:
        planes.append(folder.name)
        yield Plane(folder.name)

    @contextmanager
    def staged(plane: Plane, *_: object, **__: object) -> Iterator[Plane]:
        if plane in spoiled:
            raise RuntimeError("nothing answers")
        yield plane

    def perform(plane: Plane, plan: Plan) -> Verdict:
        verdict = Verdict(plan.seed, plan.scenario, plan.fault, converged=0.0)
        if plan.seed in ("9:1", "9:3"):
            spoiled.add(plane)
            verdict.others.append("the API server is gone for good")
        return verdict

    monkeypatch.setattr(campaign.ControlPlane, "start", start)
    monkeypatch.setattr(campaign, "define", lambda _: None)
    monkeypatch.setattr(campaign, "staged", staged)
    monkeypatch.setattr(campaign, "perform", perform)
    plans = [Plan(f"9:{n}", "scale", "etcd-paused", elected=n % 2 == 0) for n in range(8)]
    shared = cast("Cluster", SimpleNamespace(binaries=None, kubectl=None))
    verdicts = Campaign(shared, Path("helm"), tmp_path).go(plans, 1)
    assert [v.seed for v in verdicts if not v.passed] == ["9:1", "9:3"]
    assert len(planes) == 3


def test_a_crash_that_did_not_take_place_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    plans = [Plan(f"9:{n}", "scale", crashes=(Crash("a", 1, Point.BEFORE),)) for n in range(4)]
    played: list[str] = []
    folders: set[Path] = set()

    def go(self: Campaign, plans: Sequence[Plan], jobs: int) -> list[Verdict]:
        assert self.folder not in folders, "a former operator's log would be read as this one's"
        folders.add(self.folder)
        verdicts = [Verdict(plan.seed, plan.scenario, plan.fault, converged=0.0) for plan in plans]
        for verdict in verdicts:
            played.append(verdict.seed)
            if verdict.seed == "9:0" or played.count(verdict.seed) == 2:
                verdict.reached.append("a#1@before")
            if verdict.seed == "9:3":
                verdict.others.append("it went wrong")
        return verdicts

    monkeypatch.setattr(Campaign, "go", go)
    shared = cast("Cluster", SimpleNamespace(binaries=None, kubectl=None))
    had = Campaign(shared, Path("helm"), tmp_path)
    again = had.again(plans, had.go(plans, 1), 1)
    assert [verdict.seed for verdict in again] == ["9:1", "9:2"]
    assert all(verdict.reached for verdict in again)


def test_every_crash_has_its_turn() -> None:
    """Each boundary of each scenario, at each point, in the even runs of any campaign."""
    crashes = every_crash()
    drawn = [draw(f"5:{2 * number}") for number in range(len(crashes))]
    assert {(plan.scenario, plan.api, plan.crashes[0]) for plan in drawn} == set(crashes)
    assert {crash.point for _, _, crash in crashes} == set(Point)
    for _, _, crash in crashes:
        assert Crash.parse(str(crash)) == crash
