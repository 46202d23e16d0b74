"""The connection under the watch: bounded, renewing its token, and observed for signs of life.

kopf's own session opens a connection per resource (about 0.3 MiB each over TLS) and tells nobody
how the stream fares. This one is limited, asks for the current token with each request, and notes
what every request came to, which is what liveness and readiness are judged by.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import aiohttp

from together_operator import __version__
from together_operator.controller.kube_config import ssl_context

CONNECTIONS: Final = 50


class SignsOfLife:
    """What the requests of the watch came to. Written in its thread, read in any.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._streams: frozenset[str] = frozenset()

    def note(self) -> None:
        """Something was done or heard."""
        self._last = self._clock()

    def reset(self) -> None:
        """The watch begins anew."""
        self._streams = frozenset()
        self.note()

    @property
    def silent_for(self) -> float:
        """Seconds since the last sign."""
        return self._clock() - self._last

    @property
    def streams(self) -> int:
        """How many watch streams stand."""
        return len(self._streams)

    def heard(self, url: Any, *, ok: bool) -> None:
        """Note the outcome of one request.

        Args:
            url: What was asked, a `yarl.URL`.
            ok: Whether a good answer came.
        """
        self.note()
        if "watch" in url.query:
            self._streams = self._streams | {url.path} if ok else self._streams - {url.path}


async def open_session(
    configuration: Any,
    signs: SignsOfLife,
    *,
    streams: int,
) -> aiohttp.ClientSession:
    """Open the session that kopf watches through.

    Args:
        configuration: As `kube_config.load_configuration` returns it.
        signs: Where the outcome of each request is noted.
        streams: How many connections the watch keeps open for good.
    """

    async def observed(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        token = await configuration.get_api_key_with_prefix("BearerToken")
        if token is not None:
            request.headers["Authorization"] = token
        try:
            response = await handler(request)
        except (aiohttp.ClientError, TimeoutError):
            signs.heard(request.url, ok=False)
            raise
        signs.heard(request.url, ok=response.ok)
        return response

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS + streams, ssl=ssl_context(configuration)),
        headers={"User-Agent": f"together-operator/{__version__}"},
        middlewares=(observed,),
        proxy=configuration.proxy,
        trust_env=True,
        read_bufsize=2**21,
    )
