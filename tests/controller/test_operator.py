"""The operator as a whole: it works on, and when it is told to stop it loses nothing."""

from __future__ import annotations

import asyncio

import pytest

from tests.controller.stage import ML, Stage, until
from tests.controller.virtual import steady, virtually
from together_operator.controller.kube_errors import KubeUnavailable, Rejected
from together_operator.controller.reconciler import Reconciler

AWAY = KubeUnavailable("the API server is away")


async def in_flight(stage: Stage) -> None:
    """Have a create under way that takes twenty seconds."""

    async def slowly() -> None:
        await asyncio.sleep(20)

    stage.together.before["create"] = slowly
    stage.kube.apply()
    stage.operator.enqueue(ML, "create")
    await until(lambda: stage.together.calls["create"] == 1)
    await asyncio.sleep(0.1)


def recorded(stage: Stage) -> bool:
    return "endpointID" in stage.kube.status(ML)


def test_a_shutdown_waits_for_an_order_and_its_record_and_begins_nothing_new() -> None:
    async def scene() -> None:
        stage = Stage(workers=2)
        async with stage.running():
            await in_flight(stage)
            for number in range(5):
                stage.operator.enqueue(stage.kube.apply(f"r{number}"), "create")
            stage.operator.enqueue(ML, "update")
            began = steady()
        assert 19 <= steady() - began <= 25
        assert recorded(stage)
        assert stage.together.calls["probe"] == 0
        assert stage.together.calls["create"] == 1

    virtually(scene())


def test_a_shutdown_records_an_answer_though_the_api_server_is_away_for_a_while() -> None:
    async def scene() -> None:
        stage = Stage()
        async with stage.running():
            await in_flight(stage)
            for method in ("replace_status", "get_endpoint", "get_secret"):
                stage.kube.fail[method] = [AWAY] * 10
        assert recorded(stage)

    virtually(scene())


def test_a_shutdown_records_an_answer_that_waited_for_its_next_try() -> None:
    async def scene() -> None:
        stage = Stage()
        async with stage.running():
            await in_flight(stage)
            stage.kube.fail["replace_status"] = [Rejected("not now")] * 4
            await asyncio.sleep(28)
            assert stage.reconciler.owed() == [ML]
            assert stage.queue.working == 0
        assert recorded(stage)
        assert stage.reconciler.owed() == []

    virtually(scene())


def test_a_shutdown_ends_though_the_api_server_never_comes_back() -> None:
    async def scene() -> None:
        stage = Stage()
        async with stage.running():
            await in_flight(stage)
            for method in ("replace_status", "get_endpoint"):
                stage.kube.fail[method] = [AWAY] * 1000
            began = steady()
        assert steady() - began <= 95

    virtually(scene())


def test_a_shutdown_at_rest_is_quick_and_ends_every_task() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        async with stage.running(timers=True):
            await asyncio.sleep(100)
            began = steady()
        assert steady() - began < 1
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.wait(left, timeout=1) if left else None
        assert [task for task in left if not task.done()] == []

    virtually(scene())


def test_an_order_that_was_not_sent_yet_is_not_sent_by_a_process_that_ends() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.kube.apply()

        async def end() -> None:
            if stage.kube.calls["replace_status"] == 1:
                stage.operator.stop()

        stage.kube.before["replace_status"] = end
        async with stage.running() as running:
            stage.operator.enqueue(ML, "create")
            await running
        assert stage.together.calls["create"] == 0
        assert stage.kube.status(ML)["operation"]["phase"] == "Open"

    virtually(scene())


def test_what_fails_for_one_resource_ends_no_worker_and_is_tried_again() -> None:
    async def scene() -> None:
        stage = Stage(workers=1)
        fails = 3

        async def fail() -> None:
            nonlocal fails
            if fails:
                fails -= 1
                raise RuntimeError("never expected")

        stage.kube.before["get_secret"] = fail
        stage.kube.apply()
        async with stage.running():
            stage.operator.enqueue(ML, "create")
            await stage.until("Serving", within=60)
            assert stage.operator.ended is None
        assert fails == 0

    virtually(scene())


def test_an_api_server_that_asks_for_a_day_is_asked_again_in_minutes() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.kube.fail["get_secret"] = [KubeUnavailable("busy", 86400.0)]
        stage.kube.apply()
        async with stage.running():
            stage.operator.enqueue(ML, "create")
            await stage.until("Serving", within=310)

    virtually(scene())


def test_one_resource_that_hangs_delays_no_other() -> None:
    async def scene() -> None:
        stage = Stage(workers=2)
        async with stage.running():
            await in_flight(stage)
            stage.together.before.clear()
            other = stage.kube.apply("other")
            stage.operator.enqueue(other, "create")
            await stage.until("Serving", other, within=5)
            assert not recorded(stage)

    virtually(scene())


@pytest.mark.parametrize("name", ["worker-0", "poller", "resync"])
def test_a_task_that_ended_is_named(name: str) -> None:
    async def scene() -> None:
        stage = Stage()
        async with stage.running(timers=True):
            await asyncio.sleep(1)
            assert stage.operator.ended is None
            [task] = [each for each in asyncio.all_tasks() if each.get_name() == name]
            task.cancel()
            await asyncio.sleep(1)
            assert stage.operator.ended == name

    virtually(scene())


def test_a_resource_that_wants_another_look_at_once_spins_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene() -> None:
        looks = 0

        async def again(*_: object) -> float:
            nonlocal looks
            looks += 1
            return 0.0

        monkeypatch.setattr(Reconciler, "reconcile", again)
        stage = Stage()
        async with stage.running():
            stage.operator.enqueue(ML, "create")
            await asyncio.sleep(10)
        assert 100 < looks <= 210

    virtually(scene())


def test_a_thousand_resources_come_to_serve() -> None:
    async def scene() -> None:
        stage = Stage(workers=16)
        keys = [stage.kube.apply(f"r{number}", f"team-{number % 7}") for number in range(300)]
        for number in range(7):
            stage.kube.give_key("key-one", namespace=f"team-{number}")
        async with stage.running(timers=True):
            for key in keys:
                stage.operator.enqueue(key, "create")
            await until(lambda: stage.together.calls["probe"] >= 300, 120)
            await asyncio.sleep(5)
            assert {stage.kube.condition(key)["reason"] for key in keys} == {"Serving"}
        assert stage.together.calls["create"] == 300
        assert stage.kube.calls["get_secret"] < 300
        assert stage.kube.calls["replace_status"] <= 3 * 300

    virtually(scene())
