"""How the operator speaks: text for people or JSON for machines, and never a key.

Lines belong to a resource by their context, not by their call: whatever is logged while a resource
is worked on, by whichever library, carries its name. Key material is replaced when a line is
written, the one place that messages, arguments and tracebacks all pass.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TextIO

REDACTED: Final = "[redacted]"

_SHORTEST_SECRET: Final = 6
"""Shorter than any key, and blotting out such a word would spoil every line."""

# httpx tells every request at INFO, the others every connection.
_QUIET: Final = ("httpx", "httpcore", "aiohttp.access")

_context: ContextVar[dict[str, str] | None] = ContextVar("log_context", default=None)
_secrets: tuple[str, ...] = ()
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
    """Never let a text appear in a log line again, nor its base64 form.

    Args:
        secret: Key material.
    """
    global _secrets
    secret = secret.strip()
    if len(secret) < _SHORTEST_SECRET or secret in _secrets:
        return
    raw = secret.encode()
    forms = {
        secret,
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    }
    with _lock:
        _secrets = tuple(sorted({*_secrets, *forms}, key=len, reverse=True))


def redact(text: str) -> str:
    """The text without any registered secret."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, REDACTED)
    return text


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


def configure(log_format: LogFormat, level: LogLevel, stream: TextIO | None = None) -> None:
    """Set up logging for the process; what ends it unexpectedly is logged too.

    Args:
        log_format: How lines look.
        level: The least important of our own lines to be shown.
        stream: Where they go; standard error by default.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
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
