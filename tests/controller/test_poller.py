"""The poller: how often it looks, and whom it wakes."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from tests.controller.fake_driver import DOWN, REFUSED_KEY, FakeDriver
from tests.controller.stage import ML, Stage, until
from tests.controller.virtual import steady, virtually
from together_operator.controller.queue import Key
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Refused, Unavailable


def gaps(driver: FakeDriver, since: float) -> list[float]:
    """Seconds between the LISTs sent since a time."""
    sent = [at for at in driver.sent if at >= since]
    return [later - earlier for earlier, later in pairwise(sent)]


# -- how often ---------------------------------------------------------------------------------


def test_at_rest_there_is_at_most_one_list_per_interval_and_nothing_else() -> None:
    async def scene() -> None:
        stage = Stage()
        for number in range(20):
            await stage.serving(f"r{number}")
        async with stage.running(timers=True):
            await asyncio.sleep(100)
            began, kube, remote = steady(), stage.kube.calls.copy(), stage.together.calls.copy()
            await asyncio.sleep(600)
            assert all(30 <= gap <= 35 for gap in gaps(stage.together, began))
            spent = stage.together.calls - remote
            assert set(spent) == {"list"}
            assert 17 <= spent["list"] <= 20
            # The comparison with the cluster is the only other thing that happens.
            assert set(stage.kube.calls - kube) <= {"list_secrets", "list_endpoints"}

    virtually(scene())


def test_in_transition_it_looks_more_often_and_then_no_longer() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        async with stage.running(timers=True):
            await asyncio.sleep(65)
            stage.together.turn("endpoint-1", "STARTING")
            await stage.until("Starting", within=35)
            began = steady()
            await asyncio.sleep(60)
            assert all(gap <= 7 for gap in gaps(stage.together, began))
            stage.together.turn("endpoint-1", "STARTED")
            await stage.until("Serving", within=10)
            began = steady()
            await asyncio.sleep(300)
            assert len(gaps(stage.together, began)) <= 10

    virtually(scene())


def test_what_begins_to_move_is_looked_at_without_waiting_for_the_pause_at_rest() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        async with stage.running(timers=True):
            await asyncio.sleep(65)
            before = len(stage.together.sent)
            stage.together.endpoints["endpoint-1"] = stage.together.put(
                "endpoint-1", stage.kube.status(ML)["displayName"], state="STARTING"
            )
            stage.kube.annotate(ML, reconcile_requested_at="now")
            stage.operator.enqueue(ML, "update")
            await asyncio.sleep(9)
            assert len(stage.together.sent) > before

    virtually(scene())


def test_an_order_that_is_refused_for_want_of_capacity_speeds_nothing_up() -> None:
    async def scene() -> None:
        stage = Stage()
        full = Refused(Reason.WAITING_FOR_CAPACITY, "none is free", retryable=True)
        stage.together.creates = [full] * 1000
        stage.kube.apply()
        async with stage.running(timers=True):
            stage.operator.enqueue(ML, "create")
            await asyncio.sleep(600)
            assert stage.ready == "WaitingForCapacity"
            assert len(stage.together.sent) <= 22

    virtually(scene())


def test_a_key_that_fails_is_asked_ever_more_rarely_and_as_rarely_as_together_asks() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        async with stage.running(timers=True):
            await asyncio.sleep(65)
            stage.together.down = DOWN
            await asyncio.sleep(30)
            began = steady()
            await asyncio.sleep(3600)
            pauses = gaps(stage.together, began)
            assert pauses == sorted(pauses) or max(pauses) <= 265
            assert max(pauses) >= 200
            stage.together.down = Unavailable(Reason.RATE_LIMITED, "slower", 500.0)
            await asyncio.sleep(300)
            began = steady()
            await asyncio.sleep(3600)
            assert all(500 <= pause <= 560 for pause in gaps(stage.together, began))

    virtually(scene())


def test_a_key_that_nobody_uses_is_not_asked() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        async with stage.running(timers=True):
            await asyncio.sleep(65)
            stage.kube.delete(ML)
            stage.operator.enqueue(ML, "delete")
            await stage.until_gone()
            sent = len(stage.together.sent)
            await asyncio.sleep(600)
            assert len(stage.together.sent) == sent

    virtually(scene())


def test_a_poll_that_breaks_is_not_the_last() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        breaks = 3

        async def fail() -> None:
            nonlocal breaks
            if breaks:
                breaks -= 1
                raise RuntimeError("never expected")

        async with stage.running(timers=True):
            await asyncio.sleep(65)
            stage.together.before["list"] = fail
            await asyncio.sleep(600)
            assert breaks == 0
            assert len(stage.together.sent) > 10
            assert stage.operator.ended is None
            assert stage.poller.silent_for < 2

    virtually(scene())


def test_a_key_whose_calls_hang_holds_up_no_other() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        stage.kube.give_key("key-two", "second")
        stage.drivers["key-two"] = FakeDriver("second")
        await stage.serving("two", apiKeySecretRef={"name": "second", "key": "api-key"})

        async def hang() -> None:
            await asyncio.sleep(1e6)

        async with stage.running(timers=True):
            await asyncio.sleep(65)
            stage.together.before["list"] = hang
            await asyncio.sleep(60)
            began = steady()
            await asyncio.sleep(300)
            assert len(gaps(stage.drivers["key-two"], began)) >= 8

    virtually(scene())


def test_with_very_many_keys_they_are_not_all_asked_at_once() -> None:
    async def scene() -> None:
        stage = Stage(workers=16)
        at_once = most = 0
        drivers = []
        for number in range(100):
            key = f"key-of-team-{number}"
            stage.kube.give_key(key, f"s{number}")
            stage.drivers[key] = FakeDriver(f"team-{number}")
            drivers.append(stage.drivers[key])
            ref = {"name": f"s{number}", "key": "api-key"}
            await stage.serving(f"r{number}", apiKeySecretRef=ref)

        async def count() -> None:
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.2)
            at_once -= 1

        for driver in drivers:
            driver.before["list"] = count
        await asyncio.sleep(100)
        async with stage.running(timers=True):
            await asyncio.sleep(120)
        assert most <= 32
        assert all(len(driver.sent) >= 3 for driver in drivers)

    virtually(scene())


# -- whom it wakes -----------------------------------------------------------------------------


def test_only_what_changed_is_worked_on() -> None:
    async def scene() -> None:
        stage = Stage()
        for number in range(10):
            await stage.serving(f"r{number}")
        await stage.poller.poll(next(iter(stage.accounts)))
        assert stage.enqueued == []
        changed = stage.kube.status(Key("ml", "r3"))["endpointID"]
        stage.together.turn(changed, "STOPPED")
        await stage.poller.poll(next(iter(stage.accounts)))
        assert stage.enqueued == [(Key("ml", "r3"), "poll")]

    virtually(scene())


def test_what_goes_on_differing_is_worked_on_ever_more_rarely_and_never_forgotten() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        stage.together.turn("endpoint-1", "STOPPED")
        account = next(iter(stage.accounts))
        polls = []
        for number in range(1, 300):
            await stage.poller.poll(account)
            if stage.enqueued:
                polls.append(number)
                stage.enqueued.clear()
        assert polls[:4] == [1, 2, 4, 8]
        assert max(later - earlier for earlier, later in pairwise(polls)) <= 64
        stage.together.turn("endpoint-1", "STARTING")
        await stage.poller.poll(account)
        assert len(stage.enqueued) == 1, "what changes again is news"

    virtually(scene())


def test_trouble_is_told_once_and_so_is_its_end_whoever_noticed_first() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        account = next(iter(stage.accounts))
        stage.together.down = DOWN
        # A resource that looks for itself fails as well, between two polls.
        for _ in range(2):
            await stage.poller.poll(account)
            await account.list(steady())
        assert account.failures == 4
        assert stage.enqueued == [(ML, "unreachable")]
        await stage.reconcile(ML, "unreachable")
        assert stage.kube.condition(ML, "Synced")["status"] == "False"
        await stage.poller.poll(account)
        assert len(stage.enqueued) == 1
        stage.together.down = None
        await account.list(steady())
        assert account.failures == 0
        await stage.poller.poll(account)
        assert (ML, "reachable") in stage.enqueued
        await stage.reconcile(ML, "reachable")
        assert stage.kube.condition(ML, "Synced")["status"] == "True"

    virtually(scene())


def test_who_has_told_of_trouble_is_woken_though_the_poller_never_met_it() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        account = next(iter(stage.accounts))
        stage.together.down = DOWN
        for _ in range(3):
            await account.list(steady())
        await stage.reconcile(ML, "update")
        assert stage.kube.condition(ML, "Synced")["status"] == "False"
        stage.together.down = None
        await stage.poller.poll(account)
        assert stage.enqueued == [(ML, "poll")]
        await stage.reconcile(ML, "poll")
        assert stage.kube.condition(ML, "Synced")["status"] == "True"

    virtually(scene())


def test_another_kind_of_trouble_is_told_again() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        async with stage.running(timers=True):
            stage.together.down = DOWN
            await stage.until("Serving")
            await until(lambda: stage.kube.condition(ML, "Synced")["reason"] == "Unreachable", 2000)
            stage.together.down = REFUSED_KEY
            await until(
                lambda: stage.kube.condition(ML, "Synced")["reason"] == "Unauthorized", 2000
            )
            stage.together.down = None
            await until(lambda: stage.kube.condition(ML, "Synced")["status"] == "True", 2000)
            assert stage.ready == "Serving"

    virtually(scene())
