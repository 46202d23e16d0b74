"""The orphan report where two generations of the API are in use."""

from __future__ import annotations

import asyncio

from tests.controller.orphanage import HOUR, known, told
from tests.controller.stage import ML, Stage, metric, until
from tests.controller.virtual import virtually
from together_operator.controller.identity import establish
from together_operator.core.marker import Marker
from together_operator.core.orphans import Why
from together_operator.resource.remote import Phase
from together_operator.resource.spec import Api


async def scenery(*, stop_after: float | None = None) -> Stage:
    """A stage with a resource that serves in v2."""
    stage = Stage(first=Api.V2)
    await establish(stage.kube.kube, "system", "cluster")
    stage.orphans.stop_after = stop_after
    await stage.serving()
    return stage


def mark(uid: str = "uid-gone", cluster: str = "cluster") -> str:
    return f"abcde-{Marker.of(cluster, uid, 'aaaa')}"


def test_what_costs_money_in_v2_is_told_with_its_price_and_an_empty_endpoint_is_not() -> None:
    async def scene() -> None:
        stage = await scenery()
        stage.together_v2.hold("ep_lost", mark())
        stage.together_v2.hold("ep_hand", "a", "b")
        stage.together_v2.hold("ep_off", "a", state="STOPPED")
        stage.together_v2.hold("ep_empty")
        stage.together_v2.hold("ep_theirs", mark(cluster="elsewhere"))
        async with stage.running(timers=True):
            await until(lambda: bool(told(stage)), within=1600)
            await asyncio.sleep(HOUR)
            assert known(stage) == {
                "ep_lost": Why.OWNER_GONE, "ep_hand": Why.UNMANAGED, "ep_off": Why.UNMANAGED,
            }  # fmt: skip
            assert metric(stage, "orphans_price_per_hour_usd", why="OwnerGone") == [8.0]
            assert metric(stage, "orphans_price_per_hour_usd", why="Unmanaged") == [16.0]
            assert metric(stage, "other_clusters_endpoints") == [1]
            assert "$24.00 an hour" in told(stage)[0][1]
        # A LIST shows everything that there is to know.
        assert stage.together_v2.read == []

    virtually(scene())


def test_the_generations_of_a_key_are_told_together() -> None:
    async def scene() -> None:
        stage = await scenery()
        await stage.serving("two", api="V1")
        stage.together_v2.hold("ep_hand", "a")
        stage.together_v2.hold("ep_theirs", mark(cluster="elsewhere"))
        stage.together.put("by-hand")
        stage.together.put("theirs", Marker.of("elsewhere", "uid", "aaaa").write("x"))
        async with stage.running(timers=True):
            await until(lambda: len(known(stage)) == 2, within=3600)
            await asyncio.sleep(60)
            assert metric(stage, "orphans", why="Unmanaged") == [2]
            assert metric(stage, "orphans_price_per_hour_usd", why="Unmanaged") == [13.0]
            assert metric(stage, "other_clusters_endpoints") == [2]
            # With nothing in v1 any more, nothing is told of it.
            stage.kube.delete(key := next(k for k in stage.kube.endpoints if k.name == "two"))
            stage.operator.enqueue(key, "delete")
            await stage.until_gone(key)
            await until(lambda: list(known(stage)) == ["ep_hand"], within=1600)
            assert metric(stage, "orphans", why="Unmanaged") == [1]
            assert metric(stage, "other_clusters_endpoints") == [1]

    virtually(scene())


def test_of_an_orphan_in_v2_only_what_is_ours_in_it_is_stopped() -> None:
    async def scene() -> None:
        stage = await scenery(stop_after=HOUR)
        stage.together_v2.hold("ep_lost", mark(), "by-hand", mark("uid-other", "elsewhere"))
        stage.together_v2.hold("ep_hand", "a")
        async with stage.running(timers=True):
            await until(lambda: stage.together_v2.calls["stop"] > 0, within=4 * HOUR)
            await asyncio.sleep(4 * HOUR)
        assert stage.together_v2.calls["stop"] == 1
        assert stage.together_v2.calls["delete"] == stage.together_v2.calls["undeploy"] == 0
        held = stage.together_v2.endpoints["ep_lost"].deployments or ()
        assert [d.phase for d in held] == [Phase.STOPPED, Phase.STARTED, Phase.STARTED]
        assert [reason for reason, _ in told(stage)].count("OrphanStopped") == 1
        assert stage.kube.condition(ML)["reason"] == "Serving"

    virtually(scene())
