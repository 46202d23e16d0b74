"""Every answer, by verb: what it means, and how often it was asked for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.together.fake import CREATE, ENDPOINT, STOP, Answer, listed, nested, together
from together_operator.together import (
    Kind,
    results,
)

BLOCK = httpx.Response(403, text="error code: 1010")
DATE = "Sun, 22 Nov 2026 08:00:00 GMT"


def text(status: int, body: str = "upstream trouble") -> httpx.Response:
    return httpx.Response(status, text=body)


def ok(body: Any = ENDPOINT, status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=body, headers={"Date": DATE})


BEFORE_THE_WIRE = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("slow"),
    httpx.PoolTimeout("busy"),
    httpx.ProxyError("407"),
]
ON_THE_WIRE = [
    httpx.ReadError("reset"),
    httpx.ReadTimeout("slow"),
    httpx.WriteError("reset"),
    httpx.WriteTimeout("slow"),
    httpx.RemoteProtocolError("disconnected"),
    OSError("reset"),
    TimeoutError(),
]
AMBIGUOUS: list[Answer] = [
    *ON_THE_WIRE,
    nested(408, "Timeout"),
    nested(409, "Conflict"),
    nested(405, "Method not allowed"),
    nested(500, "Boom"),
    nested(503, "hardware request not available"),
    nested(504, "Boom"),
    nested(529, "Overloaded"),
    nested(501, "refused: endpoints_v1_create_access_disabled"),
    text(503),
    text(524, "<html><title>A timeout occurred</title></html>"),
    # A 4xx in other words than Together's may come from anywhere.
    text(400),
    text(401),
    text(402),
    text(403, "endpoints_v1_create_access_disabled"),
    text(403, "error code: 1015"),
    text(404, "404 page not found"),
    text(422),
    text(429, "error code: 1015"),
    httpx.Response(422, json={"detail": "Not Found"}),
    httpx.Response(400, json={"error": "bad"}),
    text(302, ""),
    # A success that cannot be read may have made an endpoint.
    text(200, ""),
    text(200, "OK"),
    text(200, "<html>Log in to the Wi-Fi</html>"),
    ok({}),
    ok([]),
    ok({**ENDPOINT, "id": ""}),
    ok({**ENDPOINT, "autoscaling": None}),
    ok({**ENDPOINT, "state": 7}),
    ok(status=204, body=None),
]
DEFINITE: list[tuple[httpx.Response, Kind]] = [
    (nested(400, "Error parsing endpoint request"), Kind.INVALID),
    (nested(401, "Invalid API key"), Kind.UNAUTHORIZED),
    (nested(402, "Insufficient balance"), Kind.PAYMENT_REQUIRED),
    (nested(403, "Forbidden"), Kind.FORBIDDEN),
    (nested(403, "x", "endpoints_v1_create_access_disabled"), Kind.V1_CLOSED),
    (nested(404, "Model a/b not found"), Kind.BAD_MODEL),
    (nested(404, "is not available for this model"), Kind.BAD_HARDWARE),
    (nested(404, "x"), Kind.NOT_FOUND),
    (nested(422, "x", param="hardware"), Kind.BAD_HARDWARE),
    (nested(429, "Too many requests"), Kind.RATE_LIMITED),
    (nested(429, "GPU quota exceeded"), Kind.NO_CAPACITY),
    (httpx.Response(400, json={"message": "flat"}), Kind.INVALID),
    (httpx.Response(400, json={"message": "g", "code": 3, "details": []}), Kind.INVALID),
    (BLOCK, Kind.BLOCKED),
    (httpx.Response(403, text="<html>Error 1010</html>"), Kind.BLOCKED),
]


def label(value: object) -> str | None:
    if isinstance(value, httpx.Response):
        return f"{value.status_code}-{value.text[:40]}"
    return repr(value) if isinstance(value, Exception) else None


@pytest.mark.parametrize("answer", AMBIGUOUS, ids=label)
async def test_a_create_in_doubt_stays_in_doubt_and_is_never_repeated(answer: Answer) -> None:
    fake = together(answer)
    seen = await fake.client().create_endpoint(CREATE)
    assert isinstance(seen, results.Ambiguous)
    assert seen.message
    assert fake.sent() == ["POST /v1/endpoints"]


@pytest.mark.parametrize("answer", BEFORE_THE_WIRE, ids=label)
async def test_a_create_that_never_left_says_so_and_is_not_repeated(answer: Answer) -> None:
    fake = together(answer)
    assert isinstance(await fake.client().create_endpoint(CREATE), results.NotSent)
    assert fake.sent() == ["POST /v1/endpoints"]


@pytest.mark.parametrize(("answer", "kind"), DEFINITE, ids=label)
async def test_a_definite_refusal_of_a_create(answer: httpx.Response, kind: Kind) -> None:
    fake = together(answer)
    seen = await fake.client().create_endpoint(CREATE)
    assert isinstance(seen, results.Refused)
    assert (seen.kind, seen.status) == (kind, answer.status_code)
    assert seen.message
    assert fake.sent() == ["POST /v1/endpoints"]


@pytest.mark.parametrize("status", [200, 201, 202])
async def test_a_create_that_is_answered(status: int) -> None:
    extra = {**ENDPOINT, "surprise": {"x": 1}, "state": "DREAMING"}
    extra["autoscaling"] = {**extra["autoscaling"], "ready_replicas": 1, "desired": 2}
    seen = await together(ok(extra, status)).client().create_endpoint(CREATE)
    assert isinstance(seen, results.Ok)
    assert seen.date == 1795334400.0
    assert seen.value.id == "endpoint-1"
    assert seen.value.state == "DREAMING"
    assert seen.value.autoscaling.ready_replicas == 1
    assert seen.value.created_at == 1795330800.5


async def test_a_refusal_carries_code_field_and_pause() -> None:
    answer = nested(429, "Slow down", "rate_limited", "model", Retry_After="17")
    seen = await together(answer).client().create_endpoint(CREATE)
    expected = results.Refused(Kind.RATE_LIMITED, 429, "Slow down", "rate_limited", "model", 17)
    assert seen == expected


async def test_a_closed_fence_keeps_a_create_here() -> None:
    fake = together(ok())
    seen = await fake.client().create_endpoint(CREATE, fence=lambda: False)
    assert isinstance(seen, results.NotSent)
    assert fake.sent() == []


TRANSIENT: list[Answer] = [
    *BEFORE_THE_WIRE,
    *ON_THE_WIRE,
    nested(408, "Timeout"),
    nested(429, "Too many requests"),
    text(429),
    nested(500, "Boom"),
    text(502),
    text(503),
    text(524),
]


@pytest.mark.parametrize("answer", TRANSIENT, ids=label)
async def test_a_read_is_repeated_and_succeeds(answer: Answer) -> None:
    fake = together(answer, answer, ok())
    seen = await fake.client().get_endpoint("endpoint-1")
    assert isinstance(seen, results.Ok)
    assert fake.sent() == ["GET /v1/endpoints/endpoint-1"] * 3


@pytest.mark.parametrize("answer", TRANSIENT, ids=label)
async def test_a_read_gives_up_after_a_bounded_number(answer: Answer) -> None:
    fake = together(answer)
    seen = await fake.client().get_endpoint("endpoint-1")
    assert isinstance(seen, results.Unavailable)
    expected = answer.status_code if isinstance(answer, httpx.Response) else None
    assert seen.status == expected
    assert len(fake.requests) == 4


async def test_a_read_leaves_a_long_pause_to_its_caller() -> None:
    fake = together(nested(429, "Slow down", Retry_After="60"))
    seen = await fake.client().get_endpoint("endpoint-1")
    assert seen == results.Unavailable("HTTP 429: Slow down", 429, 60)
    assert len(fake.requests) == 1


async def test_a_read_obeys_a_short_pause() -> None:
    fake = together(nested(429, "Slow down", Retry_After="0"), ok())
    assert isinstance(await fake.client().get_endpoint("endpoint-1"), results.Ok)


@pytest.mark.parametrize(
    "answer",
    [
        nested(404, "Endpoint endpoint-1 not found"),
        nested(404, "The model endpoint-1 does not exist"),
        nested(404, "Resource not found", "not_found"),
        nested(410, "Gone"),
        httpx.Response(404, json={"message": "Not found"}),
    ],
    ids=label,
)
async def test_an_id_that_together_does_not_know_is_absent(answer: httpx.Response) -> None:
    for call in (
        together(answer).client().get_endpoint("endpoint-1"),
        together(answer).client().update_endpoint("endpoint-1", STOP),
        together(answer).client().delete_endpoint("endpoint-1"),
    ):
        assert isinstance(await call, results.Absent)


@pytest.mark.parametrize(
    "answer",
    [text(404, "404 page not found"), text(404, ""), text(404, "<html></html>"), text(410, "")],
    ids=label,
)
async def test_a_404_in_foreign_words_is_no_proof_of_absence(answer: httpx.Response) -> None:
    for call in (
        together(answer).client().get_endpoint("endpoint-1"),
        together(answer).client().update_endpoint("endpoint-1", STOP),
        together(answer).client().delete_endpoint("endpoint-1"),
    ):
        assert isinstance(await call, results.Unavailable)


async def test_a_404_of_a_change_that_means_hardware_is_a_refusal() -> None:
    answer = nested(404, "1x_x is not available for this model")
    seen = await together(answer).client().update_endpoint("endpoint-1", STOP)
    assert isinstance(seen, results.Refused)
    assert seen.kind is Kind.BAD_HARDWARE
    # A read has nothing to refuse.
    assert isinstance(await together(answer).client().get_endpoint("endpoint-1"), results.Absent)


@pytest.mark.parametrize("answer", BEFORE_THE_WIRE, ids=label)
async def test_a_change_that_never_left_is_sent_once_more(answer: Answer) -> None:
    fake = together(answer, ok())
    assert isinstance(await fake.client().update_endpoint("endpoint-1", STOP), results.Ok)
    assert fake.sent() == ["PATCH /v1/endpoints/endpoint-1"] * 2
    fake = together(answer)
    assert isinstance(await fake.client().delete_endpoint("endpoint-1"), results.Unavailable)
    assert fake.sent() == ["DELETE /v1/endpoints/endpoint-1"] * 2


@pytest.mark.parametrize(
    "answer",
    [
        *ON_THE_WIRE,
        nested(429, "Slow down"),
        nested(500, "Boom"),
        text(503),
        nested(408, "x"),
        text(403, "who are you"),
        text(200, "<html>Log in</html>"),
    ],
    ids=label,
)
async def test_a_change_in_doubt_is_left_to_a_look(answer: Answer) -> None:
    fake = together(answer)
    assert isinstance(await fake.client().update_endpoint("endpoint-1", STOP), results.Unavailable)
    assert fake.sent() == ["PATCH /v1/endpoints/endpoint-1"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (nested(400, "x", param="autoscaling"), Kind.INVALID),
        (nested(400, "The endpoint is stopping"), Kind.BUSY),
        (nested(401, "x"), Kind.UNAUTHORIZED),
        (nested(402, "x"), Kind.PAYMENT_REQUIRED),
        (nested(403, "x"), Kind.FORBIDDEN),
        (nested(403, "x", "endpoints_v1_create_access_disabled"), Kind.V1_CLOSED),
        (nested(409, "x"), Kind.BUSY),
        (nested(422, "x"), Kind.INVALID),
        (BLOCK, Kind.BLOCKED),
    ],
    ids=label,
)
async def test_a_definite_refusal_of_a_change_or_read(answer: httpx.Response, kind: Kind) -> None:
    fake = together(answer)
    for seen in (
        await fake.client().update_endpoint("endpoint-1", STOP),
        await fake.client().delete_endpoint("endpoint-1"),
        await fake.client().get_endpoint("endpoint-1"),
        await fake.client().list_endpoints(),
    ):
        assert isinstance(seen, results.Refused)
        assert seen.kind is kind
    assert len(fake.requests) == 4


@pytest.mark.parametrize("answer", [text(204, ""), text(200, "deleted"), ok({})], ids=label)
async def test_any_success_of_a_deletion_is_one(answer: httpx.Response) -> None:
    assert isinstance(await together(answer).client().delete_endpoint("endpoint-1"), results.Ok)


@pytest.mark.parametrize("odd", ["", ".", "..", "a/b", "../models", "a b", "a?b", "é", "a\n"])
async def test_an_id_that_nothing_can_have_is_absent_without_asking(odd: str) -> None:
    fake = together(ok())
    client = fake.client()
    assert isinstance(await client.get_endpoint(odd), results.Absent)
    assert isinstance(await client.update_endpoint(odd, STOP), results.Absent)
    assert isinstance(await client.delete_endpoint(odd), results.Absent)
    assert fake.sent() == []


async def test_the_list_asks_for_dedicated_endpoints_and_not_for_mine() -> None:
    fake = together(ok(listed(ENDPOINT)))
    seen = await fake.client().list_endpoints()
    assert isinstance(seen, results.Ok)
    assert [item.id for item in seen.value.data] == ["endpoint-1"]
    assert fake.sent() == ["GET /v1/endpoints?type=dedicated"]


async def test_prices_are_exact() -> None:
    price = "9.1500000000000000001"
    body = f'{{"data": [{{"id": "h", "pricing": {{"cents_per_minute": {price}}}}}, {{"id": "i"}}]}}'
    fake = together(httpx.Response(200, text=body))
    seen = await fake.client().list_hardware("a/b c&d")
    assert isinstance(seen, results.Ok)
    assert seen.value.data[0].pricing is not None
    assert seen.value.data[0].pricing.cents_per_minute == Decimal(price)
    assert seen.value.data[1].pricing is None
    assert fake.requests[0].url.params["model"] == "a/b c&d"


@pytest.mark.parametrize("body", [{"avzones": ["a", "b"]}, ["a", "b"]])
async def test_zones_in_both_shapes(body: Any) -> None:
    fake = together(ok(body))
    seen = await fake.client().list_availability_zones()
    assert isinstance(seen, results.Ok)
    assert seen.value == ("a", "b")
    assert fake.sent() == ["GET /v1/clusters/availability-zones"]


async def test_the_smallest_question() -> None:
    fake = together(text(200, "data: [DONE]"))
    assert isinstance(await fake.client().probe("owner/a/b-0123abcd"), results.Ok)
    assert fake.sent() == ["POST /v1/chat/completions"]
    assert fake.body()["model"] == "owner/a/b-0123abcd"
    assert fake.body()["max_tokens"] == 1
