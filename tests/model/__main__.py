"""`make model`: the decision that ships, explored; a table of what was visited.

`make model STATES=200000 JOBS=1 MIX="two operators"` explores less, or one mix only;
`make model MUTATIONS=1` takes each rule out in turn and shows what notices.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from .exploring import explore, named, shares
from .mixes import MIXES
from .mutations import ELSEWHERE, ENOUGH, MUTATIONS, try_out


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--states", type=int, default=1_200_000, help="in all, at most")
    parser.add_argument("--samples", type=int, default=100, help="frontier states played to rest")
    parser.add_argument("--jobs", type=int, default=0, help="at a time; 0: one per core")
    parser.add_argument("--mix", default="", help="only this one")
    parser.add_argument("--json", type=Path, help="write the figures there as well")
    parser.add_argument("--mutations", action="store_true", help="remove each rule in turn")
    return parser.parse_args()


def main() -> int:
    """Explore, and say what was found."""
    wanted = _arguments()
    return _mutations() if wanted.mutations else _explore(wanted)


def _explore(wanted: argparse.Namespace) -> int:
    mixes = [mix for mix in MIXES if wanted.mix in ("", mix.name)]
    if not mixes:
        print(f"There is no mix '{wanted.mix}'; there are: {', '.join(m.name for m in MIXES)}")
        return 2
    began = time.monotonic()
    jobs = sorted(shares(mixes, wanted.states).items(), key=lambda job: -job[1])
    print(f"{'mix':22}{'states':>10}{'longest':>9}{'time':>9}  {'':9}violations")
    figures, broken = [], []
    with get_context("spawn").Pool(wanted.jobs or os.cpu_count(), maxtasksperchild=1) as pool:
        for name, result, story in pool.imap_unordered(partial(explore, wanted.samples), jobs):
            extent = "complete" if result.complete else ""
            print(
                f"{name:22}{result.states:10,}{result.depth:9}{result.seconds:8.0f}s"
                f"  {extent:9}{result.violation or '0'}",
                flush=True,
            )
            figures.append(
                {
                    "mix": name, "about": named(name).about, "states": result.states,
                    "complete": result.complete, "longest": result.depth,
                    "seconds": round(result.seconds, 1), "violation": result.violation,
                }
            )  # fmt: skip
            if story:
                broken.append(story)
    states = sum(figure["states"] for figure in figures)
    seconds = time.monotonic() - began
    print(f"{'in all':22}{states:10,}{'':9}{seconds:8.0f}s  {'':9}{len(broken)}")
    if wanted.json:
        wanted.json.write_text(json.dumps({"states": states, "mixes": figures}, indent=2))
    for story in broken:
        print(f"\n{story}")
    return 1 if broken else 0


def _mutations() -> int:
    """Show for each rule what notices that it is gone."""
    print("| Rule | What is left out | Noticed in the mix | By |\n|---|---|---|---|")
    missed = 0
    for mutation in MUTATIONS:
        result = try_out(mutation, ENOUGH)
        missed += result.violation is None
        found = result.violation or "NOT NOTICED"
        print(f"| {mutation.rule} | {mutation.about} | {mutation.mix} | {found} |", flush=True)
    for rule, about, where in ELSEWHERE:
        print(f"| {rule} | {about} | | {where} |")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
