"""The two response headers that steer waiting: `Date` and `Retry-After`."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

LONGEST_RETRY_AFTER: Final = 600.0
"""Seconds. A longer wish, or a slip of the server, must not silence an endpoint for a day."""


def read_date(headers: httpx.Headers) -> float | None:
    """Read the server's clock.

    Args:
        headers: Of the answer.

    Returns:
        Unix seconds, or `None` where there is no readable `Date`.
    """
    return _http_date(headers.get("date"))


def read_retry_after(headers: httpx.Headers) -> float | None:
    """Read how long the server asks to wait, in any of the spellings the official SDK honours.

    Args:
        headers: Of the answer.

    Returns:
        Seconds between 0 and `LONGEST_RETRY_AFTER`, or `None` where nothing readable is asked.
    """
    seconds = _number(headers.get("retry-after-ms"))
    if seconds is not None:
        seconds /= 1000
    else:
        text = headers.get("retry-after")
        seconds = _number(text)
        until, now = _http_date(text), read_date(headers)
        # Measured by the server's own clock: ours may be minutes away from it.
        if seconds is None and until is not None and now is not None:
            seconds = until - now
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _http_date(text: str | None) -> float | None:
    try:
        return parsedate_to_datetime(text or "").timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
