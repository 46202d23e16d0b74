"""A request and its reply, without HTTP.

Why: an effect must be able to happen without its reply, or long after it, so what
a route does is a plain function from a call to a reply, and sending is another's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from together_local.simulator.accounts import Caller
from together_local.simulator.errors import ApiError


@dataclass
class ListView:
    """How a fault distorts what LIST shows.

    Attributes:
        omit_all: Show nothing of the caller's own.
        omit: Ids to leave out.
        hide_younger_than: Leave out what is younger, in real seconds.
    """

    omit_all: bool = False
    omit: frozenset[str] = frozenset()
    hide_younger_than: float = 0


@dataclass
class Call:
    """One request to the API.

    Attributes:
        method: HTTP method.
        path: Path without query.
        params: Parts of the path, by name.
        query: Query parameters; of repeated ones the last.
        raw: The body as it came.
        token: The bearer key; a secret.
        hide_seconds: Real seconds for which what this call creates is missing from LIST.
        view: Distortion of LIST.
    """

    method: str
    path: str
    params: Mapping[str, str]
    query: Mapping[str, str]
    raw: bytes
    token: str | None
    hide_seconds: float = 0
    view: ListView = field(default_factory=ListView)
    _caller: Caller | None = None

    @property
    def caller(self) -> Caller:
        """Who sent it; known once the call was authenticated."""
        if self._caller is None:
            raise RuntimeError("the call was not authenticated")
        return self._caller

    @caller.setter
    def caller(self, caller: Caller) -> None:
        self._caller = caller

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object; without a body an empty one.

        Raises:
            ApiError: 400, when the body is something else.
        """
        if not self.raw:
            return {}
        try:
            body = json.loads(self.raw)
        except ValueError:
            raise ApiError(400, "Error parsing request: the body is not valid JSON") from None
        if not isinstance(body, dict):
            raise ApiError(400, "Error parsing request: the body is not a JSON object")
        return body


@dataclass
class Reply:
    """What a route answers.

    Attributes:
        status: HTTP status; 0 means that the connection is cut instead.
        body: Text is sent as text/plain, None as an empty body, anything else as JSON.
        headers: Additional headers.
        events: Server-sent events, which replace the body.
    """

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    events: list[str] | None = None
