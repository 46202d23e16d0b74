"""What stands between the operator and everything it talks to, outside of its code.

It passes on whatever is asked, watches included, knows of every exchange, and can end the operator
in the middle of one. What Kubernetes does wrong is done here too: a meddler sees every exchange and
may answer it, change it, hold it back or cut it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, Self

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from tests.chaos.boundary import Point, Side, Tracker, label

_HOPS: Final = frozenset(
    {
        "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding",
        "upgrade", "host", "content-length",
    }
)  # fmt: skip
_LOOK_UP: Final = 1.0
"""Seconds after which an idle watch is looked at, whether somebody is still there to watch."""


class Cut(Exception):  # noqa: N818 (it tells what happens)
    """The connection ends without an answer."""


@dataclass(slots=True)
class Door:
    """Where one process enters.

    Attributes:
        strike: Ends the process, at once; set as soon as there is one.
        kube_url: Where it is to find the API server.
        together_url: Where it is to find Together, with `/v1`.
    """

    strike: Callable[[], None] = lambda: None
    kube_url: str = ""
    together_url: str = ""
    runners: list[web.ServerRunner] = field(default_factory=list)

    def kubeconfig(self, folder: Path, name: str) -> Path:
        """The operator's own identity, by way of this door.

        Args:
            folder: Where the operator's kubeconfig is.
            name: The process.

        Returns:
            Its kubeconfig, in the same folder.
        """
        content = json.loads((folder / "kubeconfig").read_text())
        content["clusters"][0]["cluster"]["server"] = self.kube_url
        path = folder / f"kubeconfig.{name}"
        path.touch(mode=0o600)
        path.write_text(json.dumps(content))
        return path


@dataclass(slots=True)
class Exchange:
    """One request and its answer.

    Attributes:
        door: Which process sent it.
        side: Whom it is for.
        method: The verb.
        path: The path, without the query.
        query: The query, as it was sent.
        watch: Whether it is a watch.
        label: What it asks for, see `boundary.label`.
        headers: The request's headers.
        body: The request's body.
    """

    door: Door
    side: Side
    method: str
    path: str
    query: str
    watch: bool
    label: str
    headers: CIMultiDict[str]
    body: bytes


@dataclass(slots=True)
class Answer:
    """What is answered.

    Attributes:
        status: The HTTP status.
        headers: The headers.
        body: The whole body; for a watch, empty.
        stream: What a watch shows, piece by piece as it comes: not one event each.
    """

    status: int
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    body: bytes = b""
    stream: AsyncIterator[bytes] | None = None


Forward = Callable[[Exchange], Awaitable[Answer]]
"""Passes an exchange on, and brings the answer. Raises `Cut` if there is none."""


class Meddler(Protocol):
    """Something that goes wrong between the operator and the API server, or Together."""

    async def __call__(self, exchange: Exchange, forward: Forward) -> Answer:
        """Answer an exchange, by passing it on or not.

        Args:
            exchange: What is asked.
            forward: Passes it on, to the next meddler first.

        Raises:
            Cut: The connection ends without an answer.
        """


class Loop:
    """An event loop in a thread of its own, for proxies."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="proxies")
        self._thread.start()

    def begin(self, what: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Start a coroutine there."""
        return asyncio.run_coroutine_threadsafe(what, self._loop)

    def run(self, what: Coroutine[Any, Any, Any], within: float = 30) -> Any:
        """Run a coroutine there, and wait for it."""
        return self.begin(what).result(within)

    async def _cancel(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        """End the thread; what runs in it ends with it."""
        self.run(self._cancel())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


class Proxy:
    """Stands before the API server and before Together, with a door for each process.

    Args:
        loop: Where it runs.
        tracker: Counts the boundaries, and says where the process ends.
        kube: The API server's URL.
        ca: The certificate of its authority, a file.
        together: The root of Together, without `/v1`.
        own: The operator's own namespace.

    Attributes:
        meddlers: What goes wrong, the first one is nearest to the process. May be changed at any
            time, from any thread, by setting it anew.
    """

    def __init__(
        self, loop: Loop, tracker: Tracker, *, kube: str, ca: str, together: str, own: str
    ) -> None:
        self._loop = loop
        self._tracker = tracker
        self._roots = {Side.KUBERNETES: kube.rstrip("/"), Side.TOGETHER: together.rstrip("/")}
        self._ssl = ssl.create_default_context(cafile=ca)
        self._own = own
        self._session: aiohttp.ClientSession | None = None
        self._doors: list[Door] = []
        self.meddlers: tuple[Meddler, ...] = ()

    def __enter__(self) -> Self:
        self._loop.run(self._open())
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.run(self._close())

    async def _open(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._ssl),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            auto_decompress=False,
            read_bufsize=2**21,
        )

    def door(self) -> Door:
        """Open a door for a new process."""
        door = Door()
        self._loop.run(self._furnish(door))
        self._doors.append(door)
        return door

    def shut(self, door: Door) -> None:
        """Shut the door of a process that has ended; what it had asked for is let go of."""
        self._doors.remove(door)
        self._loop.run(self._unfurnish(door))

    async def _furnish(self, door: Door) -> None:
        door.kube_url = await self._listen(door, Side.KUBERNETES)
        door.together_url = f"{await self._listen(door, Side.TOGETHER)}/v1"

    async def _unfurnish(self, door: Door) -> None:
        for runner in door.runners:
            await runner.cleanup()

    async def _listen(self, door: Door, side: Side) -> str:
        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            return await self._serve(door, side, request)

        server = web.Server(handle, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        door.runners.append(runner)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def _close(self) -> None:
        for door in self._doors:
            await self._unfurnish(door)
        if self._session is not None:
            await self._session.close()

    # -- one exchange ----------------------------------------------------------------------------

    async def _serve(self, door: Door, side: Side, request: web.BaseRequest) -> web.StreamResponse:
        watch = side is Side.KUBERNETES and request.query.get("watch") in ("true", "1")
        try:
            body = await request.read()
        except ConnectionError:
            return _cut(request)  # whoever sent it was killed before it had
        exchange = Exchange(
            door=door,
            side=side,
            method=request.method,
            path=request.rel_url.raw_path,
            query=request.rel_url.raw_query_string,
            watch=watch,
            label=label(side, request.method, request.path, watch=watch, own=self._own),
            headers=CIMultiDict((k, v) for k, v in request.headers.items() if _passes(k)),
            body=body,
        )
        end = self._tracker.met(exchange.label)
        if end is Point.BEFORE:
            door.strike()
            return _cut(request)
        try:
            answer = await self._chain(self.meddlers)(exchange)
            if end is Point.UNANSWERED:
                raise Cut
            return await _send(request, answer)
        except (Cut, ConnectionError):
            if end is Point.UNANSWERED:
                door.strike()
            return _cut(request)
        finally:
            if end is Point.AFTER:
                door.strike()

    def _chain(self, meddlers: tuple[Meddler, ...]) -> Forward:
        if not meddlers:
            return self._forward

        async def go_on(exchange: Exchange) -> Answer:
            return await meddlers[0](exchange, self._chain(meddlers[1:]))

        return go_on

    async def _forward(self, exchange: Exchange) -> Answer:
        assert self._session is not None
        query = f"?{exchange.query}" if exchange.query else ""
        try:
            response = await self._session.request(
                exchange.method,
                URL(f"{self._roots[exchange.side]}{exchange.path}{query}", encoded=True),
                headers=exchange.headers,
                data=exchange.body or None,
                allow_redirects=False,
                skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
            )
            headers = CIMultiDict((k, v) for k, v in response.headers.items() if _passes(k))
            if exchange.watch and response.status == 200:
                return Answer(response.status, headers, stream=_pieces(response))
            return Answer(response.status, headers, await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Cut from error


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """What a watch shows; nothing, once in a while, so that the one who reads it may look up."""
    try:
        while True:
            try:
                piece = await asyncio.wait_for(response.content.readany(), _LOOK_UP)
            except TimeoutError:
                yield b""
                continue
            if not piece:
                return
            yield piece
    except (aiohttp.ClientError, OSError) as error:
        raise Cut from error
    finally:
        response.close()


async def _send(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    if answer.stream is None:
        response = web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        await response.prepare(request)
        await response.write_eof()
        return response
    stream = web.StreamResponse(status=answer.status, headers=answer.headers)
    stream.enable_chunked_encoding()
    await stream.prepare(request)
    async with contextlib.aclosing(answer.stream) as pieces:  # type: ignore[type-var]
        async for piece in pieces:
            if request.transport is None or request.transport.is_closing():
                raise Cut
            if piece:
                await stream.write(piece)
    await stream.write_eof()
    return stream


def _passes(header: str) -> bool:
    return header.lower() not in _HOPS


def _cut(request: web.BaseRequest) -> web.Response:
    transport = request.transport
    if transport is not None:
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            # Without lingering, closing sends a reset instead of an orderly end.
            with contextlib.suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
