"""Nothing that Together sends stops the operator, and nobody else waits for it (I9).

The whole controller with the real client, on a Together whose answers are spoiled in some place:
a field that is missing, null, of another type, huge, not a number, nested without end. While it
lasts the worst that may happen to a resource is a condition, and to another one nothing; afterwards
all is well again, or a person has been told what to do.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.controller.fake_driver import FakeDriver
from tests.controller.stage import Stage, until
from tests.controller.virtual import virtually, wall
from tests.support.hostile import odd, spoiled, written
from tests.support.scale import examples
from together_operator.controller.queue import Key
from together_operator.drivers import V1Driver
from together_operator.resource.crd import crd
from together_operator.resource.times import format_time
from together_operator.together import Backoff, Credential, V1Client, Wire

ONE, CANARY = Key("ml", "one"), Key("other", "canary")
STATUS = jsonschema.Draft202012Validator(
    crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"]
)
OFFER = {"id": "1x_gpu", "pricing": {"cents_per_minute": 9.15}, "specs": {"gpu_count": 1}}
Json = dict[str, Any]


class HonestTogether:
    """A Together in memory that answers as the real one does."""

    def __init__(self) -> None:
        self.endpoints: dict[str, Json] = {}
        self.made = 0

    def answer(self, request: httpx.Request) -> tuple[int, Any]:
        """The status and body of an answer."""
        body = json.loads(request.content) if request.content else {}
        place = request.url.path.removeprefix("/v1")
        known = self.endpoints.get(place.removeprefix("/endpoints/"))
        match request.method, place:
            case "GET", "/endpoints":
                return 200, {"object": "list", "data": [*map(_line, self.endpoints.values())]}
            case "POST", "/endpoints":
                return 200, self._make(body)
            case "GET", "/hardware":
                return 200, {"object": "list", "data": [OFFER]}
            case "GET", "/clusters/availability-zones":
                return 200, {"avzones": ["somewhere-1a"]}
            case "POST", "/chat/completions":
                return 200, {"choices": [{"message": {"role": "assistant", "content": "pong"}}]}
            case _ if known is None:
                return 404, {"error": {"message": "no such endpoint", "type": "not_found"}}
            case "GET", _:
                return 200, known
            case "DELETE", _:
                del self.endpoints[known["id"]]
                return 200, {}
            case _:
                known |= {k: v for k, v in body.items() if k in known}
                return 200, known

    def _make(self, order: Json) -> Json:
        self.made += 1
        made = {
            "object": "endpoint",
            "id": f"remote-{self.made}",
            "name": f"owner/{order['model']}-{self.made}",
            "display_name": order["display_name"],
            "model": order["model"],
            "hardware": order["hardware"],
            "type": "dedicated",
            "owner": "owner",
            "state": order["state"],
            "autoscaling": order["autoscaling"],
            "created_at": format_time(wall()),
        }
        self.endpoints[str(made["id"])] = made
        return made


def _line(endpoint: Json) -> Json:
    return {k: endpoint[k] for k in ("object", "id", "name", "model", "type", "owner", "state",
                                     "created_at")}  # fmt: skip


class HostileTogether(HonestTogether):
    """The same with answers that are spoiled for a while.

    Attributes:
        rules: What is spoiled: a kind of request, which place of the answer, what stands there,
            and the status code, if another.
        hostile: Whether it is.
    """

    def __init__(self, rules: list[tuple[str, int, Any, int | None]]) -> None:
        super().__init__()
        self.rules = rules
        self.hostile = True

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        status, body = self.answer(request)
        kind = f"{request.method} {re.sub('remote-.*', 'ID', request.url.path)}"
        for which, place, value, code in self.rules if self.hostile else ():
            if which == kind and body is not None:
                body, status = spoiled(body, place, value), code or status
        date = "Sun, 22 Nov 2026 08:00:00 GMT"
        return httpx.Response(status, content=written(body), headers={"Date": date})

    def driver(self) -> V1Driver:
        """How the operator talks to it."""
        wire = Wire(
            "http://together.test/v1",
            backoff=Backoff(attempts=2, first=0.001, budget=1),
            http=httpx.MockTransport(self),
        )
        return V1Driver(V1Client(wire, Credential("key-one")))


KINDS = (
    "GET /v1/endpoints",
    "POST /v1/endpoints",
    "GET /v1/endpoints/ID",
    "PATCH /v1/endpoints/ID",
    "DELETE /v1/endpoints/ID",
    "GET /v1/hardware",
    "POST /v1/chat/completions",
)
CODES = st.sampled_from((None, None, 201, 204, 302, 400, 403, 404, 409, 418, 429, 500))
RULES = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 40), odd, CODES), min_size=1, max_size=4
)


@contextmanager
def no_surprise() -> Iterator[None]:
    """Fail if anything was logged that only a mistake of ours can have caused."""
    seen: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info or record.levelno >= logging.ERROR:
                seen.append(logging.Formatter().format(record))

    ear = Ear()
    logging.getLogger().addHandler(ear)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(ear)
    assert not seen, "\n".join(seen)


def strict(stage: Stage) -> None:
    """Have the cluster in memory take only what a real API server takes as a status."""
    take = stage.kube.replace_status

    async def checked(body: Json) -> Json:
        text = json.dumps(body["status"], allow_nan=False, ensure_ascii=False)
        text.encode()  # a lone surrogate cannot be sent
        STATUS.validate(json.loads(text))
        return await take(body)

    stage.kube.replace_status = checked  # type: ignore[method-assign]


async def live(rules: list[tuple[str, int, Any, int | None]]) -> None:
    """One resource's life under a hostile Together, another's beside it."""
    together = HostileTogether(rules)
    stage = Stage(workers=2)
    strict(stage)
    stage.drivers = {"key-one": together.driver(), "key-two": FakeDriver()}  # type: ignore[dict-item]
    stage.kube.give_key("key-two", namespace="other")
    async with stage.running(timers=True):
        stage.queue.add(stage.kube.apply(), "create")
        stage.queue.add(stage.kube.apply("canary", "other"), "create")
        await stage.until("Serving", CANARY, within=60)
        await until(lambda: "conditions" in stage.kube.status(ONE), within=60)
        for change in ({"autoscaling": {"minReplicas": 2}}, {"state": "Stopped"}):
            await asyncio.sleep(200)
            stage.queue.add(stage.kube.apply(**change), "update")
            stage.queue.add(
                stage.kube.apply("canary", "other", displayName=str(change)[:30]), "update"
            )
            await until(lambda: _observed(stage, CANARY), within=60)
        await asyncio.sleep(200)
        together.hostile = False
        await until(lambda: _settled(stage), within=3000)
        stage.kube.delete(ONE)
        stage.queue.add(ONE, "delete")
        await until(lambda: ONE not in stage.kube.endpoints or _stalled(stage), within=3000)
        assert stage.operator.ended is None
    assert together.made <= 1 or ONE in stage.kube.endpoints or not together.endpoints


def _observed(stage: Stage, key: Key) -> bool:
    body = stage.kube.endpoints[key]
    return bool(body["status"]["observedGeneration"] == body["metadata"]["generation"])


def _stalled(stage: Stage) -> bool:
    return bool(stage.kube.condition(ONE, "Stalled")["status"] == "True")


def _settled(stage: Stage) -> bool:
    done = stage.kube.condition(ONE)["status"] == "True" or _stalled(stage)
    return _observed(stage, ONE) and done


@pytest.mark.timeout(examples(300))
@settings(max_examples=examples(60), deadline=None, derandomize=True)
@given(RULES)
def test_nothing_that_together_sends_stops_the_operator(
    rules: list[tuple[str, int, Any, int | None]],
) -> None:
    random.seed(0)
    with no_surprise():
        virtually(live(rules))
