"""Events: posted once, counted when they repeat, and never in anybody's way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from together_operator import logs
from together_operator.controller.events import LONGEST_MESSAGE, SAME_WITHIN, WRITE_EVERY, Recorder
from together_operator.controller.kube_errors import (
    Forbidden,
    KubeError,
    KubeUnavailable,
    NamespaceTerminating,
    NotFound,
)

ABOUT = {
    "apiVersion": "together-operator.io/v1alpha1",
    "kind": "TogetherEndpoint",
    "metadata": {"namespace": "ml", "name": "mixtral", "uid": "1234", "resourceVersion": "7"},
}


class Api:
    """Takes events, or fails as told."""

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []
        self.patched: list[tuple[str, str, dict[str, Any]]] = []
        self.calls = 0
        self.fail: list[KubeError] = []

    def _call(self) -> None:
        self.calls += 1
        if self.fail:
            raise self.fail.pop(0)

    async def create_event(self, body: dict[str, Any]) -> dict[str, Any]:
        self._call()
        self.created.append(body)
        return body

    async def patch_event(self, namespace: str, name: str, patch: dict[str, Any]) -> dict[str, Any]:
        self._call()
        self.patched.append((namespace, name, patch))
        return patch


class Clock:
    """Time that passes only when a test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def running(recorder: Recorder) -> AsyncIterator[None]:
    task = asyncio.create_task(recorder.run())
    try:
        yield
    finally:
        assert not task.done(), "the worker ended"
        task.cancel()


async def test_an_event_is_about_its_resource() -> None:
    api = Api()
    recorder = Recorder(api)
    async with running(recorder):
        recorder.warning(ABOUT, "EndpointFailed", "Together reports ERROR.")
        await recorder.drain(10)
    (event,) = api.created
    assert event["metadata"]["namespace"] == "ml"
    assert event["metadata"]["name"].startswith("mixtral.")
    assert event["involvedObject"] == {
        "apiVersion": "together-operator.io/v1alpha1",
        "kind": "TogetherEndpoint",
        **ABOUT["metadata"],
    }
    assert (event["type"], event["reason"]) == ("Warning", "EndpointFailed")
    assert event["message"] == "Together reports ERROR."
    assert event["reportingComponent"] == "together-operator"
    assert event["count"] == 1


async def test_a_repetition_is_counted_and_its_count_written_now_and_then() -> None:
    api, clock = Api(), Clock()
    recorder = Recorder(api, clock=clock)
    async with running(recorder):
        for _ in range(5):
            recorder.normal(ABOUT, "ScaledUp", "To 3.")
            await recorder.drain(10)
        assert (len(api.created), api.patched) == (1, [])
        clock.now += WRITE_EVERY
        recorder.normal(ABOUT, "ScaledUp", "To 3.")
        await recorder.drain(10)
        ((namespace, name, patch),) = api.patched
        assert (namespace, name) == ("ml", api.created[0]["metadata"]["name"])
        assert patch["count"] == 6
        recorder.normal(ABOUT, "ScaledUp", "To 4.")
        recorder.warning(ABOUT, "ScaledUp", "To 3.")
        await recorder.drain(10)
        assert len(api.created) == 3, "another message or type is another event"
        clock.now += SAME_WITHIN
        recorder.normal(ABOUT, "ScaledUp", "To 3.")
        await recorder.drain(10)
        assert len(api.created) == 4, "much later it is a new one"


async def test_repetitions_before_the_first_post_are_one_event() -> None:
    api = Api()
    recorder = Recorder(api)
    for _ in range(3):
        recorder.normal(ABOUT, "ScaledUp", "To 3.")
    async with running(recorder):
        await recorder.drain(10)
    assert [event["count"] for event in api.created] == [3]
    assert api.patched == []


async def test_an_event_that_the_cluster_forgot_is_posted_anew() -> None:
    api, clock = Api(), Clock()
    recorder = Recorder(api, clock=clock)
    async with running(recorder):
        recorder.normal(ABOUT, "ScaledUp", "To 3.")
        await recorder.drain(10)
        clock.now += WRITE_EVERY
        api.fail = [NotFound("gone")]
        recorder.normal(ABOUT, "ScaledUp", "To 3.")
        await recorder.drain(10)
    assert len(api.created) == 2


async def test_an_unreachable_api_server_is_tried_again() -> None:
    api = Api()
    recorder = Recorder(api, pause=0.001)
    async with running(recorder):
        api.fail = [KubeUnavailable("away"), KubeUnavailable("away")]
        recorder.normal(ABOUT, "ScaledUp", "To 3.")
        await recorder.drain(10)
        assert len(api.created) == 1
        api.fail = [KubeUnavailable("away")] * 3
        recorder.normal(ABOUT, "ScaledUp", "To 4.")
        recorder.normal(ABOUT, "ScaledUp", "To 5.")
        await recorder.drain(10)
    assert [event["message"] for event in api.created] == ["To 3.", "To 5."]


async def test_a_terminating_namespace_is_not_asked_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = Api()
    recorder = Recorder(api)
    async with running(recorder):
        api.fail = [NamespaceTerminating("create events", "being terminated")]
        recorder.normal(ABOUT, "Deleting", "Away.")
        await recorder.drain(10)
    assert api.calls == 1
    assert caplog.records == []


async def test_a_missing_permission_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    api = Api()
    recorder = Recorder(api)
    async with running(recorder):
        api.fail = [Forbidden("create events", "cannot create"), Forbidden("create events", "no")]
        recorder.normal(ABOUT, "ScaledUp", "To 3.")
        recorder.normal(ABOUT, "ScaledUp", "To 4.")
        await recorder.drain(10)
    assert len(caplog.records) == 1
    assert "may not create events" in caplog.records[0].getMessage()


async def test_too_many_events_are_dropped_not_kept() -> None:
    api = Api()
    recorder = Recorder(api, capacity=10)
    for number in range(1000):
        recorder.normal(ABOUT, "ScaledUp", f"To {number}.")
    async with running(recorder):
        await recorder.drain(10)
    assert len(api.created) == 10


async def test_a_long_message_is_cut_and_a_key_is_not_in_it() -> None:
    api = Api()
    recorder = Recorder(api)
    logs.register_secret("event-not-a-real-key")
    async with running(recorder):
        recorder.normal(ABOUT, "Said", "x" * 2000)
        recorder.normal(ABOUT, "Said", "Bearer event-not-a-real-key was refused.")
        await recorder.drain(10)
    assert len(api.created[0]["message"]) == LONGEST_MESSAGE
    assert api.created[1]["message"] == "Bearer [redacted] was refused."


async def test_draining_has_an_end() -> None:
    recorder = Recorder(Api())
    recorder.normal(ABOUT, "Said", "Nobody posts it.")
    await recorder.drain(0.01)
