"""Things that go wrong between a client and the API, on demand.

Why: whether a create happened once is decided by lost replies, cut connections,
late effects and stale lists. A fault is armed over the admin API, meets the next
matching requests and counts its hits. Seconds of faults are real time.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from together_local.simulator.replies import Reply


class Operation(StrEnum):
    """What a route does, as far as faults must know; READ is one resource by its id."""

    CREATE = "create"
    LIST = "list"
    READ = "read"
    LOOKUP = "lookup"
    WRITE = "write"
    INFER = "infer"


class FaultKind(StrEnum):
    """What goes wrong."""

    STATUS = "status"
    DELAY = "delay"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    LATE_EFFECT = "late_effect"
    HIDE_IN_LIST = "hide_in_list"
    OMIT = "omit"
    NOT_FOUND = "not_found"


_DEFAULT_STATUS = {FaultKind.STATUS: 500, FaultKind.LATE_EFFECT: 503, FaultKind.NOT_FOUND: 404}


class Fault(BaseModel):
    """One fault, as posted to ``/_sim/faults``."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    fault: FaultKind
    """What goes wrong."""
    method: str | None = None
    """HTTP method; absent: any (for hide_in_list: POST)."""
    path_regex: str = ""
    """Searched for in the path, without the query; absent: any path."""
    times: Annotated[int, Field(ge=-1)] = 1
    """How many requests it meets; -1: until cleared."""
    after: Annotated[int, Field(ge=0)] = 0
    """How many matching requests pass before it begins."""
    status: Literal[0] | Annotated[int, Field(ge=200, le=599)] | None = None
    """Status of the reply, for status, late_effect and not_found; 0 cuts the connection."""
    body: Any = None
    """Body of the reply: text is sent as text/plain, anything else as JSON. For omit: the
    ids to leave out; absent: all."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers of the reply, such as Retry-After."""
    seconds: Annotated[float, Field(ge=0)] = 0
    """Real seconds: of the delay, before the cut or the late effect, of the gap in LIST."""

    @field_validator("path_regex")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value

    @field_validator("method")
    @classmethod
    def _upper(cls, value: str | None) -> str | None:
        return None if value in (None, "", "*") else value.upper()

    def applies(self, method: str, path: str, operation: Operation) -> bool:
        """Tell whether a request is one that this fault can meet."""
        if self.method not in (None, method) or not re.search(self.path_regex, path):
            return False
        if self.fault is FaultKind.OMIT:
            return operation is Operation.LIST
        if self.fault is FaultKind.HIDE_IN_LIST:
            on_list = operation is Operation.LIST and self.method == "GET"
            return on_list or operation is Operation.CREATE
        return True

    def reply(self) -> Reply:
        """Return the reply that the client gets instead of the API's own."""
        status = _DEFAULT_STATUS.get(self.fault, 500) if self.status is None else self.status
        return Reply(status, self.body, dict(self.headers))

    @property
    def omitted_ids(self) -> frozenset[str] | None:
        """For omit: the ids to leave out of LIST, or None for all."""
        return None if self.body is None else frozenset(str(item) for item in self.body)


class ArmedFault:
    """A fault with its counters."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.hits = 0
        self._matches = 0

    def meets(self, method: str, path: str, operation: Operation) -> bool:
        """Count a request and tell whether the fault strikes it."""
        if not self.fault.applies(method, path, operation):
            return False
        self._matches += 1
        if self._matches <= self.fault.after:
            return False
        if self.fault.times >= 0 and self.hits >= self.fault.times:
            return False
        self.hits += 1
        return True


class FaultBook:
    """All armed faults, in the order in which they were posted."""

    def __init__(self) -> None:
        self._armed: list[ArmedFault] = []

    def arm(self, faults: list[Fault]) -> None:
        """Add faults."""
        self._armed.extend(ArmedFault(fault) for fault in faults)

    def clear(self) -> None:
        """Remove all faults."""
        self._armed.clear()

    def shown(self) -> list[dict[str, Any]]:
        """Return every fault with its hits."""
        return [
            {**armed.fault.model_dump(mode="json"), "hits": armed.hits} for armed in self._armed
        ]

    def strike(self, method: str, path: str, operation: Operation) -> Fault | None:
        """Return the first fault that strikes this request."""
        for armed in self._armed:
            if armed.meets(method, path, operation):
                return armed.fault
        return None
