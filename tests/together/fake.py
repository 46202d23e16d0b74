"""A Together that answers from a script, in place of the network."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from together_operator.drivers import V1Driver
from together_operator.resource.remote import Bounds, Endpoint, Order, Phase
from together_operator.together import (
    Backoff,
    CreateEndpoint,
    Credential,
    Fence,
    ReplicaBounds,
    Timeouts,
    UpdateEndpoint,
    V1Client,
    V2Client,
    Wire,
)

KEY = "not-a-real-key-0123456789"
ENDPOINT: dict[str, Any] = {
    "object": "endpoint",
    "id": "endpoint-1",
    "name": "owner/a/b-0123abcd",
    "display_name": "ml/b tep-abcdef-abcdefghijkl-abcd",
    "model": "a/b",
    "hardware": "1x_nvidia_h100_80gb_sxm",
    "type": "dedicated",
    "owner": "owner",
    "state": "PENDING",
    "autoscaling": {"min_replicas": 1, "max_replicas": 2},
    "created_at": "2026-11-22T07:00:00.500Z",
}

DATE = "Sun, 22 Nov 2026 08:00:00 GMT"
NOW = 1795334400.0
CREATED = 1795330800.5
CLOSED = "endpoints_v1_create_access_disabled"
ORDER = Order(
    model="a/b",
    hardware="1x_nvidia_h100_80gb_sxm",
    bounds=Bounds(1, 2),
    display_name="name tep-abcdef-abcdefghijkl-abcd",
    started=True,
    inactive_timeout_minutes=0,
    speculative_decoding=None,
    availability_zone=None,
)
SEEN = Endpoint(
    id="endpoint-1",
    name="owner/a/b-0123abcd",
    display_name="ml/b tep-abcdef-abcdefghijkl-abcd",
    model="a/b",
    hardware="1x_nvidia_h100_80gb_sxm",
    owner="owner",
    state="PENDING",
    phase=Phase.PENDING,
    bounds=Bounds(1, 2),
    ready_replicas=None,
    created_at=CREATED,
)

CREATE = CreateEndpoint(
    model="a/b",
    hardware="1x_nvidia_h100_80gb_sxm",
    autoscaling=ReplicaBounds(min_replicas=1, max_replicas=2),
    display_name="name",
    state="STARTED",
    inactive_timeout=0,
)
STOP = UpdateEndpoint(state="STOPPED")

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def nested(
    status: int, message: str, code: str | None = None, param: str | None = None, **headers: str
) -> httpx.Response:
    """Return an error as Together words it."""
    error = {"message": message, "type": "some_error", "param": param, "code": code}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"error": error}, headers=named)


def listed(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the body of a list."""
    return {"object": "list", "data": list(items), **more}


@dataclass
class FakeTogether:
    """Answers in turn, the last answer again and again.

    Attributes:
        script: The answers, or exceptions in their place.
        requests: What was asked.
    """

    script: list[Answer]
    requests: list[httpx.Request] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        self.requests.append(request)
        answer = self.script[min(len(self.requests), len(self.script)) - 1]
        if isinstance(answer, Exception):
            raise answer
        if not isinstance(answer, httpx.Response):
            return answer(request)
        # A fresh copy: a response object can be read only once.
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def sent(self) -> list[str]:
        """Return verbs and paths of the requests."""
        return [f"{request.method} {request.url.raw_path.decode()}" for request in self.requests]

    def body(self) -> Any:
        """Return the JSON of the last request."""
        return json.loads(self.requests[-1].content)

    def client(self) -> V1Client:
        """Return a client of this Together that waits for nothing long."""
        return V1Client(self.wire("http://together.test/v1"), Credential(KEY))

    def client_v2(self, base_url: str = "http://together.test/v1") -> V2Client:
        """Return a client of its API v2."""
        return V2Client(self.wire(base_url), Credential(KEY))

    def wire(self, base_url: str, may_change: Fence | None = None) -> Wire:
        """Return connections to this Together by any base URL."""
        return Wire(
            base_url,
            timeouts=Timeouts(connect=1, read=2, change=2, create=2, probe=2),
            backoff=Backoff(attempts=4, first=0.001, budget=1),
            may_change=may_change,
            http=httpx.MockTransport(self),
        )


def together(*script: Answer) -> FakeTogether:
    """Return a Together with a script."""
    return FakeTogether(list(script))


def ok(body: Any = ENDPOINT, **headers: str) -> httpx.Response:
    """Return a success."""
    return httpx.Response(200, json=body, headers=headers or {"Date": DATE})


def driver(fake: FakeTogether) -> V1Driver:
    """Return a driver whose network is the fake."""
    return V1Driver(fake.client())


def hardware(*rows: tuple[str, float, str]) -> httpx.Response:
    """Return hardware by id, cents per minute and availability."""
    return ok(
        listed(
            *(
                {
                    "id": id_,
                    "pricing": {"cents_per_minute": price},
                    "availability": {"status": word},
                }
                for id_, price, word in rows
            )
        )
    )
