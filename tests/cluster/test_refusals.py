"""Every way in which Together, or the cluster, says no: what a person reads, and what it costs.

A definite refusal is `Stalled` at once, with what would help in its message, and can be corrected
in place. What passes by itself is `Reconciling` and needs nobody. Nothing is ever ordered twice.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.argo_health import Situation, expect_health
from tests.support.contract import assert_row, conditions
from tests.support.operator import MODEL, Object, eventually, manifest
from tests.support.rows import assert_refused
from tests.support.team import Team

ORDER = {"method": "POST", "path_regex": "^/v1/endpoints$"}


def assert_waiting(found: Object, reason: str, *, synced: bool = True) -> str:
    """A refusal that passes: the operator tries again by itself; the message."""
    assert_row(
        found, reason, ready=False, available=False, reconciling=True, stalled=False, synced=synced
    )
    return str(conditions(found)["Reconciling"]["message"])


def assert_quiet(team: Team, found: Object) -> None:
    """A refusal is told once and then neither asked nor told again."""
    orders = len(team.posts())
    team.polled(3)
    assert len(team.posts()) == orders
    assert team.history(found["metadata"]["name"], after=found) == []


@pytest.mark.parametrize(
    ("spec", "reason", "said", "correction"),
    [
        pytest.param(
            {"hardware": "2x_nvidia_h100_80gb_xsm"},
            "InvalidHardware",
            # What would do instead, with its price and availability, the cheapest first.
            f"{MODEL} can use: 1x_nvidia_h200_140gb_sxm ($6.60/h, available), "
            "1x_nvidia_b200_180gb_sxm ($9.00/h, available), "
            "2x_nvidia_h100_80gb_sxm ($10.80/h, available), ",
            {"hardware": "2x_nvidia_h100_80gb_sxm"},
            id="unknown hardware",
        ),
        pytest.param(
            {"hardware": "8x_nvidia_b200_180gb_sxm"},
            "InvalidHardware",
            "4x_nvidia_b200_180gb_sxm ($36.00/h, available)",
            {"hardware": "2x_nvidia_h100_80gb_sxm"},
            id="hardware that the model cannot use",
        ),
        pytest.param(
            {"model": "mistralai/Mixtral-8x7B-Instruct-v9"},
            "InvalidModel",
            "correct spec.model",
            {"model": MODEL},
            id="unknown model",
        ),
        pytest.param(
            {"availabilityZone": "us-central-4z"},
            "InvalidZone",
            "us-central-4b, us-east-1a, us-west-2b",
            {"availabilityZone": "us-central-4b"},
            id="unknown zone",
        ),
        pytest.param(
            {"availabilityZone": "us-west-2b", "hardware": "2x_nvidia_b200_180gb_sxm"},
            "InvalidZone",
            "us-central-4b",
            {"availabilityZone": None},
            id="zone without that hardware",
        ),
    ],
)
def test_a_mistake_is_refused_with_advice_and_corrected_in_place(
    team: Team, spec: dict[str, Any], reason: str, said: str, correction: dict[str, Any]
) -> None:
    team.apply(manifest(**spec))
    refused = team.until("mixtral", reason)
    message = assert_refused(refused, reason)
    assert said in message
    assert "endpointID" not in refused["status"]
    assert refused["status"]["operation"]["phase"] == "Refused"
    assert team.columns()["READY"] == "False"
    assert team.columns()["REASON"] == reason
    assert reason in team.told() or team.until_told(reason)
    assert_quiet(team, refused)
    assert team.live() == []

    team.spec("mixtral", **correction)
    team.until("mixtral", "Serving")
    assert len(team.live()) == 1
    assert len(team.posts()) == 2


def test_hardware_that_is_short_is_named_with_its_availability(team: Team) -> None:
    team.together.capacity({"2x_nvidia_h100_80gb_sxm": 1, "1x_nvidia_h200_140gb_sxm": 0})
    try:
        team.apply(manifest(hardware="2x_nvidia_h100"))
        message = assert_refused(team.until("mixtral", "InvalidHardware"), "InvalidHardware")
        assert "2x_nvidia_h100_80gb_sxm ($10.80/h, insufficient)" in message
        # What cannot be had now comes last, however cheap it is.
        assert message.index("1x_nvidia_h200_140gb_sxm ($6.60/h, unavailable)") > message.index(
            "4x_nvidia_b200_180gb_sxm"
        )
    finally:
        team.together.capacity({"2x_nvidia_h100_80gb_sxm": None, "1x_nvidia_h200_140gb_sxm": None})


@pytest.mark.parametrize("how", ["queue", "refuse"])
def test_no_capacity_is_waited_for(team: Team, how: str) -> None:
    hardware = "4x_nvidia_h200_140gb_sxm"
    team.together.assume(no_capacity=how)
    team.together.capacity({hardware: 0})
    try:
        team.apply(manifest(hardware=hardware))
        waiting = team.until("mixtral", "WaitingForCapacity")
        message = assert_waiting(waiting, "WaitingForCapacity")
        expect_health(Situation.WAITING_FOR_CAPACITY, waiting)
        assert hardware in message
        assert team.columns()["REASON"] == "WaitingForCapacity"
        # It goes on waiting in the same words, however often it asks.
        if how == "refuse":
            eventually("it asks again", lambda: len(team.posts()) >= 3, within=30)
        else:
            team.polled(3)
        assert team.reasons(after=waiting) in ([], ["WaitingForCapacity"])
        assert team.told()["WaitingForCapacity"]
        assert all(entry["billed_cents"] == 0 for entry in team.endpoints())
    finally:
        team.together.capacity({hardware: None})
    team.until("mixtral", "Serving")
    assert len(team.live()) == 1
    assert len(team.endpoints()) == 1


def test_too_many_requests_are_taken_seriously(team: Team) -> None:
    team.together.arm(
        {**ORDER, "fault": "status", "status": 429, "headers": {"Retry-After": "3"}, "times": 1}
    )
    team.apply(manifest())
    limited = team.until("mixtral", "RateLimited")
    assert_waiting(limited, "RateLimited")
    team.until("mixtral", "Serving")
    first, second = team.posts()
    assert second["at"] - first["at"] >= 3
    assert len(team.endpoints()) == 1


def test_payment_required_goes_on_by_itself(team: Team) -> None:
    team.together.arm({**ORDER, "fault": "status", "status": 402, "times": 2})
    team.apply(manifest())
    unpaid = team.until("mixtral", "PaymentRequired")
    message = assert_waiting(unpaid, "PaymentRequired", synced=False)
    expect_health(Situation.CREDENTIAL_FAILING, unpaid)
    assert "credits" in message
    team.until("mixtral", "Serving")
    assert [post["status"] for post in team.posts()] == [402, 402, 200]


def test_a_denied_key_waits_for_a_better_one(team: Team) -> None:
    team.together.keys(deny=[team.key])
    team.apply(manifest())
    denied = team.until("mixtral", "Unauthorized")
    message = assert_waiting(denied, "Unauthorized", synced=False)
    expect_health(Situation.CREDENTIAL_FAILING, denied)
    assert "Secret" in message
    assert team.posts() == []
    team.together.keys(allow=[team.key])
    team.until("mixtral", "Serving")
    assert len(team.live()) == 1


def test_a_block_by_cloudflare_is_not_the_keys_fault(team: Team) -> None:
    team.together.arm(
        {
            "path_regex": "^/v1/",
            "fault": "status",
            "status": 403,
            "body": "error code: 1010",
            "times": -1,
        }
    )
    team.apply(manifest())
    blocked = team.until("mixtral", "Forbidden")
    message = assert_waiting(blocked, "Forbidden", synced=False)
    assert "Cloudflare" in message
    assert "not" in message
    team.together.clear_faults()
    team.until("mixtral", "Serving")
    assert len(team.endpoints()) == 1


def test_an_account_without_v1_is_told_so(team: Team) -> None:
    team.together.profile("retired")
    team.apply(manifest(api="V1"))
    closed = team.until("mixtral", "V1Closed")
    message = assert_refused(closed, "V1Closed")
    assert "endpoints_v1_create_access_disabled" in message
    assert "closed" in message
    assert "api" not in closed["status"]
    assert team.columns("-o", "wide")["API"] == ""
    assert_quiet(team, closed)
    assert len(team.posts()) == 1
    assert team.live() == []
    # Where v1 is opened again, a person asks for another look.
    team.together.profile("classic")
    team.annotate("mixtral", "reconcile-requested-at", "once")
    opened = team.until("mixtral", "Serving")
    assert opened["status"]["api"] == "V1"
    assert opened["status"]["lastHandledReconcileAt"] == "once"


def test_a_stop_may_be_final(team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    team.together.profile("retired")
    team.spec("mixtral", state="Started")
    closed = team.until("mixtral", "V1Closed")
    assert_refused(closed, "V1Closed")
    assert team.patches()[1:] == [{"state": "STARTED"}]
    assert_quiet(team, closed)
    assert team.patches()[2:] == []
    assert team.endpoint()["state"] == "STOPPED"
    # A restart of the operator does not ask again either.
    team.operator.stop()
    team.operator.start()
    team.polled(2)
    assert team.patches()[2:] == []
    assert team.reason() == "V1Closed"
    # To want it stopped is enough to be content again.
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    assert team.patches()[2:] == []


def test_a_missing_secret_is_waited_for(team: Team) -> None:
    team.kubectl("delete", "secret", "together")
    team.apply(manifest())
    missing = team.until("mixtral", "SecretMissing")
    message = assert_waiting(missing, "SecretMissing", synced=False)
    expect_health(Situation.CREDENTIAL_FAILING, missing)
    assert "Secret together" in message
    assert "api-key" in message
    assert team.requests() == []
    assert "finalizers" not in missing["metadata"], "it may be deleted as long as nothing is bought"

    team.apply(secret({"apikey": team.key}))
    wrong = team.awaits(
        "mixtral",
        "the key is named",
        lambda it: "has no key 'api-key'" in conditions(it)["Ready"]["message"],
    )
    assert_waiting(wrong, "SecretMissing", synced=False)

    team.secret(team.key)
    team.until("mixtral", "Serving")
    assert len(team.posts()) == 1


def test_a_key_with_a_line_break_at_its_end_is_the_key(team: Team) -> None:
    team.secret(team.key + "\n")
    team.apply(manifest())
    team.until("mixtral", "Serving")


def test_a_key_that_cannot_be_one_is_refused_without_being_shown(team: Team) -> None:
    team.secret("first-half\nsecond-half")
    team.apply(manifest())
    unusable = team.until("mixtral", "Unauthorized")
    message = assert_waiting(unusable, "Unauthorized", synced=False)
    assert "cannot be used" in message
    assert "first-half" not in str(unusable)
    assert "second-half" not in team.operator.log.read_text()
    assert team.requests() == []
    team.secret(team.key)
    team.until("mixtral", "Serving")


def test_the_operators_own_key_serves_nobody_who_was_not_named(team: Team) -> None:
    bare = manifest()
    del bare["spec"]["apiKeySecretRef"]
    team.apply(bare)
    missing = team.until("mixtral", "SecretMissing")
    assert "spec.apiKeySecretRef" in assert_waiting(missing, "SecretMissing", synced=False)
    assert team.requests() == []


def secret(data: dict[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "together"},
        "stringData": data,
    }
