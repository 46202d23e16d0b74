"""What somebody may be mending already stalls only when nobody has for a while (15 minutes).

External Secrets may be slower than the resource, and a change of tier takes its time at Together.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.operator import Object, manifest
from tests.support.team import Team

OURS = {
    "no-secret": "SecretMissing",
    "denied": "Unauthorized",
    "unpaid": "PaymentRequired",
}


@pytest.fixture(scope="module")
def flags() -> Sequence[str]:
    """The quarter of an hour lasts seven seconds."""
    return ("--time-scale", "130")


def stalled(found: Object) -> bool:
    return bool(conditions(found).get("Stalled", {}).get("status") == "True")


def test_nobody_came_to_mend_it(team: Team) -> None:
    bad = f"denied-key-of-{team.name}"
    team.secret(bad, "denied-secret")
    team.together.keys(deny=[bad])
    team.together.arm(
        {"method": "POST", "path_regex": "^/v1/endpoints$", "fault": "status", "status": 402,
         "times": -1}
    )  # fmt: skip
    team.apply(manifest("no-secret", apiKeySecretRef={"name": "not-there-yet"}))
    team.apply(manifest("denied", apiKeySecretRef={"name": "denied-secret"}))
    team.apply(manifest("unpaid"))
    for name, reason in OURS.items():
        failing = team.until(name, reason)
        assert_row(
            failing, reason,
            ready=False, available=False, reconciling=True, stalled=False, synced=False,
        )  # fmt: skip
        expect_health(Situation.CREDENTIAL_FAILING, failing)
    for name, reason in OURS.items():
        failed = team.awaits(name, "stalled", stalled)
        assert_row(
            failed, reason,
            ready=False, available=False, reconciling=False, stalled=True, synced=False,
        )  # fmt: skip
        expect_health(Situation.REFUSED, failed)
        waited = team.reasons(name)
        assert waited[-1] == reason
        # From the first such answer on it was called nothing else.
        assert waited.count(reason) == 1

    # It was asked all the while, and so goes on by itself when somebody comes.
    team.secret(team.key, "not-there-yet")
    team.together.keys(allow=[bad], projects={bad: team.name})
    team.together.clear_faults()
    for name in OURS:
        team.until(name, "Serving")
    assert len(team.live()) == 3


def test_what_serves_stalls_as_well_and_stays_available(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.polled(3)
    # A Secret is not watched: it is read, at most once a second, when somebody wants something.
    team.kubectl("delete", "secret", "together")
    team.annotate("mixtral", "reconcile-requested-at", "now")
    team.until("mixtral", "SecretMissing")
    failed = team.awaits("mixtral", "stalled", stalled)
    assert_row(
        failed, "SecretMissing",
        ready=False, available=True, reconciling=False, stalled=True, synced=False,
    )  # fmt: skip
    team.secret(team.key)
    team.until("mixtral", "Serving")
    assert team.patches() == []
