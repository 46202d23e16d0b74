"""What may stand behind the question mark: known keys, pages, masks.

Why: API v2 refuses a query key that it does not know, and answers every list in pages
with a cursor; both are places where a client goes wrong unnoticed.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from pydantic.alias_generators import to_camel

from together_local.simulator.assumptions import Assumptions
from together_local.simulator.errors import ApiError
from together_local.simulator.replies import Call

T = TypeVar("T")

PAGE = ("after", "limit")
#: A place in a list: what it is ordered by, and the entry's number.
Key = tuple[float, int]

_LONGEST_PAGE = 500


def read_query(call: Call, *allowed: str) -> dict[str, str]:
    """Return the query by camelCase names.

    Args:
        call: The request.
        allowed: The keys that this route knows.

    Raises:
        ApiError: 400, for any other key.
    """
    query = {to_camel(key) if "_" in key else key: value for key, value in call.query.items()}
    for key in query:
        if key not in allowed:
            raise ApiError(400, f"unknown query parameter {key!r}", param=key)
    return query


def flag(query: dict[str, str], name: str) -> bool:
    """Read a query parameter that is true or false; absent: false.

    Raises:
        ApiError: 400, when it is neither.
    """
    value = query.get(name, "false").lower()
    if value not in ("true", "false"):
        raise ApiError(400, f"{name} must be true or false", param=name)
    return value == "true"


def read_mask(query: dict[str, str], known: Iterable[str]) -> frozenset[str]:
    """Return the fields of ``updateMask`` by camelCase names, empty without one.

    Raises:
        ApiError: 400, for a field that cannot be updated.
    """
    paths = [path.strip() for path in query.get("updateMask", "").split(",") if path.strip()]
    fields = [".".join(to_camel(part) for part in path.split(".")) for path in paths]
    for field in fields:
        if field.split(".")[0] not in known:
            message = f"updateMask: field {field!r} does not exist or cannot be updated"
            raise ApiError(400, message, param="updateMask")
    return frozenset(fields)


def page(
    items: Sequence[T],
    key: Callable[[T], Key],
    query: dict[str, str],
    assumptions: Assumptions,
    *,
    descending: bool = False,
    longest: int = _LONGEST_PAGE,
) -> dict[str, Any]:
    """Return one page, as ``data``, ``object`` and ``next_cursor``.

    A cursor names the last entry of a page, so that entries which come or go meanwhile
    neither repeat nor hide others.

    Args:
        items: What there is.
        key: Where an entry stands.
        query: Its ``after`` and ``limit`` count.
        assumptions: How long a page is, and what holds of a longer one.
        descending: From the largest key to the smallest.
        longest: Entries at most.

    Raises:
        ApiError: 400, when cursor or limit is wrong.
    """
    ordered = sorted(items, key=key, reverse=descending)
    if "after" in query:
        last = _read_cursor(query["after"])
        ordered = [one for one in ordered if (key(one) < last if descending else key(one) > last)]
    limit = _limit(query, assumptions, longest)
    shown = ordered[:limit]
    more = len(ordered) > len(shown)
    cursor = _cursor(key(shown[-1])) if more else None
    return {"data": shown, "object": "list", "next_cursor": cursor}


def _limit(query: dict[str, str], assumptions: Assumptions, longest: int) -> int:
    text = query.get("limit", str(assumptions.page_size))
    if not text.isdecimal() or int(text) < 1:
        raise ApiError(400, "limit must be a positive integer", param="limit")
    if int(text) > longest and assumptions.overlong_page == "refuse":
        raise ApiError(400, f"limit must be at most {longest}", param="limit")
    return min(int(text), longest)


def _cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


def _read_cursor(text: str) -> Key:
    try:
        value, number = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return float(value), int(number)
    except (ValueError, TypeError):
        raise ApiError(400, "after is not a cursor of this list", param="after") from None
