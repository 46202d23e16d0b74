"""The simulated Together as a web server on loopback.

Why: everything that uses the simulator in its own process - the command, tests,
the demo - starts and ends it the same way.
"""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from aiohttp import web

from together_local.simulator import identity
from together_local.simulator.admin import Admin
from together_local.simulator.console import Console
from together_local.simulator.faults import Operation
from together_local.simulator.gateway import Gateway, unknown_path
from together_local.simulator.inference import Inference
from together_local.simulator.routes import Route
from together_local.simulator.routes_v1 import RoutesV1
from together_local.simulator.v2.routes import RoutesV2
from together_local.simulator.v2.routes_catalogue import CatalogueRoutes
from together_local.simulator.world import Options, World

_HOST = "127.0.0.1"
_MAX_BODY_BYTES = 8 * 2**20
# A thousand clients may connect at once; more than the usual 128 have to queue.
_BACKLOG = 1024


class PortTakenError(OSError):
    """Somebody else listens on the port."""


class Simulator:
    """A simulated Together that listens while the context lasts.

    Example:
        ``async with Simulator(Options(speed=60)) as together: ... together.base_url``

    Args:
        options: How it begins.
        port: TCP port on loopback; 0 takes a free one.

    Attributes:
        world: Everything that there is, for tests in the same process.
        console: The admin operations on it, without HTTP.
    """

    def __init__(self, options: Options | None = None, port: int = 0) -> None:
        self.world = World(options or Options())
        self.console = Console(self.world)
        self.port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The server's root, which clients of API v2 are given."""
        return f"http://{_HOST}:{self.port}"

    @property
    def base_url(self) -> str:
        """The base URL that clients of API v1 are given."""
        return f"{self.url}/v1"

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            PortTakenError: The port is in use.
        """
        runner = web.AppRunner(
            self._application(), access_log=None, shutdown_timeout=1, handle_signals=False
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, _HOST, self.port, backlog=_BACKLOG).start()
        except OSError as error:
            await runner.cleanup()
            reason = os.strerror(error.errno or 0)
            raise PortTakenError(f"cannot listen on {self.url}: {reason}") from error
        self._runner = runner
        self.port = runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop listening; what is under way has a second to finish."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=_MAX_BODY_BYTES)
        Admin(self.console).add_routes(application.router)
        gateway = Gateway(self.world)
        for route in (
            *RoutesV1(self.world).routes(),
            *Inference(self.world).routes(),
            *RoutesV2(self.world).routes(),
            *CatalogueRoutes(self.world).routes(),
            *identity.routes(self.world),
            Route("*", "/{path:v[0-9].*}", Operation.LOOKUP, unknown_path),
        ):
            application.router.add_route(route.method, route.path, gateway.handler(route))
        return application
