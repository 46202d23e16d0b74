"""The kopf handlers: create, update, stop, delete and the timer.

They carry nothing but the name of a resource to the controller's queue, because everything that
happens afterwards must not depend on when or how often a watch event arrives. kopf does what it is
best at (list, watch, reconnect, discovery) and writes nothing: its memory of what it has handled
is the resource's own status, and its progress lives as long as a handler, which is no time at all.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any, Final, cast

import aiohttp
import kopf

from together_operator.controller.kube import PAGE
from together_operator.controller.kube_config import load_configuration
from together_operator.controller.kube_errors import Forbidden
from together_operator.controller.queue import Key
from together_operator.controller.triggers import Trigger
from together_operator.controller.watch_session import open_session
from together_operator.controller.watcher import Session
from together_operator.resource.names import (
    CLAIM,
    GROUP,
    PLURAL,
    RECONCILE_REQUESTED_AT,
    RELEASE,
    RESTART_REQUESTED_AT,
    RESTORED_COPY,
    VERSION,
)
from together_operator.resource.spec import State

STREAM_SECONDS: Final = 120
"""The API server ends each watch request after this time and kopf resumes it at once. The new
request is the sign that a watch on a quiet cluster is alive; kopf shows no bookmarks."""

REQUEST_PAUSES: tuple[float, ...] = (1.0, 2.0, 3.0, 5.0, 8.0)
"""Seconds between the attempts of one request, after which the watch ends and starts again."""

LOGIN_PAUSE: Final = 5.0
"""Seconds between two log-ins within a minute: refused credentials are no reason to hurry."""

_FORBIDDEN: Final = 403
_REQUESTS: Final = (
    RECONCILE_REQUESTED_AT,
    RESTART_REQUESTED_AT,
    CLAIM,
    RESTORED_COPY,
    RELEASE,
)


class GenerationDiffBase(kopf.DiffBaseStorage):
    """What kopf compares to find a change: the spec's generation and what a person asked for.

    What was handled before this process began is read from the resource's own status; since then
    it is remembered here, so that the status written in answer to a change is not a new change.
    """

    def __init__(self) -> None:
        super().__init__()
        self._handled: dict[str, dict[str, Any]] = {}

    def build(self, *, body: kopf.Body, extra_fields: Any = None) -> kopf.BodyEssence:
        """The resource as far as a change of it matters."""
        annotations = body.metadata.annotations
        essence: dict[str, Any] = {
            "generation": body.metadata.get("generation"),
            "deleting": "deletionTimestamp" in body.metadata,
            **{name: annotations[name] for name in _REQUESTS if name in annotations},
        }
        return cast("kopf.BodyEssence", essence)

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """The same as it was last handled; None if it never was."""
        handled = self._handled.get(body.metadata.uid or "")
        if handled is None:
            status = body.status
            if status.get("observedGeneration", -1) < 0:
                return None
            handled = {"generation": status["observedGeneration"], "deleting": False}
            for name, field in (
                (RECONCILE_REQUESTED_AT, "lastHandledReconcileAt"),
                (RESTART_REQUESTED_AT, "lastHandledRestartAt"),
            ):
                if field in status:
                    handled[name] = status[field]
        return cast("kopf.BodyEssence", handled)

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Remember it in this process; the resource stays untouched."""
        self._handled[body.metadata.uid or ""] = cast("dict[str, Any]", essence)

    def is_news(self, body: kopf.Body) -> bool:
        """Whether a resource that is being deleted changed since the last question."""
        essence = cast("dict[str, Any]", self.build(body=body))
        uid = body.metadata.uid or ""
        if self._handled.get(uid) == essence:
            return False
        self._handled[uid] = essence
        return True

    def forget(self, body: kopf.Body) -> None:
        """Drop what is remembered of a resource that is gone."""
        self._handled.pop(body.metadata.uid or "", None)


class NoProgress(kopf.ProgressStorage):
    """kopf's progress of a handler: ours are over at once, so there is none to keep."""

    def fetch(self, *, key: Any, body: kopf.Body) -> None:
        """There is none."""

    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Nothing is kept."""

    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Nothing was kept."""

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        """Nothing needs an event of its own."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """The essence holds nothing of kopf's."""
        return essence


async def watch(session: Session) -> None:
    """Run kopf until it is told to stop, or ends by itself.

    Args:
        session: What it works for and with.

    Raises:
        Forbidden: The operator may not list or watch the resources.
        Exception: Whatever else ended kopf, such as a watch error that it does not know.
    """
    diff_base = GenerationDiffBase()
    opened: list[aiohttp.ClientSession] = []
    # Each handled resource is a line for kopf, at every start; and that signals are not its
    # business in a thread is as it should be.
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
    logging.getLogger("kopf.activities").setLevel(logging.WARNING)
    logging.getLogger("kopf._core.engines.activities").setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)
    try:
        await kopf.operator(
            registry=_registry(session, diff_base, opened),
            settings=_settings(diff_base),
            # One after the other would take a write between them.
            lifecycle=kopf.lifecycles.all_at_once,
            stop_flag=session.stop,
            standalone=True,
            clusterwide=not session.namespaces,
            namespaces=session.namespaces,
        )
    except Exception as error:
        if getattr(error, "status", None) == _FORBIDDEN:
            what, said = f"list or watch {PLURAL}", str(getattr(error, "message", error))
            raise Forbidden(what, said) from None
        raise
    finally:
        for connection in opened:
            await connection.close()


def _settings(diff_base: GenerationDiffBase) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.persistence.diffbase_storage = diff_base
    settings.persistence.progress_storage = NoProgress()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.watching.server_timeout = STREAM_SECONDS
    settings.watching.chunk_size = PAGE
    settings.networking.connect_timeout = 10
    settings.networking.request_timeout = 60
    settings.networking.error_backoffs = REQUEST_PAUSES
    # It would kill this very process some minutes after kopf ended by itself.
    settings.process.ultimate_exiting_timeout = None
    return settings


def _registry(
    session: Session, diff_base: GenerationDiffBase, opened: list[aiohttp.ClientSession]
) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()
    last_login = 0.0
    endpoint: Any = {"group": GROUP, "version": VERSION, "plural": PLURAL, "registry": registry}

    def see(seen: Any, trigger: Trigger) -> None:
        session.tell(Key(seen["namespace"], seen["name"]), trigger)

    def wants_stopped(spec: kopf.Spec, **_: Any) -> bool:
        return bool(spec.get("state") == State.STOPPED)

    def wants_started(spec: kopf.Spec, **_: Any) -> bool:
        return not wants_stopped(spec)

    def is_ending(type: str | None, meta: kopf.Meta, **_: Any) -> bool:  # noqa: A002 - kopf's name
        return type == "DELETED" or "deletionTimestamp" in meta

    @kopf.on.resume(**endpoint)
    @kopf.on.create(**endpoint)
    async def create(**seen: Any) -> None:
        see(seen, Trigger.CREATE if seen["reason"] == Trigger.CREATE else Trigger.RESUME)

    @kopf.on.update(**endpoint, when=wants_started)
    async def update(**seen: Any) -> None:
        see(seen, Trigger.UPDATE)

    @kopf.on.update(**endpoint, when=wants_stopped)
    async def stop(**seen: Any) -> None:
        see(seen, Trigger.STOP)

    # kopf's own delete handler would need a second finalizer and two writes per resource.
    @kopf.on.event(**endpoint, when=is_ending)
    async def delete(**seen: Any) -> None:
        if seen["type"] == "DELETED":
            diff_base.forget(seen["body"])
            see(seen, Trigger.DELETE)
        elif diff_base.is_news(seen["body"]):
            see(seen, Trigger.DELETE)

    @kopf.on.startup(registry=registry)
    async def timer(**_: Any) -> None:
        session.start_timer()

    @kopf.on.login(registry=registry, errors=kopf.ErrorsMode.PERMANENT)
    async def login(**_: Any) -> kopf.AiohttpSession:
        nonlocal last_login
        if opened and time.monotonic() - last_login < 60.0:
            await asyncio.sleep(LOGIN_PAUSE)
        last_login = time.monotonic()
        configuration = await load_configuration(session.kubeconfig, connections=1)
        streams = len(session.namespaces)
        connection = await open_session(configuration, session.signs, streams=streams)
        opened.append(connection)
        return kopf.AiohttpSession(server=configuration.host, aiohttp_session=connection)

    return registry
