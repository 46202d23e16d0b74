"""A server that answers, or misbehaves, byte by byte, and remembers what it was sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Behaviour = Callable[["Server", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """What happened at the server.

    Attributes:
        port: Where it listens on loopback.
        connections: How many were accepted.
        requests: Heads of requests, as text.
    """

    port: int = 0
    connections: int = 0
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The base URL of API v1 there."""
        return f"http://127.0.0.1:{self.port}/v1"

    def verbs(self) -> list[str]:
        """Return the verbs of the requests, in order."""
        return [head.split(" ", 1)[0] for head in self.requests]

    async def take(self, reader: asyncio.StreamReader) -> str:
        """Read one request to its end and return its head."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        for line in head.splitlines():
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                await reader.readexactly(int(value))
        self.requests.append(head)
        return head


def reply(status: int, body: str = "", *headers: str) -> bytes:
    """Return an HTTP answer.

    Args:
        status: Its status.
        body: Its body.
        headers: More header lines.
    """
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body.encode())}", *headers, "", body]
    return "\r\n".join(lines).encode()


def answers(*replies: bytes) -> Behaviour:
    """Answer requests on kept connections, the last reply again and again."""

    async def behave(
        server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            await server.take(reader)
            writer.write(replies[min(len(server.requests), len(replies)) - 1])
            await writer.drain()

    return behave


@asynccontextmanager
async def serve(behave: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run a server.

    Args:
        behave: What it does with each connection; the connection ends when it returns.
        tls: Its certificate, if it is to speak TLS.
    """
    seen = Server()
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await behave(seen, reader, writer)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
