"""What takes the place of a deployment of API v2, and when nothing does."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.controller.stage import ML, Stage, until
from tests.controller.virtual import virtually
from together_operator.resource.spec import Api


@pytest.mark.parametrize("whole", [True, False])
def test_what_ran_is_replaced_although_its_endpoint_was_seen_without_it(whole: bool) -> None:
    """Together may show an endpoint a little longer than what ran in it."""

    async def scene() -> None:
        stage = Stage(first=Api.V2)
        await stage.serving(onMissing="Recreate")
        former = stage.kube.status(ML)["deployments"][0]["id"]
        async with stage.running(timers=True):
            ((endpoint_id, endpoint),) = stage.together_v2.endpoints.items()
            bare = replace(endpoint, deployments=(), traffic=())
            stage.together_v2.endpoints[endpoint_id] = bare
            await asyncio.sleep(40)
            if whole:
                del stage.together_v2.endpoints[endpoint_id]
            await until(lambda: bool(stage.together_v2.running), 1200)
            await stage.until("Serving", within=1200)
        ((_, endpoint),) = stage.together_v2.endpoints.items()
        assert endpoint.id == endpoint_id or whole
        assert former not in {d.id for d in endpoint.deployments or ()}
        assert stage.together_v2.most_running == 1

    virtually(scene())


def test_a_change_of_mind_in_the_middle_of_a_swap_never_makes_three() -> None:
    async def scene() -> None:
        stage = Stage(first=Api.V2)
        stage.together_v2.prices["2x_gpu"] = stage.together_v2.prices["1x_gpu"]
        await stage.serving(replacement="Swap")
        first = stage.kube.endpoints[ML]["spec"]["hardware"]
        async with stage.running(timers=True):
            for hardware in ("2x_gpu", first, "2x_gpu", first):
                stage.kube.apply(hardware=hardware)
                stage.operator.enqueue(ML, "update")
                await until(lambda: len(stage.together_v2.running) == 2)
                # Until the traffic has moved, and what had it is about to go.
                await until(lambda: len(stage.kube.status(ML)["deployments"]) == 2)
                await until(lambda: "Former" in roles(stage))
            await stage.until("Serving", within=1200)
        assert stage.together_v2.most_running == 2
        ((_, endpoint),) = stage.together_v2.endpoints.items()
        assert [d.hardware for d in endpoint.deployments or ()] == [first]

    virtually(scene())


def test_a_swap_goes_on_when_what_is_to_be_replaced_is_removed_by_hand() -> None:
    """Otherwise the other one would run, and be billed, and nobody would get to it."""

    async def scene() -> None:
        stage = Stage(first=Api.V2)
        stage.together_v2.prices["2x_gpu"] = stage.together_v2.prices["1x_gpu"]
        await stage.serving(replacement="Swap")
        async with stage.running(timers=True):
            stage.kube.apply(hardware="2x_gpu")
            stage.operator.enqueue(ML, "update")
            await until(lambda: "Next" in roles(stage))
            ((endpoint_id, endpoint),) = stage.together_v2.endpoints.items()
            left = tuple(d for d in endpoint.deployments or () if d.hardware == "2x_gpu")
            routed = tuple(w for w in endpoint.traffic if w.deployment_id in {d.id for d in left})
            stage.together_v2.endpoints[endpoint_id] = replace(
                endpoint, deployments=left, traffic=routed
            )
            await stage.until("Serving", within=1200)
        ((_, endpoint),) = stage.together_v2.endpoints.items()
        assert [d.hardware for d in endpoint.deployments or ()] == ["2x_gpu"]
        assert roles(stage) == ["Current"]

    virtually(scene())


def test_of_a_swap_whose_record_is_lost_one_is_left() -> None:
    """What was to take the other's place runs, and nobody else knows of it."""

    async def scene() -> None:
        stage = Stage(first=Api.V2)
        stage.together_v2.prices["2x_gpu"] = stage.together_v2.prices["1x_gpu"]
        await stage.serving(replacement="Swap")
        async with stage.running(timers=True):
            stage.kube.apply(hardware="2x_gpu")
            stage.operator.enqueue(ML, "update")
            await until(lambda: len(stage.together_v2.running) == 2)
            stage.kube.annotate(ML, wiped="true")
            stage.kube.endpoints[ML]["status"] = {}
            stage.operator.enqueue(ML, "update")
            await stage.until("Serving", within=1200)
        assert stage.together_v2.most_running == 2
        ((_, endpoint),) = stage.together_v2.endpoints.items()
        assert [d.hardware for d in endpoint.deployments or ()] == ["2x_gpu"]

    virtually(scene())


@pytest.mark.parametrize("policy", ["Retain", "Stop"])
@pytest.mark.parametrize("moment", ["Next", "Former"])
def test_a_deletion_that_keeps_the_endpoint_keeps_what_serves_in_it(
    policy: str, moment: str
) -> None:
    async def scene() -> None:
        stage = Stage(first=Api.V2)
        stage.together_v2.prices["2x_gpu"] = stage.together_v2.prices["1x_gpu"]
        await stage.serving(replacement="Swap", deletionPolicy=policy)
        async with stage.running(timers=True):
            stage.kube.apply(hardware="2x_gpu")
            stage.operator.enqueue(ML, "update")
            await until(lambda: moment in roles(stage))
            await until(lambda: len(stage.together_v2.running) == 2)
            stage.kube.delete(ML)
            stage.operator.enqueue(ML, "delete")
            await stage.until_gone(within=3600)
        ((_, endpoint),) = stage.together_v2.endpoints.items()
        (left,) = endpoint.deployments or ()
        assert [w.deployment_id for w in endpoint.traffic] == [left.id]
        assert len(stage.together_v2.running) == (1 if policy == "Retain" else 0)

    virtually(scene())


def roles(stage: Stage) -> list[str]:
    return [d["role"] for d in stage.kube.status(ML)["deployments"]]
