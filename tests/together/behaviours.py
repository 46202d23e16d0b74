"""Ways in which a server misbehaves after the request has reached it."""

from __future__ import annotations

import asyncio

from tests.together.sockets import Server, reply


async def cut_at_once(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await server.take(reader)


async def cut_in_the_head(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await server.take(reader)
    writer.write(b"HTTP/1.1 200 O")
    await writer.drain()


async def cut_in_the_body(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await server.take(reader)
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"id": ')
    await writer.drain()


async def talk_nonsense(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await server.take(reader)
    writer.write(b"220 mail.example ESMTP\r\n\r\n")
    await writer.drain()


async def stay_silent(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await server.take(reader)
    await asyncio.Event().wait()


async def trickle(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Send a byte often enough for any limit that only watches the pauses."""
    await server.take(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def answer_garbage_encoding(
    server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await server.take(reader)
    writer.write(reply(200, "not gzip", "Content-Encoding: gzip"))
    await writer.drain()
