"""From a pydantic model to a structural schema, the dialect that the API server enforces.

Pydantic speaks JSON Schema 2020-12; a CustomResourceDefinition takes a subset of OpenAPI v3 in
which nothing is referenced, nothing is null and every list says how two writers share it. The
translation is strict: a construct that it does not know fails the generator, so that a model can
never be published with a bound silently lost.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from pydantic import BaseModel

Schema = dict[str, Any]

_KEPT: Final = (
    "type",
    "format",
    "description",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "required",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
)
_TRANSLATED: Final = ("$ref", "allOf", "anyOf", "default", "properties", "items")
_DROPPED: Final = ("title", "additionalProperties", "$defs")
"""`additionalProperties: false` goes because pruning does its work, and a structural schema may not
have both; a field of any other kind of map is refused below."""


class UntranslatableError(TypeError):
    """A model uses a construct that the API server's dialect does not have."""


def structural(model: type[BaseModel], *, defaults: bool = True) -> Schema:
    """Generate the structural schema of a model.

    Args:
        model: A pydantic model of closed objects, strings, integers, booleans, enums and lists.
        defaults: Whether the API server is to fill in the model's defaults.

    Raises:
        UntranslatableError: The model uses something else, such as a float or a free-form map.
    """
    source = model.model_json_schema(by_alias=True, mode="validation")
    schema = _translate(source, source.get("$defs", {}), model.__name__)
    if not defaults:
        _strip_defaults(schema)
    return schema


def _translate(source: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> Schema:
    flat = _inline(source, definitions, path)
    for keyword in flat:
        if keyword not in (*_KEPT, *_TRANSLATED, *_DROPPED):
            raise UntranslatableError(f"{path}: no translation for `{keyword}`")
    if flat.get("additionalProperties", False) is not False:
        raise UntranslatableError(f"{path}: a free-form map cannot be bounded")
    if flat.get("type") not in {"object", "array", "string", "integer", "boolean"}:
        raise UntranslatableError(f"{path}: no translation for type {flat.get('type')!r}")

    result: Schema = {keyword: deepcopy(flat[keyword]) for keyword in _KEPT if keyword in flat}
    if "description" in result:
        result["description"] = _paragraphs(result["description"])
    if "default" in flat and flat["default"] is not None:
        # An object's default is left to the defaults of its fields, so that each stands once.
        result["default"] = {} if flat["type"] == "object" else flat["default"]
    if flat["type"] == "array":
        # An absent list and an empty one are the same to every reader; a default would only
        # show up in every object.
        result.pop("default", None)
        result.setdefault("x-kubernetes-list-type", "atomic")
        result["items"] = _translate(flat["items"], definitions, f"{path}[]")
    if flat["type"] == "object":
        result["properties"] = {
            name: _translate(field, definitions, f"{path}.{name}")
            for name, field in flat["properties"].items()
        }
    return result


def _strip_defaults(schema: Schema) -> None:
    schema.pop("default", None)
    for field in (*schema.get("properties", {}).values(), *filter(None, [schema.get("items")])):
        _strip_defaults(field)


def _inline(source: Mapping[str, Any], definitions: Mapping[str, Any], path: str) -> Schema:
    """Resolve a reference and an optional; what stands beside them wins over what they hold."""
    own = {key: value for key, value in source.items() if key not in {"$ref", "allOf", "anyOf"}}
    held: Mapping[str, Any] = {}
    if "$ref" in source:
        held = definitions[source["$ref"].rpartition("/")[2]]
    elif "allOf" in source:
        (held,) = source["allOf"]
    elif "anyOf" in source:
        choices = [choice for choice in source["anyOf"] if choice.get("type") != "null"]
        if len(choices) != 1:
            raise UntranslatableError(f"{path}: a choice of {len(choices)} types")
        (held,) = choices
    else:
        return own
    return {**_inline(held, definitions, path), **own}


def _paragraphs(text: str) -> str:
    """Undo the line breaks of the source, keeping paragraphs."""
    return "\n\n".join(
        " ".join(paragraph.split()) for paragraph in inspect.cleandoc(text).split("\n\n")
    )
