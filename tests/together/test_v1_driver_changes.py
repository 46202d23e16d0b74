"""The v1 driver: changes, the probe, and the words that tell a person what to do next."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import httpx
import pytest

from tests.together.fake import (
    CLOSED,
    ORDER,
    SEEN,
    driver,
    hardware,
    listed,
    nested,
    ok,
    together,
)
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Bounds,
    Change,
    Done,
    Offer,
    Refused,
    Unavailable,
)


class TestExplain:
    """What is added to a refusal, so that the person can correct it at once."""

    BAD_HARDWARE = Refused(Reason.INVALID_HARDWARE, "Together refused.")
    BAD_MODEL = Refused(Reason.INVALID_MODEL, "Together refused.")
    BAD_ZONE = Refused(Reason.INVALID_ZONE, "Together refused.")

    async def test_bad_hardware_lists_what_the_model_can_use(self) -> None:
        fake = together(
            hardware(
                ("8x_h100", 72, "unavailable"), ("2x_h100", 18, "available"), ("1x_odd", 9.15, "")
            )
        )
        seen = await driver(fake).explain(ORDER, self.BAD_HARDWARE)
        assert seen == Refused(
            Reason.INVALID_HARDWARE,
            "Together refused. a/b can use: 1x_odd ($5.49/h), 2x_h100 ($10.80/h, available),"
            " 8x_h100 ($43.20/h, unavailable).",
        )
        assert fake.sent() == ["GET /v1/hardware?model=a%2Fb"]

    @pytest.mark.parametrize(
        "answer",
        [hardware(), nested(404, "No GPU configurations found for model 'a/b'"), nested(404, "x")],
    )
    async def test_a_model_without_hardware(self, answer: httpx.Response) -> None:
        seen = await driver(together(answer)).explain(ORDER, self.BAD_MODEL)
        assert "no hardware for dedicated endpoints of a/b" in seen.message
        assert "spec.model" in seen.message

    async def test_a_bad_zone_lists_the_zones(self) -> None:
        fake = together(ok({"avzones": ["us-b", "us-a"]}))
        seen = await driver(fake).explain(ORDER, self.BAD_ZONE)
        assert seen.message == "Together refused. Zones that Together names: us-a, us-b."

    async def test_a_long_list_says_how_many_more_there_are(self) -> None:
        rows = tuple(
            (f"{n}x_nvidia_hardware_with_a_long_name", n, "available") for n in range(1, 60)
        )
        seen = await driver(together(hardware(*rows))).explain(ORDER, self.BAD_HARDWARE)
        assert len(seen.message) <= 1000
        shown = seen.message.count("available")
        assert seen.message.endswith(f"and {59 - shown} more.")

    @pytest.mark.parametrize("refused", [BAD_HARDWARE, BAD_ZONE])
    async def test_a_refusal_stays_as_it_is_where_nothing_can_be_read(
        self, refused: Refused
    ) -> None:
        fake = together(httpx.ConnectError("x"))
        assert await driver(fake).explain(ORDER, refused) == refused

    async def test_other_refusals_ask_nothing(self) -> None:
        fake = together(ok())
        refused = Refused(Reason.PAYMENT_REQUIRED, "x", retryable=True, retry_after=3)
        assert await driver(fake).explain(ORDER, refused) == refused
        assert fake.sent() == []


class TestChanges:
    """Update, start, stop and delete."""

    async def test_an_update_sends_only_what_changes_and_both_bounds(self) -> None:
        fake = together(ok())
        it = driver(fake)
        assert await it.update("endpoint-1", Change(bounds=Bounds(1, 3))) == Done(SEEN)
        assert fake.body() == {"autoscaling": {"min_replicas": 1, "max_replicas": 3}}
        await it.update("endpoint-1", Change(inactive_timeout_minutes=0))
        assert fake.body() == {"inactive_timeout": 0}
        await it.update("endpoint-1", Change(display_name="n", inactive_timeout_minutes=5))
        assert fake.body() == {"display_name": "n", "inactive_timeout": 5}
        assert set(fake.sent()) == {"PATCH /v1/endpoints/endpoint-1"}

    async def test_no_change_sends_nothing(self) -> None:
        fake = together(ok())
        assert await driver(fake).update("endpoint-1", Change()) == Done()
        assert fake.sent() == []

    async def test_start_and_stop_send_the_state_alone(self) -> None:
        fake = together(ok())
        await driver(fake).start("endpoint-1", ORDER)
        assert fake.body() == {"state": "STARTED"}
        await driver(fake).stop("endpoint-1")
        assert fake.body() == {"state": "STOPPED"}

    async def test_delete(self) -> None:
        fake = together(httpx.Response(204))
        assert await driver(fake).delete("endpoint-1") == Done()
        assert fake.sent() == ["DELETE /v1/endpoints/endpoint-1"]

    async def test_the_other_outcomes(self) -> None:
        closed = driver(together(nested(403, "x", CLOSED)))
        for answer, expected in (
            (nested(404, "x"), Absent),
            (nested(503, "x"), Unavailable),
            (httpx.ReadTimeout("x"), Unavailable),
            (nested(429, "x"), Unavailable),
            (nested(400, "x"), Refused),
        ):
            it = driver(together(answer))
            for seen in (
                await it.update("e", Change(display_name="n")),
                await it.start("e", ORDER),
                await it.stop("e"),
                await it.delete("e"),
            ):
                assert isinstance(seen, expected)
        seen = await closed.start("e", ORDER)
        assert isinstance(seen, Refused)
        assert (seen.reason, seen.retryable) == (Reason.V1_CLOSED, False)

    async def test_a_busy_endpoint_is_asked_again_under_the_name_of_what_is_done(self) -> None:
        it = driver(together(nested(409, "Conflict")))
        for seen, reason in (
            (await it.update("e", Change(display_name="n")), Reason.UPDATING),
            (await it.start("e", ORDER), Reason.STARTING),
            (await it.stop("e"), Reason.STOPPING),
            (await it.delete("e"), Reason.DELETING),
        ):
            assert isinstance(seen, Refused)
            assert (seen.reason, seen.retryable) == (reason, True)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx.Response(200, json={"choices": []}), Done),
        (httpx.Response(200, text="anything"), Done),
        (nested(400, "This model does not support chat"), Done),
        (nested(422, "messages: not supported"), Done),
        (nested(400, "x", "dedicated_endpoint_not_running"), Reason.PROBING),
        (nested(400, "x", "model_not_available"), Reason.PROBING),
        (nested(422, "x", "model_not_available"), Reason.PROBING),
        (nested(404, "x"), Reason.PROBING),
        (nested(409, "x"), Reason.PROBING),
        (httpx.Response(400, text="bad request"), Reason.PROBING),
        (nested(503, "x"), Reason.PROBING),
        (httpx.Response(503, text="x"), Reason.PROBING),
        (httpx.ReadTimeout("x"), Reason.PROBING),
        (httpx.ConnectError("x"), Reason.UNREACHABLE),
        (nested(429, "x"), Reason.RATE_LIMITED),
        (nested(401, "x"), Reason.UNAUTHORIZED),
        (nested(402, "x"), Reason.PAYMENT_REQUIRED),
        (nested(403, "x"), Reason.FORBIDDEN),
    ],
)
async def test_the_probe(answer: httpx.Response | Exception, expected: type | Reason) -> None:
    fake = together(answer)
    seen = await driver(fake).probe("owner/a/b-0123abcd")
    assert fake.sent() == ["POST /v1/chat/completions"]
    if isinstance(seen, Done):
        assert expected is Done
    else:
        assert seen.reason is expected
        assert isinstance(seen, Refused) is (expected is Reason.PROBING)
        assert not isinstance(seen, Refused) or seen.retryable


class TestOffers:
    """Hardware and prices."""

    async def test_prices_per_hour_are_exact(self) -> None:
        fake = together(hardware(("1x_h100", 9.15, "available"), ("2x_h100", 18, "insufficient")))
        assert await driver(fake).offers("a/b") == (
            Offer("1x_h100", Decimal("549.00"), "available"),
            Offer("2x_h100", Decimal(1080), "insufficient"),
        )

    async def test_without_a_model_there_is_no_availability(self) -> None:
        fake = together(ok(listed({"id": "h", "pricing": {"cents_per_minute": 9}}, {"id": "free"})))
        assert await driver(fake).offers() == (Offer("h", Decimal(540), None),)
        assert fake.sent() == ["GET /v1/hardware"]

    async def test_many_callers_share_one_read_per_model(self) -> None:
        fake = together(hardware(("1x_h100", 9, "available")))
        it = driver(fake)
        await asyncio.gather(*(it.offers("a/b") for _ in range(50)))
        await it.offers("a/b")
        await it.explain(ORDER, TestExplain.BAD_HARDWARE)
        assert fake.sent() == ["GET /v1/hardware?model=a%2Fb"]
        await it.offers()
        assert len(fake.sent()) == 2

    async def test_a_failure_is_told_to_all_and_not_kept(self) -> None:
        fake = together(nested(400, "x"), hardware(("1x_h100", 9, "available")))
        it = driver(fake)
        first = await asyncio.gather(it.offers(), it.offers())
        assert all(isinstance(seen, Unavailable) for seen in first)
        assert len(fake.sent()) == 1
        assert isinstance(await it.offers(), tuple)
