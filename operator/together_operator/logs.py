"""How the operator speaks: text for people or JSON for machines, and never a key.

Lines belong to a resource by their context, not by their call: whatever is logged while a resource
is worked on, by whichever library, carries its name. Key material is replaced when a line is
written, the one place that messages, arguments and tracebacks all pass.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TextIO
from urllib.parse import quote

REDACTED: Final = "[redacted]"

_SHORTEST_SECRET: Final = 16
"""Characters. No key is shorter, and whoever may write a Secret must not be able to blot out a word
such as `Together` in what others read."""

_HEAD: Final = 8
"""Characters by which a secret is looked up, so that a line costs the same however many there
are."""

_WORDS: Final = re.compile(rf"\S{{{_SHORTEST_SECRET},}}")
"""Where a secret may be: a key has no spaces, nor has any of its spellings."""

# httpx tells every request at INFO, the others every connection.
_QUIET: Final = ("httpx", "httpcore", "aiohttp.access")

_context: ContextVar[dict[str, str] | None] = ContextVar("log_context", default=None)
_secrets: dict[str, int] = {}
_forms: dict[str, int] = {}
_heads: dict[str, tuple[str, ...]] = {}
_lock = threading.Lock()


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important lines that are logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def register_secret(secret: str) -> None:
    """Never let a text appear in a log line again, in any of its spellings.

    Args:
        secret: Key material. What is registered twice has to be forgotten twice.
    """
    if not _WORDS.fullmatch(secret):
        return
    with _lock:
        _secrets[secret] = _secrets.get(secret, 0) + 1
        if _secrets[secret] == 1:
            for form in _spellings(secret):
                # Texts that begin alike have spellings in common.
                _forms[form] = _forms.get(form, 0) + 1
                others = _heads.get(form[:_HEAD], ())
                _heads[form[:_HEAD]] = tuple(sorted({*others, form}, key=len, reverse=True))


def forget_secret(secret: str) -> None:
    """Take back a `register_secret`: nothing of the process knows the text any more.

    Args:
        secret: What was registered.
    """
    with _lock:
        uses = _secrets.pop(secret, 0)
        if uses > 1:
            _secrets[secret] = uses - 1
        if uses != 1:
            return
        for form in _spellings(secret):
            _forms[form] -= 1
            if _forms[form]:
                continue
            del _forms[form]
            left = tuple(other for other in _heads[form[:_HEAD]] if other != form)
            if left:
                _heads[form[:_HEAD]] = left
            else:
                del _heads[form[:_HEAD]]


def _spellings(secret: str) -> set[str]:
    """A text as it is, quoted, and within whatever is encoded."""
    raw = secret.encode()
    forms = {
        secret,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        quote(secret, safe=""),
        quote(secret),
    }
    for lead in range(3):
        # Where a text begins within what is encoded decides which of three texts it becomes.
        encoded = base64.b64encode(b"\0" * lead + raw).decode()
        inner = encoded[(0, 2, 3)[lead] : (lead + len(raw)) * 8 // 6]
        forms |= {inner, inner.replace("+", "-").replace("/", "_")}
    return forms


def redact(text: str) -> str:
    """The text without any registered secret."""
    return _WORDS.sub(lambda found: _redact(found[0]), text) if _heads else text


def _redact(word: str) -> str:
    told: list[str] = []
    begin = at = 0
    while at + _HEAD <= len(word):
        for secret in _heads.get(word[at : at + _HEAD], ()):
            if word.startswith(secret, at):
                told += (word[begin:at], REDACTED)
                at = begin = at + len(secret)
                break
        else:
            at += 1
    return word if not told else "".join((*told, word[begin:]))


@contextmanager
def scope(**keys: str) -> Iterator[None]:
    """Add keys to every line that this task logs within the block.

    Args:
        keys: Such as namespace, name, uid, trigger, step.
    """
    token = _context.set({**(_context.get() or {}), **keys})
    try:
        yield
    finally:
        _context.reset(token)


class TextFormatter(logging.Formatter):
    """Lines for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the resource in front and the other keys behind."""
        keys = dict(_context.get() or {})
        namespace, name = keys.pop("namespace", ""), keys.pop("name", "")
        keys.pop("uid", None)
        resource = f" {namespace}/{name}:" if name else ""
        behind = "".join(f" {key}={value}" for key, value in keys.items())
        line = f"{_time(record)} {record.levelname:<7}{resource} {record.getMessage()}{behind}"
        if not record.name.startswith("together_operator"):
            line += f" ({record.name})"
        for trace in _traces(self, record):
            line += f"\n{trace}"
        return redact(line)


class JsonFormatter(logging.Formatter):
    """Lines for machines, one object each."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "timestamp": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **(_context.get() or {}),
        }
        if traces := _traces(self, record):
            line["traceback"] = "\n".join(traces)
        return json.dumps({key: redact(value) for key, value in line.items()}, ensure_ascii=False)


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines; of one that cannot be written, no more than where it came from."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """Tell that a line is lost. What logging itself does here shows the arguments as they are.

        Args:
            record: The line.
        """
        kind = sys.exc_info()[0]
        with suppress(OSError, ValueError):  # the stream itself may be gone
            self.stream.write(
                f"A log line of {record.name}, {record.filename}:{record.lineno}, could not be"
                f" written: {kind.__name__ if kind else 'unknown'}\n"
            )


def configure(log_format: LogFormat, level: LogLevel, stream: TextIO | None = None) -> None:
    """Set up logging for the process; what ends it unexpectedly is logged too.

    Args:
        log_format: How lines look.
        level: The least important of our own lines to be shown.
        stream: Where they go; standard error by default.
    """
    handler = _Handler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format is LogFormat.JSON else TextFormatter())
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(max(number, logging.INFO))
    logging.getLogger("together_operator").setLevel(number)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # A task whose failure nobody awaited is told by this one, and must be seen.
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_exception
    threading.excepthook = lambda args: _log_exception(
        args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
    )
    sys.unraisablehook = lambda args: _log_exception(
        args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
    )


def _log_exception(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("together_operator").critical(
        "Unexpected end: %s", error, exc_info=(kind, error, traceback)
    )


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _traces(formatter: logging.Formatter, record: logging.LogRecord) -> list[str]:
    traces = []
    if record.exc_info and record.exc_info[0] is not None:
        traces.append(formatter.formatException(record.exc_info))
    if record.stack_info:
        traces.append(formatter.formatStack(record.stack_info))
    return traces
