"""A list that comes in pages, read to its end or not at all.

What a page holds back must not be taken for gone, so a list with a page missing is no list.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final, TypeVar

from pydantic import BaseModel

from together_operator.together._schema import reader
from together_operator.together._schema_v2 import Page
from together_operator.together._verbs import Account
from together_operator.together._wire import Call
from together_operator.together.results import Absent, Ok, Refused, Unavailable

M = TypeVar("M", bound=BaseModel)

_MOST_PAGES: Final = 200
"""A hundred thousand entries; more are a server that goes round in circles."""


async def read_pages(
    account: Account, call: Call, kind: type[M]
) -> Ok[tuple[M, ...]] | Refused | Absent | Unavailable:
    """Read a list.

    Args:
        account: Who asks.
        call: The first page.
        kind: What an entry is.

    Returns:
        All entries, with the server's clock at the first page; or what came instead of one page.
    """
    parse = reader(Page[kind])  # type: ignore[valid-type]
    found: list[M] = []
    date: float | None = None
    cursors: set[str] = set()
    while True:
        answer = await account.read(call, parse)
        if not isinstance(answer, Ok):
            return answer
        date = answer.date if not cursors else date
        found += answer.value.data
        cursor = answer.value.next_cursor
        if not cursor:
            return Ok(tuple(found), date)
        if cursor in cursors or len(cursors) >= _MOST_PAGES:
            return Unavailable("the list does not end: its pages repeat")
        cursors.add(cursor)
        call = replace(call, params={**(call.params or {}), "after": cursor})
