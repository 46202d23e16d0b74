"""What a route is, before a web server serves it.

Why: each group of routes (v1, inference, identity, later v2) is a list of plain
functions; faults, the ledger and sending are wrapped around all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from together_local.simulator.faults import Operation
from together_local.simulator.replies import Call, Reply


@dataclass(frozen=True)
class Route:
    """One route of the simulated API.

    Attributes:
        method: HTTP method.
        path: Path with ``{names}`` for its variable parts.
        operation: What it does, as far as faults must know.
        perform: Its whole effect; raises ApiError to refuse.
    """

    method: str
    path: str
    operation: Operation
    perform: Callable[[Call], Reply]
