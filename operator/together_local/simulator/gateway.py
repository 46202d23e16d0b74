"""Serving routes over HTTP, with everything that can go wrong on the way.

Why: the ledger, the faults, keys, the simulated ``Date`` and really cut connections
surround every route of every generation alike.
"""

from __future__ import annotations

import asyncio
import json
import math
import socket
import struct
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from together_local.simulator.clock import http_date
from together_local.simulator.errors import ApiError, endpoint_not_found, plain_error
from together_local.simulator.faults import Fault, FaultKind, Operation
from together_local.simulator.replies import Call, Reply
from together_local.simulator.routes import Route
from together_local.simulator.world import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: What is sent when nothing is sent: the connection is cut.
_CUT = Reply(0)


class Gateway:
    """Turns routes into handlers of the web server.

    Args:
        world: What the routes act on.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def handler(self, route: Route) -> Handler:
        """Return the web server's handler of a route."""
        return partial(self._serve, route)

    async def _serve(self, route: Route, request: web.Request) -> web.StreamResponse:
        world = self._world
        at = world.site.clock.wall()
        token = _bearer(request)
        raw = await request.read()
        call = Call(
            method=request.method,
            path=request.path,
            params=dict(request.match_info),
            query=dict(request.query),
            raw=raw,
            token=token,
        )
        entry = world.ledger.open_request(at, call.method, call.path, call.query, token, raw)
        fault = self._strike(route, call)
        reply = (
            self._perform(route, call)
            if fault is None
            else await self._go_wrong(route, call, fault)
        )
        if reply.status == 0:
            return _cut(request)
        entry.status = reply.status
        return await self._send(request, reply)

    def _strike(self, route: Route, call: Call) -> Fault | None:
        world = self._world
        fault = world.faults.strike(call.method, call.path, route.operation)
        if fault is None:
            assumptions = world.site.assumptions
            fault = world.random_faults.strike(
                route.operation, assumptions.fault_rate, assumptions.fault_seconds
            )
        return fault

    def _perform(self, route: Route, call: Call) -> Reply:
        self._world.settle()
        try:
            call.caller = self._world.accounts.authenticate(call.token)
            return self._too_many(route, call) or route.perform(call)
        except ApiError as error:
            return self._refusal(error, call)

    def _too_many(self, route: Route, call: Call) -> Reply | None:
        if route.operation is Operation.INFER:
            return None
        site = self._world.site
        wait = self._world.rate_limit.wait(
            call.caller.project, site.clock.wall(), site.assumptions.rate_limit_per_minute
        )
        if wait <= 0:
            return None
        reply = self._refusal(plain_error(429), call)
        if site.assumptions.rate_limit_retry_after:
            reply.headers["Retry-After"] = str(math.ceil(wait))
        return reply

    async def _go_wrong(self, route: Route, call: Call, fault: Fault) -> Reply:
        match fault.fault:
            case FaultKind.HIDE_IN_LIST:
                if route.operation is Operation.LIST:
                    call.view.hide_younger_than = fault.seconds
                else:
                    call.hide_seconds = fault.seconds
                return self._perform(route, call)
            case FaultKind.OMIT:
                call.view.omit_all = fault.omitted_ids is None
                call.view.omit = fault.omitted_ids or frozenset()
                return self._perform(route, call)
            case FaultKind.LATE_EFFECT:
                self._perform_late(route, call, fault.seconds)
                return self._injected(fault, call)
            case FaultKind.DELAY:
                reply = self._perform(route, call)
            case FaultKind.RESET_AFTER:
                self._perform(route, call)
                reply = _CUT
            case FaultKind.RESET_BEFORE:
                reply = _CUT
            case FaultKind.STATUS | FaultKind.NOT_FOUND:
                reply = self._injected(fault, call)
        await asyncio.sleep(fault.seconds)
        return reply

    def _perform_late(self, route: Route, call: Call, seconds: float) -> None:
        epoch = self._world.epoch

        def happen() -> None:
            if self._world.epoch == epoch:
                self._perform(route, call)

        asyncio.get_running_loop().call_later(seconds, happen)

    def _injected(self, fault: Fault, call: Call) -> Reply:
        reply = fault.reply()
        if reply.body is None and reply.status >= 400:
            endpoint_id = call.params.get("deployment_id") or call.params.get("endpoint_id")
            false_404 = fault.fault is FaultKind.NOT_FOUND and endpoint_id is not None
            error = endpoint_not_found(str(endpoint_id)) if false_404 else plain_error(reply.status)
            reply.body = self._refusal(error, call).body
        return reply

    def _refusal(self, error: ApiError, call: Call) -> Reply:
        site = self._world.site
        of_v2 = call.path.startswith("/v2/")
        shape = site.assumptions.v2_error_shape if of_v2 else site.assumptions.error_shape
        body = error.body(shape, site.new_request_id())
        return Reply(error.status, body)

    async def _send(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        site = self._world.site
        request_id = site.new_request_id()
        headers = {
            "Date": http_date(site.clock.now() + site.assumptions.date_skew_seconds),
            "x-request-id": request_id,
            "cf-ray": f"{request_id}-SIM",
        }
        if reply.events is not None:
            headers["Content-Type"] = "text/event-stream"
            response = web.StreamResponse(status=reply.status, headers={**headers, **reply.headers})
            await response.prepare(request)
            for event in reply.events:
                await response.write(f"data: {event}\n\n".encode())
            await response.write_eof()
            return response
        if reply.body is None:
            content = b""
        elif isinstance(reply.body, str):
            headers["Content-Type"] = "text/plain; charset=utf-8"
            content = reply.body.encode()
        else:
            headers["Content-Type"] = "application/json"
            content = json.dumps(reply.body).encode()
        return web.Response(status=reply.status, body=content, headers={**headers, **reply.headers})


def unknown_path(_call: Call) -> Reply:
    """Refuse a path that the simulated API does not have."""
    raise ApiError(404, "Unknown path or method", kind="not_found")


def _bearer(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _cut(request: web.Request) -> web.Response:
    transport = request.transport
    if transport is not None:
        connection: socket.socket = transport.get_extra_info("socket")
        # Without lingering, closing sends a reset instead of an orderly end.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
