"""Values that nobody expects, and answers with one of them in some place.

Whatever is read from outside is read with these: the tests of the client, of the controller and of
the whole operator draw from the same bag.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from typing import Any, Final

from hypothesis import strategies as st

ABSENT: Final = object()
"""In place of a value: the field is left out."""

_DEEP: Final = 3000
_MARK: Final = "@@raw@@"


@dataclass(frozen=True)
class Raw:
    """Text that goes into JSON as it is, since no Python value is written so.

    Attributes:
        text: The text.
    """

    text: str


ODD_NUMBERS: Final = (
    0, -1, 1, 0.5, -0.0, 2**31 - 1, 2**31, 2**53 + 1, 2**63, -(2**63) - 1, 2**70, 1e308, -1e308,
    5e-324, Raw("NaN"), Raw("Infinity"), Raw("-Infinity"), Raw("1e999999"), Raw("-1e999999"),
    Raw("1e-999999"), Raw("0.1e+1000000000"), Raw("9" * 5000),
)  # fmt: skip
ODD_TEXTS: Final = (
    "", " ", "\x00", "\n", "a\r\nX-Injected: 1", "x" * 300, "x" * 70_000, "é" * 64, "日本語",
    "\u202eabc", "\ud800", "\U0001f600" * 40, "../../../etc/passwd", "..", "%2e%2e%2f", "a/b?c#d",
    "${jndi:ldap://x}", "{{7*7}}", "%s%n%d", "true", "null", "NaN", "-1", "1e400", "STARTED",
    "STOPPED", "ERROR", "started", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    "2026-02-30T00:00:00Z", "2026-11-22T07:00:00", "Sun, 99 Foo 99999 99:99:99 GMT",
)  # fmt: skip
ODD_SHAPES: Final = (
    None, True, False, [], {}, [[]], [None], [{}], {"": None}, {"a": {"b": []}}, [1, "a", None],
    Raw("[" * _DEEP + "]" * _DEEP), Raw('{"a":' * _DEEP + "1" + "}" * _DEEP),
)  # fmt: skip

odd: Final = st.sampled_from((ABSENT, *ODD_SHAPES, *ODD_NUMBERS, *ODD_TEXTS))
"""One unexpected value."""


def places(document: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON document, by path; the document itself is the empty path.

    Args:
        document: The document.
        here: Where it stands.
    """
    found = [here]
    inner = document.items() if isinstance(document, dict) else ()
    if isinstance(document, list):
        inner = enumerate(document)
    for name, value in inner:
        found += places(value, (*here, name))
    return found


def spoiled(document: Any, number: int, value: Any) -> Any:
    """A document with one of its places spoiled.

    Args:
        document: The document, which stays as it is.
        number: Which place; beyond the last it begins anew.
        value: What to put there, or `ABSENT`.
    """
    every = places(document)
    path = every[number % len(every)]
    # What is put there may be spoiled itself, and is drawn again for other documents.
    value = value if value is ABSENT else copy.deepcopy(value)
    if not path:
        return None if value is ABSENT else value
    result = copy.deepcopy(document)
    where = result
    for name in path[:-1]:
        where = where[name]
    if value is ABSENT:
        del where[path[-1]]
    else:
        where[path[-1]] = value
    return result


def written(document: Any) -> bytes:
    """A document as JSON, or what would be JSON if nobody minded."""
    raw: list[str] = []

    def as_mark(value: Any) -> str:
        if not isinstance(value, Raw):
            raise TypeError(value)
        raw.append(value.text)
        return f"{_MARK}{len(raw) - 1}{_MARK}"

    text = json.dumps(document, default=as_mark)
    for number, verbatim in enumerate(raw):
        text = text.replace(f'"{_MARK}{number}{_MARK}"', verbatim)
    return text.encode()
