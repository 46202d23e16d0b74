"""Changes to what exists, with everything that Together may make of them.

A change that comes at the wrong moment, has no answer or bounces the endpoint ends where the spec
wanted it, and is neither forgotten nor sent without end.
"""

from __future__ import annotations

import pytest

from tests.support.contract import assert_row, conditions
from tests.support.operator import eventually, manifest
from tests.support.team import Team

CHANGE = {"method": "PATCH", "path_regex": "^/v1/endpoints/"}


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "reset_after", "times": 1},
        {"fault": "reset_before", "times": 1},
        {"fault": "status", "status": 503, "times": 2},
        {"fault": "status", "status": 429, "headers": {"Retry-After": "2"}, "times": 1},
        {"fault": "status", "status": 502, "body": "<html>Bad Gateway</html>", "times": 1},
    ],
    ids=["lost answer", "never arrived", "503 twice", "429", "a page"],
)
def test_a_change_without_an_answer_is_carried_out(team: Team, fault: dict[str, object]) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.together.arm({**CHANGE, **fault})
    team.spec("mixtral", autoscaling={"minReplicas": 2})
    team.until("mixtral", "Serving")
    assert team.endpoint()["autoscaling"] == {"min_replicas": 2, "max_replicas": 2}
    assert len(team.patches()) <= int(str(fault["times"])) + 1
    assert "RemoteMissing" not in team.reasons()


@pytest.mark.parametrize("answer", ["conflict", "refuse"])
def test_a_change_that_comes_too_early_is_made_later(team: Team, answer: str) -> None:
    team.together.assume(patch_while_starting=answer)
    team.apply(manifest())
    eventually("it is ordered", team.live, within=20)
    team.spec("mixtral", displayName="Too early")
    team.until("mixtral", "Serving")
    assert team.endpoint()["display_name"].startswith("Too early tep-")
    assert not any(conditions(v)["Stalled"]["status"] == "True" for v in told(team))


def told(team: Team) -> list[dict[str, object]]:
    """The versions of the resource that have conditions."""
    return [version for version in team.history() if conditions(version)]


def test_one_that_bounces_is_asked_again_whether_it_answers(team: Team) -> None:
    team.together.assume(patch_bounces=True)
    team.apply(manifest())
    serving = team.until("mixtral", "Serving")
    probes = len(team.probes())
    team.spec("mixtral", autoscaling={"minReplicas": 2})
    again = team.until("mixtral", "Serving")
    states = [version["status"]["state"] for version in team.history(after=serving)]
    assert "STARTING" in states
    assert len(team.probes()) > probes
    assert again["status"]["replicas"] == 2
    assert team.patches() == [{"autoscaling": {"min_replicas": 2, "max_replicas": 2}}]


def test_replicas_are_waited_for_where_together_counts_them(team: Team) -> None:
    team.together.assume(extra_fields=True)
    team.apply(manifest())
    serving = team.until("mixtral", "Serving")
    assert serving["status"]["readyReplicas"] == 1
    team.kubectl("scale", "tep", "mixtral", "--replicas=3")
    scaling = team.awaits(
        "mixtral",
        "scaling",
        lambda it: it["status"]["replicas"] == 3 and it["status"]["readyReplicas"] == 1,
    )
    assert_row(
        scaling, "Scaling",
        ready=False, available=True, reconciling=True, stalled=False, synced=True,
    )  # fmt: skip
    scaled = team.until("mixtral", "Serving")
    assert scaled["status"]["readyReplicas"] == 3
    assert len(team.patches()) == 1


def test_stopped_before_it_ever_ran(team: Team) -> None:
    team.together.assume(starting_seconds=600)
    team.apply(manifest())
    team.awaits("mixtral", "STARTING", lambda it: it["status"].get("state") == "STARTING")
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    assert team.patches() == [{"state": "STOPPED"}]
    assert team.endpoint()["billed_cents"] == 0
    assert team.probes() == []


def test_started_while_it_stops(team: Team) -> None:
    team.together.assume(stopping_seconds=120)
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopping")
    team.until_remote("it stops", state="STOPPING")
    team.spec("mixtral", state="Started")
    team.until("mixtral", "Serving")
    assert team.patches() == [{"state": "STOPPED"}, {"state": "STARTED"}]
    assert len(team.posts()) == 1


def test_a_name_that_together_does_not_keep_is_not_sent_for_ever(team: Team) -> None:
    team.together.assume(display_names_kept=False)
    team.apply(manifest())
    serving = team.until("mixtral", "Serving")
    assert serving["status"]["operation"]["markersLost"] is True
    team.annotate("mixtral", "reconcile-requested-at", "now")
    team.awaits("mixtral", "looked again", lambda it: "lastHandledReconcileAt" in it["status"])
    team.polled(3)
    assert team.patches() == []
    team.until("mixtral", "Serving")
    team.delete()
    team.gone()
    assert team.live() == []


@pytest.mark.parametrize(
    "name",
    [
        "Größe  zwei \N{ROCKET} 模型",
        "a" * 63,
        "\N{FAMILY}" * 40,
        "ends with tep-",
        "-",
    ],
    ids=["unicode", "longest", "wide", "like a mark", "short"],
)
def test_any_name_that_is_accepted_is_set_once(team: Team, name: str) -> None:
    team.apply(manifest(state="Stopped"))
    team.until("mixtral", "Stopped")
    team.spec("mixtral", displayName=name)
    team.until("mixtral", "Stopped")
    team.polled(2)
    (renamed,) = team.patches()
    assert renamed["display_name"].startswith(name[:34])
    assert len(renamed["display_name"]) <= 63


@pytest.mark.parametrize(
    ("spec", "correction"),
    [
        ({"autoscaling": {"minReplicas": 200}}, {"autoscaling": {"minReplicas": 1}}),
        ({"inactiveTimeoutMinutes": 5000}, {"inactiveTimeoutMinutes": 0}),
    ],
    ids=["replicas", "timeout"],
)
def test_a_change_that_together_refuses_is_reported_and_can_be_taken_back(
    team: Team, spec: dict[str, object], correction: dict[str, object]
) -> None:
    team.together.assume(inactive_timeout_ceiling=1440)
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.spec("mixtral", **spec)
    refused = team.until("mixtral", "InvalidRequest")
    assert_row(
        refused, "InvalidRequest",
        ready=False, available=True, reconciling=False, stalled=True, synced=True,
    )  # fmt: skip
    assert "Together refused" in conditions(refused)["Stalled"]["message"]
    team.polled(3)
    assert len(team.patches()) == 1
    # Another process knows from the status that this was refused.
    team.operator.stop()
    team.operator.start()
    team.polled(2)
    assert len(team.patches()) == 1
    assert team.reason() == "InvalidRequest"
    team.spec("mixtral", **correction)
    team.until("mixtral", "Serving")
    assert len(team.patches()) == 1


@pytest.mark.parametrize(
    "spec",
    [{"autoscaling": {"minReplicas": 200}}, {"inactiveTimeoutMinutes": 5000}],
    ids=["replicas", "timeout"],
)
def test_an_order_that_together_refuses_can_be_corrected(
    team: Team, spec: dict[str, object]
) -> None:
    team.together.assume(inactive_timeout_ceiling=1440)
    team.apply(manifest(**spec))
    refused = team.until("mixtral", "InvalidRequest")
    assert "Together refused" in conditions(refused)["Stalled"]["message"]
    team.spec("mixtral", autoscaling={"minReplicas": 1}, inactiveTimeoutMinutes=1440)
    team.until("mixtral", "Serving")
    assert len(team.live()) == 1


def test_words_of_any_length_can_be_told(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    made = team.endpoint()["id"]
    team.spec("mixtral", suspend=True)
    team.together.force(
        made, display_name="d" * 256, name="n" * 700, owner="o" * 400, state="S" * 300
    )
    team.annotate("mixtral", "reconcile-requested-at", "now")
    told = team.awaits(
        "mixtral", "it is told", lambda it: it["status"].get("state", "").startswith("SSS")
    )
    status = told["status"]
    assert len(status["state"]) == len(status["owner"]) == len(status["displayName"]) == 253
    assert status["endpointID"] == made
    # What is cut would be another name: better none.
    assert "name" not in status
    assert "inference" not in status
    team.spec("mixtral", suspend=False)
    team.until_remote("the name is put back", state="S" * 300)
    team.delete()
    team.gone()
    assert team.live() == []
