"""Kubernetes Events: what happened to a resource, where people look for it first.

Events are a courtesy, so nothing here can fail, block or delay the work: they are taken into a
bounded queue and posted one after the other. The same event again raises a count instead of making
another object, because a cluster keeps events for an hour and `kubectl describe` shows them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

from together_operator.controller.kube_errors import (
    Forbidden,
    KubeError,
    KubeUnavailable,
    NamespaceTerminating,
    NotFound,
)
from together_operator.logs import redact

logger = logging.getLogger(__name__)

COMPONENT: Final = "together-operator"

LONGEST_MESSAGE: Final = 1024
"""The API server's limit for an Event's message."""

SAME_WITHIN: Final = 600.0
"""Seconds within which the same event is a repetition."""

WRITE_EVERY: Final = 60.0
"""Seconds between two writes of a repetition's count."""

_REMEMBERED: Final = 4096
_ATTEMPTS: Final = 3


class EventType(StrEnum):
    """How Kubernetes sorts events."""

    NORMAL = "Normal"
    WARNING = "Warning"


class EventApi(Protocol):
    """The calls of `Kube` that events need."""

    async def create_event(self, body: dict[str, Any]) -> dict[str, Any]:
        """Post an Event."""

    async def patch_event(self, namespace: str, name: str, patch: dict[str, Any]) -> dict[str, Any]:
        """Change an Event."""


class _Same(NamedTuple):
    """What makes two events the same."""

    uid: str
    type: EventType
    reason: str
    message: str


@dataclass(slots=True, eq=False)
class _Event:
    """An event, and how often it happened.

    Attributes:
        about: The reference to the resource, which itself may be large.
        same: What makes it the same.
        at: When it happened last.
        happened: The same on the monotonic clock.
        count: How often it happened.
        name: Its name in the cluster; empty until it is posted.
        written: When it was posted or patched last, on the monotonic clock.
        waiting: Whether it is in the queue.
    """

    about: dict[str, str]
    same: _Same
    at: datetime
    happened: float
    count: int = 1
    name: str = ""
    written: float = 0.0
    waiting: bool = False


class Recorder:
    """Posts events about resources.

    Args:
        api: Where to post them.
        capacity: How many may wait; what comes on top is dropped.
        pause: Seconds before the second attempt of a post; doubles.
        write_every: Seconds between two writes of a repetition's count.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        api: EventApi,
        *,
        capacity: int = 1000,
        pause: float = 1.0,
        write_every: float = WRITE_EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._pause = pause
        self._write_every = write_every
        self._clock = clock
        self._queue: asyncio.Queue[_Event] = asyncio.Queue(capacity)
        self._known: OrderedDict[_Same, _Event] = OrderedDict()
        self._instance = socket.gethostname()
        self._forbidden_told = False

    def normal(self, about: Mapping[str, Any], reason: str, message: str) -> None:
        """Record that something happened as it should.

        Args:
            about: The resource, as Kubernetes has it.
            reason: One CamelCase word.
            message: A sentence for people.
        """
        self._record(about, EventType.NORMAL, reason, message)

    def warning(self, about: Mapping[str, Any], reason: str, message: str) -> None:
        """Record that something needs attention; arguments as for `normal`."""
        self._record(about, EventType.WARNING, reason, message)

    async def run(self) -> None:
        """Post what is recorded, until cancelled."""
        while True:
            event = await self._queue.get()
            event.waiting = False
            try:
                await self._post(event)
            finally:
                if not event.name:
                    self._forget(event)
                self._queue.task_done()

    async def drain(self, within: float) -> None:
        """Wait until everything recorded is posted, but not longer than some seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._queue.join()

    def _record(
        self, about: Mapping[str, Any], event_type: EventType, reason: str, message: str
    ) -> None:
        message = redact(message)
        if len(message) > LONGEST_MESSAGE:
            message = message[: LONGEST_MESSAGE - 1] + "…"
        same = _Same(about["metadata"]["uid"], event_type, reason, message)
        now, at = self._clock(), datetime.now(UTC)
        event = self._known.get(same)
        if event is None or now - event.happened >= SAME_WITHIN:
            event = self._known[same] = _Event(_reference(about), same, at, now)
            self._known.move_to_end(same)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        else:
            event.count += 1
            event.at, event.happened = at, now
            if event.waiting or now - event.written < self._write_every:
                return
        try:
            self._queue.put_nowait(event)
            event.waiting = True
        except asyncio.QueueFull:
            self._forget(event)
            logger.debug("Event dropped, too many wait: %s: %s", reason, message)

    def _forget(self, event: _Event) -> None:
        if self._known.get(event.same) is event:
            del self._known[event.same]

    async def _post(self, event: _Event) -> None:
        for attempt in range(_ATTEMPTS):
            try:
                await self._write(event)
            except KubeUnavailable as error:
                logger.debug("Event not posted yet: %s", error)
                if attempt + 1 < _ATTEMPTS:
                    await asyncio.sleep(max(error.retry_after, self._pause * 2**attempt))
            except NamespaceTerminating:
                return
            except Forbidden as error:
                if not self._forbidden_told:
                    logger.warning("No events are posted: %s", error)
                self._forbidden_told = True
                return
            except KubeError as error:
                logger.warning("Event not posted: %s", error)
                return
            else:
                return

    async def _write(self, event: _Event) -> None:
        if event.name:
            patch = {"count": event.count, "lastTimestamp": _timestamp(event.at)}
            try:
                await self._api.patch_event(event.about["namespace"], event.name, patch)
            except NotFound:
                event.name = ""
        if not event.name:
            body = self._body(event)
            await self._api.create_event(body)
            event.name = body["metadata"]["name"]
        event.written = self._clock()

    def _body(self, event: _Event) -> dict[str, Any]:
        at = _timestamp(event.at)
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "namespace": event.about["namespace"],
                "name": f"{event.about['name'][:230]}.{secrets.token_hex(8)}",
            },
            "involvedObject": event.about,
            "type": str(event.same.type),
            "reason": event.same.reason,
            "message": event.same.message,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": self._instance,
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": event.count,
        }


def _reference(about: Mapping[str, Any]) -> dict[str, str]:
    fields = ("namespace", "name", "uid", "resourceVersion")
    return {
        "apiVersion": about["apiVersion"],
        "kind": about["kind"],
        **{field: about["metadata"][field] for field in fields},
    }


def _timestamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
