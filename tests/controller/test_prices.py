"""Prices are read once for all, and nobody waits for them who need not."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from tests.controller.fake_driver import DOWN, FakeDriver
from tests.controller.one_account import PAUSE, account
from tests.controller.virtual import steady, virtually
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Unavailable


def test_a_price_that_is_needed_is_waited_for_once_by_all() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        one = account(driver)
        prices = await asyncio.gather(*(one.price("1x_gpu") for _ in range(100)))
        assert prices == [Decimal(5)] * 100
        assert driver.calls["offers"] == 1
        assert await one.price("9x_gpu") is None
        assert one.price_expected("9x_gpu") is None

    virtually(scene())


def test_prices_that_cannot_be_read_are_not_asked_for_again_and_again() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        driver.priceless = DOWN
        one = account(driver)
        for _ in range(300):
            answer = await one.price("1x_gpu")
            assert isinstance(answer, Unavailable)
            assert answer.retry_after is not None
            assert 0 < answer.retry_after <= PAUSE
            await asyncio.sleep(1.0)
        assert driver.calls["offers"] <= 6
        driver.priceless = None
        await asyncio.sleep(PAUSE)
        assert await one.price("1x_gpu") == Decimal(5)

    virtually(scene())


def test_reading_prices_that_breaks_is_not_repeated_at_once() -> None:
    async def scene() -> None:
        driver = FakeDriver()

        async def fail() -> None:
            raise RuntimeError("never expected")

        driver.before["offers"] = fail
        one = account(driver)
        for _ in range(60):
            assert isinstance(await one.price("1x_gpu"), Unavailable)
            await asyncio.sleep(1.0)
        assert driver.calls["offers"] <= 2

    virtually(scene())


def test_nobody_waits_long_for_prices_that_do_not_come() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        driver.delay = 300.0
        one = account(driver)
        began = steady()
        answer = await one.price("1x_gpu")
        assert isinstance(answer, Unavailable)
        assert answer.reason is Reason.UNREACHABLE
        assert steady() - began < 10

    virtually(scene())


def test_a_known_price_is_told_at_once_and_renewed_behind_ones_back() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        one = account(driver)
        await one.price("1x_gpu")
        driver.prices["1x_gpu"] = Decimal(700)
        driver.delay = 3.0
        await asyncio.sleep(3600)
        began = steady()
        assert await one.price("1x_gpu") == Decimal(5)
        assert steady() == began
        await asyncio.sleep(5)
        assert await one.price("1x_gpu") == Decimal(7)
        driver.priceless = DOWN
        await asyncio.sleep(3600)
        await one.price("1x_gpu")
        await asyncio.sleep(5)
        assert await one.price("1x_gpu") == Decimal(7), "an old price is better than none"

    virtually(scene())


def test_a_price_is_found_in_either_spelling_whichever_together_uses() -> None:
    async def scene() -> None:
        for spelled in ("2x_nvidia_h100_80gb_sxm", "2xnvidia-h100-80gb"):
            driver = FakeDriver()
            driver.prices = {spelled: Decimal(1080)}
            one = account(driver)
            for asked in ("2x_nvidia_h100_80gb_sxm", "2xnvidia-h100-80gb"):
                assert await one.price(asked) == Decimal("10.8")

    virtually(scene())
