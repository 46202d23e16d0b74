"""Headers that steer waiting, and the back-off that obeys them."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from together_operator.together import Backoff
from together_operator.together._headers import (
    LONGEST_RETRY_AFTER,
    read_date,
    read_retry_after,
)

DATE = "Sun, 22 Nov 2026 08:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "-3"}, 0),
        ({"Retry-After": "86400"}, LONGEST_RETRY_AFTER),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"retry-after-ms": "250", "Retry-After": "7"}, 0.25),
        ({"Retry-After": "Sun, 22 Nov 2026 08:00:30 GMT", "Date": DATE}, 30),
        ({"Retry-After": "Sun, 22 Nov 2026 07:00:00 GMT", "Date": DATE}, 0),
        ({"Retry-After": "Sun, 22 Nov 2026 08:00:30 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert read_retry_after(httpx.Headers(headers)) == seconds


@pytest.mark.parametrize(
    ("headers", "date"),
    [({"Date": DATE}, 1795334400.0), ({}, None), ({"Date": "today"}, None)],
)
def test_date(headers: dict[str, str], date: float | None) -> None:
    assert read_date(httpx.Headers(headers)) == date


@given(st.binary())
def test_no_header_breaks_the_reader(value: bytes) -> None:
    for name in (b"date", b"retry-after", b"retry-after-ms"):
        headers = httpx.Headers([(name, value)])
        seconds = read_retry_after(headers)
        assert seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER
        read_date(headers)


@given(st.integers(1, 10), st.floats(0, 20), st.none() | st.floats(0, 600))
def test_the_back_off_is_bounded_in_number_and_time(
    sent: int, elapsed: float, asked: float | None
) -> None:
    backoff = Backoff(attempts=4, first=0.25, budget=10)
    delay = backoff.delay(sent, elapsed, asked)
    if delay is None:
        longest = max(0.25 * 2 ** (sent - 1), asked or 0)
        assert sent >= 4 or elapsed + longest >= 10
    else:
        assert sent < 4
        assert elapsed + delay < 10
        assert delay >= max(asked or 0, 0.125 * 2 ** (sent - 1))
