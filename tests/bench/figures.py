"""Figures: what was measured, beside what was promised, as a table and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One measurement.

    Attributes:
        subject: What was looked at.
        what: What was counted or timed.
        value: The figure.
        unit: Its unit; empty for a plain number.
        budget: What was promised, for comparison. A time on a shared machine proves nothing, so
            nothing fails by it.
    """

    subject: str
    what: str
    value: float
    unit: str = ""
    budget: str = ""


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of all do not exceed.

    Args:
        values: At least one.
        share: Between 0 and 1.
    """
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def show(figures: Iterable[Figure]) -> None:
    """Print the figures as a table."""
    table = Table("", "", "measured", "promised", title="together-operator, measured")
    former = ""
    for figure in figures:
        if former and figure.subject != former:
            table.add_section()
        subject = figure.subject if figure.subject != former else ""
        former = figure.subject
        table.add_row(
            subject, figure.what, f"{figure.value:.4g} {figure.unit}".strip(), figure.budget
        )
    # In a log file nobody wants 80 columns.
    Console(width=max(Console().width, 110)).print(table)


def as_json(figures: Iterable[Figure], machine: Mapping[str, object]) -> str:
    """The figures as JSON.

    Args:
        figures: The figures.
        machine: Where they were taken.
    """
    content = {"machine": machine, "figures": [asdict(figure) for figure in figures]}
    return json.dumps(content, indent=2, ensure_ascii=False)
