"""What a campaign prints: a table of what happened how often, and JSON of everything."""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tests.chaos.verdict import Verdict

KINDS: Final = ("duplicates", "leaks", "lost", "wrong_stops", "wrong_starts", "keys", "others")


def show(verdicts: Sequence[Verdict], console: Console | None = None) -> None:
    """Print the table: one row for each scenario with each fault.

    Args:
        verdicts: What became of each run.
        console: Where to print.
    """
    console = console or Console(width=132)
    table = Table(title="Runs by scenario and fault")
    for head in ("api", "scenario", "fault"):
        table.add_column(head)
    for head in ("runs", "kills", *(kind.replace("_", " ") for kind in KINDS), "slowest s"):
        table.add_column(head, justify="right")
    rows: dict[tuple[str, str, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        rows[verdict.api, verdict.scenario, verdict.fault].append(verdict)
    for titles, those in sorted(rows.items()):
        table.add_row(*titles, *_cells(those))
    table.add_section()
    for api in sorted({verdict.api for verdict in verdicts}):
        table.add_row(api, "all", "", *_cells([v for v in verdicts if v.api == api]))
    table.add_row("all", "", "", *_cells(verdicts))
    console.print(table)


def _cells(verdicts: Sequence[Verdict]) -> list[str]:
    slowest = max((v.converged for v in verdicts if v.converged is not None), default=None)
    return [
        str(len(verdicts)),
        str(sum(len(v.reached) for v in verdicts)),
        *(str(sum(len(getattr(v, kind)) for v in verdicts)) for kind in KINDS),
        "-" if slowest is None else f"{slowest:.1f}",
    ]


def totals(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """How many of each thing that can be wrong there were, and of runs that passed."""
    verdicts = list(verdicts)
    found = {kind: sum(len(getattr(v, kind)) for v in verdicts) for kind in KINDS}
    return {
        "runs": len(verdicts),
        "passed": sum(v.passed for v in verdicts),
        "kills": sum(len(v.reached) for v in verdicts),
        **found,
    }


def as_json(verdicts: Sequence[Verdict], about: dict[str, Any]) -> str:
    """Everything, for machines.

    Args:
        verdicts: What became of each run.
        about: What else there is to tell of the campaign.
    """
    runs = [dataclasses.asdict(v) for v in verdicts]
    for run, verdict in zip(runs, verdicts, strict=True):
        run["passed"] = verdict.passed
        if verdict.passed:
            del run["notes"]
    return json.dumps({**about, "totals": totals(verdicts), "runs": runs}, indent=1)


def explain(verdict: Verdict) -> None:
    """Print what a person needs to understand a run that has not passed."""
    title = f"{verdict.api} {verdict.scenario}"
    print(f"=== {verdict.seed}: {title} with {verdict.fault} FAILED", flush=True)
    for text in (*verdict.problems, *verdict.notes):
        print(text)
    print(f"=== again: make chaos ONE={verdict.seed}", flush=True)
