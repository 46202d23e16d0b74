"""The rows of the contract that tests of both generations come to."""

from __future__ import annotations

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.manifests import Object


def assert_serving(found: Object) -> None:
    """It serves, and nothing is under way."""
    assert_row(
        found, "Serving", ready=True, available=True, reconciling=False, stalled=False, synced=True
    )


def assert_refused(found: Object, reason: str) -> str:
    """A definite refusal: somebody must act; the message, which says how."""
    assert_row(
        found, reason, ready=False, available=False, reconciling=False, stalled=True, synced=True
    )
    expect_health(Situation.REFUSED, found)
    return str(conditions(found)["Stalled"]["message"])
