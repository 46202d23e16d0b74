"""The v1 driver: plain values for the core, from every answer that Together may give."""

from __future__ import annotations

import httpx
import pytest

from tests.together.fake import (
    CLOSED,
    CREATED,
    ENDPOINT,
    KEY,
    NOW,
    ORDER,
    SEEN,
    driver,
    listed,
    nested,
    ok,
    together,
)
from together_operator.drivers import Driver, v1_hardware
from together_operator.drivers.v1 import phase_of
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Ambiguous,
    Bounds,
    Done,
    Endpoint,
    Listing,
    NotSent,
    Order,
    Phase,
    Refused,
    Summary,
    Unavailable,
)
from together_operator.resource.spec import Api


def test_it_is_a_driver() -> None:
    it: Driver = driver(together(ok()))
    assert it.api is Api.V1
    assert it.deploys is False
    assert it.inference_url == "http://together.test/v1"


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("PENDING", Phase.PENDING),
        ("STARTING", Phase.STARTING),
        ("STARTED", Phase.STARTED),
        ("started", Phase.STARTED),
        ("READY", Phase.STARTED),
        ("STOPPING", Phase.STOPPING),
        ("STOPPED", Phase.STOPPED),
        ("ERROR", Phase.FAILED),
        ("FAILED", Phase.FAILED),
        ("MIGRATING", Phase.UNKNOWN),
        ("", Phase.UNKNOWN),
    ],
)
def test_state_words(word: str, phase: Phase) -> None:
    assert phase_of(word) is phase


@pytest.mark.parametrize(
    ("given", "v1"),
    [
        ("2x_nvidia_h100_80gb_sxm", "2x_nvidia_h100_80gb_sxm"),
        ("2xnvidia-h100-80gb", "2x_nvidia_h100_80gb_sxm"),
        ("8xnvidia-h200-141gb", "8x_nvidia_h200_140gb_sxm"),
        ("1xnvidia-new-1tb", "1xnvidia-new-1tb"),
        ("anything", "anything"),
    ],
)
def test_hardware_in_either_spelling(given: str, v1: str) -> None:
    assert v1_hardware(given) == v1


class TestList:
    """One LIST, complete or not at all."""

    async def test_it_shows_what_a_poll_needs(self) -> None:
        body = listed(
            {
                "id": "e1",
                "type": "dedicated",
                "state": "STARTED",
                "created_at": ENDPOINT["created_at"],
            },
            {"id": "e2", "state": "DREAMING", "created_at": "2026-11-22T07:00:00.5+00:00"},
            {"id": "s1", "type": "serverless", "state": "STARTED"},
        )
        assert await driver(together(ok(body))).list() == Listing(
            endpoints={
                "e1": Summary("e1", "STARTED", Phase.STARTED, CREATED),
                "e2": Summary("e2", "DREAMING", Phase.UNKNOWN, CREATED),
            },
            date=NOW,
        )

    async def test_without_a_date_header_the_newest_creation_is_a_safe_lower_bound(self) -> None:
        old = {"id": "e0", "state": "STOPPED", "created_at": "2020-01-01T00:00:00Z"}
        new = {"id": "e1", "state": "STOPPED", "created_at": ENDPOINT["created_at"]}
        seen = await driver(together(ok(listed(new, old), x="y"))).list()
        assert isinstance(seen, Listing)
        assert seen.date == CREATED
        seen = await driver(together(ok(listed(), x="y"))).list()
        assert seen == Listing({}, date=0.0)

    @pytest.mark.parametrize("created", [None, "yesterday", 17, ""])
    async def test_an_endpoint_of_unknown_age_counts_as_new(self, created: object) -> None:
        body = listed({"id": "e1", "state": "STARTED", "created_at": created})
        seen = await driver(together(ok(body))).list()
        assert isinstance(seen, Listing)
        assert seen.endpoints["e1"].created_at == NOW

    @pytest.mark.parametrize(
        "answer",
        [
            ok(listed({"id": "e1", "state": "STARTED"}, has_more=True)),
            ok(listed({"id": "e1", "state": "STARTED"}, next_cursor="c")),
            ok(listed({"state": "STARTED"})),
            ok({"object": "list"}),
            ok([]),
            httpx.Response(200, text="<html>Log in</html>"),
            httpx.Response(404, text="404 page not found"),
            nested(404, "Unknown path"),
            nested(500, "Boom"),
        ],
    )
    async def test_a_list_is_complete_or_none(self, answer: httpx.Response) -> None:
        seen = await driver(together(answer)).list()
        assert isinstance(seen, Unavailable)
        assert seen.reason is Reason.UNREACHABLE
        assert "--base-url" in seen.message


@pytest.mark.parametrize(
    ("answer", "reason", "advice"),
    [
        (nested(401, "Invalid API key"), Reason.UNAUTHORIZED, "Secret"),
        (nested(402, "No credits"), Reason.PAYMENT_REQUIRED, "credits"),
        (nested(403, "Forbidden"), Reason.FORBIDDEN, "tier"),
        (httpx.Response(403, text="error code: 1010"), Reason.FORBIDDEN, "Cloudflare"),
        (nested(429, "Slow down", Retry_After="60"), Reason.RATE_LIMITED, "by itself"),
        (httpx.ConnectError("refused"), Reason.UNREACHABLE, "proxy"),
        (httpx.Response(503, text="busy"), Reason.UNREACHABLE, "status page"),
        (nested(400, "No"), Reason.UNREACHABLE, "--base-url"),
    ],
)
async def test_a_read_without_an_answer_says_why_and_what_next(
    answer: httpx.Response | Exception, reason: Reason, advice: str
) -> None:
    it = driver(together(answer))
    for seen in (await it.list(), await it.get("endpoint-1"), await it.offers()):
        assert isinstance(seen, Unavailable)
        assert seen.reason is reason
        assert advice in seen.message
        assert (seen.retry_after == 60) is (reason is Reason.RATE_LIMITED)


async def test_get_shows_the_endpoint() -> None:
    assert await driver(together(ok())).get("endpoint-1") == SEEN
    live = {**ENDPOINT, "autoscaling": {"min_replicas": 1, "max_replicas": 2, "ready_replicas": 1}}
    seen = await driver(together(ok(live))).get("endpoint-1")
    assert isinstance(seen, Endpoint)
    assert seen.ready_replicas == 1
    assert await driver(together(nested(404, "x"))).get("endpoint-1") == Absent()


class TestCreate:
    """What one create sends, and what its outcomes mean."""

    async def test_it_spells_out_every_field(self) -> None:
        fake = together(ok())
        assert await driver(fake).create(ORDER) == Done(SEEN)
        assert fake.sent() == ["POST /v1/endpoints"]
        assert fake.body() == {
            "model": "a/b",
            "hardware": "1x_nvidia_h100_80gb_sxm",
            "autoscaling": {"min_replicas": 1, "max_replicas": 2},
            "display_name": "name tep-abcdef-abcdefghijkl-abcd",
            "state": "STARTED",
            "inactive_timeout": 0,
        }

    @pytest.mark.parametrize(("wanted", "disable"), [(True, False), (False, True)])
    async def test_it_sends_what_was_asked_for(self, wanted: bool, disable: bool) -> None:
        fake = together(ok())
        order = Order(
            model="a/b",
            hardware="4xnvidia-h200-141gb",
            bounds=Bounds(3, 3),
            display_name="n",
            started=False,
            inactive_timeout_minutes=60,
            speculative_decoding=wanted,
            availability_zone="us-central-4b",
        )
        await driver(fake).create(order)
        assert fake.body() == {
            "model": "a/b",
            "hardware": "4x_nvidia_h200_140gb_sxm",
            "autoscaling": {"min_replicas": 3, "max_replicas": 3},
            "display_name": "n",
            "state": "STOPPED",
            "inactive_timeout": 60,
            "disable_speculative_decoding": disable,
            "availability_zone": "us-central-4b",
        }

    async def test_together_may_spell_the_model_its_own_way(self) -> None:
        seen = await driver(together(ok({**ENDPOINT, "model": "Another/Spelling"}))).create(ORDER)
        assert isinstance(seen, Done)
        assert seen.endpoint is not None
        assert seen.endpoint.model == "Another/Spelling"

    async def test_doubt_and_not_sent_and_a_closed_fence(self) -> None:
        assert isinstance(await driver(together(nested(500, "x"))).create(ORDER), Ambiguous)
        refused = together(httpx.ConnectError("x"))
        assert isinstance(await driver(refused).create(ORDER), NotSent)
        fake = together(ok())
        assert isinstance(await driver(fake).create(ORDER, fence=lambda: False), NotSent)
        assert fake.sent() == []

    @pytest.mark.parametrize(
        ("answer", "reason", "retryable", "advice"),
        [
            (
                nested(403, "Closed", CLOSED),
                Reason.V1_CLOSED,
                False,
                "Set spec.api to Auto",
            ),
            (nested(404, "x", param="model"), Reason.INVALID_MODEL, False, "spec.model"),
            (nested(404, "x"), Reason.INVALID_MODEL, False, "spec.hardware"),
            (nested(400, "x", param="hardware"), Reason.INVALID_HARDWARE, False, "spec.hardware"),
            (
                nested(400, "x", param="availability_zone"),
                Reason.INVALID_ZONE,
                False,
                "spec.availabilityZone",
            ),
            (nested(422, "min > max"), Reason.INVALID_REQUEST, False, "min > max"),
            (
                nested(400, "hardware request not available"),
                Reason.WAITING_FOR_CAPACITY,
                True,
                "minR",
            ),
            (nested(429, "GPU quota exceeded"), Reason.WAITING_FOR_CAPACITY, True, "by itself"),
            (nested(429, "Slow down"), Reason.RATE_LIMITED, True, "by itself"),
            (nested(401, "Invalid"), Reason.UNAUTHORIZED, True, "Secret"),
            (nested(402, "No credits"), Reason.PAYMENT_REQUIRED, True, "credits"),
            (nested(403, "Forbidden"), Reason.FORBIDDEN, True, "tier"),
            (httpx.Response(403, text="error code: 1010"), Reason.FORBIDDEN, True, "Cloudflare"),
        ],
    )
    async def test_a_refusal_says_what_to_do(
        self, answer: httpx.Response, reason: Reason, retryable: bool, advice: str
    ) -> None:
        seen = await driver(together(answer)).create(ORDER)
        assert isinstance(seen, Refused)
        assert (seen.reason, seen.retryable) == (reason, retryable)
        assert advice in seen.message
        assert seen.message.endswith(".")
        assert ".." not in seen.message

    async def test_a_pause_is_handed_on_and_the_key_is_not(self) -> None:
        answer = nested(429, f"Key {KEY} is too fast", Retry_After="17")
        seen = await driver(together(answer)).create(ORDER)
        assert isinstance(seen, Refused)
        assert seen.retry_after == 17
        assert KEY not in seen.message
