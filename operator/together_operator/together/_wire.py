"""One request over the wire, and the truth about whether it left.

Everything above rests on one distinction that no status code tells: did a byte of this request
leave the machine? Types of exceptions only hint at it (a read error can come from a proxy that was
still connecting), so the HTTP library's own trace of the connection is asked.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

import httpx

from together_operator import __version__
from together_operator.together._credential import Credential
from together_operator.together._errors import bounded
from together_operator.together._headers import read_date, read_retry_after
from together_operator.together._hosts import inference_base_url
from together_operator.together._retry import DEFAULT_BACKOFF, Backoff

USER_AGENT: Final = f"together-operator/{__version__}"
"""Cloudflare refuses the default User-Agents of some HTTP libraries (error 1010)."""

LARGEST_ANSWER: Final = 64 * 2**20
"""Bytes. A list of 10,000 endpoints has about 4 MiB."""

LARGEST_ERROR: Final = 64 * 2**10
"""Bytes of an error body that are read."""

Fence = Callable[[], bool]
"""Asked when the first byte is about to leave; `False` keeps the request here."""


class ConfigurationError(ValueError):
    """A setting of the connection cannot be used; the message names it and the next step."""


class Observer(Protocol):
    """Told of every request, so that someone else may count. It must not raise."""

    def __call__(self, method: str, route: str, outcome: str, seconds: float) -> None:
        """Take note of one request.

        Args:
            method: The HTTP verb.
            route: The route with its placeholders, like `/endpoints/{id}`.
            outcome: The status code, or `not_sent`, `timeout` or `broken` where none came.
            seconds: How long it took.
        """


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits of one request in seconds, each for the whole of it except `connect`.

    Attributes:
        connect: Until a connection stands, TLS included, or one of the pool is free.
        read: A GET.
        change: A PATCH or DELETE, its one repetition included.
        create: The POST of a create.
        probe: An inference request.
    """

    connect: float = 5.0
    read: float = 30.0
    change: float = 10.0
    create: float = 60.0
    probe: float = 30.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        method: The HTTP verb.
        route: The route below the base URL, or below its root, with its placeholders.
        id: What stands for `{id}` in it: what the call is about.
        params: The query.
        json: The body.
        within: What stands for the other placeholders.
        at_root: Whether the route begins at the root that the generations of the API share.
        for_inference: Whether it is inference for an endpoint of API v2.
    """

    method: str
    route: str
    id: str = ""
    params: dict[str, str] | None = None
    json: dict[str, Any] | None = None
    within: Mapping[str, str] = field(default_factory=dict)
    at_root: bool = False
    for_inference: bool = False

    @property
    def path(self) -> str:
        """The route with the ids in their places, each of which can only be one segment of it."""
        path = self.route
        for name, value in {**self.within, "id": self.id}.items():
            path = path.replace(f"{{{name}}}", quote(value, safe=""))
        return path


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that was read to its end.

    Attributes:
        status: The HTTP status.
        text: The body.
        date: The server's clock in unix seconds, if told.
        retry_after: Seconds that the server asked to wait, if it did.
    """

    status: int
    text: str
    date: float | None
    retry_after: float | None


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer that could be read to its end.

    Attributes:
        sent: Whether a byte of the request may have left.
        message: What happened.
        held: Whether its fence kept it here.
    """

    sent: bool
    message: str
    held: bool = False


class _FenceClosedError(Exception):
    """The moment for this request has passed."""


class _AnswerTooLargeError(Exception):
    """Nothing that Together sends is this large."""


class _Trace:
    """Follows one request through the connection, as the HTTP library reports it."""

    def __init__(self, fence: Fence | None) -> None:
        self._fence = fence
        self.followed = False
        self.sent = False

    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        self.followed = True
        # A proxy is first asked for a tunnel with a request of its own, which carries nothing.
        if event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
            if self._fence is not None and not self._fence():
                raise _FenceClosedError
            self.sent = True

    def may_have_sent(self, error: Exception) -> bool:
        if self.followed:
            return self.sent
        return not isinstance(error, _BEFORE_THE_WIRE)


_BEFORE_THE_WIRE: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
    _FenceClosedError,
)
_NO_ANSWER: Final = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    OSError,  # TimeoutError and ssl.SSLError among them
    _FenceClosedError,
    _AnswerTooLargeError,
)


class Wire:
    """The connections to one base URL, shared by all credentials.

    Proxies (`HTTPS_PROXY`, `NO_PROXY`) and certificate stores (`SSL_CERT_FILE`, `SSL_CERT_DIR`)
    are taken from the environment. Redirects are never followed: the key goes to the base URL and
    to the inference host that belongs to it only.

    Args:
        base_url: Together's root with `/v1`; the routes of API v2 are its siblings.
        timeouts: Limits of each kind of request.
        backoff: How often reads are repeated.
        ca_file: Certificates in PEM to trust in addition to the usual ones.
        observer: Told of every request.
        may_change: The fence of every PATCH and DELETE; without one they always leave.
        http: Takes the place of the network in tests.

    Raises:
        ConfigurationError: If the base URL or a certificate file cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        *,
        timeouts: Timeouts = Timeouts(),
        backoff: Backoff = DEFAULT_BACKOFF,
        ca_file: Path | None = None,
        observer: Observer | None = None,
        may_change: Fence | None = None,
        http: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.base_url: Final = _checked(base_url)
        self.root: Final = self.base_url.removesuffix("/v1")
        self.inference_base_url: Final = inference_base_url(self.base_url)
        self.timeouts: Final = timeouts
        self.backoff: Final = backoff
        self.may_change: Final = may_change
        self._observer = observer
        trust = _trust(ca_file)

        def client(limits: httpx.Limits) -> httpx.AsyncClient:
            return httpx.AsyncClient(
                headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
                verify=trust,
                limits=limits,
                follow_redirects=False,
                transport=http,
            )

        # Polls come up to a minute apart; a connection that outlives the pause saves a handshake.
        self._shared = client(
            httpx.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=90)
        )
        # A kept connection may be closed by the other side just as the request leaves, which
        # would make a harmless failure an ambiguous one. A create never rides on one.
        self._fresh = client(httpx.Limits(max_connections=50, max_keepalive_connections=0))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._shared.aclose()
        await self._fresh.aclose()

    async def send(
        self,
        call: Call,
        credential: Credential,
        *,
        seconds: float,
        fresh: bool = False,
        fence: Fence | None = None,
    ) -> Reply | Failure:
        """Send one request once.

        Args:
            call: The request.
            credential: Whose key it carries.
            seconds: Limit for the whole of it.
            fresh: Whether it must have a connection of its own.
            fence: Asked when the first byte is about to leave.
        """
        begun = time.monotonic()
        trace = _Trace(fence)
        outcome = "broken"
        try:
            if fence is not None and not fence():
                raise _FenceClosedError
            async with asyncio.timeout(seconds):
                reply = await self._exchange(call, credential, fresh=fresh, trace=trace)
            outcome = str(reply.status)
            return reply
        except _NO_ANSWER as error:
            sent = trace.may_have_sent(error)
            timed_out = isinstance(error, TimeoutError | httpx.TimeoutException)
            outcome = "not_sent" if not sent else "timeout" if timed_out else "broken"
            message = credential.redact(_explain(error, sent=sent, seconds=seconds))
            return Failure(sent, message, isinstance(error, _FenceClosedError))
        finally:
            if self._observer is not None:
                self._observer(call.method, call.route, outcome, time.monotonic() - begun)

    async def _exchange(
        self, call: Call, credential: Credential, *, fresh: bool, trace: _Trace
    ) -> Reply:
        client = self._fresh if fresh else self._shared
        connect = self.timeouts.connect
        request = client.build_request(
            call.method,
            self._base(call) + call.path,
            params=call.params,
            json=call.json,
            headers={"Connection": "close"} if fresh else None,
            timeout=httpx.Timeout(None, connect=connect, pool=connect),
            extensions={"trace": trace},
        )
        response = await client.send(request, auth=credential, stream=True)
        try:
            body = await _read(response)
        finally:
            await response.aclose()
        return Reply(
            status=response.status_code,
            text=body.decode("utf-8-sig", errors="replace"),
            date=read_date(response.headers),
            retry_after=read_retry_after(response.headers),
        )

    def _base(self, call: Call) -> str:
        if call.for_inference:
            return self.inference_base_url
        return self.root if call.at_root else self.base_url


async def _read(response: httpx.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if not response.is_success and len(body) >= LARGEST_ERROR:
            return bytes(body[:LARGEST_ERROR])
        if len(body) > LARGEST_ANSWER:
            raise _AnswerTooLargeError
    return bytes(body)


def _explain(error: Exception, *, sent: bool, seconds: float) -> str:
    match error:
        case _FenceClosedError():
            return "the request was held back: its time had passed"
        case _AnswerTooLargeError():
            return f"the answer is larger than {LARGEST_ANSWER >> 20} MiB"
        case httpx.PoolTimeout():
            return "all connections are busy"
        case httpx.ConnectTimeout():
            return "no connection within the time limit"
        case TimeoutError() | httpx.TimeoutException():
            return f"no {'answer' if sent else 'connection'} within {seconds:g} s"
        case httpx.ProxyError():
            return f"the proxy refused: {bounded(str(error), 200)}"
        case _:
            return bounded(str(error), 200) or type(error).__name__


def _checked(base_url: str) -> str:
    problem = f"The base URL {bounded(base_url, 200)!r} cannot be used"
    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"{problem}: {error}. Set --base-url.") from error
    odd = url.userinfo or url.query or url.fragment
    if url.scheme not in {"http", "https"} or not url.host or odd:
        raise ConfigurationError(
            f"{problem}. Set --base-url to Together's root with /v1, like https://host/v1."
        )
    return str(url).rstrip("/")


def _trust(ca_file: Path | None) -> ssl.SSLContext:
    try:
        context = httpx.create_ssl_context()
    except OSError as error:
        name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
        raise ConfigurationError(
            f"{name}={os.environ.get(name)} cannot be read: {error}. Correct or unset it."
        ) from error
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise ConfigurationError(
                f"The CA file {ca_file} cannot be used: {error}. It must hold certificates in PEM."
            ) from error
    return context
