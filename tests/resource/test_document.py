"""A stored resource is read whole, or refused with the field and the next step."""

from __future__ import annotations

from typing import Any

import pytest

from together_operator.resource.document import InvalidResource, TogetherEndpoint
from together_operator.resource.spec import Spec
from together_operator.resource.status import Status

METADATA = {
    "namespace": "ml",
    "name": "mixtral",
    "uid": "0c1b",
    "generation": 3,
    "resourceVersion": "41",
    "creationTimestamp": "2026-11-22T07:00:00Z",
}
SPEC = {"model": "m", "hardware": "h"}


def test_a_fresh_resource() -> None:
    assert TogetherEndpoint.parse({"metadata": METADATA, "spec": SPEC}) == TogetherEndpoint(
        namespace="ml",
        name="mixtral",
        uid="0c1b",
        generation=3,
        resource_version="41",
        creation_timestamp=1795330800.0,
        deletion_timestamp=None,
        finalizers=(),
        annotations={},
        spec=Spec(model="m", hardware="h"),
        status=Status(),
    )


def test_a_resource_being_deleted() -> None:
    metadata = METADATA | {
        "deletionTimestamp": "2026-11-22T08:00:00Z",
        "finalizers": ["together-operator.io/endpoint", "other"],
        "annotations": {"together-operator.io/owner-uid": "0c1b"},
    }
    found = TogetherEndpoint.parse(
        {"metadata": metadata, "spec": SPEC, "status": {"observedGeneration": 3, "state": "X"}}
    )
    assert found.deleting
    assert found.deletion_timestamp == found.creation_timestamp + 3600
    assert found.finalizers == ("together-operator.io/endpoint", "other")
    assert found.annotations == {"together-operator.io/owner-uid": "0c1b"}
    assert found.status.state == "X"


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"model": "m"}, "spec.hardware", "is required; set it and apply again"),
        (
            SPEC | {"fromTheFuture": 1},
            "spec.fromTheFuture",
            "is not known to this version of the operator; upgrade the operator, or remove the"
            " field",
        ),
        (
            SPEC | {"autoscaling": {"minReplicas": 0}},
            "spec.autoscaling.minReplicas",
            "is not valid: input should be greater than or equal to 1; correct it and apply again",
        ),
        (
            SPEC | {"autoscaling": {"minReplicas": 2, "maxReplicas": 1}},
            "spec.autoscaling",
            "is not valid: minReplicas must not exceed maxReplicas; correct it and apply again",
        ),
        (
            SPEC | {"state": "Gone"},
            "spec.state",
            "is not valid: input should be 'Started' or 'Stopped'; correct it and apply again",
        ),
        (None, "spec.model", "is required; set it and apply again (1 more like it)"),
        (
            "text",
            "spec",
            "is not valid: input should be a valid dictionary or instance of Spec; correct it and"
            " apply again",
        ),
    ],
)
def test_a_spec_that_cannot_be_carried_out(spec: Any, field: str, message: str) -> None:
    with pytest.raises(InvalidResource) as caught:
        TogetherEndpoint.parse({"metadata": METADATA, "spec": spec})
    assert caught.value.field == field
    assert caught.value.message == message
    assert str(caught.value) == f"{field}: {message}"
