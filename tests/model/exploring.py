"""Searching mixes one by one, also in processes of their own."""

from __future__ import annotations

from collections.abc import Iterable

from .mixes import MIXES, Mix
from .search import Result, search
from .story import tell


def shares(mixes: Iterable[Mix], states: int) -> dict[str, int]:
    """How many states each mix may have.

    Args:
        mixes: The mixes.
        states: How many there are to be in all.
    """
    mixes = tuple(mixes)
    whole = sum(mix.weight for mix in mixes)
    return {mix.name: int(states * mix.weight / whole) for mix in mixes}


def named(name: str) -> Mix:
    """A mix by its name."""
    return next(mix for mix in MIXES if mix.name == name)


def explore(samples: int, job: tuple[str, int]) -> tuple[str, Result, str]:
    """Search one mix, named so that it can be sent to another process, and tell of a violation."""
    name, states = job
    mix = named(name)
    result = search(mix, states, samples)
    story = tell(mix, result.way) if result.violation else ""
    return name, result, story
