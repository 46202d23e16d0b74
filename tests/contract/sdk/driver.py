"""Calls an official client library, in that library's own environment.

Why: two generations of one package cannot be imported into the tests' process. This
program runs where the library is installed, takes one call per line as JSON and
answers with what the library returned or raised. It needs nothing but the library,
and configures nothing: base URL and key come from the environment, as for any user.

Usage: driver.py sync|async
"""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import json
import sys
from typing import Any


def plain(value: Any) -> Any:
    """Turn a library's return value into JSON."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "model_dump"):
        return value.model_dump()
    return value


def raised(error: Exception) -> dict[str, Any]:
    """Describe an error of either generation."""
    status = getattr(error, "status_code", None) or getattr(error, "http_status", None)
    return {"error": type(error).__name__, "status": status, "message": str(error)}


async def collect(stream: Any) -> list[Any]:
    """Read a stream to its end."""
    if hasattr(stream, "__aiter__"):
        return [plain(item) async for item in stream]
    return [plain(item) for item in stream]


async def answer(client: Any, call: dict[str, Any]) -> dict[str, Any]:
    """Carry out one call."""
    method = functools.reduce(getattr, call["call"].split("."), client)
    try:
        result = method(*call["args"], **call["kwargs"])
        if inspect.isawaitable(result):
            result = await result
        if call["kwargs"].get("stream"):
            return {"result": await collect(result)}
        return {"result": plain(result)}
    except Exception as error:  # noqa: BLE001 - the test judges what was raised
        return raised(error)


async def main() -> None:
    """Serve calls until standard input ends."""
    together = importlib.import_module("together")
    client = (together.AsyncTogether if sys.argv[1] == "async" else together.Together)()
    for line in sys.stdin:
        reply = await answer(client, json.loads(line))
        print(json.dumps(reply, default=str), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
