"""What Together cannot change in place is fixed, but only once there is something to protect."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.resources import Resources, manifest

FIXED = {
    "model": "mistralai/Mistral-7B-Instruct-v0.3",
    "hardware": "4x_nvidia_h100_80gb_sxm",
    "availabilityZone": "us-east-1a",
    "speculativeDecoding": "Disabled",
}
FREE = {
    "displayName": "Another name",
    "state": "Stopped",
    "inactiveTimeoutMinutes": 90,
    "autoscaling": {"minReplicas": 2, "maxReplicas": 2},
    "apiKeySecretRef": {"name": "another"},
    "deletionPolicy": "Retain",
    "suspend": True,
    "connection": {"configMapName": "another"},
}
START = {"availabilityZone": "us-central-4b", "speculativeDecoding": "Enabled"}


def _operation(phase: str, *open_nonces: str) -> dict[str, Any]:
    record = {
        "phase": phase,
        "uid": "0",
        "cluster": "c",
        "credential": "k",
        "nonce": "aaaa",
        "date": "Sun, 22 Nov 2026 07:00:00 GMT",
        "attempts": 1,
        "open": list(open_nonces),
    }
    return {"operation": record}


ATTEMPTED = {
    "endpoint": {"endpointID": "endpoint-0001"},
    "attempt-open": _operation("Open"),
    "attempt-done": _operation("Done"),
    "refused-after-an-open-one": _operation("Refused", "bbbb"),
}
UNTRIED: dict[str, dict[str, Any]] = {
    "unseen": {},
    "seen": {"observedGeneration": 1},
    "refused": _operation("Refused"),
}


@pytest.mark.parametrize("status", UNTRIED.values(), ids=UNTRIED.keys())
def test_everything_can_be_corrected_while_nothing_exists(
    resources: Resources, status: dict[str, Any]
) -> None:
    resources.apply(manifest(**START))
    resources.tell(status)
    resources.patch({"spec": FIXED | {"api": "V2"}})
    assert resources.read()["spec"].items() >= FIXED.items()


@pytest.mark.parametrize("status", ATTEMPTED.values(), ids=ATTEMPTED.keys())
def test_fixed_once_an_attempt_exists(resources: Resources, status: dict[str, Any]) -> None:
    resources.apply(manifest(**START))
    resources.tell(status)
    for field, value in FIXED.items():
        said = resources.patch_refused({"spec": {field: value}})
        assert f"spec.{field}: Forbidden: is fixed while an endpoint exists" in said
        assert "create a second TogetherEndpoint with the new value" in said
    resources.patch({"spec": FREE})
    assert resources.read()["spec"].items() >= START.items()


@pytest.mark.parametrize("field", START)
def test_removing_an_optional_field_is_no_way_round(resources: Resources, field: str) -> None:
    resources.apply(manifest(**START))
    resources.tell(ATTEMPTED["endpoint"])
    said = resources.patch_refused([{"op": "remove", "path": f"/spec/{field}"}], kind="json")
    assert f"spec.{field}: Forbidden" in said
    assert f"spec.{field}: Forbidden" in resources.refused(
        "apply", "-f", "-", document=manifest(**{k: v for k, v in START.items() if k != field})
    )


def test_adding_an_optional_field_is_refused_too(resources: Resources) -> None:
    resources.apply(manifest())
    resources.tell(ATTEMPTED["endpoint"])
    said = resources.patch_refused({"spec": {"availabilityZone": "us-east-1a"}})
    assert "spec.availabilityZone: Forbidden" in said


@pytest.mark.parametrize("status", [None, {}, {"observedGeneration": -1}], ids=str)
def test_wiping_the_status_in_the_same_request_is_no_way_round(
    resources: Resources, status: dict[str, Any] | None
) -> None:
    resources.apply(manifest())
    resources.tell(ATTEMPTED["endpoint"])
    stored = resources.read()
    stored["spec"]["hardware"] = FIXED["hardware"]
    stored["status"] = status
    if status is None:
        del stored["status"]
    said = resources.refused("replace", "-f", "-", document=stored)
    assert "spec.hardware: Forbidden" in said
    assert resources.read()["status"]["endpointID"] == "endpoint-0001"


TAKING = {"adopt": {"endpointID": "endpoint-0001"}, "apiKeySecretRef": {"name": "together"}}
OTHER = {"adopt": {"endpointID": "endpoint-0002"}}


@pytest.mark.parametrize("status", ATTEMPTED.values(), ids=ATTEMPTED.keys())
def test_what_has_an_endpoint_of_its_own_takes_none_over(
    resources: Resources, status: dict[str, Any]
) -> None:
    resources.apply(manifest())
    resources.tell(status)
    said = resources.patch_refused({"spec": TAKING})
    assert "spec.adopt: Forbidden: is fixed while an endpoint exists" in said
    assert "create a second TogetherEndpoint that names it" in said


@pytest.mark.parametrize("status", UNTRIED.values(), ids=UNTRIED.keys())
def test_what_is_taken_over_can_be_corrected_until_it_is(
    resources: Resources, status: dict[str, Any]
) -> None:
    resources.apply(manifest(**TAKING))
    resources.tell(status)
    resources.patch({"spec": OTHER})
    resources.patch({"spec": {"adopt": None}})
    resources.patch({"spec": OTHER})


@pytest.mark.parametrize("change", [OTHER, {"adopt": None}], ids=["another", "removed"])
@pytest.mark.parametrize(
    "status",
    [{"endpointID": "endpoint-0001", "adopted": True}, {"adopted": True}, {**_operation("Done")}],
    ids=["recorded", "being-replaced", "operation"],
)
def test_what_was_taken_over_is_fixed(
    resources: Resources, status: dict[str, Any], change: dict[str, Any]
) -> None:
    resources.apply(manifest(**TAKING))
    resources.tell(status)
    said = resources.patch_refused({"spec": change})
    assert "spec.adopt: Forbidden: is fixed" in said
    assert "delete this resource with `deletionPolicy` 'Retain'" in said
    resources.patch({"spec": {"onMissing": "Recreate"}})


def test_what_was_replaced_needs_to_be_named_no_longer(resources: Resources) -> None:
    resources.apply(manifest(**TAKING))
    resources.tell({"endpointID": "endpoint-0009", "adopted": True})
    assert "spec.adopt: Forbidden" in resources.patch_refused({"spec": OTHER})
    resources.patch({"spec": {"adopt": None}})
    assert "spec.adopt: Forbidden" in resources.patch_refused({"spec": TAKING})


@pytest.mark.parametrize("allowed", ["Auto", "V1"])
def test_api_may_name_what_is_there(resources: Resources, allowed: str) -> None:
    resources.apply(manifest())
    resources.tell({"endpointID": "endpoint-0001", "api": "V1"})
    resources.patch({"spec": {"api": allowed}})
    assert resources.read()["spec"]["api"] == allowed


@pytest.mark.parametrize(
    ("status", "api"),
    [
        ({"endpointID": "ep_0001", "api": "V2"}, "V1"),
        ({"api": "V1"}, "V2"),
        (_operation("Open"), "V2"),
    ],
    ids=["endpoint-of-v2", "api-chosen", "attempt-open"],
)
def test_what_cannot_move_does_not_change_its_api(
    resources: Resources, status: dict[str, Any], api: str
) -> None:
    resources.apply(manifest())
    resources.tell(status)
    said = resources.patch_refused({"spec": {"api": api}})
    assert "spec.api: Forbidden: moves an endpoint from V1 to V2 only" in said


def test_an_endpoint_of_v1_may_move_to_v2_and_back_until_it_has(resources: Resources) -> None:
    resources.apply(manifest())
    resources.tell({"endpointID": "endpoint-0001", "api": "V1"})
    for api in ("V2", "V1", "V2", "Auto", "V2"):
        resources.patch({"spec": {"api": api}})
    # What only v2 has can be chosen until something of that kind is there.
    resources.patch({"spec": {"v2": {"endpointName": "chat", "configID": "cr_1"}}})
    resources.tell({"migration": {"phase": "Building", "endpointID": "ep_1"}})
    assert "spec.v2.endpointName: Forbidden" in resources.patch_refused(
        {"spec": {"v2": {"endpointName": "talk"}}}
    )
    resources.patch({"spec": {"v2": {"configID": "cr_2"}}})
    deployments = [{"id": "dep_1", "name": "one", "role": "Current"}]
    resources.tell(
        {"migration": {"phase": "Building", "endpointID": "ep_1", "deployments": deployments}}
    )
    assert "spec.v2.configID: Forbidden" in resources.patch_refused(
        {"spec": {"v2": {"configID": "cr_3"}}}
    )
    resources.tell({"endpointID": "ep_1", "api": "V2", "migration": None})
    assert "spec.api: Forbidden" in resources.patch_refused({"spec": {"api": "V1"}})


def test_the_operator_can_always_write_status_and_finalizers(resources: Resources) -> None:
    resources.apply(manifest(**START))
    for status in (*UNTRIED.values(), *ATTEMPTED.values()):
        resources.tell(status)
        resources.patch({"metadata": {"finalizers": ["together-operator.io/endpoint"]}})
        resources.patch({"metadata": {"finalizers": []}})
