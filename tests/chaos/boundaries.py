"""Every request that the operator sends in each scenario when nothing goes wrong, and how often.

They are written down, so that a run is drawn from its seed alone; `make chaos-boundaries` measures
them anew. What is sent by the clock is not counted beyond a few times. It also makes one run differ
from the next, so each scenario is measured several times, and what came in any of them counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.chaos.verdict import Verdict

_FILE: Final = Path(__file__).with_name("boundaries.json")
_MOST: Final = {"LIST": 2, "GET": 3, "WATCH": 1}
"""How many of a verb are different moments; of the others, all are."""

MEASURED: Final = 3
"""How often each scenario is played for it."""

BOUNDARIES: Final[dict[str, dict[str, int]]] = json.loads(_FILE.read_text(encoding="utf-8"))
"""By generation and scenario, then by label: how often."""


def of(scenario: str, api: str) -> list[tuple[str, int]]:
    """Every boundary of a scenario, by label and number; of what is not measured yet, nothing.

    Args:
        scenario: The scenario, by name.
        api: The generation of Together's API in which it is played.
    """
    labels = BOUNDARIES.get(f"{api} {scenario}", {})
    return [(label, nth) for label, times in labels.items() for nth in range(1, times + 1)]


def write_down(verdicts: Iterable[Verdict]) -> None:
    """Keep what was measured.

    Args:
        verdicts: Runs of scenarios with nothing going wrong.
    """
    measured: dict[str, dict[str, int]] = {}
    for verdict in verdicts:
        labels = measured.setdefault(f"{verdict.api} {verdict.scenario}", {})
        for label, times in verdict.counts.items():
            most = min(times, _MOST.get(label.split()[1], times))
            labels[label] = max(most, labels.get(label, 0))
    known = BOUNDARIES | {title: dict(sorted(labels.items())) for title, labels in measured.items()}
    text = json.dumps(dict(sorted(known.items())), indent=1)
    _FILE.write_text(text + "\n", encoding="utf-8")
