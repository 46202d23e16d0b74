"""The ports on which the operator answers for itself: liveness, readiness and metrics.

Alive means that watch and poller were heard of lately, not only that the event loop turns; an
answer that is not good names what is wrong.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from together_operator.logs import scope
from together_operator.metrics import Metrics

log = logging.getLogger(__name__)

Check = Callable[[], Mapping[str, str | None]]
"""Names what is checked, with what is wrong about it, or `None` where it is well."""

_HOST: Final = "0.0.0.0"  # noqa: S104 (probes and Prometheus come from outside the pod)


class HealthServer:
    """Serves /healthz and /readyz on one port and /metrics on another.

    Args:
        health_port: For the probes; 0 takes a free one.
        metrics_port: For Prometheus; 0 takes a free one.
        metrics: What is counted.
        alive: What liveness depends on.
        ready: What readiness depends on.
    """

    def __init__(
        self,
        health_port: int,
        metrics_port: int,
        metrics: Metrics,
        *,
        alive: Check,
        ready: Check,
    ) -> None:
        self._ports = {"health": health_port, "metrics": metrics_port}
        self._metrics = metrics
        self._alive = alive
        self._ready = ready
        self._runners: list[web.AppRunner] = []

    async def __aenter__(self) -> Self:
        health = web.Application()
        health.router.add_get("/healthz", lambda _: _answer(self._alive()))
        health.router.add_get("/readyz", lambda _: _answer(self._ready()))
        metrics = web.Application()
        metrics.router.add_get("/metrics", self._exposition)
        for name, application in (("health", health), ("metrics", metrics)):
            await self._serve(name, application)
        return self

    async def _serve(self, name: str, application: web.Application) -> None:
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, _HOST, self._ports[name]).start()
        port = runner.addresses[0][1]
        url = f"http://127.0.0.1:{port}"
        with scope(**{f"{name}_url": url}):
            log.info("Serving %s on port %d", name, port)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.gather(*(runner.cleanup() for runner in self._runners))

    async def _exposition(self, request: web.Request) -> web.Response:
        body, content_type = self._metrics.exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})


async def _answer(found: Mapping[str, str | None]) -> web.Response:
    wrong = {name: problem for name, problem in found.items() if problem is not None}
    body = {"ok": not wrong, "checks": {name: problem or "ok" for name, problem in found.items()}}
    return web.json_response(body, status=503 if wrong else 200)
