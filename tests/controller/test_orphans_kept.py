"""What the orphan report leaves alone: what may have an owner, or was left on purpose."""

from __future__ import annotations

import asyncio

import pytest

from tests.controller.orphanage import HOUR, known, mark, scenery, settled
from tests.controller.stage import ML
from tests.controller.virtual import virtually, wall
from together_operator.controller.identity import CONFIGMAP
from together_operator.controller.kube_errors import KubeUnavailable
from together_operator.controller.queue import Key
from together_operator.controller.tombstone import Tombstone
from together_operator.core.marker import Marker, cluster_tag, owner_tag
from together_operator.core.orphans import Why
from together_operator.resource.document import TogetherEndpoint


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
