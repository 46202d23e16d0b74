"""How the demo fails: with what to look at, never with a traceback."""

from __future__ import annotations


class DemoError(Exception):
    """Something did not come out as promised; the message says what, and where to look."""
