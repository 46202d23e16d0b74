"""A resource with two endpoints, while it moves from v1 to v2, as the others see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from tests.controller.stage import ML, Stage
from tests.controller.test_inventory import inventory, resource
from tests.controller.virtual import virtually
from together_operator.controller.entry import Entry
from together_operator.controller.letting_go import Remains, remains
from together_operator.resource.spec import Api


@asynccontextmanager
async def moving() -> AsyncIterator[Stage]:
    """A resource that serves in both generations, and an operator that looks after it."""
    stage = Stage()
    await stage.serving()
    assert stage.kube.status(ML)["api"] == "V1"
    stage.kube.apply(api="V2")
    async with stage.running(timers=True):
        stage.operator.enqueue(ML, "update")
        await stage.until("MigrationUnconfirmed")
        yield stage


async def unconfirmed() -> Stage:
    """The same, and no operator runs."""
    async with moving() as stage:
        return stage


def test_each_is_looked_for_where_it_is() -> None:
    async def scene() -> None:
        stage = await unconfirmed()
        entry = stage.roster.get(ML)
        assert entry is not None
        first, second = entry.both
        assert (first.api, first.endpoint_id) == (Api.V1, stage.kube.status(ML)["endpointID"])
        assert (second.api, second.endpoint_id) == (Api.V2, "ep_1")
        key = entry.credential or ""
        assert stage.roster.of(key, Api.V1) == [entry]
        assert stage.roster.of(key, Api.V2) == [second]
        assert stage.roster.holders("ep_1") == [second]
        assert {place.api for place in stage.roster.places()} == {Api.V1, Api.V2}
        stage.roster.remove(ML)
        assert not stage.roster.places()
        assert not stage.roster.recorded()

    virtually(scene())


def test_a_change_at_together_is_noticed_on_either_side() -> None:
    async def scene() -> None:
        async with moving() as stage:
            stage.together_v2.turn("ep_1", "FAILED")
            await stage.until("EndpointFailed")
        status = stage.kube.status(ML)
        conditions = {c["type"]: c["status"] for c in status["conditions"]}
        assert conditions["Available"] == "True", "the first one serves"
        assert status["inference"]["model"] == status["name"]

    virtually(scene())


def test_nobody_takes_either_for_an_orphan_and_both_are_let_go_together() -> None:
    async def scene() -> None:
        stage = await unconfirmed()
        outside = await inventory(stage)
        assert await outside.orphans() == ([], 0)
        first = stage.kube.status(ML)["endpointID"]
        assert await remains(outside, resource(stage)) == [
            Remains(first, "STARTED", Decimal(5)),
            Remains("ep_1", "READY", Decimal(8)),
        ]

    virtually(scene())


def test_a_status_that_is_not_the_resources_own_has_no_second_endpoint() -> None:
    async def scene() -> None:
        stage = await unconfirmed()
        body = stage.kube.endpoints[ML]
        body["status"]["operation"]["uid"] = "another"
        entry = Entry.of(resource(stage), "key-a")
        assert entry.both == (entry,)

    virtually(scene())
