"""Values with times in them: which times there are in one, and the same value at another time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import Any

from tests.core.together_model import EPOCH

_STEADY = frozenset(
    {"ending", "born", "began", "at", "sent_at", "first", "last", "not_found", "probed_at",
     "queued_since", "details_at", "marked_at"}
)  # fmt: skip
_WALL = frozenset({"created_at", "date", "removed_at"})

Mapping = Callable[[float], float]


@cache
def _plan(kind: type) -> tuple[tuple[str, str], ...]:
    """Which fields of a kind of value hold times, and which hold values that may."""
    plan = []
    for one in fields(kind):
        if one.name in _STEADY:
            plan.append((one.name, "steady"))
        elif one.name in _WALL:
            plan.append((one.name, "wall"))
        elif one.name == "first_sight":
            plan.append((one.name, "sights"))
        elif one.name == "empties":
            plan.append((one.name, "list"))
        elif one.type not in ("str", "bool", "int", "str | None"):
            plan.append((one.name, "value"))
    return tuple(plan)


def times(value: Any, found: set[float]) -> None:
    """Collect every time in a value."""
    if isinstance(value, tuple):
        for one in value:
            times(one, found)
    elif isinstance(value, dict):
        for one in value.values():
            times(one, found)
    elif is_dataclass(value):
        for name, kind in _plan(type(value)):
            inner = getattr(value, name)
            if inner is None:
                continue
            if kind == "steady":
                found.add(inner)
            elif kind == "wall":
                found.add(inner - EPOCH)
            elif kind == "sights":
                found.update(at for _, at in inner)
            elif kind == "list":
                found.update(inner)
            else:
                times(inner, found)


def moved(value: Any, move: Mapping) -> Any:
    """The same value at another time."""
    if isinstance(value, tuple):
        return tuple(moved(one, move) for one in value)
    if isinstance(value, dict):
        return {key: moved(one, move) for key, one in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changed: dict[str, Any] = {}
    for name, kind in _plan(type(value)):
        inner = getattr(value, name)
        if inner is None:
            continue
        if kind == "steady":
            new: Any = move(inner)
        elif kind == "wall":
            new = EPOCH + move(inner - EPOCH)
        elif kind == "sights":
            new = tuple((subject, move(at)) for subject, at in inner)
        elif kind == "list":
            new = tuple(move(at) for at in inner)
        else:
            new = moved(inner, move)
        if new != inner:
            changed[name] = new
    return replace(value, **changed) if changed else value
