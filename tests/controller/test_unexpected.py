"""What the poller does with what nobody expected: newcomers, extras, tombstones."""

from __future__ import annotations

import asyncio

import pytest

from tests.controller.fake_driver import FakeDriver
from tests.controller.stage import ML, Stage
from tests.controller.virtual import virtually, wall
from together_operator.controller.tombstone import Tombstone
from together_operator.core.marker import Marker, cluster_tag, owner_tag
from together_operator.resource.document import TogetherEndpoint


def test_newcomers_are_read_at_second_sight_and_once() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        stage.together.read.clear()
        account = next(iter(stage.accounts))
        for number in range(30):
            stage.together.put(f"e{number}")
        await stage.poller.poll(account)
        assert stage.together.read == []
        for _ in range(20):
            await stage.poller.poll(account)
        assert sorted(stage.together.read) == sorted(f"e{number}" for number in range(30))

    virtually(scene())


def test_what_is_older_than_every_resource_is_read_once_and_a_part_of_it_at_a_time() -> None:
    async def scene() -> None:
        stage = Stage()
        old = [f"e{number}" for number in range(100)]
        for name in old:
            stage.together.put(name, created_at=wall() - 7200)
        await stage.serving()
        stage.together.put("new")
        stage.together.read.clear()
        account = next(iter(stage.accounts))
        await stage.poller.poll(account)
        await stage.poller.poll(account)
        await stage.poller.poll(account)
        assert "new" in stage.together.read, "what may be of an order does not wait"
        assert len(stage.together.read) <= 65
        for _ in range(10):
            await stage.poller.poll(account)
        assert sorted(stage.together.read) == sorted([*old, "new"])

    virtually(scene())


def test_what_cannot_be_read_is_tried_again_ever_more_rarely() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        account = next(iter(stage.accounts))
        stage.together.put("odd")
        stage.together.unreadable.add("odd")
        for _ in range(200):
            await stage.poller.poll(account)
        assert 5 <= stage.together.read.count("odd") <= 10

    virtually(scene())


def test_an_extra_is_told_once_although_there_are_several_keys() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        stage.kube.give_key("key-two", "second")
        stage.drivers["key-two"] = FakeDriver("second")
        await stage.serving("two", apiKeySecretRef={"name": "second", "key": "api-key"})
        uid = stage.kube.endpoints[ML]["metadata"]["uid"]
        stage.together.put("extra", Marker.of("cluster", uid, "zzzz").write("x"))
        for _ in range(10):
            for account in stage.accounts:
                await stage.poller.poll(account)
        assert stage.enqueued == [(ML, "extra")]

    virtually(scene())


@pytest.mark.parametrize("restarted", [False, True])
def test_what_comes_to_life_after_its_resource_has_gone_is_deleted(restarted: bool) -> None:
    async def scene() -> None:
        stage = Stage()
        key = await stage.serving()
        resource = TogetherEndpoint.parse(stage.kube.endpoints[key])
        held = stage.keys.held(resource.uid)
        assert held is not None
        grave = Tombstone(
            cluster_tag("cluster"), owner_tag(resource.uid), ("late",), wall() + 3600.0
        )
        await stage.keys.entomb(resource, grave, held.identity)
        del stage.kube.endpoints[key]
        stage.together.endpoints.clear()
        if restarted:
            stage = stage.restarted()
            await stage.fill()
        else:
            await stage.reconcile(key, "delete")
        stage.together.put("late", Marker.of("cluster", resource.uid, "late").write("x"))
        stage.together.put("other", Marker.of("cluster", resource.uid, "othr").write("x"))
        stage.together.put("foreign", Marker.of("elsewhere", resource.uid, "late").write("x"))
        async with stage.running(timers=True):
            await asyncio.sleep(120)
            assert set(stage.together.endpoints) == {"other", "foreign"}
            # After the tombstone's time the copy goes, and nobody asks any more.
            await asyncio.sleep(7200)
            assert stage.kube.copies() == {}
            sent = len(stage.together.sent)
            await asyncio.sleep(600)
            assert len(stage.together.sent) == sent

    virtually(scene())


def test_after_its_time_a_tombstone_licenses_nothing() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        resource = TogetherEndpoint.parse(stage.kube.endpoints[ML])
        grave = Tombstone(cluster_tag("cluster"), owner_tag("uid-gone"), ("late",), wall() + 10)
        await stage.keys.entomb(resource, grave, None)
        await asyncio.sleep(11)
        stage.together.put("late", Marker.of("cluster", "uid-gone", "late").write("x"))
        for _ in range(3):
            await stage.poller.poll(next(iter(stage.accounts)))
        assert stage.together.read.count("late") == 1
        assert stage.together.calls["delete"] == 0

    virtually(scene())


def test_a_resource_that_is_not_gone_yet_sees_to_its_own() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        resource = TogetherEndpoint.parse(stage.kube.endpoints[ML])
        grave = Tombstone(cluster_tag("cluster"), owner_tag(resource.uid), ("late",), wall() + 3600)
        await stage.keys.entomb(resource, grave, None)
        stage.together.put("late", Marker.of("cluster", resource.uid, "late").write("x"))
        for _ in range(3):
            await stage.poller.poll(next(iter(stage.accounts)))
        assert stage.together.calls["delete"] == 0

    virtually(scene())


def test_nothing_is_remembered_of_keys_that_are_gone() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        async with stage.running(timers=True):
            await asyncio.sleep(100)
            assert len(stage.poller._rhythms) == 1
            stage.kube.delete(ML)
            stage.operator.enqueue(ML, "delete")
            await stage.until_gone()
            await asyncio.sleep(1500)
            assert stage.poller._rhythms == {}
            assert list(stage.accounts) == []

    virtually(scene())
