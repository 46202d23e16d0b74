"""Points in time as Kubernetes and Together write them: RFC 3339, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def parse_time(text: str) -> float:
    """Read an RFC 3339 time.

    Args:
        text: The time, with or without fractions of a second.

    Returns:
        Unix seconds.

    Raises:
        ValueError: If it is no such time.
    """
    return datetime.fromisoformat(text).timestamp()


def format_time(seconds: float) -> str:
    """Write unix seconds as RFC 3339, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
