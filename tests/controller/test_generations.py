"""Two generations of the API behind one key: where one looks, what moves on, what it costs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.controller.stage import ML, Stage, metric, until
from tests.controller.virtual import virtually, wall
from together_operator.controller.queue import Key
from together_operator.core.marker import Marker
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Refused, Unavailable
from together_operator.resource.spec import Api

TWO = Key("ml", "two")
CLOSED = Refused(Reason.V1_CLOSED, "Together has closed API v1")
GONE = Unavailable(Reason.UNREACHABLE, "Together does not know the route")


def closed(stage: Stage) -> Stage:
    """An account in which v1 creates nothing any more."""
    stage.together.creates = [CLOSED] * 1000
    return stage


def generations(stage: Stage) -> list[str]:
    return sorted(account.api.value for account in stage.accounts)


# -- which generation --------------------------------------------------------------------------


def test_where_v1_is_closed_the_next_resource_of_the_key_does_not_even_ask() -> None:
    async def scene() -> None:
        stage = closed(Stage())
        await stage.serving()
        assert stage.kube.status(ML)["api"] == "V2"
        assert stage.kube.status(ML)["inference"]["baseURL"] == stage.together_v2.inference_url
        assert stage.kube.status(ML)["price"]["perReplicaHour"] == "8.00"
        assert stage.together.calls["create"] == 1
        [identity] = {account.identity for account in stage.accounts}
        assert metric(stage, "api_v1_closed", credential=identity) == [1]
        assert metric(stage, "resources_by_api", api="V2") == [1]
        assert metric(stage, "resources_by_api", api="V1") == []
        await stage.serving("two")
        assert stage.together.calls["create"] == 1

    virtually(scene())


@pytest.mark.parametrize("left", ["served", "refused"])
def test_another_process_knows_from_what_is_on_record_that_v1_is_closed(left: str) -> None:
    async def scene() -> None:
        stage = closed(Stage())
        if left == "served":
            await stage.serving()
        else:
            stage.kube.apply(api="V1")
            await stage.reconcile()
            assert stage.ready == "V1Closed"
        later = stage.restarted()
        later.together.calls.clear()
        await later.fill()
        await later.serving("two")
        assert later.kube.status(TWO)["api"] == "V2"
        assert later.together.calls["create"] == 0

    virtually(scene())


def test_a_status_says_nothing_of_a_key_that_its_resource_does_not_have() -> None:
    """Whoever may write a status could otherwise move the resources of another team."""

    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        identity = stage.kube.status(ML)["operation"]["credential"]
        stage.kube.give_key("key-two", "second")
        forged = stage.kube.apply("forged", apiKeySecretRef={"name": "second", "key": "api-key"})
        body = stage.kube.endpoints[forged]
        body["status"] = {
            "operation": {
                **stage.kube.status(ML)["operation"],
                "uid": body["metadata"]["uid"],
                "phase": "Refused",
                "refusal": {"reason": "V1Closed", "message": "", "generation": 1},
            }
        }
        later = stage.restarted()
        await later.fill()
        assert not later.accounts.closed(identity)
        await later.serving("two")
        assert "api" not in later.kube.status(TWO) or later.kube.status(TWO)["api"] == "V1"

    virtually(scene())


def test_a_key_of_its_own_is_asked_on_its_own() -> None:
    async def scene() -> None:
        stage = closed(Stage())
        await stage.serving()
        stage.kube.give_key("key-two", "second")
        stage.drivers["key-two"] = type(stage.together)("second")
        await stage.serving("two", apiKeySecretRef={"name": "second", "key": "api-key"})
        assert stage.kube.status(TWO)["api"] == "V1"

    virtually(scene())


def test_a_resource_that_insists_on_a_generation_gets_it() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving("two", api="V2")
        assert stage.kube.status(TWO)["api"] == "V2"
        assert stage.together.calls["create"] == 0
        assert not metric(stage, "api_v1_closed")
        await stage.serving()
        assert stage.kube.status(ML)["api"] == "V1"
        assert stage.together.calls["create"] == 1

    virtually(scene())


def test_v2_may_be_tried_first() -> None:
    async def scene() -> None:
        stage = Stage(first=Api.V2)
        await stage.serving()
        assert stage.kube.status(ML)["api"] == "V2"
        assert not stage.together.calls

    virtually(scene())


def test_a_whole_life_in_v2_leaves_nothing_behind() -> None:
    async def scene() -> None:
        stage = Stage(first=Api.V2)
        await stage.serving()
        async with stage.running(timers=True):
            stage.kube.apply(state="Stopped")
            stage.operator.enqueue(ML, "update")
            await stage.until("Stopped")
            stage.kube.apply(state="Started")
            stage.operator.enqueue(ML, "update")
            await stage.until("Serving")
            stage.kube.delete(ML)
            stage.operator.enqueue(ML, "delete")
            await stage.until_gone()
        assert stage.together_v2.endpoints == {}
        assert stage.together_v2.most == 1
        assert not stage.together.calls

    virtually(scene())


# -- what it costs -----------------------------------------------------------------------------


def test_a_generation_that_nobody_is_in_is_never_looked_at() -> None:
    async def scene() -> None:
        stage = Stage()
        for number in range(5):
            await stage.serving(f"r{number}")
        async with stage.running(timers=True):
            await asyncio.sleep(900)
            assert generations(stage) == ["V1"]
            assert not stage.together_v2.calls

    virtually(scene())


def test_each_generation_that_is_used_is_listed_once_per_interval() -> None:
    async def scene() -> None:
        stage = Stage()
        for number in range(5):
            await stage.serving(f"r{number}")
            await stage.serving(f"s{number}", api="V2")
        async with stage.running(timers=True):
            await asyncio.sleep(100)
            one, two = stage.together.calls.copy(), stage.together_v2.calls.copy()
            await asyncio.sleep(600)
            for spent in (stage.together.calls - one, stage.together_v2.calls - two):
                assert set(spent) == {"list"}
                assert 17 <= spent["list"] <= 20

    virtually(scene())


def test_v1_is_left_alone_again_once_everything_has_moved_on() -> None:
    async def scene() -> None:
        stage = closed(Stage())
        await stage.serving()
        async with stage.running(timers=True):
            await asyncio.sleep(1500)
            assert generations(stage) == ["V2"]
            before = stage.together.calls.copy()
            await asyncio.sleep(1500)
            assert stage.together.calls == before
            # What is known of the key is not forgotten with that.
            key = stage.kube.apply("two")
            stage.operator.enqueue(key, "create")
            await stage.until("Serving", TWO)
            assert stage.together.calls["create"] == 1

    virtually(scene())


def test_trouble_in_one_generation_is_none_in_the_other() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        await stage.serving("two", api="V2")
        async with stage.running(timers=True):
            await asyncio.sleep(65)
            stage.together_v2.down = GONE
            await until(lambda: stage.kube.condition(TWO, "Synced")["status"] == "False", 2000)
            assert stage.kube.condition(ML, "Synced")["status"] == "True"
            stage.together_v2.down = None
            await until(lambda: stage.kube.condition(TWO, "Synced")["status"] == "True", 2000)

    virtually(scene())


# -- whom a poll wakes -------------------------------------------------------------------------


async def in_v2(**spec: Any) -> Stage:
    stage = Stage(first=Api.V2)
    await stage.serving(**spec)
    await polled(stage)
    assert stage.enqueued == []
    return stage


async def polled(stage: Stage) -> None:
    for account in stage.accounts:
        await stage.poller.poll(account)


def test_what_happens_to_ones_own_deployment_is_noticed() -> None:
    async def scene() -> None:
        stage = await in_v2()
        stage.together_v2.turn("ep_1", "FAILED")
        await polled(stage)
        assert stage.enqueued == [(ML, "poll")]

    virtually(scene())


def test_that_ones_own_deployment_has_gone_is_noticed() -> None:
    async def scene() -> None:
        stage = await in_v2()
        whole = stage.together_v2.endpoints["ep_1"]
        stage.together_v2.endpoints["ep_1"] = replace(whole, deployments=(), traffic=())
        await polled(stage)
        assert stage.enqueued == [(ML, "poll")]

    virtually(scene())


def test_that_it_has_lost_its_traffic_is_noticed() -> None:
    async def scene() -> None:
        stage = await in_v2()
        await asyncio.sleep(600)
        whole = stage.together_v2.endpoints["ep_1"]
        stage.together_v2.endpoints["ep_1"] = replace(whole, traffic=(), version="by hand")
        await polled(stage)
        assert stage.enqueued == [(ML, "poll")]
        await stage.reconcile(ML, "poll")
        assert [w.weight for w in stage.together_v2.endpoints["ep_1"].traffic] == [100]
        stage.enqueued.clear()
        await polled(stage)
        assert stage.enqueued == []

    virtually(scene())


def test_the_number_of_replicas_that_serve_is_followed() -> None:
    async def scene() -> None:
        stage = await in_v2(autoscaling={"minReplicas": 1, "maxReplicas": 3})
        whole = stage.together_v2.endpoints["ep_1"]
        more = tuple(replace(d, ready_replicas=3) for d in whole.deployments or ())
        stage.together_v2.endpoints["ep_1"] = replace(whole, deployments=more)
        await polled(stage)
        assert stage.enqueued == [(ML, "poll")]
        await stage.reconcile(ML, "poll")
        assert stage.kube.status(ML)["readyReplicas"] == 3

    virtually(scene())


def test_what_a_person_puts_beside_it_wakes_nobody() -> None:
    async def scene() -> None:
        stage = await in_v2()
        whole = stage.together_v2.endpoints["ep_1"]
        beside = stage.together_v2.hold("ep_x", "by-hand", state="PROVISIONING").deployments or ()
        del stage.together_v2.endpoints["ep_x"]
        both = (*beside, *(whole.deployments or ()))
        stage.together_v2.endpoints["ep_1"] = replace(whole, deployments=both)
        await polled(stage)
        assert stage.enqueued == []

    virtually(scene())


def test_that_the_endpoint_has_gone_is_noticed() -> None:
    async def scene() -> None:
        stage = await in_v2()
        stage.together_v2.endpoints.clear()
        await polled(stage)
        assert stage.enqueued == [(ML, "poll")]

    virtually(scene())


# -- what comes to life in v1 after all --------------------------------------------------------


async def moved(nonce: str = "late") -> tuple[Stage, str]:
    """A resource that serves in v2, and has an attempt in v1 that may yet take effect."""
    stage = closed(Stage())
    await stage.serving()
    status = stage.kube.endpoints[ML]["status"]
    status["operation"]["open"] = [nonce]
    await stage.reconcile()
    assert stage.ready == "Serving"
    uid = stage.kube.endpoints[ML]["metadata"]["uid"]
    return stage, Marker.of("cluster", uid, nonce).write("ml/one")


@pytest.mark.parametrize("restarted", [False, True])
def test_a_late_effect_in_v1_of_a_resource_in_v2_is_deleted(restarted: bool) -> None:
    async def scene() -> None:
        stage, name = await moved()
        if restarted:
            stage = stage.restarted()
            await stage.fill()
        stage.together.put("late", name)
        async with stage.running(timers=True):
            await until(lambda: "late" not in stage.together.endpoints, 200)
            await asyncio.sleep(600)
        assert stage.ready == "Serving"
        assert list(stage.together_v2.endpoints) == ["ep_1"]
        assert "UnknownEndpoint" not in stage.told.reasons()

    virtually(scene())


def test_nothing_else_in_v1_is_deleted_for_it() -> None:
    async def scene() -> None:
        stage, name = await moved()
        uid = stage.kube.endpoints[ML]["metadata"]["uid"]
        stage.together.put("copied", Marker.of("cluster", uid, "othr").write("x"))
        stage.together.put("elsewhere", name.replace(" tep-", " tep-x")[:63])
        stage.together.put("other-cluster", Marker.of("another", uid, "late").write("x"))
        stage.together.put("by-hand")
        async with stage.running(timers=True):
            await asyncio.sleep(600)
        assert stage.together.calls["delete"] == 0

    virtually(scene())


def test_what_may_come_to_life_in_v1_is_watched_for_after_the_resource_has_gone() -> None:
    async def scene() -> None:
        stage, name = await moved()
        async with stage.running(timers=True):
            stage.kube.delete(ML)
            stage.operator.enqueue(ML, "delete")
            await stage.until_gone()
        assert stage.together_v2.endpoints == {}
        later = stage.restarted()
        await later.fill()
        assert generations(later) == ["V1"]
        later.together.put("late", name, created_at=wall())
        async with later.running(timers=True):
            await until(lambda: "late" not in later.together.endpoints, 200)

    virtually(scene())
