"""Whether the operator lives and is ready, and its metrics, over HTTP.

Each check says in words what is wrong, or nothing. Kubernetes restarts the pod
when /healthz fails, so only what a restart mends may be checked there; /readyz is for people and
for `helm install --wait`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self, TypeAlias

from aiohttp import web

from together_operator.logs import scope
from together_operator.metrics import Metrics

logger = logging.getLogger(__name__)

Checks: TypeAlias = Mapping[str, Callable[[], str | None]]
"""What is checked, by name; each check says what is wrong, or None."""


class PortTakenError(Exception):
    """A port cannot be listened on; the text names its flag."""


class HealthServer:
    """Serves /healthz, /readyz and /metrics for the length of a block.

    Args:
        health_port: Port of /healthz and /readyz; 0 takes a free one of the loopback interface.
        metrics_port: Port of /metrics; 0 likewise.
        metrics: What /metrics shows.
        alive: What /healthz depends on.
        ready: What /readyz depends on.
    """

    def __init__(
        self,
        *,
        health_port: int,
        metrics_port: int,
        metrics: Metrics,
        alive: Checks,
        ready: Checks,
    ) -> None:
        self._metrics = metrics
        self._alive = alive
        self._ready = ready
        self._runners: list[web.AppRunner] = []
        self.health_port = health_port
        self.metrics_port = metrics_port

    async def __aenter__(self) -> Self:
        """Begin to listen; afterwards the ports are those really taken.

        Raises:
            PortTakenError: A port cannot be listened on.
        """
        try:
            self.health_port = await self._listen(
                "health",
                self.health_port,
                web.get("/healthz", self._answer_alive),
                web.get("/readyz", self._answer_ready),
            )
            self.metrics_port = await self._listen(
                "metrics", self.metrics_port, web.get("/metrics", self._answer_metrics)
            )
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening."""
        await self._close()

    async def _close(self) -> None:
        while self._runners:
            await self._runners.pop().cleanup()

    async def _listen(self, name: str, port: int, *routes: web.RouteDef) -> int:
        app = web.Application()
        app.add_routes(routes)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._runners.append(runner)
        # The kubelet and Prometheus come from outside, of either IP version. A free port would
        # be another one for each version, and is for tests and demos.
        try:
            await web.TCPSite(runner, "127.0.0.1" if port == 0 else None, port).start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise PortTakenError(f"--{name}-port {port}: {reason}") from None
        taken: int = runner.addresses[0][1]
        with scope(**{f"{name}_url": f"http://127.0.0.1:{taken}"}):
            logger.info("Serving %s on port %d", name, taken)
        return taken

    async def _answer_alive(self, _: web.Request) -> web.Response:
        return _judged(self._alive)

    async def _answer_ready(self, _: web.Request) -> web.Response:
        return _judged(self._ready)

    async def _answer_metrics(self, request: web.Request) -> web.Response:
        body, content_type = self._metrics.exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})


def _judged(checks: Checks) -> web.Response:
    found = {name: check() for name, check in checks.items()}
    well = all(problem is None for problem in found.values())
    body = {"ok": well, "checks": {name: problem or "ok" for name, problem in found.items()}}
    return web.json_response(body, status=200 if well else 503)
