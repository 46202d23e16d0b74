"""Resources that another version of the CRD let in."""

from __future__ import annotations

from typing import Any

import pytest

from tests.controller.fake_kube import FakeKube
from together_operator.controller.readable import Reading, readable
from together_operator.resource.spec import DeletionPolicy


def read(**spec: Any) -> Reading:
    kube = FakeKube()
    return readable(kube.endpoints[kube.apply(**spec)])


def test_a_sound_resource_is_read_as_it_is() -> None:
    reading = read(deletionPolicy="Stop")
    assert reading.problem is None
    assert reading.resource.spec.deletion_policy is DeletionPolicy.STOP


def test_what_cannot_be_read_is_named_and_the_rest_is_kept() -> None:
    reading = read(shards=3, deletionPolicy="Stop", autoscaling={"minReplicas": 2})
    assert reading.problem is not None
    assert "spec.shards" in reading.problem
    assert reading.resource.spec.deletion_policy is DeletionPolicy.STOP
    assert reading.resource.spec.autoscaling.min_replicas == 2
    assert not reading.fate_unknown


@pytest.mark.parametrize("field", ["model", "hardware"])
def test_a_required_field_that_cannot_be_read_stands_for_itself(field: str) -> None:
    reading = read(**{field: ["a", "list"]})
    assert getattr(reading.resource.spec, field) == "unreadable"


@pytest.mark.parametrize(
    "spec", [{"deletionPolicy": "Orphan"}, {"suspend": "perhaps"}, {"deletionPolicy": ["Stop"]}]
)
def test_a_fate_that_cannot_be_read_is_not_taken_for_none(spec: dict[str, Any]) -> None:
    assert read(**spec).fate_unknown


@pytest.mark.parametrize("spec", [None, [], "text", {}, {"model": None}])
def test_whatever_stands_for_a_spec_is_read(spec: Any) -> None:
    kube = FakeKube()
    body = kube.endpoints[kube.apply()]
    body["spec"] = spec
    reading = readable(body)
    assert reading.problem is not None
    assert reading.resource.spec.model == "unreadable"


def test_a_rule_between_fields_costs_only_what_breaks_it() -> None:
    reading = read(
        deletionPolicy="Retain", suspend=True, autoscaling={"minReplicas": 3, "maxReplicas": 1}
    )
    assert reading.problem is not None
    assert reading.resource.spec.deletion_policy is DeletionPolicy.RETAIN
    assert reading.resource.spec.suspend
    assert not reading.fate_unknown
