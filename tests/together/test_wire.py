"""The wire, over real sockets: what left, what came back, and what is never risked."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from tests.together.behaviours import (
    answer_garbage_encoding,
    cut_at_once,
    cut_in_the_body,
    cut_in_the_head,
    stay_silent,
    talk_nonsense,
    trickle,
)
from tests.together.certificates import certificate
from tests.together.fake import CREATE
from tests.together.sockets import Server, answers, reply, serve
from together_operator import __version__
from together_operator.together import (
    ConfigurationError,
    Credential,
    Timeouts,
    UpdateEndpoint,
    V1Client,
    Wire,
    results,
)
from together_operator.together import _wire as wire_module
from together_operator.together._wire import Call, Failure, Reply

KEY = "not-a-real-key-0123456789"
CREDENTIAL = Credential(KEY)
GET = Call("GET", "/endpoints")
POST = Call("POST", "/endpoints", json={"model": "a/b"})
OK = reply(200, "{}", "Date: Sun, 22 Nov 2026 08:00:00 GMT")

Heard = list[tuple[str, str, str]]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def create(url: str, *, seconds: float = 10, **more: object) -> Reply | Failure:
    wire = Wire(url, timeouts=Timeouts(connect=2))
    try:
        return await wire.send(POST, CREDENTIAL, seconds=seconds, fresh=True, **more)  # type: ignore[arg-type]
    finally:
        await wire.aclose()


async def test_a_request_says_who_we_are_and_carries_the_key() -> None:
    async with serve(answers(OK)) as server:
        seen = await create(server.url)
    assert seen == Reply(200, "{}", 1795334400.0, None)
    head = server.requests[0]
    assert head.startswith("POST /v1/endpoints HTTP/1.1")
    assert f"User-Agent: together-operator/{__version__}\r\n" in head
    assert f"Authorization: Bearer {KEY}" in head
    assert "Connection: close" in head


async def test_reads_share_a_connection_and_creates_never_do() -> None:
    async with serve(answers(OK)) as server:
        wire = Wire(server.url)
        for _ in range(3):
            await wire.send(GET, CREDENTIAL, seconds=10)
            await wire.send(GET, Credential("another-key"), seconds=10)
        assert server.connections == 1
        for _ in range(3):
            await wire.send(POST, CREDENTIAL, seconds=10, fresh=True)
        assert server.connections == 4
        await wire.aclose()


async def test_the_clients_create_has_a_connection_of_its_own() -> None:
    async with serve(answers(reply(200, '{"data": []}'))) as server:
        wire = Wire(server.url)
        client = V1Client(wire, CREDENTIAL)
        await client.list_endpoints()
        await client.list_endpoints()
        assert server.connections == 1
        await client.create_endpoint(CREATE)
        await client.create_endpoint(CREATE)
        assert server.connections == 3
        await wire.aclose()


async def test_nothing_listens_is_not_sent() -> None:
    async with serve(answers(OK)) as server:
        url = server.url
    seen = await create(url)
    assert isinstance(seen, Failure)
    assert not seen.sent
    assert seen.message


async def test_an_unknown_host_is_not_sent() -> None:
    seen = await create("http://does-not-exist.invalid/v1")
    assert isinstance(seen, Failure)
    assert not seen.sent


@pytest.mark.parametrize(
    "behave",
    [
        cut_at_once,
        cut_in_the_head,
        cut_in_the_body,
        talk_nonsense,
        stay_silent,
        trickle,
        answer_garbage_encoding,
    ],
)
async def test_whatever_breaks_after_the_request_left_is_sent(behave: object) -> None:
    async with serve(behave) as server:  # type: ignore[arg-type]
        seen = await create(server.url, seconds=0.5)
        assert isinstance(seen, Failure)
        assert seen.sent
        assert seen.message
        assert server.verbs() == ["POST"]


async def test_a_redirect_is_an_answer_and_the_key_goes_nowhere_else() -> None:
    async with serve(answers(OK)) as elsewhere:
        moved = reply(307, "", f"Location: {elsewhere.url}/endpoints")
        async with serve(answers(moved)) as server:
            seen = await create(server.url)
        assert isinstance(seen, Reply)
        assert seen.status == 307
        assert elsewhere.connections == 0


async def test_the_fence_is_asked_when_the_first_byte_is_about_to_leave() -> None:
    order: list[str] = []

    async def behave(
        server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        order.append("connected")
        await answers(OK)(server, reader, writer)

    async with serve(behave) as server:
        asked = 0

        def fence() -> bool:
            nonlocal asked
            asked += 1
            order.append(f"fence {asked}")
            return asked == 1

        seen = await create(server.url, fence=fence)
        assert isinstance(seen, Failure)
        assert not seen.sent
        assert "held back" in seen.message
        assert asked == 2  # before connecting, and again with the connection standing
        assert server.requests == []
        assert order[0] == "fence 1"

        assert isinstance(await create(server.url, fence=lambda: True), Reply)
        assert not isinstance(await create(server.url, fence=lambda: False), Reply)
        assert server.verbs() == ["POST"]


async def test_changes_have_a_fence_of_their_own_and_reads_and_creates_pass_it() -> None:
    order: list[str] = []
    answer: list[bool] = []

    def may_change() -> bool:
        order.append("asked")
        return answer.pop(0) if answer else True

    async with serve(answers(OK)) as server:
        wire = Wire(server.url, may_change=may_change)
        client = V1Client(wire, CREDENTIAL)
        await client.list_endpoints()
        await client.get_endpoint("endpoint-1")
        await client.create_endpoint(CREATE)
        assert order == []
        before = len(server.requests)

        # Nothing is even begun, or it is held back with the connection standing; never tried again.
        for answer[:], times in (([False], 1), ([True, False], 2)):
            for change in (
                client.update_endpoint("endpoint-1", UpdateEndpoint(state="STOPPED")),
                client.delete_endpoint("endpoint-1"),
            ):
                left = list(answer)
                seen = await change
                assert isinstance(seen, results.NotSent), seen
                assert "held back" in seen.message
                assert len(order) == times
                order.clear()
                answer[:] = left
        assert len(server.requests) == before

        answer.clear()
        await client.update_endpoint("endpoint-1", UpdateEndpoint(state="STOPPED"))
        await client.delete_endpoint("endpoint-1")
        assert server.verbs()[before:] == ["PATCH", "DELETE"]
        await wire.aclose()


async def test_a_proxy_that_refuses_the_tunnel_never_saw_the_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serve(answers(reply(403))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{proxy.port}")
        seen = await create("https://together.invalid/v1")
    assert isinstance(seen, Failure)
    assert not seen.sent
    assert "proxy" in seen.message
    assert "secret" not in seen.message
    assert proxy.verbs() == ["CONNECT"]
    assert KEY not in proxy.requests[0]


@pytest.mark.parametrize("behave", [cut_at_once, stay_silent])
async def test_a_proxy_that_dies_over_the_tunnel_never_saw_the_request(
    behave: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(behave) as proxy:  # type: ignore[arg-type]
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        seen = await create("https://together.invalid/v1", seconds=0.5)
    assert isinstance(seen, Failure)
    assert not seen.sent


async def test_no_proxy_for_what_is_excepted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(answers(OK)) as server:
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        assert isinstance(await create(server.url), Reply)


async def test_a_certificate_is_trusted_by_file_or_environment_and_not_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    ca_file, tls = certificate(tmp_path)
    async with serve(answers(OK), tls) as server:
        url = server.url.replace("http:", "https:")

        refused = await create(url)
        assert isinstance(refused, Failure)
        assert not refused.sent
        assert "certificate" in refused.message.lower()
        assert server.requests == []

        wire = Wire(url, ca_file=ca_file)
        assert isinstance(await wire.send(GET, CREDENTIAL, seconds=10), Reply)
        await wire.aclose()

        monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
        assert isinstance(await create(url), Reply)


def test_a_certificate_file_that_cannot_be_used_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    missing, empty = tmp_path / "missing.pem", tmp_path / "empty.pem"
    empty.write_text("no certificate")
    for file in (missing, empty):
        with pytest.raises(ConfigurationError, match=rf"{file.name}.*PEM"):
            Wire("https://127.0.0.1/v1", ca_file=file)
    monkeypatch.setenv("SSL_CERT_FILE", str(missing))
    with pytest.raises(ConfigurationError, match="SSL_CERT_FILE"):
        Wire("https://127.0.0.1/v1")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example/v1",
        "ftp://host/v1",
        "http://",
        "http://h/v1?x=1",
        "http://u:p@h/v1",
        "http://h:x/",
    ],
)
def test_a_base_url_that_cannot_be_used_is_refused_with_advice(url: str) -> None:
    with pytest.raises(ConfigurationError, match="--base-url"):
        Wire(url)


async def test_a_trailing_slash_of_the_base_url_does_not_matter() -> None:
    async with serve(answers(OK)) as server:
        wire = Wire(server.url + "/")
        await wire.send(GET, CREDENTIAL, seconds=10)
        await wire.aclose()
        assert server.requests[0].startswith("GET /v1/endpoints ")
        assert wire.base_url == server.url


async def test_a_huge_error_is_cut_and_a_huge_answer_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire_module, "LARGEST_ANSWER", 100_000)
    big = "x" * 200_000
    async with serve(answers(reply(500, big), reply(200, big))) as server:
        wire = Wire(server.url)
        error = await wire.send(GET, CREDENTIAL, seconds=10)
        assert isinstance(error, Reply)
        assert len(error.text) == wire_module.LARGEST_ERROR
        answer = await wire.send(GET, CREDENTIAL, seconds=10)
        assert isinstance(answer, Failure)
        assert "larger" in answer.message
        await wire.aclose()


async def test_the_observer_hears_of_every_request() -> None:
    heard: Heard = []

    def observe(method: str, route: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        heard.append((method, route, outcome))

    async def twice(
        server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await server.take(reader)
        writer.write(reply(204))
        await stay_silent(server, reader, writer)

    async with serve(twice) as server:
        wire = Wire(server.url, observer=observe)
        one = Call("DELETE", "/endpoints/{id}", id="endpoint-1")
        await wire.send(one, CREDENTIAL, seconds=5)
        await wire.send(one, CREDENTIAL, seconds=0.2)
        await wire.aclose()
        assert server.requests[0].startswith("DELETE /v1/endpoints/endpoint-1 ")
    async with serve(cut_at_once) as server:
        wire = Wire(server.url, observer=observe)
        await wire.send(GET, CREDENTIAL, seconds=5)
        await wire.aclose()
    wire = Wire(server.url, observer=observe)  # nobody listens there any more
    await wire.send(GET, CREDENTIAL, seconds=5)
    await wire.aclose()
    assert heard == [
        ("DELETE", "/endpoints/{id}", "204"),
        ("DELETE", "/endpoints/{id}", "timeout"),
        ("GET", "/endpoints", "broken"),
        ("GET", "/endpoints", "not_sent"),
    ]


async def test_the_log_of_the_http_library_never_shows_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve(answers(OK)) as server:
        await create(server.url)
    assert "send_request_headers" in caplog.text
    assert KEY not in caplog.text


async def test_an_id_stays_one_segment_of_the_path() -> None:
    assert Call("GET", "/endpoints/{id}", id="a/../b?c#d").path == "/endpoints/a%2F..%2Fb%3Fc%23d"
