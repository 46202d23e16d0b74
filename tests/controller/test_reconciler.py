"""One resource, worked on while Together and people get in the way."""

from __future__ import annotations

import asyncio
import copy

import pytest

from tests.controller.fake_driver import DOWN, REFUSED_KEY
from tests.controller.stage import ML, Stage, dollars, until
from tests.controller.virtual import steady, virtually
from together_operator.controller.kube_errors import KubeUnavailable
from together_operator.core.marker import Marker
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Refused

# -- what a quiet day looks like ---------------------------------------------------------------


def test_a_resource_comes_to_serve_with_one_order_and_three_writes() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        assert stage.together.calls["create"] == 1
        assert stage.kube.calls["replace_status"] == 3
        assert stage.kube.calls["patch_metadata"] == 1
        assert stage.kube.status(ML)["price"]["perReplicaHour"] == "5.00"
        assert stage.told.reasons() == ["EndpointCreated", "Serving"]

    virtually(scene())


def test_a_look_at_which_nothing_is_new_writes_nothing_and_asks_nobody() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        kube, remote = stage.kube.calls.copy(), stage.together.calls.copy()
        for _ in range(10):
            await stage.reconcile(ML, "poll")
        assert stage.together.calls == remote
        assert stage.kube.calls - kube == {"get_endpoint": 10}

    virtually(scene())


# -- prices and the fence ----------------------------------------------------------------------


def test_prices_that_never_come_hold_up_no_order() -> None:
    async def scene() -> None:
        stage = Stage()
        hang = asyncio.Event()

        async def wait() -> None:
            await hang.wait()

        stage.together.before["offers"] = wait
        stage.kube.apply()
        began = steady()
        pause = await stage.reconcile()
        assert stage.ready == "Serving"
        assert stage.together.calls["create"] == 1
        assert steady() - began < 2
        assert "price" not in stage.kube.status(ML)
        # The price is still to be told, and is, as soon as it is known.
        assert pause is not None
        assert pause <= 1
        hang.set()
        await asyncio.sleep(1)
        await stage.reconcile(ML, "wait")
        assert stage.kube.status(ML)["price"]["perReplicaHour"] == "5.00"

    virtually(scene())


def test_prices_that_fail_are_asked_for_by_nobody_in_a_loop() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.together.priceless = DOWN
        stage.kube.apply()
        async with stage.running():
            stage.operator.enqueue(ML, "create")
            await asyncio.sleep(3600)
        assert stage.ready == "Serving"
        assert stage.together.calls["offers"] <= 61

    virtually(scene())


def test_under_a_price_limit_nothing_is_bought_until_the_price_is_known() -> None:
    async def scene() -> None:
        stage = Stage(guards=dollars(6))
        stage.together.priceless = DOWN
        stage.kube.apply()
        async with stage.running():
            stage.operator.enqueue(ML, "create")
            await asyncio.sleep(600)
            assert stage.together.calls["create"] == 0
            assert stage.kube.condition(ML, "Stalled")["status"] == "False"
            assert stage.together.calls["offers"] <= 11
            stage.together.priceless = None
            await stage.until("Serving", within=120)
        assert stage.together.calls["create"] == 1

    virtually(scene())


def test_a_deletion_asks_for_no_price_and_for_no_configmap() -> None:
    async def scene() -> None:
        stage = Stage(guards=dollars(6))
        await stage.serving(connection={"configMapName": "connection"})
        await asyncio.sleep(4000)
        stage.together.priceless = DOWN
        offers, looks = stage.together.calls["offers"], stage.kube.calls["get_configmap"]
        stage.kube.delete(ML)
        async with stage.running():
            stage.operator.enqueue(ML, "delete")
            await stage.until_gone()
        assert stage.together.calls["offers"] == offers
        assert stage.kube.calls["get_configmap"] == looks

    virtually(scene())


# -- which resource it is ----------------------------------------------------------------------


def test_a_resource_made_anew_under_the_same_name_inherits_nothing() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        former = stage.memory()
        assert former.seen is not None
        # Its finalizer was taken off by force, and the watch lost it.
        del stage.kube.endpoints[ML]
        await asyncio.sleep(100)
        stage.kube.apply()
        await stage.reconcile()
        assert stage.kube.status(ML)["endpointID"] == "endpoint-2"
        assert stage.memory().born >= 100
        assert len(stage.reconciler._known) == 1

    virtually(scene())


def test_nothing_is_kept_of_a_resource_that_is_gone_before_it_ever_rested() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.kube.apply()
        stage.kube.fail["create_secret"] = [KubeUnavailable("away")]
        with pytest.raises(KubeUnavailable):
            await stage.reconcile()
        assert stage.reconciler._known
        stage.kube.delete(ML)
        await stage.reconcile(ML, "delete")
        assert stage.reconciler._known == {}
        assert len(stage.roster) == 0
        assert b'name="one"' not in stage.metrics.exposition("")[0]

    virtually(scene())


def test_a_key_that_is_forgotten_meanwhile_is_taken_up_again() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.kube.apply()

        async def forget() -> None:
            stage.accounts._accounts.clear()

        stage.kube.before["patch_metadata"] = forget
        await stage.reconcile()
        assert stage.ready == "Serving"
        assert stage.kube.status(ML)["inference"]["baseURL"] == "https://together.test/v1"

    virtually(scene())


# -- specs that cannot be read -----------------------------------------------------------------


def test_a_deletion_whose_policy_cannot_be_read_leaves_the_endpoint_alone() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        stage.kube.apply(deletionPolicy="Orphan")
        stage.kube.delete(ML)
        for _ in range(3):
            await stage.reconcile(ML, "delete")
        assert stage.ready == "DeletionBlocked"
        assert "spec.deletionPolicy" in stage.message
        assert set(stage.together.endpoints) == {"endpoint-1"}
        stage.kube.apply(deletionPolicy="Retain")
        await stage.reconcile(ML, "update")
        assert ML not in stage.kube.endpoints
        assert set(stage.together.endpoints) == {"endpoint-1"}

    virtually(scene())


def test_a_spec_that_cannot_be_read_is_told_and_changes_nothing() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        calls = stage.together.calls.copy()
        stage.kube.apply(shards=3, autoscaling={"minReplicas": 2, "maxReplicas": 2})
        await stage.reconcile()
        assert stage.ready == "InvalidRequest"
        assert "spec.shards" in stage.message
        assert stage.together.calls == calls

    virtually(scene())


def test_an_answer_is_recorded_whatever_became_of_the_spec_meanwhile() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.kube.apply()

        async def meddle() -> None:
            stage.kube.apply(shards=3)

        stage.together.before["create"] = meddle
        await stage.reconcile()
        assert stage.kube.status(ML)["endpointID"] == "endpoint-1"
        assert stage.ready == "InvalidRequest"

    virtually(scene())


def test_a_status_whose_times_are_none_is_put_right() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        status = stage.kube.status(ML)
        for condition in status["conditions"]:
            condition["lastTransitionTime"] = "long ago"
            condition["status"] = "False"
        status["operation"]["date"] = "never"
        status["price"]["perReplicaHour"] = "a lot"
        again = stage.restarted()
        await again.fill()
        await again.reconcile()
        assert again.ready == "Serving"
        again.kube.delete(ML)
        async with again.running():
            again.operator.enqueue(ML, "delete")
            await again.until_gone()
        assert stage.together.endpoints == {}

    virtually(scene())


# -- keys --------------------------------------------------------------------------------------


def test_a_key_that_was_refused_is_replaced_within_a_minute_or_two() -> None:
    async def scene() -> None:
        stage = Stage()
        refusal = Refused(Reason.UNAUTHORIZED, "Together refuses the key", retryable=True)
        stage.together.creates = [refusal] * 1000
        stage.drivers["key-two"] = type(stage.together)()
        stage.kube.apply()
        async with stage.running():
            stage.operator.enqueue(ML, "create")
            await asyncio.sleep(1800)
            assert stage.ready == "Unauthorized"
            assert stage.kube.condition(ML, "Stalled")["status"] == "True"
            orders = stage.together.calls["create"]
            assert orders < 15
            # An order has just been refused, and the next one is ten minutes away.
            await until(lambda: stage.together.calls["create"] > orders, 700)
            orders += 1
            stage.kube.give_key("key-two")
            await stage.until("Serving", within=120)
        assert stage.together.calls["create"] == orders
        assert stage.drivers["key-two"].calls["create"] == 1

    virtually(scene())


def test_a_thousand_resources_of_a_refused_key_read_its_secret_once_a_minute() -> None:
    async def scene() -> None:
        stage = Stage(workers=16)
        stage.together.down = REFUSED_KEY
        keys = [stage.kube.apply(f"r{number}") for number in range(200)]
        async with stage.running():
            for key in keys:
                stage.operator.enqueue(key, "resume")
            await asyncio.sleep(600)
        assert stage.kube.calls["get_secret"] <= 12

    virtually(scene())


def test_a_secret_that_comes_later_is_found_within_a_minute() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.kube.secrets.clear()
        stage.kube.apply()
        async with stage.running():
            stage.operator.enqueue(ML, "create")
            await stage.until("SecretMissing")
            await asyncio.sleep(1200)
            assert stage.kube.condition(ML, "Stalled")["status"] == "True"
            stage.kube.give_key("key-one")
            await stage.until("Serving", within=90)

    virtually(scene())


# -- applications ------------------------------------------------------------------------------


def test_a_configmap_that_somebody_else_made_meanwhile_is_not_told_as_ours() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.kube.apply(connection={"configMapName": "connection"})

        async def theirs() -> None:
            stage.kube.before.clear()
            body = {"metadata": {"namespace": "ml", "name": "connection"}, "data": {}}
            await stage.kube.create_configmap(body)

        stage.kube.before["create_configmap"] = theirs
        await stage.reconcile()
        assert stage.ready == "ConnectionConflict"
        assert "ConnectionPublished" not in stage.told.reasons()

    virtually(scene())


def test_who_had_to_leave_an_endpoint_to_another_is_woken_when_that_one_is_gone() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving(deletionPolicy="Retain")
        second = stage.kube.apply("second")
        status = copy.deepcopy(stage.kube.status(ML))
        uid = stage.kube.endpoints[second]["metadata"]["uid"]
        status["operation"]["uid"] = uid
        stage.kube.endpoints[second]["status"] = status
        stage.kube.endpoints[second]["metadata"]["finalizers"] = [names.FINALIZER]
        async with stage.running():
            stage.operator.enqueue(second, "update")
            await stage.until("EndpointConflict", second)
            stage.kube.delete(ML)
            stage.operator.enqueue(ML, "delete")
            await stage.until("Serving", second, within=60)

    virtually(scene())


# -- endpoints that nobody ordered -------------------------------------------------------------


def test_an_endpoint_with_our_mark_that_nobody_ordered_is_told_and_left_alone() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        uid = stage.kube.endpoints[ML]["metadata"]["uid"]
        stage.together.put("stranger", Marker.of("cluster", uid, "zzzz").write("copied"))
        async with stage.running(timers=True):
            await asyncio.sleep(600)
        assert "stranger" in stage.together.endpoints
        assert stage.told.reasons().count("UnknownEndpoint") == 1
        assert "stranger" in stage.told.events[-1][2]

    virtually(scene())
