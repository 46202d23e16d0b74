"""What is shared per key: LISTs that count, newcomers read once, prices that nobody waits for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.controller.fake_deployer import FakeDeployer
from tests.controller.fake_driver import DOWN, FakeDriver
from tests.controller.virtual import steady, virtually
from together_operator.controller.account import Account, Place
from together_operator.controller.accounts import Accounts
from together_operator.core.marker import Marker, cluster_tag, owner_tag
from together_operator.core.observed import Poll
from together_operator.core.scan import Scan
from together_operator.core.steps import Look
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Unavailable
from together_operator.resource.spec import Api

PAUSE = 60.0


def account(driver: FakeDriver) -> Account:
    return Account("key-a", driver, steady, cluster_tag("cluster"), PAUSE)


def mark(uid: str, nonce: str = "aaaa", cluster: str = "cluster") -> str:
    return Marker.of(cluster, uid, nonce).write("ml/one")


async def scan(one: Account, uid: str = "uid-1", *, since: float = 0.0) -> Scan:
    found = await one.look(
        Look("key-a", since, 0.0, (uid,)),
        cluster="cluster",
        model="acme/model",
        hardware="1x_gpu",
        taken=(),
    )
    assert isinstance(found, Scan)
    return found


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


# -- newcomers ---------------------------------------------------------------------------------


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


# -- prices ------------------------------------------------------------------------------------


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


def test_a_price_is_found_in_either_spelling_whichever_together_uses() -> None:
    async def scene() -> None:
        for spelled in ("2x_nvidia_h100_80gb_sxm", "2xnvidia-h100-80gb"):
            driver = FakeDriver()
            driver.prices = {spelled: Decimal(1080)}
            one = account(driver)
            for asked in ("2x_nvidia_h100_80gb_sxm", "2xnvidia-h100-80gb"):
                assert await one.price(asked) == Decimal("10.8")

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
