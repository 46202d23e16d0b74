"""How long the drawn stories of the core are.

`CORE_EXAMPLES=20000 pytest tests/core` plays that many of each kind, drawn anew each time. By
default they are few and always the same, so that a change is judged by what it changes.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_WANTED = os.environ.get("CORE_EXAMPLES")

settings.register_profile(
    "core",
    max_examples=int(_WANTED) if _WANTED else 250,
    stateful_step_count=60 if _WANTED else 40,
    derandomize=_WANTED is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
