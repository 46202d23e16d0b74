"""What Together means by an error.

Its error bodies come in several shapes, and one status code has several meanings: 403 alone can
say that v1 is closed, that Cloudflare dislikes the client, or that a permission is missing. What
follows from an error depends on that meaning, so it is read here, once, from code, field and words
before anybody looks at the number.

Sources: Together's published OpenAPI description, its SDK 1.5.35 and 2.42.0 (whose command line
matches the same word fragments) and 3.1.1 (which reads bodies of the gRPC kind), its migration
guide, and public reports.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

Redact = Callable[[str], str]

LONGEST_MESSAGE: Final = 400
"""Characters of a remote text that are kept."""

V1_CLOSED_CODE: Final = "endpoints_v1_create_access_disabled"
NOT_CONFIGURED_CODE: Final = "endpoint_not_configured"
"""v2: no deployment that serves is in the traffic split."""
NOT_SERVING_CODES: Final = frozenset(
    {
        "dedicated_endpoint_not_running",
        "model_not_available",
        "endpoint_not_ready",
        "routing_error",
        "model_not_found",
        "endpoint_not_found",
        NOT_CONFIGURED_CODE,
    }
)

_LONGEST_LOOKED_AT: Final = 8192


class Kind(StrEnum):
    """What an error means, whatever its status code."""

    V1_CLOSED = "v1_closed"
    """The account can no longer create or restart endpoints on v1."""
    BLOCKED = "blocked"
    """Cloudflare refused the client before Together saw the request (error 1010)."""
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    PAYMENT_REQUIRED = "payment_required"
    RATE_LIMITED = "rate_limited"
    NO_CAPACITY = "no_capacity"
    """Hardware or quota that may become free."""
    BAD_MODEL = "bad_model"
    BAD_HARDWARE = "bad_hardware"
    """An unknown hardware id, or one that the model cannot use."""
    BAD_ZONE = "bad_zone"
    NOT_FOUND = "not_found"
    BUSY = "busy"
    """The endpoint is in a state that does not allow the change now."""
    TAKEN = "taken"
    """The name belongs to something that exists."""
    STALE = "stale"
    """What the change was made for has changed meanwhile: the etag is an old one."""
    NOT_SERVING = "not_serving"
    """The endpoint does not answer inference, though it may be started."""
    INVALID = "invalid"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Problem:
    """An error that Together itself worded.

    Attributes:
        message: Its words, bounded and on one line.
        code: Its machine-readable code, if any.
        type: Its machine-readable class, if any.
        field: The request field that it blames, if any.
    """

    message: str
    code: str | None = None
    type: str | None = None
    field: str | None = None


def bounded(text: str, limit: int = LONGEST_MESSAGE) -> str:
    """Make a foreign text fit for one line of a status.

    Args:
        text: Anything.
        limit: Characters at most.
    """
    seen = text[:_LONGEST_LOOKED_AT]
    line = " ".join("".join(c if c.isprintable() else " " for c in seen).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def parse_problem(text: str, redact: Redact) -> Problem | None:
    """Read an error body: nested, flat or of the gRPC kind.

    Args:
        text: The body.
        redact: Blanks the key out, before anything is cut: half a key is a leak too.

    Returns:
        The error, or `None` where the body is not one that Together words, for instance the text
        page of a proxy.
    """
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    nested = body.get("error")
    if isinstance(nested, dict):
        body = nested
    elif not isinstance(body.get("message"), str):
        return None
    elif isinstance(body.get("details"), list):
        # Together's own command line shows these, as they say more.
        told = [one["detail"] for one in body["details"] if _has(one, "detail")]
        # The code beside them is gRPC's number; Together's own word, if any, is the reason.
        reasons = [one["reason"] for one in body["details"] if _has(one, "reason")]
        body = {
            **body,
            "message": told[-1] if told else body["message"],
            "code": reasons[-1] if reasons else body.get("code"),
        }
    message, code, kind, field = (
        _word(body.get(key), redact) for key in ("message", "code", "type", "param")
    )
    words = message or code or kind
    return None if words is None else Problem(words, code, kind, field)


def _has(entry: object, key: str) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get(key), str) and entry[key] != ""


def describe(status: int, text: str, redact: Redact) -> str:
    """Say in a few words what came instead of an error of Together's own.

    Args:
        status: The HTTP status.
        text: The body.
        redact: Blanks the key out.
    """
    seen = redact(text)[:_LONGEST_LOOKED_AT]
    if re.match(r"\s*<(!doctype|html)", seen, re.IGNORECASE):
        title = re.search(r"<title>([^<]*)", seen, re.IGNORECASE)
        seen = title.group(1) if title else "an HTML page"
    words = bounded(seen, 200)
    return f"HTTP {status}: {words}" if words else f"HTTP {status} with an empty body"


def is_blocked(status: int, text: str) -> bool:
    """Whether Cloudflare refused the client by its signature (error 1010), before Together.

    Args:
        status: The HTTP status.
        text: The body: plain text, an HTML page, or JSON.
    """
    return status == 403 and _BLOCK_WORDS.search(text[:_LONGEST_LOOKED_AT].lower()) is not None


_BLOCK_WORDS: Final = re.compile(r"error[ _]?(code)?[\"']?:? {0,4}1010\b")
_CAPACITY_WORDS: Final = re.compile(
    # Whole phrases: a model or hardware id that the message quotes may hold any single word.
    r"hardware request not available"
    r"|\b(no|insufficient|not enough|out of|exceeds) ([a-z]+ )?capacity\b"
    r"|\bcapacity (is )?(not available|unavailable|exceeded|exhausted|reached)"
    r"|\bquota (is |has been )?(exceeded|reached|exhausted)|\bexceed\w* (\w+ ){0,3}quota"
    r"|\b(currently|temporarily) unavailable|\bnot (currently|presently) available"
    r"|\bnot available (right now|now|at (the|this) (moment|time))"
)
_HARDWARE_WORDS: Final = re.compile(
    r"check the hardware api|invalid hardware|hardware is required|the selected configuration"
    r"|not available for this model|hardware\b.*\b(not found|invalid|does not exist|unknown"
    r"|not (supported|available|compatible|eligible))|unknown hardware"
)
_MODEL_WORDS: Final = re.compile(
    r"no gpu configurations? found"
    r"|\bmodel\b.*\b(not found|invalid|does not exist|not supported|unknown)"
    r"|\b(invalid|unknown|unsupported) model\b"
)
_ZONE_WORDS: Final = re.compile(r"availability.?zone|\bavzones?\b")
_GONE_WORDS: Final = re.compile(r"\bendpoint\b.*\b(not found|does not exist)|no such endpoint")
_BUSY_WORDS: Final = re.compile(
    r"\b(is|are|while|still|already|currently) (pending|starting|stopping|draining|updating)\b"
    r"|\bin (progress|transition)\b|\b(in|from) (the )?(state )?(pending|starting|stopping)\b"
)
_TAKEN_WORDS: Final = re.compile(r"\balready (exists|taken|in use)\b")
_STALE_WORDS: Final = re.compile(r"\betag\b|\bprecondition\b")
_BY_STATUS: Final = {
    401: Kind.UNAUTHORIZED,
    402: Kind.PAYMENT_REQUIRED,
    403: Kind.FORBIDDEN,
    409: Kind.BUSY,
    412: Kind.STALE,
    429: Kind.RATE_LIMITED,
}
_BY_FIELD: Final = {
    "model": Kind.BAD_MODEL,
    "hardware": Kind.BAD_HARDWARE,
    "availability_zone": Kind.BAD_ZONE,
}
_BY_WORDS: Final = (
    # The order matters: the later patterns also match texts that the earlier ones mean.
    (_ZONE_WORDS, Kind.BAD_ZONE),
    (_HARDWARE_WORDS, Kind.BAD_HARDWARE),
    (_MODEL_WORDS, Kind.BAD_MODEL),
    (_BUSY_WORDS, Kind.BUSY),
)


def classify(status: int, problem: Problem) -> Kind:
    """Tell what an error means.

    Args:
        status: The HTTP status.
        problem: The error that came with it.
    """
    words = f"{problem.code or ''} {problem.type or ''} {problem.message}".lower()
    if V1_CLOSED_CODE in words:
        return Kind.V1_CLOSED
    if {problem.code, problem.type} & NOT_SERVING_CODES:
        return Kind.NOT_SERVING
    if status >= 500:
        return Kind.SERVER
    # Which status a lack of hardware has is not documented, so the words come before the number.
    if status not in {401, 402} and _CAPACITY_WORDS.search(words):
        return Kind.NO_CAPACITY
    if status == 409:
        # A name that is quoted may hold any word, so the phrase comes first.
        if _TAKEN_WORDS.search(words):
            return Kind.TAKEN
        if _STALE_WORDS.search(words):
            return Kind.STALE
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status == 404 and _GONE_WORDS.search(words):
        return Kind.NOT_FOUND
    if problem.field in _BY_FIELD:
        return _BY_FIELD[problem.field]
    for pattern, kind in _BY_WORDS:
        if pattern.search(words):
            return kind
    return Kind.NOT_FOUND if status == 404 else Kind.INVALID


def _word(value: object, redact: Redact) -> str | None:
    """A JSON value as a bounded text, where it is one that says something."""
    if isinstance(value, str):
        return bounded(redact(value)) or None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**9:
        return str(value)
    return None
