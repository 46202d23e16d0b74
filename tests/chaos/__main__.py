"""`make chaos`: many runs under crashes and faults, a table, JSON, and an exit code."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from tests.chaos.boundaries import MEASURED, write_down
from tests.chaos.boundary import Crash
from tests.chaos.campaign import on_a_control_plane
from tests.chaos.faults import FAULTS
from tests.chaos.mutations import MUTATIONS
from tests.chaos.plan import Plan, draw, every_crash, every_part
from tests.chaos.report import as_json, explain, show, totals
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.verdict import Verdict


def _told(verdict: Verdict) -> None:
    if not verdict.passed:
        explain(verdict)
        return
    crashes = ", ".join(verdict.reached) or "not killed"
    print(
        f"{verdict.seed:>8}  {verdict.api} {verdict.scenario} with {verdict.fault}: {crashes};"
        f" {verdict.converged:.1f} s, {verdict.seconds:.1f} s in all",
        flush=True,
    )


def main(
    runs: Annotated[int, typer.Option(help="How many runs.", min=1)] = 40,
    seed: Annotated[int, typer.Option(help="What all of them are drawn from.", min=0)] = 1,
    jobs: Annotated[
        int, typer.Option(help="Runs at a time; 0: by the number of processors.", min=0)
    ] = 0,
    one: Annotated[str, typer.Option(help="One run again, by its seed, such as 1:23.")] = "",
    scenario: Annotated[str, typer.Option(help="Only this scenario, and with --fault.")] = "",
    fault: Annotated[str, typer.Option(help="With --scenario: only with this fault.")] = "none",
    api: Annotated[str, typer.Option(help="Only this generation of Together's API.")] = "",
    crash: Annotated[
        list[str] | None, typer.Option(help="With --scenario: a crash, such as 'LABEL#1@before'.")
    ] = None,
    mutation: Annotated[
        str, typer.Option(help="Take a rule out of a copy of the operator, and see it caught; all.")
    ] = "",
    every: Annotated[
        bool,
        typer.Option("--every-crash", help="One run for every crash there is, in --seed's order."),
    ] = False,
    since: Annotated[int, typer.Option(help="With --every-crash: from this one on.", min=0)] = 0,
    until: Annotated[
        int | None, typer.Option(help="With --every-crash: up to this one, without it.", min=1)
    ] = None,
    boundaries: Annotated[
        bool,
        typer.Option(
            "--boundaries", help="Measure and write down the boundaries; of all, or --scenario."
        ),
    ] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write JSON there.")
    ] = None,
) -> None:
    """Drive the real operator through crashes and faults, and judge it by Together's books."""
    jobs = jobs or 2 * (os.cpu_count() or 1)
    if mutation:
        raise typer.Exit(_mutations(list(MUTATIONS) if mutation == "all" else [mutation], jobs))
    if one:
        plans = [draw(one)]
    elif every:
        numbers = range(len(every_crash()))[since:until]
        plans = [draw(f"{seed}:{2 * number}") for number in numbers]
    elif scenario:
        crashes = tuple(Crash.parse(text) for text in crash or ())
        delays = tuple(0.5 for _ in crashes)
        kind = FAULTS[fault]
        elected = kind.elected or kind.exclusive
        generation = api or SCENARIOS[scenario].apis[0]
        plans = [
            Plan(f"{seed}:{n}", scenario, fault, crashes, delays, elected, generation)
            for n in range(runs)
        ]
    else:
        drawn = (draw(f"{seed}:{number}") for number in itertools.count())
        fitting = (plan for plan in drawn if api in ("", plan.api))
        plans = list(itertools.islice(fitting, runs))
    if boundaries:
        parts = [part for part in every_part() if scenario in ("", part[0])]
        plans = [
            Plan(f"{seed}:{name}:{n}", name, api=part)
            for name, part in parts
            for n in range(MEASURED)
        ]
    began = time.monotonic()
    with on_a_control_plane(told=_told) as campaign:
        verdicts = campaign.go(plans, jobs)
        if every:
            verdicts += campaign.again(plans, verdicts, jobs)
    seconds = time.monotonic() - began
    if boundaries:
        write_down(verdicts)
    show(verdicts)
    found = totals(verdicts)
    if every:
        met = len({verdict.seed for verdict in verdicts if verdict.reached})
        print(f"{met} of {len(plans)} crashes took place")
    print(f"{found['passed']} of {found['runs']} runs passed, in {seconds:.0f} s, {jobs} at a time")
    if json_file is not None:
        about = {"seed": seed, "jobs": jobs, "seconds": round(seconds, 1)}
        json_file.write_text(as_json(verdicts, about) + "\n", encoding="utf-8")
    if found["passed"] < found["runs"]:
        raise typer.Exit(1)


def _mutations(names: list[str], jobs: int) -> int:
    """Take out one rule after the other; the exit code."""
    missed = 0
    with on_a_control_plane(told=lambda _: None) as campaign:
        for name in names:
            mutation = MUTATIONS[name]
            environment = mutation.apply(campaign.folder / name)
            verdicts = campaign.changed(environment).go(mutation.plans(name), jobs)
            caught = mutation.caught(verdicts)
            missed += not caught
            found = next((text for v in verdicts for text in v.problems), "nothing")
            print(f"rule {mutation.rule}, {mutation.about}: {'caught' if caught else 'MISSED'}")
            print(f"    {found[:200]}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    typer.run(main)
