"""How hard the tests that draw their cases look: a minute each by default, longer when asked."""

from __future__ import annotations

import os

VARIABLE = "FUZZ"


def examples(usual: int) -> int:
    """How many cases to draw.

    Args:
        usual: How many by default; `FUZZ=20` draws twenty times as many.
    """
    return usual * max(1, int(os.environ.get(VARIABLE, "1")))
