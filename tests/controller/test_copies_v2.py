"""A backup of a resource on API v2 that comes back: what runs is taken over and not made again."""

from __future__ import annotations

from copy import deepcopy

import pytest

from tests.controller.stage import ML, Stage
from tests.controller.virtual import virtually
from together_operator.resource import names
from together_operator.resource.spec import Api


@pytest.mark.parametrize("status", [True, False], ids=["with its status", "without"])
@pytest.mark.parametrize("first", [Api.V1, Api.V2])
def test_what_runs_is_taken_over_and_goes_with_the_copy(first: Api, status: bool) -> None:
    async def scene() -> None:
        stage = Stage(first=Api.V2)
        await stage.serving()
        made = dict(stage.together_v2.calls)
        kept = deepcopy(stage.kube.endpoints.pop(ML))
        [running] = stage.together_v2.endpoints["ep_1"].deployments or ()

        later = stage.restarted()
        later.accounts.first = first
        stage.kube.apply(api="Auto" if status else "V2")
        body = stage.kube.endpoints[ML]
        former = {names.OWNER_UID: kept["metadata"]["uid"]}
        body["metadata"]["annotations"] = former
        if status:
            body["status"] = kept["status"]
        await later.fill()
        await later.reconcile()
        assert later.ready == "RestoredCopy"
        stage.kube.annotate(ML, restored_copy="Adopt")
        async with later.running(timers=True):
            later.operator.enqueue(ML, "update")
            await later.until("Serving")
            [entry] = later.kube.status(ML)["deployments"]
            assert (entry["id"], entry["role"]) == (running.id, "Current")
            assert later.kube.status(ML)["endpointID"] == "ep_1"
            for verb in ("create", "deploy", "stop"):
                assert later.together_v2.calls[verb] == made.get(verb, 0), verb
            stage.kube.delete(ML)
            later.operator.enqueue(ML, "delete")
            await later.until_gone()
        assert later.together_v2.endpoints == {}

    virtually(scene())
