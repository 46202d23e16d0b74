"""The rows of the conditions' table that no other test brings about, each as tools read it.

Every version of every resource that any cluster test sees is held against the table as well: by
the harness, when its operator ends.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.operator import manifest
from tests.support.team import Team


@pytest.fixture(scope="module")
def flags() -> Sequence[str]:
    """Three polls without an answer take a few seconds."""
    return ("--poll-interval", "0.4")


EVERYTHING = {"path_regex": "^/v1/endpoints", "fault": "status", "status": 503, "times": -1}


def test_a_resource_that_nobody_has_seen_is_in_progress(team: Team) -> None:
    team.operator.stop()
    team.apply(manifest())
    found = team.read()
    assert found is not None
    assert found["status"] == {"observedGeneration": -1}
    expect_health(Situation.NOT_SEEN, found)
    waited = team.kubectl(
        "wait", "--for=condition=Ready", "tep/mixtral", "--timeout=1s", check=False
    )
    assert "timed out" in waited
    team.operator.start()
    team.until("mixtral", "Serving")


def test_a_changed_resource_is_in_progress_until_it_has_been_looked_at(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.operator.stop()
    team.spec("mixtral", displayName="Unseen")
    found = team.read()
    assert found is not None
    assert found["status"]["observedGeneration"] < found["metadata"]["generation"]
    expect_health(Situation.CHANGING, found)
    # What still says Ready speaks of the generation before, and kubectl knows.
    waited = team.kubectl(
        "wait", "--for=condition=Ready", "tep/mixtral", "--timeout=1s", check=False
    )
    assert "timed out" in waited
    team.operator.start()
    team.until("mixtral", "Serving")
    assert [list(body) for body in team.patches()] == [["display_name"]]
    assert len(team.posts()) == 1


def test_together_does_not_answer(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.together.arm(EVERYTHING)
    # Nothing is pending: what is known is kept, and only Synced tells.
    quiet = team.awaits(
        "mixtral", "not synced", lambda it: conditions(it)["Synced"]["status"] == "False"
    )
    assert_row(
        quiet, "Serving", why="Unreachable",
        ready=True, available=True, reconciling=False, stalled=False, synced=False,
    )  # fmt: skip
    expect_health(Situation.UNREACHABLE, quiet)
    assert "Together" in conditions(quiet)["Synced"]["message"]
    assert team.columns()["READY"] == "True"

    # With a wish it is the operator's turn.
    team.spec("mixtral", displayName="Later")
    pending = team.until("mixtral", "Unreachable")
    assert_row(
        pending, "Unreachable",
        ready=False, available=True, reconciling=True, stalled=False, synced=False,
    )  # fmt: skip
    expect_health(Situation.UNREACHABLE_CHANGING, pending)

    team.together.clear_faults()
    back = team.until("mixtral", "Serving")
    assert_row(
        back, "Serving",
        ready=True, available=True, reconciling=False, stalled=False, synced=True,
    )  # fmt: skip
    assert team.endpoint()["display_name"].startswith("Later tep-")
    assert len(team.posts()) == 1


def test_a_short_silence_is_not_worth_a_word(team: Team) -> None:
    team.apply(manifest())
    serving = team.until("mixtral", "Serving")
    # Two whole LISTs, each with its repetitions, have no answer.
    team.together.arm({**EVERYTHING, "times": 7})
    team.polled(10)
    assert team.together.faults()[0]["hits"] == 7
    assert team.history(after=serving) == []


def test_a_create_without_a_clear_answer_is_settled(team: Team) -> None:
    team.together.arm(
        {"method": "POST", "path_regex": "^/v1/endpoints$", "fault": "reset_after", "times": 1},
        {"method": "GET", "fault": "hide_in_list", "seconds": 3, "times": -1},
    )
    team.apply(manifest())
    claiming = team.until("mixtral", "Claiming")
    assert_row(
        claiming, "Claiming",
        ready=False, available=False, reconciling=True, stalled=False, synced=True,
    )  # fmt: skip
    expect_health(Situation.CLAIMING, claiming)
    serving = team.until("mixtral", "Serving")
    assert serving["status"]["endpointID"] == team.endpoint()["id"]
    assert len(team.posts()) == len(team.endpoints()) == 1
    team.until_told("CreateUnclear")
    team.until_told("EndpointClaimed")


def test_a_key_that_is_denied_later_leaves_what_runs_available(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.together.keys(deny=[team.key])
    denied = team.until("mixtral", "Unauthorized")
    assert_row(
        denied, "Unauthorized",
        ready=False, available=True, reconciling=True, stalled=False, synced=False,
    )  # fmt: skip
    expect_health(Situation.CREDENTIAL_FAILING, denied)
    team.together.keys(allow=[team.key])
    team.until("mixtral", "Serving")
    assert team.patches() == []


def test_a_secret_that_goes_missing_leaves_what_runs_available(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.polled(3)
    # A Secret is not watched: it is read, at most once a second, when somebody wants something.
    team.kubectl("delete", "secret", "together")
    team.annotate("mixtral", "reconcile-requested-at", "now")
    missing = team.until("mixtral", "SecretMissing")
    assert_row(
        missing, "SecretMissing",
        ready=False, available=True, reconciling=True, stalled=False, synced=False,
    )  # fmt: skip
    expect_health(Situation.CREDENTIAL_FAILING, missing)
    # It is observed all the same, with the copy of the key.
    team.together.force(team.endpoint()["id"], state="STOPPED")
    seen = team.awaits("mixtral", "STOPPED", lambda it: it["status"]["state"] == "STOPPED")
    assert conditions(seen)["Available"]["status"] == "False"
    team.secret(team.key)
    team.until("mixtral", "StoppedRemotely")
