"""What stands in for a time that an answer of Together's does not tell."""

from __future__ import annotations

import time
from collections.abc import Iterable


def clock(date: float | None) -> float:
    """Stands in for a time of creation that cannot be read: what is of unknown age is new.

    An old one would be skipped unread.

    Args:
        date: Together's clock at the answer in unix seconds, if told.
    """
    return date if date is not None else time.time()


def listed_at(date: float | None, created: Iterable[float | None]) -> float:
    """The date of a list, which bounds from below when an endpoint of ours can have been created.

    Where no `Date` header came, the newest creation in the list stands in for it: that moment has
    certainly passed, and a bound that is too early only costs a few more reads.

    Args:
        date: The header in unix seconds, if it came.
        created: When what is listed was created, in unix seconds, where that can be read.
    """
    if date is not None:
        return date
    return max((at for at in created if at is not None), default=0.0)
