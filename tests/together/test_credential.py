"""The key: refused early with advice, and never shown."""

from __future__ import annotations

import copy
import hashlib
import hmac
import io
import logging
import traceback

import httpx
import pytest
from rich.console import Console
from rich.traceback import Traceback

from together_operator.together import Credential, InvalidKey

KEY = "not-a-real-key-0123456789"


@pytest.mark.parametrize(
    ("key", "advice"),
    [
        ("", "empty"),
        (b"", "empty"),
        (f"{KEY}\n", "--from-literal"),
        (f"{KEY}\r\n".encode(), "--from-literal"),
        (f"{KEY} ", "space"),
        (f" {KEY}", "space"),
        (f"two {KEY}", "space"),
        (f"a\n{KEY}", "line break"),
        (f"{KEY}\x00", "control character"),
        (f"{KEY}\x7f", "control character"),
        (f"{KEY}é", "ASCII"),
        (KEY.encode() + b"\xff", "ASCII"),
        (KEY * 100, "another file"),
    ],
)
def test_what_cannot_be_a_key_is_refused_with_a_next_step(key: str | bytes, advice: str) -> None:
    with pytest.raises(InvalidKey, match=advice) as caught:
        Credential(key)
    assert KEY not in str(caught.value)
    assert caught.value.__context__ is None
    shown = io.StringIO()
    assert caught.value.__traceback__ is not None
    last = caught.value.__traceback__.tb_next
    trace = Traceback.from_exception(InvalidKey, caught.value, last, show_locals=True)
    Console(file=shown, width=200).print(trace)
    assert "InvalidKey" in shown.getvalue()
    assert KEY not in shown.getvalue()


def test_text_and_bytes_are_the_same_key() -> None:
    assert Credential(KEY) == Credential(KEY.encode())
    assert hash(Credential(KEY)) == hash(Credential(KEY.encode()))
    assert Credential(KEY) != Credential(KEY + "x")
    assert Credential(KEY) != KEY


def test_the_identity_is_an_hmac_that_differs_between_clusters_and_keys() -> None:
    identity = Credential(KEY).identity("cluster-a")
    whole = hmac.new(b"cluster-a", KEY.encode(), hashlib.sha256).hexdigest()
    assert identity == whole[:16]
    assert identity != Credential(KEY).identity("cluster-b")
    assert identity != Credential(KEY + "x").identity("cluster-a")


def test_nothing_shows_the_key(caplog: pytest.LogCaptureFixture) -> None:
    credential = Credential(KEY)
    caplog.set_level(logging.DEBUG)
    logging.getLogger("test").info("%s %r %s", credential, credential, vars(credential))
    request = next(credential.auth_flow(httpx.Request("GET", "http://127.0.0.1/")))
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    seen = f"{caplog.text} {credential} {[credential]!r} {copy.copy(credential)} {request!r}"
    seen += repr(request.headers)
    try:
        raise RuntimeError(credential, request)
    except RuntimeError:
        seen += traceback.format_exc()
    assert KEY not in seen


@pytest.mark.parametrize(
    ("key", "text", "redacted"),
    [
        (KEY, f"Invalid key {KEY}.", "Invalid key [key]."),
        ('a"b\\c', r'{"echo": "a\"b\\c"}', '{"echo": "[key]"}'),
        ("a+b/c=", "?key=a%2Bb%2Fc%3D", "?key=[key]"),
        ("abc", "abc is no secret", "abc is no secret"),
    ],
)
def test_a_text_from_outside_loses_the_key(key: str, text: str, redacted: str) -> None:
    assert Credential(key).redact(text) == redacted
