"""Every reason that a person can meet is explained."""

from __future__ import annotations

import re

import pytest

from together_operator.resource.catalogue import REASONS
from together_operator.resource.crd import crd
from together_operator.resource.reasons import Reason

SPEC = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]


def test_the_table_covers_the_enum() -> None:
    assert list(REASONS) == list(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_an_explanation_is_whole_sentences(reason: Reason) -> None:
    for text in (REASONS[reason].meaning, REASONS[reason].next_step):
        assert text[0].isupper() or text[0] == "`"
        assert text.endswith(".")
        assert "  " not in text


@pytest.mark.parametrize("reason", Reason)
def test_the_fields_it_names_exist(reason: Reason) -> None:
    text = REASONS[reason].meaning + REASONS[reason].next_step
    for path in re.findall(r"`spec\.([A-Za-z0-9.]+)", text):
        schema = SPEC
        for name in path.split("."):
            assert name in schema["properties"], path
            schema = schema["properties"][name]


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_one_word_that_kubernetes_takes(reason: Reason) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z0-9]+", reason)
