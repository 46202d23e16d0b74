"""A process that may not change anything just now, or never again: it waits, or lets go."""

from __future__ import annotations

import asyncio

import pytest

from tests.controller.fake_driver import FakeDriver
from tests.controller.stage import ML, Stage
from tests.controller.virtual import virtually
from together_operator.resource.remote import Change, Done, NotSent
from together_operator.resource.spec import Api


class Held:
    """A mandate that a test gives and takes.

    Attributes:
        valid: Whether the process may go on.
        sure: Whether enough of it is left for a change.
    """

    def __init__(self) -> None:
        self.valid = True
        self.sure = True
        self.waits = 0
        self._news = asyncio.Event()

    def may_change(self) -> bool:
        """Whether a change may be sent."""
        return self.valid and self.sure

    def tell(self, *, valid: bool = True, sure: bool = True) -> None:
        """Change it."""
        self.valid, self.sure = valid, sure
        self._news.set()

    async def renewed(self) -> None:
        """Wait for news of it."""
        self.waits += 1
        self._news.clear()
        await self._news.wait()


def test_in_v2_nothing_is_changed_either_but_what_costs_nothing_is_made() -> None:
    async def scene() -> None:
        mandate = Held()
        stage = Stage(mandate=mandate, first=Api.V2)
        mandate.sure = False
        stage.kube.apply()
        work = asyncio.create_task(stage.reconcile())
        await asyncio.sleep(60)
        calls = stage.together_v2.calls
        assert (calls["create"], calls["deploy"]) == (1, 1)
        assert calls["start"] == calls["route"] == 0
        mandate.tell()
        await work
        assert stage.ready == "Serving"

        changes = ("route", "stop", "undeploy", "delete")
        before = [calls[verb] for verb in changes]
        mandate.sure = False
        stage.kube.delete(ML)
        work = asyncio.create_task(stage.reconcile())
        await asyncio.sleep(60)
        assert [calls[verb] for verb in changes] == before
        async with stage.running(timers=True):
            mandate.tell()
            await work
            await stage.until_gone()
        assert stage.together_v2.endpoints == {}

    virtually(scene())


@pytest.mark.parametrize("verb", ["route", "undeploy"])
def test_in_v2_each_step_of_a_deletion_waits(verb: str) -> None:
    async def scene() -> None:
        mandate = Held()
        stage = Stage(mandate=mandate, first=Api.V2)
        await stage.serving()
        done = stage.together_v2.calls[verb]

        async def lapse() -> None:
            mandate.sure = False

        # What comes before it in the order of a deletion.
        before = {"route": "get", "undeploy": "stop"}[verb]
        stage.together_v2.before[before] = lapse
        if verb == "route":
            mandate.sure = False
        stage.kube.delete(ML)
        async with stage.running(timers=True):
            stage.operator.enqueue(ML, "delete")
            await asyncio.sleep(600)
            assert stage.together_v2.calls[verb] == done
            del stage.together_v2.before[before]
            mandate.tell()
            await stage.until_gone()
        assert stage.together_v2.calls[verb] == done + 1

    virtually(scene())


CHANGES = {
    "update": {"autoscaling": {"minReplicas": 2, "maxReplicas": 2}},
    "stop": {"state": "Stopped"},
}


@pytest.mark.parametrize("verb", CHANGES)
def test_a_change_waits_for_the_next_renewal_and_is_decided_anew(verb: str) -> None:
    async def scene() -> None:
        mandate = Held()
        stage = Stage(mandate=mandate)
        await stage.serving()
        mandate.sure = False
        stage.kube.apply("one", **CHANGES[verb])
        work = asyncio.create_task(stage.reconcile())
        await asyncio.sleep(60)
        assert mandate.waits == 1
        assert stage.together.calls[verb] == 0
        mandate.tell()
        await work
        assert stage.together.calls[verb] == 1

    virtually(scene())


def test_what_was_asked_for_meanwhile_is_what_is_done() -> None:
    async def scene() -> None:
        mandate = Held()
        stage = Stage(mandate=mandate)
        await stage.serving()
        before = stage.together.calls.copy()
        mandate.sure = False
        stage.kube.apply("one", autoscaling={"minReplicas": 5, "maxReplicas": 5})
        work = asyncio.create_task(stage.reconcile())
        await asyncio.sleep(60)
        stage.kube.apply("one", autoscaling={"minReplicas": 1, "maxReplicas": 1})
        mandate.tell()
        await work
        assert stage.together.calls["update"] == before["update"] == 0

    virtually(scene())


def test_a_deletion_waits_likewise_and_a_create_does_not() -> None:
    async def scene() -> None:
        mandate = Held()
        mandate.sure = False
        stage = Stage(mandate=mandate)
        await stage.serving()
        assert stage.together.calls["create"] == 1
        stage.kube.delete(ML)
        work = asyncio.create_task(stage.reconcile())
        await asyncio.sleep(60)
        assert stage.together.calls["delete"] == 0
        mandate.tell()
        await work
        assert stage.together.calls["delete"] == 1

    virtually(scene())


def test_one_that_was_held_back_on_the_way_is_decided_anew_and_no_trouble() -> None:
    """The wire's own fence, in the instant before the first byte."""

    class Fenced(FakeDriver):
        left = 1

        async def update(  # type: ignore[override]
            self, endpoint_id: str, change: Change, deployment_id: str | None = None
        ) -> Done | NotSent:
            if self.left:
                self.left -= 1
                return NotSent("the request was held back: its time had passed")
            return await super().update(endpoint_id, change, deployment_id)  # type: ignore[return-value]

    async def scene() -> None:
        stage = Stage()
        stage.drivers["key-one"] = Fenced()
        await stage.serving()
        told = list(stage.told.reasons())
        stage.kube.apply("one", autoscaling={"minReplicas": 2, "maxReplicas": 2})
        await stage.reconcile()
        assert stage.together.calls["update"] == 1
        assert stage.ready in ("Serving", "Scaling", "Updating")
        assert stage.told.reasons()[len(told) :].count("Scaled") == 1
        assert "held back" not in str(stage.kube.status(ML))

    virtually(scene())


def test_who_sweeps_the_key_copies_still_leads() -> None:
    async def scene() -> None:
        mandate = Held()
        stage = Stage(mandate=mandate)
        await stage.serving()
        stage.kube.endpoints.clear()
        mandate.valid = False
        await stage.resync.compare()
        assert len(stage.kube.copies()) == 1
        mandate.valid = True
        await stage.resync.compare()
        assert stage.kube.copies() == {}

    virtually(scene())
