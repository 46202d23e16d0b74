"""The bill, from the books of the simulated Together: what was bought, and what is left of it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from together_local.demo.errors import DemoError

_ORDERS = re.compile(r"/v1/endpoints|/v2/projects/[^/]+/endpoints")


@dataclass(frozen=True)
class Line:
    """One endpoint that was bought.

    Attributes:
        id: Together's id of it.
        hardware: What a replica of it ran on.
        minutes: How long it existed, in simulated minutes.
        replica_minutes: What was billed, in minutes of one replica.
        cents: What that cost, in US cents.
        gone: Whether it was deleted.
    """

    id: str
    hardware: str
    minutes: float
    replica_minutes: float
    cents: float
    gone: bool


@dataclass(frozen=True)
class Bill:
    """All that was bought.

    Attributes:
        lines: The endpoints.
        requests: How many requests to create one reached Together.
        refused: How many of them it refused.
    """

    lines: tuple[Line, ...]
    requests: int
    refused: int = 0

    @classmethod
    def of(cls, ledger: dict[str, Any], speed: float) -> Bill:
        """Read a simulator's ledger.

        Args:
            ledger: The answer of `GET /_sim/ledger`.
            speed: Simulated seconds per second.
        """
        now = time.time()
        orders = [
            request["status"]
            for request in ledger["requests"]
            if request["method"] == "POST" and _ORDERS.fullmatch(request["path"])
        ]
        return cls(
            tuple(
                Line(
                    id=entry["id"],
                    hardware=entry["hardware"],
                    minutes=((entry["deleted_at"] or now) - entry["created_at"]) * speed / 60,
                    replica_minutes=entry["replica_minutes"],
                    cents=entry["billed_cents"],
                    gone=entry["deleted_at"] is not None,
                )
                for entry in ledger["endpoints"]
            ),
            len(orders),
            sum(400 <= (status or 0) < 500 for status in orders),
        )

    @property
    def live(self) -> int:
        """How many endpoints still exist."""
        return sum(not line.gone for line in self.lines)

    HEAD = ("ENDPOINT", "HARDWARE", "EXISTED", "REPLICA-MINUTES", "COST", "NOW")

    def rows(self) -> list[Sequence[str]]:
        """The lines as cells below `HEAD`."""
        return [
            (
                line.id,
                line.hardware,
                f"{line.minutes:.0f} min",
                f"{line.replica_minutes:g}",
                f"${line.cents / 100:.2f}",
                "deleted" if line.gone else "exists",
            )
            for line in self.lines
        ]

    def summary(self) -> str:
        """The whole in one line."""
        cost = sum(line.cents for line in self.lines) / 100
        return (
            f"Requests to create an endpoint: {self.requests}"
            f"{f', of which {self.refused} refused' if self.refused else ''}. "
            f"Created: {len(self.lines)}. "
            f"Still there: {self.live}. Billed: ${cost:.2f}, if it had been real."
        )

    def expect(self, *, created: int, live: int) -> None:
        """Hold the operator to its promise.

        Args:
            created: How many endpoints may have been created.
            live: How many may still exist.

        Raises:
            DemoError: It was another number.
        """
        if (len(self.lines), self.live) != (created, live):
            raise DemoError(
                f"{created} created and {live} left was promised, it was {len(self.lines)} and "
                f"{self.live}"
            )
