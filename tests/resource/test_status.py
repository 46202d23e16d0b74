"""Reading a status never fails; writing one never fails on the length of Together's words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from together_operator.resource.endpoint_status import Condition
from together_operator.resource.facts import MAX_MESSAGE
from together_operator.resource.reasons import ConditionType
from together_operator.resource.status import Status

READY = {
    "type": "Ready",
    "status": "True",
    "reason": "Serving",
    "message": "Answers.",
    "lastTransitionTime": "2026-11-22T07:00:00Z",
    "observedGeneration": 1,
}
OPERATION = {
    "phase": "Open",
    "uid": "u",
    "cluster": "c",
    "credential": "k",
    "nonce": "aaaa",
    "date": "Sun, 22 Nov 2026 07:00:00 GMT",
}
FIELDS = sorted(Status.model_json_schema(by_alias=True)["properties"])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("raw", [None, {}, [], "text", 3])
def test_nothing_is_the_empty_status(raw: object) -> None:
    assert Status.parse(raw) == Status(observed_generation=-1)


@given(st.dictionaries(st.sampled_from([*FIELDS, "endpoint_id", "phase"]), JSON))
def test_reading_never_fails(raw: dict[str, Any]) -> None:
    status = Status.parse(raw)
    assert Status.parse(status.to_dict()) == status


@given(
    st.lists(
        st.fixed_dictionaries(
            {}, optional={key: st.just(value) | JSON for key, value in READY.items()}
        ),
        max_size=4,
    )
)
def test_reading_conditions_never_fails(conditions: list[dict[str, Any]]) -> None:
    readable = sum(1 for condition in conditions if condition == READY)
    assert len(Status.parse({"conditions": conditions}).conditions) >= readable


def test_an_unreadable_part_does_not_take_the_rest_along() -> None:
    status = Status.parse(
        {
            "observedGeneration": 4,
            "endpointID": "endpoint-1",
            "operation": OPERATION | {"phase": "SomethingNew"},
            "price": "cheap",
            "conditions": [READY | {"type": "SomebodyElses"}, READY],
            "fromTheFuture": {"a": 1},
        }
    )
    assert status.observed_generation == 4
    assert status.endpoint_id == "endpoint-1"
    assert status.operation is None
    assert status.price is None
    assert [condition.type for condition in status.conditions] == [ConditionType.READY]


def test_a_new_field_of_the_record_does_not_lose_it() -> None:
    operation = Status.parse({"operation": OPERATION | {"more": True}}).operation
    assert operation is not None
    assert operation.nonce == "aaaa"
    assert operation.open == ()


def test_long_words_are_cut_visibly() -> None:
    condition = Condition.model_validate(READY | {"message": "x" * (MAX_MESSAGE + 1)})
    assert len(condition.message) == MAX_MESSAGE
    assert condition.message.endswith("…")
    assert Status(state="s" * 300).state == "s" * 252 + "…"
    assert Condition.model_validate(READY).message == "Answers."


def test_absent_is_left_out_when_written() -> None:
    assert Status(observed_generation=2, replicas=0).to_dict() == {
        "observedGeneration": 2,
        "replicas": 0,
        "conditions": [],
    }
