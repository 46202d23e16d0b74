"""Every way in which the second generation says no, and how a person gets past it.

What a resource asks for is looked up before anything is made, and tried before it costs anything:
so a refusal leaves nothing behind but an endpoint that is free, and is corrected in place.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.contract import conditions
from tests.support.operator import HARDWARE, MODEL, Object, eventually
from tests.support.rows import assert_refused
from tests.support.team_v2 import ANOTHER_HARDWARE, JudgeV2, TeamV2, bounds, manifest_v2

SEVERAL = "openai/gpt-oss-120b"
"""A model that has two configs for each hardware: one with a draft model and one without."""


def assert_quiet(team: TeamV2, found: Object) -> None:
    """A refusal is told once and then neither asked nor told again."""
    asked = [r for r in team.requests() if r["method"] != "GET"]
    team.polled(3)
    assert [r for r in team.requests() if r["method"] != "GET"] == asked
    assert team.history(found["metadata"]["name"], after=found) == []


@pytest.mark.parametrize(
    ("spec", "reason", "said", "correction"),
    [
        pytest.param(
            {"hardware": "2x_nvidia_h100_80gb_xsm"},
            "InvalidHardware",
            "1xnvidia-h200-141gb ($6.79/h, available), 1xnvidia-b200-180gb ($8.99/h, available),"
            " 2xnvidia-h100-80gb ($10.98/h, available)",
            {"hardware": HARDWARE},
            id="unknown hardware",
        ),
        pytest.param(
            {"hardware": "8x_nvidia_b200_180gb_sxm"},
            "InvalidHardware",
            "2xnvidia-h100-80gb ($10.98/h, available)",
            {"hardware": HARDWARE},
            id="hardware that the model cannot use",
        ),
        pytest.param(
            {"model": "mistralai/Mixtral-8x7B-Instruct-v9"},
            "InvalidModel",
            "spec.model",
            {"model": MODEL},
            id="unknown model",
        ),
        pytest.param(
            {"model": "meta-llama/Llama-3.3-70B-Instruct-Turbo"},
            "InvalidModel",
            "spec.model",
            {"model": MODEL},
            id="model that only v1 has",
        ),
        pytest.param(
            {"availabilityZone": "us-central-9a"},
            "Unsupported",
            "Regions: us-central-4, us-east-1, us-west-2",
            {"availabilityZone": "us-central-4b"},
            id="zone in no region",
        ),
        pytest.param(
            {"speculativeDecoding": "Enabled"},
            "Unsupported",
            "spec.speculativeDecoding cannot be Enabled",
            {"speculativeDecoding": "Auto"},
            id="speculative decoding without a draft model",
        ),
        pytest.param(
            {"v2": {"configID": "cr_0000000000"}},
            "InvalidRequest",
            "spec.v2.configID",
            {"v2": None},
            id="unknown config",
        ),
    ],
)
def test_a_mistake_is_refused_with_advice_and_corrected_in_place(
    team: TeamV2, spec: dict[str, Any], reason: str, said: str, correction: dict[str, Any]
) -> None:
    team.apply(manifest_v2(**spec))
    refused = team.until("mixtral", reason)
    assert said in assert_refused(refused, reason)
    assert "endpointID" not in refused["status"]
    team.until_told(reason)
    assert_quiet(team, refused)
    assert team.homes() == []
    assert team.deploys() == []

    team.spec("mixtral", **correction)
    JudgeV2.of(team).one(team.until("mixtral", "Serving"))
    assert len(team.homes()) == len(team.deploys()) == 1


def test_several_configs_are_a_persons_choice(team: TeamV2) -> None:
    team.apply(manifest_v2(model=SEVERAL))
    refused = team.until("mixtral", "ConfigRequired")
    message = assert_refused(refused, "ConfigRequired")
    assert "spec.v2.configID" in message
    candidates = re.findall(r"(cr_\w+) \(([^)]*)\)", message)
    told = sorted(text for _, text in candidates)
    assert told == [
        "MXFP4, tuned for latency, with draft model",
        "MXFP4, tuned for throughput, without draft model",
    ]
    assert_quiet(team, refused)
    chosen = candidates[1][0]
    team.spec("mixtral", v2={"configID": chosen})
    found = team.until("mixtral", "Serving")
    assert JudgeV2.of(team).one(found)["config"] == chosen
    assert found["status"]["deployments"][0]["config"].endswith(chosen)


@pytest.mark.parametrize(("wish", "drafts"), [("Enabled", True), ("Disabled", False)])
def test_speculative_decoding_chooses_between_configs(
    team: TeamV2, wish: str, drafts: bool
) -> None:
    team.apply(manifest_v2(model=SEVERAL, speculativeDecoding=wish))
    found = team.until("mixtral", "Serving")
    JudgeV2.of(team).one(found)
    home = team.home()["id"]
    (order,) = team.deploys()
    config = order["body"]["config"].rsplit("/", 1)[-1]
    refused = team.kubectl(
        "patch", "tep", "mixtral", "--type=merge",
        "-p", '{"spec":{"speculativeDecoding":"Auto"}}', check=False,
    )  # fmt: skip
    assert "is fixed" in refused
    shown = team.together.force(team.deployment()["id"])
    assert shown["endpointId"] == home
    assert shown["configId"] == config
    assert ("speculator" in shown) is drafts


def test_a_zone_is_a_region_there(team: TeamV2) -> None:
    team.apply(manifest_v2(availabilityZone="us-east-1a"))
    team.until("mixtral", "Serving")
    (order,) = team.deploys()
    inline = order["body"]["placement"]["inline"]
    assert inline == {"regions": ["us-east-1"], "constraint": "ENFORCEMENT_REQUIRED"}


def test_weights_that_nobody_validated(team: TeamV2) -> None:
    weights = team.together.add_model("tuned", MODEL, project=team.name, validation="FAILED")
    team.apply(manifest_v2(model=weights["name"]))
    refused = team.until("mixtral", "InvalidModel")
    assert "validated no revision" in assert_refused(refused, "InvalidModel")
    assert team.homes() == []


def test_what_the_dry_run_refuses_is_corrected_in_place(team: TeamV2) -> None:
    """What no catalogue tells is refused before anything is made that could cost anything."""
    said = {"error": {"message": "this model is not for you", "type": "invalid_request_error"}}
    team.together.arm(
        {"fault": "status", "status": 400, "body": said, "path_regex": "/deployments$", "times": 1}
    )
    team.apply(manifest_v2())
    refused = team.until("mixtral", "InvalidRequest")
    assert "this model is not for you" in assert_refused(refused, "InvalidRequest")
    assert team.deploys() == []
    assert len(team.dry_runs()) == 1
    assert_quiet(team, refused)
    # The endpoint is a name and nothing more, and serves what comes instead.
    assert team.home()["id"] == refused["status"]["endpointID"]
    assert team.live() == []

    team.spec("mixtral", hardware=ANOTHER_HARDWARE)
    found = team.until("mixtral", "Serving")
    JudgeV2.of(team).one(found)
    assert found["status"]["hardware"] == "2xnvidia-h200-141gb"
    assert len(team.posts()) == 1


def test_weights_of_ones_own(team: TeamV2) -> None:
    weights = team.together.add_model("tuned", MODEL, project=team.name)
    team.apply(manifest_v2(model=weights["name"]))
    found = team.until("mixtral", "Serving")
    assert found["status"]["deployments"][0]["model"].startswith(weights["model"])


def test_a_name_that_a_person_has_taken(team: TeamV2) -> None:
    theirs = team.together.create({"name": "chat", "project": team.name})["id"]
    team.apply(manifest_v2(v2={"endpointName": "chat"}))
    refused = team.until("mixtral", "NameTaken")
    message = assert_refused(refused, "NameTaken")
    assert theirs in message
    assert "spec.v2.endpointName" in message
    team.polled(3)
    assert team.homes()[0]["id"] == theirs
    assert [r for r in team.requests() if r["method"] != "GET"] == []

    # Free again, nobody has to say so.
    team.together.delete(theirs)
    found = team.until("mixtral", "Serving")
    assert team.home()["id"] == found["status"]["endpointID"] != theirs
    assert team.home()["name"] == f"{team.name}/chat"


def test_another_name_in_place_of_one_that_is_taken(team: TeamV2) -> None:
    theirs = team.together.create({"name": "chat", "project": team.name})["id"]
    team.apply(manifest_v2(v2={"endpointName": "chat"}))
    team.until("mixtral", "NameTaken")
    team.spec("mixtral", v2={"endpointName": "talk"})
    found = team.until("mixtral", "Serving")
    assert found["status"]["endpointID"] != theirs
    assert {one["id"] for one in team.homes()} == {theirs, found["status"]["endpointID"]}
    team.delete()
    team.gone()
    assert team.home()["id"] == theirs


def test_a_name_that_is_taken_in_the_very_moment(team: TeamV2) -> None:
    """The LIST did not show it, so the order is refused; what is there is not ours."""
    theirs = team.together.create({"name": "chat", "project": team.name})["id"]
    team.together.arm(
        {"fault": "omit", "method": "GET", "path_regex": "/endpoints$", "body": [theirs],
         "times": -1},
    )  # fmt: skip
    team.apply(manifest_v2(v2={"endpointName": "chat"}))
    refused = team.until("mixtral", "NameTaken")
    assert_refused(refused, "NameTaken")
    team.together.clear_faults()
    team.polled(3)
    assert team.reason() == "NameTaken"
    assert team.home()["id"] == theirs
    team.delete()
    team.gone()
    assert team.home()["id"] == theirs, "a person's endpoint is no affair of the resource's"


def test_no_credit_is_waited_for(team: TeamV2) -> None:
    team.together.assume(credit_cents=0)
    team.apply(manifest_v2())
    waiting = team.until("mixtral", "PaymentRequired")
    assert conditions(waiting)["Reconciling"]["status"] == "True"
    assert team.live() == [] or team.deployment()["billed_cents"] == 0
    team.together.assume(credit_cents=None)
    JudgeV2.of(team).one(team.until("mixtral", "Serving"))


def test_a_rate_limit_is_waited_for(team: TeamV2) -> None:
    team.together.arm(
        {"fault": "status", "status": 429, "method": "POST", "times": 3, "path_regex": "/v2/"}
    )
    team.apply(manifest_v2())
    found = team.until("mixtral", "Serving")
    JudgeV2.of(team).one(found)
    eventually("the faults were met", lambda: team.together.faults()[0]["hits"] == 3, within=30)


@pytest.mark.parametrize("status", [400, 409])
def test_a_rollout_locks_the_endpoint_and_is_waited_for(team: TeamV2, status: int) -> None:
    team.together.assume(delete_refusal_status=status)
    team.apply(manifest_v2())
    found = team.until("mixtral", "Serving")
    home = found["status"]["endpointID"]
    team.together.force(home, activeRolloutId="rol_1")
    team.delete()
    eventually(
        "it is refused",
        lambda: [r for r in team.requests("PATCH") if r["status"] in (400, 409)],
        within=20,
    )
    assert team.read() is not None
    team.together.force(home, activeRolloutId=None)
    team.gone()
    team.until_homeless()


def test_a_stale_picture_is_looked_at_again(team: TeamV2) -> None:
    team.apply(manifest_v2())
    team.until("mixtral", "Serving")
    made = team.deployment()["id"]
    team.together.force(made, inactiveTimeout=0)  # which changes its etag
    team.kubectl("scale", "tep", "mixtral", "--replicas=2")
    team.awaits("mixtral", "scaled", lambda it: it["status"].get("readyReplicas") == 2)
    assert team.starts()[-1] == {"autoscaling": bounds(2, 2)}
