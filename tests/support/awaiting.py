"""Waiting for something to become true, which every test does in place of sleeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class NotInTime(AssertionError):  # noqa: N818 (it tells what happened)
    """Something did not become true before its deadline; the text says what was there instead."""


def eventually(
    what: str, look: Callable[[], Any], *, within: float = 60.0, every: float = 0.1
) -> Any:
    """Wait until a look returns something true, and return that.

    Args:
        what: What is waited for, in words.
        look: Returns something true, or not.
        within: Seconds until that is given up.
        every: Seconds between two looks.

    Raises:
        NotInTime: It did not become true.
    """
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {within:.0f} s: {what}; last seen: {seen!r}")
        time.sleep(every)
