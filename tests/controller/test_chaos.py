"""Hours of bad luck in a second: processes die, answers get lost, everything fails now and then.

The decisions themselves are explored elsewhere; here it is the parts around them that must not
drop, repeat or reorder anything.
"""

from __future__ import annotations

import asyncio
import random
from typing import cast

import pytest

from tests.controller.fake_deployer import FakeDeployer
from tests.controller.fake_driver import DOWN, FakeDriver
from tests.controller.stage import ML, NoWatch, Stage
from tests.controller.virtual import virtually
from together_operator.controller.kube_errors import Conflict, KubeError, KubeUnavailable
from together_operator.controller.watcher import Watcher
from together_operator.resource.remote import NotSent
from together_operator.resource.spec import Api

_CALLS = (
    "get_endpoint", "replace_status", "patch_metadata", "get_secret", "create_secret",
    "delete_secret", "list_endpoints", "list_secrets",
)  # fmt: skip
_WRITES = ("replace_status", "patch_metadata", "create_secret", "delete_secret")
_LATEST = 110.0


class Process:
    """One life of the operator, which may end between any two of its steps."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._before = asyncio.all_tasks()
        self._life = asyncio.create_task(self._live())

    async def _live(self) -> None:
        while True:
            try:
                await self.stage.fill()
                break
            except KubeError:
                await asyncio.sleep(1)
        self.stage.operator.start_timer()
        for key in self.stage.kube.endpoints:
            self.stage.operator.enqueue(key, "resume")
        await self.stage.operator.serve(cast("Watcher", NoWatch()))

    async def kill(self) -> Stage:
        """End it without any notice; another one takes its place."""
        mine = asyncio.all_tasks() - self._before
        for task in mine:
            task.cancel()
        await asyncio.gather(*mine, return_exceptions=True)
        return self.stage.restarted()

    async def stop(self) -> None:
        """End it as a person would."""
        self.stage.operator.stop()
        await self._life


async def trouble(luck: random.Random, stage: Stage, together: FakeDriver) -> None:
    """Something goes wrong."""
    away = KubeUnavailable("the API server is away")
    match luck.randrange(8 if isinstance(together, FakeDeployer) else 7):
        case 0:
            method = luck.choice(_CALLS)
            stage.kube.fail[method] = [away] * luck.randint(1, 3)
        case 1:
            stage.kube.lose[luck.choice(_WRITES)] = [away]
        case 2:
            stage.kube.fail[luck.choice(("replace_status", "patch_metadata"))] = [Conflict("x")]
        case 3:
            together.down = DOWN
            await asyncio.sleep(luck.uniform(0, 60))
            together.down = None
        case 4:
            together.losing = [luck.choice((None, 0.0, luck.uniform(0, _LATEST)))]
        case 5:
            together.creates = [NotSent("no connection")]
        case 7:
            assert isinstance(together, FakeDeployer)
            together.losing_deploys = [luck.choice((None, 0.0, luck.uniform(0, _LATEST)))]
        case _:
            stage.kube.annotate(ML, unrelated=str(luck.random()))


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happens_there_is_one_endpoint_and_after_a_deletion_none(seed: int) -> None:
    async def scene() -> None:
        luck = random.Random(seed)
        stage = Stage(workers=2)
        stage.kube.apply()
        process = Process(stage)
        stage.operator.enqueue(ML, "create")
        for _ in range(luck.randint(3, 12)):
            await asyncio.sleep(luck.choice((0.003, 0.06, 0.3, 5.0, 60.0)) * luck.random())
            if luck.random() < 0.4:
                stage = await process.kill()
                process = Process(stage)
            await trouble(luck, stage, stage.together)
        stage.kube.fail.clear()
        stage.kube.lose.clear()
        stage.together.losing.clear()
        stage.together.creates.clear()
        if luck.random() < 0.5:
            stage.kube.annotate(ML, reconcile_requested_at="now")
            stage.operator.enqueue(ML, "update")
        await stage.until("Serving", within=3600)
        await asyncio.sleep(_LATEST + 120)
        assert len(stage.together.endpoints) == 1
        assert stage.kube.status(ML)["endpointID"] in stage.together.endpoints
        assert stage.together.most == 1
        assert set(stage.kube.copies()) == {stage.kube.endpoints[ML]["metadata"]["uid"]}

        stage.kube.delete(ML)
        stage.operator.enqueue(ML, "delete")
        for _ in range(luck.randint(0, 3)):
            await asyncio.sleep(luck.uniform(0, 20))
            if ML in stage.kube.endpoints:
                await trouble(luck, stage, stage.together)
            if luck.random() < 0.4:
                stage = await process.kill()
                process = Process(stage)
        stage.kube.fail.clear()
        stage.kube.lose.clear()
        await stage.until_gone(within=3600)
        assert stage.together.endpoints == {}
        # Only where an attempt was still open a tombstone goes on watching, for a day.
        await asyncio.sleep(1500)
        assert all(copy.tombstone for copy in stage.keys)
        assert len(stage.kube.copies()) == len(stage.keys.buried())
        await process.stop()

    virtually(scene())


@pytest.mark.parametrize("first", [Api.V1, Api.V2])
@pytest.mark.parametrize("seed", range(30))
def test_in_v2_too_whether_it_comes_there_at_once_or_from_v1(first: Api, seed: int) -> None:
    async def scene() -> None:
        luck = random.Random(seed)
        stage = Stage(workers=2, first=first)
        one, two = stage.together, stage.together_v2
        one.closed = True
        stage.kube.apply()
        process = Process(stage)
        stage.operator.enqueue(ML, "create")

        async def luckless(times: int, pause: float) -> None:
            nonlocal stage, process
            for _ in range(times):
                await asyncio.sleep(luck.choice((0.003, 0.06, 0.3, 5.0, pause)) * luck.random())
                if luck.random() < 0.4:
                    stage = await process.kill()
                    process = Process(stage)
                if ML in stage.kube.endpoints:
                    await trouble(luck, stage, luck.choice((one, two, two)))

        def well() -> None:
            stage.kube.fail.clear()
            stage.kube.lose.clear()
            for together in (one, two):
                together.losing.clear()
                together.creates.clear()
            two.losing_deploys.clear()

        await luckless(luck.randint(3, 12), 60.0)
        well()
        await stage.until("Serving", within=3600)
        await asyncio.sleep(_LATEST + 120)
        # An order whose answer was lost may have been carried out by v1 before it was closed.
        assert len(one.endpoints) + len(two.endpoints) == 1
        assert len(one.endpoints) + len(two.running) == 1
        assert stage.kube.status(ML)["endpointID"] in {*one.endpoints, *two.endpoints}
        assert max(one.most, two.most_running) <= 1
        assert one.most + two.most_running == 1
        for whole in two.endpoints.values():
            assert {w.deployment_id for w in whole.traffic} == {d.id for d in two.running}

        stage.kube.delete(ML)
        stage.operator.enqueue(ML, "delete")
        await luckless(luck.randint(0, 3), 20.0)
        well()
        await stage.until_gone(within=3600)
        assert (one.endpoints, two.endpoints) == ({}, {})
        await asyncio.sleep(1500)
        assert all(copy.tombstone for copy in stage.keys)
        assert len(stage.kube.copies()) == len(stage.keys.buried())
        await process.stop()

    virtually(scene())
