"""The slow comparison: what a watch lost is found, what is left over goes, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.controller.fake_kube import Json
from tests.controller.stage import ML, Stage
from tests.controller.virtual import EPOCH, virtually, wall
from together_operator.controller.kube_errors import Forbidden, KubeUnavailable
from together_operator.controller.queue import Key
from together_operator.controller.resync import Resync
from together_operator.controller.tombstone import Tombstone
from together_operator.resource.document import TogetherEndpoint


def test_nothing_is_worked_on_when_nothing_was_lost() -> None:
    async def scene() -> None:
        stage = Stage()
        for number in range(10):
            await stage.serving(f"r{number}")
        calls = stage.kube.calls.copy()
        await stage.resync.compare()
        assert stage.enqueued == []
        assert stage.kube.calls - calls == {"list_secrets": 1, "list_endpoints": 1}

    virtually(scene())


def test_what_a_watch_lost_is_worked_on() -> None:
    async def scene() -> None:
        stage = Stage()
        for name in ("changed", "gone", "same", "renewed"):
            await stage.serving(name)
        stage.kube.apply("changed", state="Stopped")
        stage.kube.apply("new")
        del stage.kube.endpoints[Key("ml", "gone")]
        del stage.kube.endpoints[Key("ml", "renewed")]
        stage.kube.apply("renewed")
        await stage.resync.compare()
        assert {key.name for key, _ in stage.enqueued} == {"changed", "new", "gone", "renewed"}
        assert {trigger for _, trigger in stage.enqueued} == {"resync"}
        for key, _ in tuple(stage.enqueued):
            await stage.reconcile(key, "resync")
        stage.enqueued.clear()
        await stage.resync.compare()
        assert stage.enqueued == []

    virtually(scene())


def test_what_no_event_has_told_of_uses_the_key_that_there_is_now() -> None:
    async def scene() -> None:
        stage = Stage()
        former = await stage.serving("former")
        stage.kube.give_key("key-two")
        stage.drivers["key-two"] = type(stage.together)("second")
        new = stage.kube.apply("new")
        await stage.reconcile(new, "resync")
        used = [stage.kube.status(each)["operation"]["credential"] for each in (former, new)]
        assert len(set(used)) == 2

    virtually(scene())


def test_a_key_copy_goes_with_its_resource_and_not_before() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving("one")
        await stage.serving("two")
        await stage.resync.compare()
        assert len(stage.kube.copies()) == 2
        del stage.kube.endpoints[ML]
        await stage.resync.compare()
        assert len(stage.kube.copies()) == 1

    virtually(scene())


def test_a_tombstone_left_during_the_comparison_is_not_swept() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        resource = TogetherEndpoint.parse(stage.kube.endpoints[ML])
        held = stage.keys.held(resource.uid)
        assert held is not None
        grave = Tombstone("abcdef", "abcdefghijkl", ("late",), wall() + 3600)

        async def finish() -> None:
            stage.kube.before.clear()
            await stage.keys.entomb(resource, grave, held.identity)
            del stage.kube.endpoints[ML]

        stage.kube.before["list_endpoints"] = finish
        await stage.resync.compare()
        assert set(stage.kube.copies()) == {resource.uid}
        await stage.resync.compare()
        assert set(stage.kube.copies()) == {resource.uid}
        await asyncio.sleep(3700)
        await stage.resync.compare()
        assert stage.kube.copies() == {}

    virtually(scene())


def test_a_resource_that_is_made_during_the_comparison_keeps_its_copy() -> None:
    async def scene() -> None:
        stage = Stage()

        async def make() -> None:
            stage.kube.before.clear()
            await stage.serving()

        real = stage.kube.list_endpoints

        async def stale(namespaces: Sequence[str] = ()) -> AsyncIterator[Json]:
            listed = [body async for body in real(namespaces)]
            await make()
            for body in listed:
                yield body

        stage.kube.list_endpoints = stale  # type: ignore[method-assign]
        await stage.resync.compare()
        assert len(stage.kube.copies()) == 1

    virtually(scene())


def test_a_copy_that_may_not_be_deleted_keeps_no_other_from_going() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving("one")
        await stage.serving("two")
        stage.kube.endpoints.clear()
        stage.kube.fail["delete_secret"] = [Forbidden("delete secrets", "no")]
        await stage.resync.compare()
        assert len(stage.kube.copies()) == 1

    virtually(scene())


def test_copies_of_other_operators_namespaces_are_left_alone() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        elsewhere = Resync(
            stage.kube.kube,
            ("other",),
            stage.roster,
            stage.keys,
            stage.accounts,
            stage.clocks,
            stage._enqueue,
            600.0,
            stage.orphans,
            stage.mandate,
        )
        await elsewhere.compare()
        assert len(stage.kube.copies()) == 1

    virtually(scene())


@pytest.mark.parametrize("error", [KubeUnavailable("away"), RuntimeError("never expected")])
def test_a_comparison_that_fails_is_not_the_last(error: Exception) -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()

        async def fail() -> None:
            raise error

        async with stage.running(timers=True):
            stage.kube.before["list_endpoints"] = fail
            await asyncio.sleep(3000)
            stage.kube.before.clear()
            assert stage.operator.ended is None
            stage.kube.apply(state="Stopped")
            await stage.until("Stopped", within=800)

    virtually(scene())


def test_a_process_knows_every_resource_before_it_decides_anything() -> None:
    async def scene() -> None:
        stage = Stage()
        for number in range(5):
            await stage.serving(f"r{number}")
        await stage.serving("odd")
        stage.kube.apply("odd", shards=3)
        again = stage.restarted()
        await again.fill()
        assert len(again.roster) == 6
        assert set(again.roster.recorded()) == set(stage.together.endpoints)
        calls, writes = stage.together.calls.copy(), again.kube.writes
        for key in stage.kube.endpoints:
            if key.name != "odd":
                await again.reconcile(key, "resume")
        assert stage.together.calls - calls == {"list": 1}
        assert again.kube.writes == writes, "a restart writes nothing"

    virtually(scene())


def test_a_process_begins_with_what_is_being_deleted_though_no_watch_shows_it() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving("stays")
        going = await stage.serving("goes")
        stage.kube.remove_definition(EPOCH + 60)
        del stage.kube.endpoints[Key("ml", "stays")]["metadata"]["deletionTimestamp"]
        again = stage.restarted()
        again.kube.definition = stage.kube.definition
        await again.fill()
        assert again.enqueued == [(going, "resume")]
        async with again.running():
            await again.until_gone(going)
        assert len(stage.together.endpoints) == 2

    virtually(scene())
