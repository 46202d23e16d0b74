"""Argo CD's health over the statuses that the real operator wrote in this run's cluster tests.

Each was held against the contract where it was seen (`expect_health`); here it is about those that
were never seen.
"""

from __future__ import annotations

from tests.support.argo_health import Situation, seen


def test_every_situation_was_seen_for_real() -> None:
    missing = sorted(set(Situation) - seen)
    assert not missing, (
        "no cluster test called expect_health() for these situations, or the one that does failed: "
        + ", ".join(missing)
    )
