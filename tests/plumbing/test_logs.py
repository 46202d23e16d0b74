"""Log lines: what they look like, what they belong to, and that no key is ever in one."""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from tests.support.leaks import assert_no_key
from together_operator import logs
from together_operator.logs import LogFormat, LogLevel

SECRET = 'a-"quoted"-not-a-real-key-äöü'
logger = logging.getLogger("together_operator.test")
Configure = Callable[..., io.StringIO]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Configure logging into a text, and undo it."""
    monkeypatch.setattr(logs, "_secrets", {})
    monkeypatch.setattr(logs, "_forms", {})
    monkeypatch.setattr(logs, "_heads", {})
    names = ("", "together_operator", "httpx", "httpcore", "aiohttp.access", "asyncio")
    levels = {name: logging.getLogger(name).level for name in names}
    handlers = logging.root.handlers[:]
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook

    def start(
        log_format: LogFormat = LogFormat.TEXT, level: LogLevel = LogLevel.INFO
    ) -> io.StringIO:
        stream = io.StringIO()
        logs.configure(log_format, level, stream)
        return stream

    yield start
    logging.captureWarnings(capture=False)
    logging.root.handlers[:] = handlers
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_a_line_for_people(configure: Configure) -> None:
    text = configure()
    with logs.scope(namespace="ml", name="mixtral", uid="1234", trigger="update"):
        logger.info("Scaling to %d.", 3)
    logger.warning("Alone.")
    first, second = text.getvalue().splitlines()
    assert first.endswith("Z INFO    ml/mixtral: Scaling to 3. trigger=update")
    assert second.endswith("Z WARNING Alone.")


def test_a_line_for_machines(configure: Configure) -> None:
    text = configure(LogFormat.JSON)
    with logs.scope(namespace="ml", name="mixtral"), logs.scope(step="Create"):
        logger.info("Creating %s.", "ünïcode\nand lines")
    try:
        raise ValueError("broken")
    except ValueError:
        logger.exception("Failed.")
    first, second = (json.loads(line) for line in text.getvalue().splitlines())
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "level": "info",
        "logger": "together_operator.test",
        "message": "Creating ünïcode\nand lines.",
        "namespace": "ml",
        "name": "mixtral",
        "step": "Create",
    }
    assert second["level"] == "error"
    assert second["traceback"].endswith("ValueError: broken")
    assert "name" not in second


async def test_tasks_do_not_share_their_scope(configure: Configure) -> None:
    text = configure(LogFormat.JSON)

    async def work(name: str, barrier: asyncio.Barrier) -> None:
        with logs.scope(name=name):
            await barrier.wait()
            logger.info("%s", name)

    barrier = asyncio.Barrier(3)
    await asyncio.gather(*(work(name, barrier) for name in ("a", "b", "c")))
    lines = [json.loads(line) for line in text.getvalue().splitlines()]
    assert sorted(line["name"] for line in lines) == ["a", "b", "c"]
    assert all(line["name"] == line["message"] for line in lines)


@pytest.mark.parametrize("log_format", LogFormat)
def test_no_form_of_a_secret_is_logged(configure: Configure, log_format: LogFormat) -> None:
    text = configure(log_format)
    logs.register_secret(SECRET)
    encoded = base64.b64encode(SECRET.encode()).decode()
    with logs.scope(name=f"x{SECRET}"):
        logger.info("In the message: " + SECRET)
        logger.info("In an argument: %s", SECRET)
        logger.info("In a dict: %s", {"Authorization": f"Bearer {SECRET}"})
        logger.info("Encoded: %s", encoded)
        logger.info("Encoded: %s", base64.urlsafe_b64encode(SECRET.encode()).decode())
    try:
        raise RuntimeError(SECRET)
    except RuntimeError as error:
        try:
            raise ValueError(encoded) from error
        except ValueError:
            logging.getLogger("some.library").exception("Failed")
    said = text.getvalue()
    assert SECRET not in said
    assert json.dumps(SECRET)[1:-1] not in said
    assert json.dumps(SECRET, ensure_ascii=False)[1:-1] not in said
    assert encoded.rstrip("=") not in said
    assert said.count(logs.REDACTED) >= 7


def test_short_and_empty_words_are_no_secrets(configure: Configure) -> None:
    configure()
    words = ("", "  ", "a", "12345", "Together", "a whole sentence, which no key is")
    for word in words:
        logs.register_secret(word)
    assert logs.redact(" ".join(words)) == " ".join(words)


def test_a_secret_within_a_longer_one_leaves_no_rest(configure: Configure) -> None:
    configure()
    short, long = "abcdef-0123456789", "abcdef-0123456789-and-more"
    for secret in (short, long):
        logs.register_secret(secret)
    assert logs.redact(f"{long} {short}") == f"{logs.REDACTED} {logs.REDACTED}"
    assert logs.redact(f"x{short}{long}x") == f"x{logs.REDACTED}{logs.REDACTED}x"


def test_a_secret_that_is_used_no_more_is_forgotten(configure: Configure) -> None:
    configure()
    for secret in (SECRET, SECRET, f"{SECRET}-too"):
        logs.register_secret(secret)
    logs.forget_secret(SECRET)
    assert logs.redact(SECRET) == logs.REDACTED
    logs.forget_secret(SECRET)
    logs.forget_secret("never-registered-at-all")
    assert logs.redact(SECRET) == SECRET
    assert logs.redact(f"{SECRET}-too") == logs.REDACTED


def test_a_spelling_that_two_secrets_have_in_common_goes_with_the_last_of_them(
    configure: Configure,
) -> None:
    configure()
    # What follows may change the last bits of an encoded text, so they are not part of a spelling.
    first, second = "one-key-of-many-0", "one-key-of-many-1"
    shared = base64.b64encode(first.encode()).decode()[:22]
    assert base64.b64encode(second.encode()).decode().startswith(shared)
    for secret in (first, second):
        logs.register_secret(secret)
    assert logs.redact(shared) == logs.REDACTED
    logs.forget_secret(first)
    assert logs.redact(shared) == logs.REDACTED
    logs.forget_secret(second)
    assert logs.redact(shared) == shared


def test_levels(configure: Configure) -> None:
    text = configure(level=LogLevel.DEBUG)
    logger.debug("ours")
    logging.getLogger("a.library").debug("theirs")
    logging.getLogger("httpx").info("HTTP Request: GET …")
    logging.getLogger("asyncio").error("Task exception was never retrieved")
    lines = [line.split(maxsplit=2)[2] for line in text.getvalue().splitlines()]
    assert lines == ["ours", "Task exception was never retrieved (asyncio)"]
    text = configure(level=LogLevel.WARNING)
    logger.info("ours")
    assert text.getvalue() == ""


def test_what_ends_a_thread_or_the_process_is_logged_without_the_key(configure: Configure) -> None:
    text = configure()
    logs.register_secret(SECRET)

    def fail() -> None:
        raise RuntimeError(SECRET)

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    assert "RuntimeError" in text.getvalue()
    assert SECRET not in text.getvalue()
    program = (
        "from together_operator import logs;"
        "logs.configure(logs.LogFormat.TEXT, logs.LogLevel.INFO);"
        "logs.register_secret('a-secret-text-01');"
        "raise RuntimeError('a-secret-' + 'text-01')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "CRITICAL" in done.stderr
    assert f"RuntimeError: {logs.REDACTED}" in done.stderr
    assert "a-secret-text-01" not in done.stderr


NASTY = (
    "plain-key-0123456789abcdef",
    "quote\"back\\slash'0123456789",
    '{"api-key":"0123456789abcdef"}',
    "a%2Fb+c=d&e?f#0123456789",
    "Bearer:X-Injected:0123456789",
    "ü-not-ascii-0123456789-日本",
    "k" * 1024,
)


@pytest.mark.parametrize("log_format", LogFormat)
@pytest.mark.parametrize("key", NASTY, ids=lambda key: key[:12])
def test_no_spelling_of_any_key_is_logged(
    configure: Configure, log_format: LogFormat, key: str
) -> None:
    """Judged by what the tests of the whole operator search for."""
    text = configure(log_format)
    logs.register_secret(key)
    for spelling in (repr(key)[1:-1], json.dumps(key), quote(key), quote(key, safe=""), key):
        logger.info("Between %s words, and x%sx within one", spelling, spelling)
    logger.info("In what a library shows: %r and %s", {"key": key}, {"key": key})
    secret = {"data": {"api-key": base64.b64encode(key.encode()).decode()}}
    logger.info("As Kubernetes keeps it: %s", json.dumps(secret))
    for lead in ("", "a", "ab", "abc"):
        encoded = base64.b64encode(f"{lead}{key}\n".encode())
        logger.info("Within what is encoded: %s", encoded.decode())
    assert_no_key({"the log": text.getvalue()}, [key])


@pytest.mark.parametrize("key", NASTY, ids=lambda key: key[:12])
def test_a_line_that_cannot_be_made_says_where_it_came_from_and_no_more(
    configure: Configure, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = configure()
    logs.register_secret(key)
    logger.warning("%d keys", key)
    said = text.getvalue() + "".join(capsys.readouterr())
    assert "test_logs.py" in said
    assert "TypeError" in said
    assert_no_key({"what was written instead": said}, [key])


def test_what_fails_where_nobody_can_catch_it_is_logged_without_the_key(
    configure: Configure, capsys: pytest.CaptureFixture[str]
) -> None:
    text = configure()
    logs.register_secret(SECRET)

    class Dying:
        def __del__(self) -> None:
            raise RuntimeError(SECRET)

    Dying()
    gc.collect()
    assert "RuntimeError" in text.getvalue()
    assert_no_key({"all": text.getvalue() + "".join(capsys.readouterr())}, [SECRET])
