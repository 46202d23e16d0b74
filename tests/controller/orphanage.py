"""What the tests of the orphan report have in common: a stage, and what was told on it."""

from __future__ import annotations

import asyncio

from tests.controller.stage import Stage
from together_operator.controller.identity import CONFIGMAP, establish
from together_operator.core.marker import Marker
from together_operator.core.orphans import Why

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


async def settled(stage: Stage) -> dict[str, Why]:
    """What is told after an hour of looking."""
    async with stage.running(timers=True):
        await asyncio.sleep(HOUR)
    return known(stage)
