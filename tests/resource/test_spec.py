"""What a person asks for is read as it was written, and the two dangerous mistakes are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from together_operator.core.marker import Marker
from together_operator.resource.spec import (
    Api,
    Autoscaling,
    DeletionPolicy,
    SecretKeyRef,
    Spec,
    SpeculativeDecoding,
    State,
)

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
LEAST = {"model": "m", "hardware": "h"}


def test_defaults() -> None:
    spec = Spec.model_validate(LEAST)
    assert spec.autoscaling == Autoscaling(min_replicas=1, max_replicas=None)
    assert spec.state is State.STARTED
    assert spec.inactive_timeout_minutes == 0
    assert spec.speculative_decoding is SpeculativeDecoding.AUTO
    assert spec.api is Api.AUTO
    assert spec.deletion_policy is None
    assert spec.suspend is False


def test_every_field_is_shown_in_an_example() -> None:
    document = yaml.safe_load((EXAMPLES / "all-fields.yaml").read_text(encoding="utf-8"))
    taken_over = yaml.safe_load((EXAMPLES / "adopt.yaml").read_text(encoding="utf-8"))
    # A zone cannot be asked of an endpoint that exists already, so `adopt` has its own example.
    second = yaml.safe_load((EXAMPLES / "v2.yaml").read_text(encoding="utf-8"))
    shown = set(document["spec"]) | {"adopt"} & set(taken_over["spec"])
    shown |= {"v2"} & set(second["spec"])
    moving = yaml.safe_load((EXAMPLES / "migration.yaml").read_text(encoding="utf-8"))
    shown |= {"migration"} & set(moving["spec"])
    assert shown == set(Spec.model_json_schema(by_alias=True)["properties"])
    spec = Spec.model_validate(document["spec"])
    assert spec.api_key_secret_ref == SecretKeyRef(name="together", key="api-key")
    assert spec.deletion_policy is DeletionPolicy.STOP
    assert spec.autoscaling.max_replicas == 3


def test_minimum_above_maximum_is_refused() -> None:
    with pytest.raises(ValidationError, match="minReplicas must not exceed maxReplicas"):
        Spec.model_validate(LEAST | {"autoscaling": {"minReplicas": 3, "maxReplicas": 2}})


@pytest.mark.parametrize("human", ["", "Chat", "ml/mixtral", "x" * 63])
def test_no_name_may_carry_the_marker_that_the_operator_writes(human: str) -> None:
    marked = Marker.of("cluster", "uid", "a2z7").write(human)
    assert len(marked) <= 63
    for name in (marked, marked.upper(), marked.strip()):
        with pytest.raises(ValidationError, match="must not contain the operator's own marker"):
            Spec.model_validate(LEAST | {"displayName": name})


@pytest.mark.parametrize("name", ["tep", "my tep-endpoint", "step-abcdef-abcdefghijkl-abcd"])
def test_a_name_that_only_resembles_a_marker_is_fine(name: str) -> None:
    assert Spec.model_validate(LEAST | {"displayName": name}).display_name == name
