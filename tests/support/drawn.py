"""Documents drawn from a schema, and beyond it: what a person, a tool or a mistake may send."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from tests.support.hostile import ABSENT, odd, places, spoiled

Schema = dict[str, Any]

_ORDINARY = "abcdefghijklmnopqrstuvwxyz0123456789"


def from_schema(schema: Schema) -> st.SearchStrategy[Any]:
    """Values that a schema allows, with the bounds more often than what lies between them.

    What only a rule in CEL says is not known here, but the letters drawn keep to most of them.

    Args:
        schema: A structural schema, as a CRD holds it.
    """
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "object":
            return _object(schema)
        case "array":
            most = min(schema.get("maxItems", 3), 3)
            return st.lists(from_schema(schema["items"]), max_size=most)
        case "integer":
            low, high = schema.get("minimum", -(2**63)), schema.get("maximum", 2**63 - 1)
            return st.sampled_from((low, high)) | st.integers(low, high)
        case "boolean":
            return st.booleans()
        case _:
            return _text(schema)


def _object(schema: Schema) -> st.SearchStrategy[Any]:
    fields = {name: from_schema(part) for name, part in schema.get("properties", {}).items()}
    needed = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: values for name, values in fields.items() if name in needed},
        optional={name: values for name, values in fields.items() if name not in needed},
    )


def _text(schema: Schema) -> st.SearchStrategy[Any]:
    low, high = schema.get("minLength", 0), schema.get("maxLength", 4096)
    if schema.get("format") == "date-time":
        return st.sampled_from(
            ("2026-11-22T07:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z")
        )
    sizes = st.sampled_from((low, min(low + 8, high), high))
    ordinary = sizes.map(lambda size: (_ORDINARY * (size // len(_ORDINARY) + 1))[:size])
    return (
        ordinary
        | st.text(_ORDINARY, min_size=low, max_size=high)
        | st.text(min_size=low, max_size=min(high, 64))
    )


def beyond(document: Any, draws: list[tuple[int, Any]]) -> Any:
    """A document with some of its places spoiled, and with fields that nobody knows.

    Args:
        document: The document.
        draws: Which places, and what goes there.
    """
    for number, value in draws:
        document = spoiled(document, number, value)
        if number % 3 == 0 and isinstance(document, dict) and value is not ABSENT:
            inner = [place for place in places(document) if _is_object(document, place)]
            where = document
            for name in inner[number % len(inner)]:
                where = where[name]
            where[f"unknown{number}"] = copy.deepcopy(value)
    return document


def _is_object(document: Any, place: tuple[Any, ...]) -> bool:
    for name in place:
        document = document[name]
    return isinstance(document, dict)


spoils = st.lists(st.tuples(st.integers(0, 60), odd), max_size=2)
"""What `beyond` is told: mostly little, so that much is taken."""
