"""What is to happen once in a run, as soon as its time has come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Event:
    """Something that is to happen once.

    Attributes:
        when: Whether its time has come.
        act: What happens then.
        trouble: Whether all is not well before it has happened.
    """

    when: Callable[[], bool]
    act: Callable[[], None]
    trouble: bool
