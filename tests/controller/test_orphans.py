"""The orphan report in the running controller: what it finds, costs, and leaves alone."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.controller.fake_driver import FakeDriver
from tests.controller.stage import ML, Stage, until
from tests.controller.virtual import virtually, wall
from together_operator.controller.census import Census
from together_operator.controller.identity import CONFIGMAP, establish
from together_operator.controller.kube_errors import KubeUnavailable
from together_operator.controller.queue import Key
from together_operator.controller.tombstone import Tombstone
from together_operator.core.marker import Marker, cluster_tag, owner_tag
from together_operator.core.orphans import Why
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.remote import Change

HOUR = 3600.0


async def scenery(*, stop_after: float | None = None) -> Stage:
    """A stage with the operator's own object, and a resource that serves."""
    stage = Stage()
    await establish(stage.kube.kube, "system", "cluster")
    stage.orphans.stop_after = stop_after
    await stage.serving()
    return stage


def mark(uid: str = "uid-gone", cluster: str = "cluster") -> str:
    return Marker.of(cluster, uid, "aaaa").write("ml/gone")


def known(stage: Stage) -> dict[str, Why]:
    return {orphan.id: orphan.why for orphan in stage.orphans.orphans()}


def told(stage: Stage) -> list[tuple[str, str]]:
    return [(reason, text) for name, reason, text in stage.told.events if name == CONFIGMAP]


def metric(stage: Stage, name: str, **labels: str) -> list[float]:
    text = stage.metrics.exposition("")[0].decode()
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"together_operator_{name}" and labels.items() <= sample.labels.items()
    ]


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


# -- what it leaves alone ----------------------------------------------------------------------


async def settled(stage: Stage) -> dict[str, Why]:
    """What is told after an hour of looking."""
    async with stage.running(timers=True):
        await asyncio.sleep(HOUR)
    return known(stage)


def test_an_owner_that_only_the_api_server_knows_is_one() -> None:
    """The watch lost a resource, and the comparison has not had it worked on yet."""

    async def scene() -> None:
        stage = await scenery()
        unseen = stage.kube.apply("unseen", suspend=True)
        uid = stage.kube.endpoints[unseen]["metadata"]["uid"]
        stage.together.put("e9", mark(uid))
        account = next(iter(stage.accounts))
        for _ in range(5):
            await stage.poller.poll(account)
            await asyncio.sleep(60)
            await stage.resync.compare()
        assert known(stage) == {}

    virtually(scene())


@pytest.mark.parametrize("failure", ["list_endpoints", "list_secrets"])
def test_nothing_is_concluded_while_the_cluster_cannot_be_looked_at(failure: str) -> None:
    async def scene() -> None:
        stage = await scenery(stop_after=0.0)
        stage.together.put("e9", mark())
        stage.kube.fail[failure] = [KubeUnavailable("away")] * 10000
        assert await settled(stage) == {}
        assert stage.together.calls["stop"] == 0

    virtually(scene())


def test_a_restored_copy_speaks_for_what_the_former_one_had() -> None:
    async def scene() -> None:
        stage = await scenery(stop_after=0.0)
        for name, kept in (("by-note", "annotations"), ("by-status", "status")):
            key = await stage.serving(name)
            body = stage.kube.endpoints.pop(key)
            await stage.reconcile(key)
            stage.kube.apply(name)
            again = stage.kube.endpoints[key]
            if kept == "status":
                again["status"] = body["status"]
            else:
                again["metadata"]["annotations"] = body["metadata"]["annotations"]
            stage.operator.enqueue(key, "create")
        assert await settled(stage) == {}
        assert stage.kube.condition(Key("ml", "by-note"))["reason"] == "RestoredCopy"
        assert len(stage.together.endpoints) == 3
        assert stage.together.calls["stop"] == 0

    virtually(scene())


def test_what_a_tombstone_watches_for_is_no_orphan_and_goes() -> None:
    async def scene() -> None:
        stage = await scenery(stop_after=0.0)
        two = await stage.serving("two")
        resource = TogetherEndpoint.parse(stage.kube.endpoints.pop(two))
        held = stage.keys.held(resource.uid)
        assert held is not None
        grave = Tombstone(
            cluster_tag("cluster"), owner_tag(resource.uid), ("late",), wall() + 24 * HOUR
        )
        await stage.keys.entomb(resource, grave, held.identity)
        lost = resource.status.endpoint_id or ""
        stage.together.put("late", Marker.of("cluster", resource.uid, "late").write("x"))
        await stage.reconcile(two)
        stage.orphans.stop_after = None
        found = await settled(stage)
        assert "late" not in stage.together.endpoints
        assert found == {lost: Why.OWNER_GONE}, "the tombstone is of the open attempt alone"

    virtually(scene())


def test_what_may_be_of_an_unsettled_order_is_not_told() -> None:
    """An unmarked newcomer of our model: the resource itself asks what it is."""

    async def scene() -> None:
        stage = await scenery()
        stage.together.losing = [None, None, None]
        key = stage.kube.apply("two")
        stage.together.put("maybe", "renamed in the console", created_at=wall() + 1)
        stage.operator.enqueue(key, "create")
        assert await settled(stage) == {}
        assert stage.kube.condition(key)["reason"] == "InconclusiveScan"

    virtually(scene())


@pytest.mark.parametrize("policy", ["Retain", "Stop"])
def test_what_is_left_on_purpose_is_told_as_that_and_never_stopped(policy: str) -> None:
    async def scene() -> None:
        stage = await scenery(stop_after=0.0)
        two = await stage.serving("two", deletionPolicy=policy)
        left = stage.kube.status(two)["endpointID"]
        async with stage.running(timers=True):
            stage.kube.delete(two)
            stage.operator.enqueue(two, "delete")
            await stage.until_gone(two)
        stopped = stage.together.calls["stop"]
        if policy == "Stop":
            stage.together.turn(left, "STARTED")  # by a person, who wants it again

        later = stage.restarted()
        later.kube.configmaps = stage.kube.configmaps
        later.orphans.stop_after = 0.0
        await later.fill()
        await later.released.load()
        assert await settled(later) == {left: Why.RELEASED}
        assert later.together.calls["stop"] == stopped
        assert set(stage.kube.configmaps["system", CONFIGMAP]["data"]) == {"cluster-id", "released"}

    virtually(scene())


def test_a_deleted_endpoint_leaves_no_note() -> None:
    async def scene() -> None:
        stage = await scenery()
        async with stage.running(timers=True):
            stage.kube.delete(ML)
            stage.operator.enqueue(ML, "delete")
            await stage.until_gone(ML)
        assert set(stage.kube.configmaps["system", CONFIGMAP]["data"]) == {"cluster-id"}

    virtually(scene())


def test_where_not_every_namespace_is_served_nothing_is_taken_for_ownerless() -> None:
    async def scene() -> None:
        stage = await scenery(stop_after=0.0)
        stage.orphans.everywhere = False
        stage.together.put("e9", mark())
        assert await settled(stage) == {"e9": Why.OWNER_NOT_SERVED}
        assert stage.together.calls["stop"] == 0

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
