"""What the watch of the cluster and the controller know of each other.

The watch runs in a thread and event loop of its own (`together_operator.handlers`); the controller
never sees the library behind it, and the watch never sees what the controller does.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from together_operator.controller.queue import Key


class Trigger(StrEnum):
    """What the watch can have seen; the name of the handler that saw it."""

    RESUME = "resume"
    """The resource was there when the watch began (again)."""
    CREATE = "create"
    UPDATE = "update"
    STOP = "stop"
    """An update of a resource whose `spec.state` is `Stopped`."""
    DELETE = "delete"
    """The resource is being deleted, something changed meanwhile, or it is gone."""


class Triggers(Protocol):
    """What the watch asks of the controller. All calls are made in the controller's loop."""

    def enqueue(self, key: Key, trigger: str) -> None:
        """Something happened to a resource: look at it again."""

    def start_timer(self) -> None:
        """The watch is up for the first time: the periodic work may begin."""
