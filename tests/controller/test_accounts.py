"""What is shared per key: LISTs that count, and the accounts that they are of."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.controller.fake_deployer import FakeDeployer
from tests.controller.fake_driver import DOWN, FakeDriver
from tests.controller.one_account import PAUSE, account, scan
from tests.controller.virtual import steady, virtually
from together_operator.controller.account import Place
from together_operator.controller.accounts import Accounts
from together_operator.core.marker import Marker, owner_tag
from together_operator.core.observed import Poll
from together_operator.resource.spec import Api

# -- LIST --------------------------------------------------------------------------------------


def test_a_list_counts_only_if_it_was_sent_late_enough() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        one = account(driver)
        driver.delay = 2.0
        early = asyncio.create_task(one.list(float("-inf")))
        await asyncio.sleep(1.0)
        since = steady()
        late = await one.list(since)
        assert isinstance(late, Poll)
        assert late.sent_at >= since
        seen = await early
        assert isinstance(seen, Poll)
        assert seen.sent_at < since
        assert len(driver.sent) == 2

    virtually(scene())


def test_many_who_want_a_list_at_once_share_one() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        one = account(driver)
        await asyncio.gather(*(one.list(steady()) for _ in range(1000)))
        assert len(driver.sent) == 1

    virtually(scene())


def test_those_who_come_during_a_list_share_the_next_one() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        driver.delay = 1.0
        one = account(driver)
        first = asyncio.create_task(one.list(steady()))
        rest = []
        for _ in range(9):
            await asyncio.sleep(0.1)
            rest.append(asyncio.create_task(one.list(steady())))
        await asyncio.gather(first, *rest)
        assert len(driver.sent) == 2

    virtually(scene())


def test_a_list_that_is_recent_enough_is_not_sent_again() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        one = account(driver)
        since = steady()
        await one.list(since)
        await asyncio.sleep(100)
        await one.list(since)
        assert len(driver.sent) == 1

    virtually(scene())


def test_a_list_that_fails_is_told_to_all_who_wait_and_is_not_repeated_for_them() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        driver.down = DOWN
        one = account(driver)
        answers = await asyncio.gather(*(one.list(steady()) for _ in range(10)))
        assert answers == [DOWN] * 10
        assert len(driver.sent) == 1
        assert (one.failures, one.trouble) == (1, DOWN)
        driver.down = None
        assert isinstance(await one.list(steady()), Poll)
        assert (one.failures, one.trouble) == (0, None)

    virtually(scene())


def test_a_failed_list_of_before_does_not_answer_who_comes_later() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        driver.delay, driver.down = 1.0, DOWN
        one = account(driver)
        early = asyncio.create_task(one.list(steady()))
        await asyncio.sleep(0.5)

        async def recover() -> None:
            if len(driver.sent) > 1:
                driver.down = None

        driver.before["list"] = recover
        late = await one.list(steady())
        assert await early == DOWN
        assert isinstance(late, Poll)

    virtually(scene())


def test_a_waiter_that_is_cancelled_takes_nothing_from_the_others() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        one = account(driver)
        hasty = asyncio.create_task(one.list(steady()))
        patient = asyncio.create_task(one.list(steady()))
        await asyncio.sleep(0.01)
        hasty.cancel()
        assert isinstance(await patient, Poll)
        with pytest.raises(asyncio.CancelledError):
            await hasty

    virtually(scene())


def test_who_asks_for_what_a_list_under_way_will_show_waits_for_it() -> None:
    """They come at different moments, and an older answer would do for none of them."""

    async def scene() -> None:
        driver = FakeDriver()
        driver.delay = 5.0
        one = account(driver)
        since = steady()
        waiting = []
        for _ in range(4):
            waiting.append(asyncio.create_task(one.list(since)))
            await asyncio.sleep(1.0)
        polls = await asyncio.gather(*waiting)
        assert driver.sent == [since]
        assert len({id(poll) for poll in polls}) == 1

    virtually(scene())


def test_of_those_who_come_during_two_lists_each_gets_the_earliest_that_counts() -> None:
    async def scene() -> None:
        driver = FakeDriver()
        driver.delay = 1.0
        one = account(driver)
        waiting = {}
        for number in range(12):
            waiting[steady()] = asyncio.create_task(one.list(steady()))
            await asyncio.sleep(0.25 if number else 0.3)
        polls = {asked: await task for asked, task in waiting.items()}
        assert len(driver.sent) <= 5
        for asked, poll in polls.items():
            assert isinstance(poll, Poll)
            assert poll.sent_at == min(sent for sent in driver.sent if sent >= asked)

    virtually(scene())


# -- the keys in use ---------------------------------------------------------------------------


def test_a_key_in_use_is_not_forgotten_before_a_resource_rests_with_it() -> None:
    async def scene() -> None:
        accounts = Accounts("cluster", steady, PAUSE)
        accounts.add("key-a", Api.V1, FakeDriver)
        accounts.keep(())
        assert accounts.get("key-a", Api.V1) is not None
        await asyncio.sleep(300)
        accounts.keep({Place("key-a", Api.V1)})
        assert accounts.get("key-a", Api.V1) is not None
        accounts.keep(())
        assert accounts.get("key-a", Api.V1) is None

    virtually(scene())


def test_the_same_key_is_one_account() -> None:
    async def scene() -> None:
        accounts = Accounts("cluster", steady, PAUSE)
        assert accounts.add("key-a", Api.V1, FakeDriver) is accounts.add(
            "key-a", Api.V1, FakeDriver
        )
        assert len(list(accounts)) == 1

    virtually(scene())


def test_the_generations_of_a_key_are_accounts_of_their_own() -> None:
    async def scene() -> None:
        accounts = Accounts("cluster", steady, PAUSE)
        one = accounts.add("key-a", Api.V1, FakeDriver)
        two = accounts.add("key-a", Api.V2, FakeDeployer)
        assert one is not two
        assert (one.place, two.place) == (Place("key-a", Api.V1), Place("key-a", Api.V2))
        one.driver.put("e1")  # type: ignore[attr-defined]
        await asyncio.gather(one.list(steady()), two.list(steady()))
        assert accounts.may_see("key-a", Api.V1, two, "e1")
        assert not accounts.may_see("key-a", Api.V2, one, "e1")
        await asyncio.sleep(300)
        accounts.keep({Place("key-a", Api.V2)})
        assert list(accounts) == [two]

    virtually(scene())


def test_that_v1_is_closed_is_known_for_as_long_as_the_key_is_in_use() -> None:
    async def scene() -> None:
        accounts = Accounts("cluster", steady, PAUSE)
        accounts.add("key-a", Api.V1, FakeDriver)
        accounts.add("key-a", Api.V2, FakeDeployer)
        accounts.close("key-a")
        await asyncio.sleep(300)
        accounts.keep({Place("key-a", Api.V2)})
        assert accounts.closed("key-a")
        assert not accounts.closed("key-b")
        assert not accounts.closed(None)
        accounts.keep(())
        assert not accounts.closed("key-a")
        assert accounts.closed_keys() == []

    virtually(scene())


def test_a_list_that_shows_everything_is_all_that_is_read() -> None:
    async def scene() -> None:
        driver = FakeDeployer()
        driver.hold("ep_1", f"abcde-{Marker.of('cluster', 'uid-1', 'aaaa')}")
        driver.hold("ep_2", "by-hand")
        one = account(driver)
        assert [each.id for each in (await scan(one)).ours] == ["ep_1"]
        assert driver.read == []
        # The mark is in the names of deployments, which come and go.
        whole = driver.endpoints["ep_1"]
        driver.endpoints["ep_1"] = replace(whole, deployments=())
        driver.hold("ep_2", f"abcde-{Marker.of('cluster', 'uid-1', 'bbbb')}")
        assert [each.id for each in (await scan(one, since=steady())).ours] == ["ep_2"]
        assert [each.id for each in one.marked(owner_tag("uid-1"))] == ["ep_2"]

    virtually(scene())
