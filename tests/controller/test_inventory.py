"""What the commands see from outside: both generations of every key, and what could not be seen."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.controller.fake_driver import DOWN
from tests.controller.stage import ML, Stage
from tests.controller.virtual import virtually, wall
from together_operator.controller.inventory import Inventory
from together_operator.controller.letting_go import Remains, let_go, remains
from together_operator.controller.wires import Wires
from together_operator.core.marker import Marker
from together_operator.core.orphans import Why
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.spec import Api
from together_operator.settings import Settings


async def inventory(stage: Stage) -> Inventory:
    """A look at a stage from outside, by a process of its own."""
    outside = stage.restarted()
    taken = Inventory(
        Settings(),
        outside.kube.kube,
        "cluster",
        outside.keys,
        outside.released,
        outside.accounts,
        outside.clocks,
        cast("Wires", SimpleNamespace(driver=outside._driver)),
    )
    await taken.read()
    await taken.look()
    return taken


def marked(stage: Stage, nonce: str) -> str:
    uid = stage.kube.endpoints[ML]["metadata"]["uid"]
    return Marker.of("cluster", uid, nonce).write("ml/one")


def resource(stage: Stage) -> TogetherEndpoint:
    return TogetherEndpoint.parse(stage.kube.endpoints[ML])


@pytest.mark.parametrize("first", [Api.V1, Api.V2])
def test_orphans_are_looked_for_in_both_generations_whichever_is_in_use(first: Api) -> None:
    async def scene() -> None:
        stage = Stage(first=first)
        await stage.serving()
        stage.together.put("by-hand")
        stage.together_v2.hold("ep_hand", "a", "b")
        stage.together_v2.hold("ep_empty")
        outside = await inventory(stage)
        found, others = await outside.orphans()
        assert {o.id: (o.why, o.cost) for o in found} == {
            "by-hand": (Why.UNMANAGED, Decimal(5)),
            "ep_hand": (Why.UNMANAGED, Decimal(16)),
        }
        assert others == 0
        assert outside.problems == []

    virtually(scene())


@pytest.mark.parametrize("gone", [Api.V1, Api.V2])
def test_a_generation_that_cannot_be_read_is_said_and_hides_nothing(gone: Api) -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        stage.together.put("by-hand")
        stage.together_v2.hold("ep_hand", "a")
        (stage.together if gone is Api.V1 else stage.together_v2).down = DOWN
        outside = await inventory(stage)
        found, _ = await outside.orphans()
        assert [o.id for o in found] == ["ep_hand" if gone is Api.V1 else "by-hand"]
        [problem] = outside.problems
        assert f"The account of ml/one (key {outside.keys.held(resource(stage).uid).identity})" in (  # type: ignore[union-attr]
            problem
        )
        assert f"cannot be looked at in API {gone.value.lower()}: {DOWN.message}" in problem

    virtually(scene())


def test_what_a_resource_in_v2_leaves_is_told_with_what_came_of_v1() -> None:
    async def scene() -> None:
        stage = Stage(first=Api.V2)
        await stage.serving(autoscaling={"minReplicas": 2})
        stage.together.put("late", marked(stage, "late"))
        outside = await inventory(stage)
        assert await remains(outside, resource(stage)) == [
            Remains("ep_1", "READY", Decimal(16)),
            Remains("late", "STARTED", Decimal(5)),
        ]

    virtually(scene())


@pytest.mark.parametrize(
    ("status", "apis"),
    [
        pytest.param({}, (Api.V1,), id="in v1"),
        pytest.param({"api": "V2"}, (Api.V1,), id="moved on to v2"),
    ],
)
def test_what_is_let_go_is_watched_for_where_it_may_come_to_life(
    status: dict[str, Any], apis: tuple[Api, ...]
) -> None:
    async def scene() -> None:
        stage = Stage()
        await stage.serving()
        body = stage.kube.endpoints[ML]
        body["status"] |= status
        body["status"]["operation"]["open"] = ["late"]
        outside = await inventory(stage)
        await let_go(outside, resource(stage), [])
        [copy] = outside.keys.buried()
        assert copy.tombstone is not None
        assert copy.tombstone.expires > wall()
        assert copy.tombstone.apis == apis
        later = stage.restarted()
        await later.keys.load()
        assert [copy.tombstone for copy in later.keys.buried()] == [copy.tombstone]

    virtually(scene())
