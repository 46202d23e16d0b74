"""Every request that the operator sends in each scenario when nothing goes wrong, and how often.

Made by `python -m tests.chaos --boundaries`. What is sent by the clock is listed as often as in the
run that was measured, and never more than a few times.
"""

from __future__ import annotations

from typing import Final

BOUNDARIES: Final[dict[str, dict[str, int]]] = {
    "create": {
        "together POST /endpoints": 1,
    },
    "create-stopped": {
        "together POST /endpoints": 1,
    },
    "restart": {
        "k8s LIST togetherendpoints": 1,
    },
}
