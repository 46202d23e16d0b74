"""What a LIST shows for the first time is read once, whoever looks and however many."""

from __future__ import annotations

import asyncio

from tests.controller.fake_driver import FakeDriver
from tests.controller.one_account import account, mark, scan
from tests.controller.virtual import steady, virtually
from together_operator.core.marker import owner_tag


def test_a_newcomer_is_read_once_however_many_look_at_the_same_time() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        for number in range(50):
            driver.put(f"e{number}")
        one = account(driver)
        await asyncio.gather(*(scan(one) for _ in range(20)))
        assert sorted(driver.read) == sorted(driver.endpoints)

    virtually(scene())


def test_a_newcomer_that_is_being_read_is_not_read_again_for_who_comes_later() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        for number in range(3):
            driver.put(f"e{number}")
        driver.delay = 2.0
        one = account(driver)
        since = steady()
        looks = []
        for _ in range(5):
            looks.append(asyncio.create_task(scan(one, since=since)))
            await asyncio.sleep(0.9)
        await asyncio.gather(*looks)
        assert len(driver.sent) == 1
        assert sorted(driver.read) == ["e0", "e1", "e2"]
        # And not again later: what a mark says of an endpoint is true for good.
        await scan(one, since=steady())
        assert len(driver.sent) == 2
        assert sorted(driver.read) == ["e0", "e1", "e2"]

    virtually(scene())


def test_a_newcomer_of_a_later_list_is_read_while_older_ones_still_are() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        driver.put("e1")
        driver.delay = 2.0
        one = account(driver)
        first = asyncio.create_task(scan(one))
        await asyncio.sleep(2.5)
        driver.put("e2", mark("uid-1"))
        found = await scan(one, since=steady())
        await first
        assert [each.id for each in found.ours] == ["e2"]
        assert sorted(driver.read) == ["e1", "e2"]

    virtually(scene())


def test_a_reader_that_is_cancelled_takes_nothing_from_the_others() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        driver.put("e1", mark("uid-1"))
        driver.delay = 2.0
        one = account(driver)
        hasty = asyncio.create_task(scan(one))
        await asyncio.sleep(2.5)
        patient = asyncio.create_task(scan(one))
        await asyncio.sleep(0.1)
        hasty.cancel()
        assert [each.id for each in (await patient).ours] == ["e1"]
        assert driver.read == ["e1"]

    virtually(scene())


def test_what_cannot_be_read_makes_a_look_inconclusive_and_is_read_again() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        driver.put("e1", mark("uid-1"))
        driver.unreadable.add("e1")
        one = account(driver)
        found = await scan(one)
        assert found.unread == ("e1",)
        driver.unreadable.clear()
        found = await scan(one, since=steady())
        assert [each.id for each in found.ours] == ["e1"]

    virtually(scene())


def test_what_is_known_of_endpoints_goes_with_them() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        driver.put("e1", mark("uid-1"))
        driver.put("e2", mark("uid-1", "bbbb"))
        driver.put("e3", mark("uid-1", cluster="another"))
        one = account(driver)
        await scan(one)
        tag = owner_tag("uid-1")
        assert [each.id for each in one.marked(tag)] == ["e1", "e2"]
        del driver.endpoints["e1"]
        await one.list(steady())
        assert [each.id for each in one.marked(tag)] == ["e2"]
        driver.endpoints.clear()
        await one.list(steady())
        assert (one.traits, one._marked, one._reading) == ({}, {}, {})

    virtually(scene())
