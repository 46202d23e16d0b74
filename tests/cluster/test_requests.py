"""A person's request to look again now: what the slow readings would find only in an hour."""

from __future__ import annotations

from tests.support.operator import eventually, manifest
from tests.support.team import Team


def test_a_request_to_look_again_finds_drift_at_once(team: Team) -> None:
    team.apply(manifest(displayName="As I said"))
    serving = team.until("mixtral", "Serving")
    made = team.endpoint()
    team.together.force(made["id"], display_name="Somebody else's words")
    # Name and bounds are in no LIST, and the next reading is an hour away.
    team.polled(3)
    assert team.history(after=serving) == []

    team.annotate("mixtral", "reconcile-requested-at", "2026-01-01T00:00:00Z")
    eventually(
        "the name is back",
        lambda: team.endpoint()["display_name"] == made["display_name"],
        within=20,
    )
    team.until_told("DriftCorrected")
    told = team.awaits(
        "mixtral",
        "the request is answered",
        lambda it: it["status"].get("lastHandledReconcileAt") == "2026-01-01T00:00:00Z",
    )
    assert told["status"]["displayName"] == made["display_name"]
    # The annotation is the person's: it stays, and is acted on once.
    note = "together-operator.io/reconcile-requested-at"
    assert told["metadata"]["annotations"][note] == "2026-01-01T00:00:00Z"
    reads = len(team.requests("GET", f"/v1/endpoints/{made['id']}"))
    team.polled(3)
    assert len(team.requests("GET", f"/v1/endpoints/{made['id']}")) == reads


def test_a_request_that_is_years_old_is_as_good_as_any(team: Team) -> None:
    team.apply(manifest(annotations={"together-operator.io/reconcile-requested-at": "1999"}))
    told = team.until("mixtral", "Serving")
    assert told["status"]["lastHandledReconcileAt"] == "1999"


def test_a_request_to_start_what_runs_is_handled_by_its_running(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.annotate("mixtral", "restart-requested-at", "now")
    team.awaits("mixtral", "handled", lambda it: it["status"].get("lastHandledRestartAt") == "now")
    assert team.patches() == []
    team.together.force(team.endpoint()["id"], state="STOPPED")
    team.until("mixtral", "StoppedRemotely")
    team.polled(2)
    assert team.patches() == []


def test_a_request_of_any_length_is_handled_once(team: Team) -> None:
    long = "again " * 100
    team.apply(manifest(hardware="2x_no_such_thing"))
    refused = team.until("mixtral", "InvalidHardware")
    team.annotate("mixtral", "reconcile-requested-at", long)
    team.annotate("mixtral", "restart-requested-at", long)
    team.awaits("mixtral", "handled", lambda it: "lastHandledReconcileAt" in it["status"])
    assert refused["status"]["operation"]["phase"] == "Refused"
    team.polled(3)
    assert len(team.posts()) == 2, "each request is worth one more order"
    team.spec("mixtral", hardware="2x_nvidia_h100_80gb_sxm")
    team.until("mixtral", "Serving")

    # A start is asked for once, whichever process is asked.
    team.together.force(team.endpoint()["id"], state="STOPPED")
    team.until("mixtral", "StoppedRemotely")
    team.operator.stop()
    team.operator.start()
    team.polled(2)
    assert team.patches() == []
