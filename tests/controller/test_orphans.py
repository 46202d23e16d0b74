"""The orphan report in the running controller: what it finds, what it costs, and what it stops."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from tests.controller.fake_driver import FakeDriver
from tests.controller.orphanage import HOUR, known, mark, scenery, settled, told
from tests.controller.stage import ML, metric, until
from tests.controller.virtual import virtually, wall
from together_operator.controller.census import Census
from together_operator.controller.queue import Key
from together_operator.controller.tombstone import Tombstone
from together_operator.core.marker import cluster_tag, owner_tag
from together_operator.core.orphans import Why
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.remote import Change

# -- what it finds -----------------------------------------------------------------------------


def test_what_a_lost_resource_left_is_told_once_with_its_price(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene() -> None:
        stage = await scenery()
        await stage.serving("two")
        async with stage.running(timers=True):
            await asyncio.sleep(100)
            assert metric(stage, "orphans", why="OwnerGone") == [0]
            # Somebody takes the finalizer off by force, and the resource with it.
            lost = stage.kube.endpoints.pop(Key("ml", "two"))["status"]["endpointID"]
            stage.operator.enqueue(Key("ml", "two"), "delete")
            with caplog.at_level(logging.WARNING):
                await until(lambda: bool(told(stage)), within=1600)
            assert known(stage) == {lost: Why.OWNER_GONE}
            assert metric(stage, "orphans", why="OwnerGone") == [1]
            assert metric(stage, "orphans", why="Unmanaged") == [0]
            assert metric(stage, "orphans_price_per_hour_usd", why="OwnerGone") == [5.0]
            [(reason, text)] = told(stage)
            assert reason == "OrphansFound"
            assert lost in text
            assert "$5.00 an hour" in text
            assert "together-operator orphans" in text
            [line] = [m for m in caplog.messages if m.startswith("Orphan at Together")]
            assert lost in line
            assert "$5.00 an hour" in line
            # Nothing new, nothing told; and nothing is done.
            writes = stage.kube.writes
            await asyncio.sleep(4 * HOUR)
            assert told(stage) == [(reason, text)]
            assert stage.kube.writes == writes
            assert stage.together.calls["delete"] == stage.together.calls["stop"] == 0
            # Deleted in the console, it is no orphan any more.
            del stage.together.endpoints[lost]
            await until(lambda: not known(stage), within=200)
            assert metric(stage, "orphans", why="OwnerGone") == [0]

    virtually(scene())


def test_what_nobody_manages_is_told_and_what_others_manage_is_counted() -> None:
    async def scene() -> None:
        stage = await scenery()
        stage.together.put("by-hand", created_at=wall() - 30 * 24 * HOUR)
        stage.together.put("stopped-by-hand", state="STOPPED")
        stage.together.put("theirs", mark(cluster="elsewhere"))
        async with stage.running(timers=True):
            await until(lambda: bool(told(stage)), within=1600)
            await asyncio.sleep(HOUR)
            assert known(stage) == dict.fromkeys(("by-hand", "stopped-by-hand"), Why.UNMANAGED)
            assert metric(stage, "orphans", why="Unmanaged") == [2]
            assert metric(stage, "orphans_price_per_hour_usd", why="Unmanaged") == [5.0]
            assert metric(stage, "other_clusters_endpoints") == [1]
            assert metric(stage, "orphans", why="OtherCluster") == []

    virtually(scene())


def test_what_several_keys_see_is_one_orphan() -> None:
    async def scene() -> None:
        stage = await scenery()
        stage.kube.give_key("key-two", "second")
        stage.drivers["key-two"] = stage.together
        await stage.serving("two", apiKeySecretRef={"name": "second", "key": "api-key"})
        stage.together.put("by-hand")
        async with stage.running(timers=True):
            await until(lambda: bool(told(stage)), within=1600)
            await asyncio.sleep(HOUR)
            assert len(metric(stage, "orphans", why="Unmanaged")) == 2
            assert sum(metric(stage, "orphans", why="Unmanaged")) == 1
            assert sum(metric(stage, "orphans_price_per_hour_usd")) == 5.0
            assert len(told(stage)) == 1

    virtually(scene())


def test_a_key_that_is_not_used_any_more_leaves_no_figures() -> None:
    async def scene() -> None:
        stage = await scenery()
        stage.kube.give_key("key-two", "second")
        stage.drivers["key-two"] = FakeDriver("second")
        stage.drivers["key-two"].put("by-hand")
        two = await stage.serving("two", apiKeySecretRef={"name": "second", "key": "api-key"})
        async with stage.running(timers=True):
            await until(lambda: bool(known(stage)), within=1600)
            stage.kube.delete(two)
            stage.operator.enqueue(two, "delete")
            await stage.until_gone(two, within=600)
            await until(lambda: not known(stage), within=1600)
            assert len(metric(stage, "other_clusters_endpoints")) == 1

    virtually(scene())


def test_it_looks_with_a_copy_when_the_secret_is_gone() -> None:
    async def scene() -> None:
        stage = await scenery()
        stage.kube.secrets.pop(("ml", "together"))
        later = stage.restarted()
        later.kube.configmaps = stage.kube.configmaps
        later.together.put("by-hand")
        await later.fill()
        assert await settled(later) == {"by-hand": Why.UNMANAGED}

    virtually(scene())


def test_it_looks_with_the_key_that_only_a_tombstone_keeps() -> None:
    async def scene() -> None:
        stage = await scenery()
        resource = TogetherEndpoint.parse(stage.kube.endpoints.pop(ML))
        held = stage.keys.held(resource.uid)
        assert held is not None
        grave = Tombstone(
            cluster_tag("cluster"), owner_tag(resource.uid), ("late",), wall() + 24 * HOUR
        )
        await stage.keys.entomb(resource, grave, held.identity)
        later = stage.restarted()
        later.kube.configmaps = stage.kube.configmaps
        await later.fill()
        assert len(later.roster) == 0
        assert await settled(later) == {resource.status.endpoint_id: Why.OWNER_GONE}
        assert [orphan.credential for orphan in later.orphans.orphans()] == [held.identity]

    virtually(scene())


# -- what it costs -----------------------------------------------------------------------------


def test_it_costs_one_reading_of_each_and_of_the_prices() -> None:
    async def scene() -> None:
        stage = await scenery()
        for number in range(5):
            stage.together.put(f"by-hand-{number}")
        before, kube = stage.together.calls.copy(), stage.kube.calls.copy()
        async with stage.running(timers=True):
            await asyncio.sleep(1800)
            found = known(stage)
            spent, asked = stage.together.calls - before, stage.kube.calls - kube
        assert len(found) == 5
        assert set(spent) <= {"list", "get", "offers"}
        assert spent["get"] == 5
        assert spent["offers"] <= 1
        assert spent["list"] <= 62
        # The ConfigMap is read once, for the one event.
        assert set(asked) == {"list_secrets", "list_endpoints", "get_configmap"}
        assert asked["get_configmap"] == 1
        assert asked["list_endpoints"] <= 4

    virtually(scene())


def test_a_census_is_not_taken_where_nothing_is_suspected(monkeypatch: pytest.MonkeyPatch) -> None:
    def count(self: Census, body: Any) -> None:
        raise AssertionError("a resource was counted")

    async def scene() -> None:
        stage = await scenery()
        monkeypatch.setattr(Census, "count", count)
        assert await settled(stage) == {}

    virtually(scene())


# -- stopping ----------------------------------------------------------------------------------


def test_ours_is_stopped_after_the_wait_and_nothing_else_ever_is() -> None:
    async def scene() -> None:
        stage = await scenery(stop_after=6 * HOUR)
        others = {
            "ours": stage.kube.status(ML)["endpointID"],
            "unmanaged": stage.together.put("by-hand").id,
            "elsewhere": stage.together.put("theirs", mark(cluster="elsewhere")).id,
        }
        stage.together.put("lost", mark())
        async with stage.running(timers=True):
            await asyncio.sleep(6 * HOUR)
            assert stage.together.calls["stop"] == 0
            await until(lambda: stage.together.endpoints["lost"].state == "STOPPED", within=1600)
            await asyncio.sleep(6 * HOUR)
        assert stage.together.calls["stop"] == 1
        assert stage.together.calls["delete"] == 0
        for endpoint_id in others.values():
            assert stage.together.endpoints[endpoint_id].state == "STARTED"
        assert known(stage)["lost"] is Why.OWNER_GONE, "it still exists"
        assert [reason for reason, _ in told(stage)].count("OrphanStopped") == 1

    virtually(scene())


def test_naming_one_hides_nothing_and_keeps_it_from_being_stopped() -> None:
    """Who may write a resource must not make an expense of others invisible."""

    async def scene() -> None:
        stage = await scenery(stop_after=HOUR)
        stage.together.put("lost", mark())
        stage.kube.give_key("key-two", "second")
        stage.drivers["key-two"] = FakeDriver("second")
        elsewhere = {"name": "second", "key": "api-key"}
        key = stage.kube.apply("names", adopt={"endpointID": "lost"}, apiKeySecretRef=elsewhere)
        claiming = stage.kube.apply("claims", suspend=True)
        stage.kube.annotate(claiming, claim="lost")
        stage.operator.enqueue(key, "create")
        async with stage.running(timers=True):
            await asyncio.sleep(4 * HOUR)
            assert known(stage) == {"lost": Why.OWNER_GONE}
            assert stage.kube.condition(key)["reason"] == "AdoptionRefused"
            assert stage.together.calls["stop"] == 0
            del stage.kube.endpoints[key]
            del stage.kube.endpoints[claiming]
            await until(lambda: stage.together.endpoints["lost"].state == "STOPPED", within=1600)

    virtually(scene())


def test_what_was_renamed_meanwhile_is_left_alone() -> None:
    async def scene() -> None:
        stage = await scenery(stop_after=0.0)
        stage.together.put("lost", mark())
        async with stage.running(timers=True):
            await asyncio.sleep(100)
            await stage.together.update("lost", Change(display_name="mine now"))
            await asyncio.sleep(3 * HOUR)
        assert stage.together.calls["stop"] == 0

    virtually(scene())


def test_an_owner_that_comes_back_in_time_keeps_it_running() -> None:
    async def scene() -> None:
        stage = await scenery(stop_after=2 * HOUR)
        two = await stage.serving("two")
        async with stage.running(timers=True):
            # etcd is put back to before the resource was created, and hours later to after it.
            lost = stage.kube.endpoints.pop(two)
            stage.operator.enqueue(two, "delete")
            await asyncio.sleep(1.5 * HOUR)
            assert list(known(stage).values()) == [Why.OWNER_GONE]
            stage.kube.endpoints[two] = lost
            await asyncio.sleep(3 * HOUR)
            assert known(stage) == {}
        assert stage.together.calls["stop"] == stage.together.calls["delete"] == 0
        assert stage.kube.condition(two)["reason"] == "Serving"

    virtually(scene())
