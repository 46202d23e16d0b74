"""The translation of models is strict: no bound is lost silently."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field

from together_operator.resource.schema import UntranslatableError, structural


class Inner(BaseModel):
    """An inner object."""

    size: Annotated[int, Field(ge=1, le=3)] = 2


class Outer(BaseModel):
    """An outer object.

    With a second
    paragraph.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    inner: Inner = Inner()
    """Says
    more."""
    maybe: Inner | None = None
    words: tuple[Annotated[str, Field(max_length=5)], ...] = ()
    name: Annotated[str, Field(max_length=9)]


def test_references_are_inlined_and_optionals_lose_their_null() -> None:
    schema = structural(Outer)
    size = {"type": "integer", "minimum": 1, "maximum": 3, "default": 2}
    assert schema == {
        "type": "object",
        "description": "An outer object.\n\nWith a second paragraph.",
        "required": ["name"],
        "properties": {
            "inner": {
                "type": "object",
                "description": "Says more.",
                "default": {},
                "properties": {"size": size},
            },
            "maybe": {
                "type": "object",
                "description": "An inner object.",
                "properties": {"size": size},
            },
            "words": {
                "type": "array",
                "x-kubernetes-list-type": "atomic",
                "items": {"type": "string", "maxLength": 5},
            },
            "name": {"type": "string", "maxLength": 9},
        },
    }


def test_defaults_can_be_left_out() -> None:
    properties = structural(Outer, defaults=False)["properties"]
    assert "default" not in properties["inner"]
    assert "default" not in properties["inner"]["properties"]["size"]


class WithFloat(BaseModel):
    """A float."""

    price: float


class WithMap(BaseModel):
    """A free-form map."""

    labels: dict[str, str]


class WithChoice(BaseModel):
    """A choice of types."""

    value: int | str


class WithUnknownBound(BaseModel):
    """A bound that the API server would enforce differently."""

    value: Annotated[int, Field(multiple_of=2)]


class WithAnything(BaseModel):
    """Anything."""

    value: object


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        (WithFloat, r"WithFloat\.price: no translation for type 'number'"),
        (WithMap, r"WithMap\.labels: a free-form map cannot be bounded"),
        (WithChoice, r"WithChoice\.value: a choice of 2 types"),
        (WithUnknownBound, r"WithUnknownBound\.value: no translation for `multipleOf`"),
        (WithAnything, r"WithAnything\.value: no translation for type None"),
    ],
)
def test_what_cannot_be_translated_is_refused_by_name(
    model: type[BaseModel], complaint: str
) -> None:
    with pytest.raises(UntranslatableError, match=complaint):
        structural(model)
