"""One resource, worked on while the cluster refuses, is late, or does not answer."""

from __future__ import annotations

import asyncio

import pytest

from tests.controller.stage import ML, Stage
from tests.controller.virtual import virtually
from together_operator.controller.kube_errors import (
    Conflict,
    Forbidden,
    KubeUnavailable,
    NotFound,
    Rejected,
)
from together_operator.controller.reconciler import Unsettled

DENIED = 'User "system:serviceaccount:system:operator" cannot do that'


def test_a_right_that_is_missing_is_told_in_the_status_and_in_an_event() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.kube.fail["create_secret"] = [Forbidden("create secrets", DENIED)] * 1000
        stage.kube.apply()
        async with stage.running():
            stage.operator.enqueue(ML, "create")
            await asyncio.sleep(3600)
            assert "Grant it" in stage.message
            assert stage.ready == "Creating"
            assert "KubernetesRefused" in stage.told.reasons()
            assert stage.kube.calls["create_secret"] < 30
            assert stage.together.calls["create"] == 0
            writes = stage.kube.writes
            await asyncio.sleep(3600)
            assert stage.kube.writes == writes, "the same words are not written again"
            stage.kube.fail.clear()
            await stage.until("Serving")
        assert stage.together.calls["create"] == 1

    virtually(scene())


def test_a_status_that_an_older_crd_refuses_buys_nothing_and_hurries_nobody() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.kube.fail["replace_status"] = [Rejected("status.state: not allowed")] * 1000
        stage.kube.apply()
        async with stage.running():
            stage.operator.enqueue(ML, "create")
            await asyncio.sleep(3600)
            assert stage.together.calls["create"] == 0
            assert stage.kube.calls["replace_status"] < 30
            assert set(stage.told.reasons()) == {"KubernetesRefused"}
            stage.kube.fail.clear()
            await stage.until("Serving")

    virtually(scene())


def test_an_answer_that_could_not_be_recorded_is_recorded_once_it_can_be() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.kube.apply()

        async def refuse() -> None:
            stage.kube.fail["replace_status"] = [Rejected("not allowed")] * 5

        stage.together.before["create"] = refuse
        async with stage.running():
            stage.operator.enqueue(ML, "create")
            await stage.until("Serving")
        assert stage.together.calls["create"] == 1
        assert stage.kube.status(ML)["endpointID"] == "endpoint-1"

    virtually(scene())


def test_somebody_who_changes_a_resource_all_the_time_makes_nobody_run_hot() -> None:
    async def scene() -> None:
        stage = Stage()
        stage.kube.apply()

        async def meddle() -> None:
            stage.kube.annotate(ML, unrelated=str(stage.kube.calls["replace_status"]))

        stage.kube.before["replace_status"] = meddle
        with pytest.raises(Unsettled):
            await stage.reconcile()
        async with stage.running():
            stage.operator.enqueue(ML, "create")
            await asyncio.sleep(600)
            assert stage.kube.calls["replace_status"] < 1000
            assert stage.together.calls["create"] == 0
            del stage.kube.before["replace_status"]
            await stage.until("Serving", within=700)
        assert stage.together.calls["create"] == 1

    virtually(scene())


@pytest.mark.parametrize("error", [Conflict("changed"), NotFound("gone")])
@pytest.mark.parametrize("method", ["replace_status", "patch_metadata"])
def test_a_change_in_between_is_read_and_worked_on_at_once(
    error: Conflict | NotFound, method: str
) -> None:
    async def scene() -> None:
        stage = Stage()
        stage.kube.fail[method] = [error]
        await stage.serving()
        assert stage.together.calls["create"] == 1

    virtually(scene())


@pytest.mark.parametrize("number", range(3))
def test_a_write_whose_answer_is_lost_is_made_once(number: int) -> None:
    async def scene() -> None:
        stage = Stage()
        stage.kube.apply()
        seen = 0

        async def lose() -> None:
            nonlocal seen
            if seen == number:
                stage.kube.lose["replace_status"] = [KubeUnavailable("no answer")]
            seen += 1

        stage.kube.before["replace_status"] = lose
        await stage.reconcile()
        assert stage.ready == "Serving"
        assert stage.together.calls["create"] == 1

    virtually(scene())


def test_what_may_not_be_seen_of_configmaps_stops_neither_a_stop_nor_a_deletion() -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving(connection={"configMapName": "connection"})
        stage.kube.fail["get_configmap"] = [Forbidden("get configmaps", DENIED)] * 1000
        stage.kube.fail["create_configmap"] = stage.kube.fail["get_configmap"]
        stage.kube.apply(state="Stopped")
        async with stage.running():
            stage.operator.enqueue(ML, "update")
            await asyncio.sleep(120)
            assert stage.together.calls["stop"] == 1
            stage.kube.delete(ML)
            stage.operator.enqueue(ML, "delete")
            await asyncio.sleep(300)
        assert stage.together.endpoints == {}
        assert ML not in stage.kube.endpoints

    virtually(scene())
