"""What every part of a status is made of: facts, and the bounds of the words in them.

Writing never fails on the length of Together's words: free text is cut to its bound, while
identifiers, where a cut would name something else, have bounds far beyond what Together issues.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

MAX_MESSAGE = 4096
"""Characters of a condition's or refusal's message; what is longer is cut."""

INT32_MAX = 2**31 - 1


def _cut_to(length: int) -> Callable[[Any], Any]:
    """A validator that shortens a string to `length` characters, visibly."""

    def cut(value: Any) -> Any:
        if isinstance(value, str) and len(value) > length:
            return value[: length - 1] + "…"
        return value

    return cut


MAX_WORD = 253
"""Characters of a short text; what is longer is cut."""


def cut_word(text: str) -> str:
    """A short text as the status holds it, to compare with what it holds."""
    return str(_cut_to(MAX_WORD)(text))


Word = Annotated[str, BeforeValidator(_cut_to(MAX_WORD)), Field(max_length=MAX_WORD)]
Message = Annotated[str, BeforeValidator(_cut_to(MAX_MESSAGE)), Field(max_length=MAX_MESSAGE)]
Identifier = Annotated[str, Field(max_length=512)]
Timestamp = Annotated[str, Field(max_length=64, json_schema_extra={"format": "date-time"})]
Count = Annotated[int, Field(ge=0, le=INT32_MAX, json_schema_extra={"format": "int32"})]
Generation = Annotated[int, Field(ge=-1, json_schema_extra={"format": "int64"})]


class Fact(BaseModel):
    """A part of the status. Fields of a newer version are kept out, never a reason to fail."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )
