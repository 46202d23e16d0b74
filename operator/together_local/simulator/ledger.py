"""The record by which a test judges: every request, every endpoint, every cent.

Why: what a client believes to have done proves nothing. The ledger is written by
the simulated server, keeps what was deleted, and never holds a key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from together_local.simulator.accounts import key_id


class LedgerUnit(Protocol):
    """Anything that is billed: an endpoint of v1, a deployment of v2."""

    def ledger_entry(self) -> dict[str, Any]:
        """Return its line, at the timeline's present moment."""


@dataclass
class RequestEntry:
    """One request to the API.

    Attributes:
        at: When it came in, in real unix seconds.
        method: HTTP method.
        path: Path without query.
        query: Query parameters.
        status: Status of the reply; None while there is none, or when it was cut off.
        key_id: Hash of the key, or None without one.
        body: The parsed body, its text when it is not JSON, or None.
    """

    at: float
    method: str
    path: str
    query: dict[str, str]
    status: int | None
    key_id: str | None
    body: Any


class Ledger:
    """All requests and all billed units, in the order in which they came."""

    def __init__(self) -> None:
        self._requests: list[RequestEntry] = []
        self._units: list[LedgerUnit] = []

    def open_request(
        self,
        at: float,
        method: str,
        path: str,
        query: Mapping[str, str],
        token: str | None,
        raw: bytes,
    ) -> RequestEntry:
        """Write down a request as it comes in; its status follows with the reply."""
        entry = RequestEntry(
            at=at,
            method=method,
            path=path,
            query=dict(query),
            status=None,
            key_id=key_id(token) if token else None,
            body=_readable(raw, token),
        )
        self._requests.append(entry)
        return entry

    def add_unit(self, unit: LedgerUnit) -> None:
        """Take a new endpoint or deployment into the books, for good."""
        self._units.append(unit)

    def snapshot(self, since: float | None = None) -> dict[str, Any]:
        """Return everything; ``since`` (real unix seconds) limits the requests."""
        endpoints = [unit.ledger_entry() for unit in self._units]
        live = sum(entry["deleted_at"] is None for entry in endpoints)
        return {
            "requests": [
                # Not dataclasses.asdict: its deep copy is what dominates at 10,000 requests.
                dict(vars(entry))
                for entry in self._requests
                if since is None or entry.at >= since
            ],
            "endpoints": endpoints,
            "totals": {
                "billed_cents": round(sum(entry["billed_cents"] for entry in endpoints), 4),
                "live": live,
                "creates": len(endpoints),
                "deletes": len(endpoints) - live,
            },
        }

    def billed_cents(self, project: str) -> float:
        """Return what a project was billed so far."""
        entries = (unit.ledger_entry() for unit in self._units)
        return sum(float(e["billed_cents"]) for e in entries if e["project"] == project)


def _readable(raw: bytes, token: str | None) -> Any:
    if not raw:
        return None
    text = raw.decode(errors="replace")
    if token:
        text = text.replace(token, "<redacted>")
    try:
        return json.loads(text)
    except ValueError:
        return text
