"""Error bodies and their meaning, by every shape and wording that is documented or was seen."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from together_operator.together import Credential, Kind
from together_operator.together._errors import (
    LONGEST_MESSAGE,
    Problem,
    bounded,
    classify,
    describe,
    is_blocked,
    parse_problem,
)

KEY = "not-a-real-key-0123456789"


def same(text: str) -> str:
    return text


NESTED = {"error": {"message": "Nope", "type": "bad", "param": "model", "code": "c1"}}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (NESTED, Problem("Nope", "c1", "bad", "model")),
        ({"id": "r-1", **NESTED}, Problem("Nope", "c1", "bad", "model")),
        ({"error": {"message": "Nope", "type": "bad"}}, Problem("Nope", None, "bad", None)),
        ({"error": {"message": "Nope", "param": None}}, Problem("Nope")),
        ({"error": {"code": "only_a_code"}}, Problem("only_a_code", "only_a_code")),
        ({"message": "Nope"}, Problem("Nope")),
        ({"message": "Nope", "code": "c1", "param": "x"}, Problem("Nope", "c1", None, "x")),
        ({"message": "quota", "code": 8, "details": []}, Problem("quota", "8")),
        ({"message": "x", "code": 8, "details": [{"detail": "quota"}]}, Problem("quota", "8")),
        ({"message": "x", "code": 8, "details": [7, {"detail": None}]}, Problem("x", "8")),
        ({"error": {"message": " two\n\tlines "}}, Problem("two lines")),
        ({"error": {"message": {"not": "text"}, "type": "bad"}}, Problem("bad", None, "bad")),
    ],
)
def test_an_error_of_togethers_own_is_read(body: Any, expected: Problem) -> None:
    assert parse_problem(json.dumps(body), same) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "error code: 1010",
        "<html><title>502 Bad Gateway</title></html>",
        "[]",
        '"text"',
        "null",
        "17",
        "{}",
        '{"error": "text of some gateway"}',
        '{"error": {}}',
        '{"error": null}',
        '{"detail": "Not Found"}',
        '{"message": 3}',
        '{"message": ""}',
        '{"error": {"message": "cut in the mid',
        "[" * 100_000,
        '{"message": ' + "9" * 5000 + "}",
    ],
)
def test_anything_else_is_not_taken_for_one(text: str) -> None:
    assert parse_problem(text, same) is None


CLOSED = "endpoints_v1_create_access_disabled"
INCOMPATIBLE = "hardware 1x_x is not available for this model"


@pytest.mark.parametrize(
    ("status", "problem", "kind"),
    [
        # The several meanings of 403.
        (403, Problem("v1 is closed", code=CLOSED), Kind.V1_CLOSED),
        (403, Problem("v1 is closed", type=CLOSED), Kind.V1_CLOSED),
        (403, Problem(f"refused: {CLOSED}"), Kind.V1_CLOSED),
        (403, Problem("Forbidden"), Kind.FORBIDDEN),
        (403, Problem("model not found or no permission"), Kind.FORBIDDEN),
        # The several meanings of 404.
        (404, Problem("Endpoint endpoint-1 not found"), Kind.NOT_FOUND),
        (404, Problem("Not found"), Kind.NOT_FOUND),
        (404, Problem("Model a/b not found"), Kind.BAD_MODEL),
        (404, Problem("The model a/b does not exist"), Kind.BAD_MODEL),
        (404, Problem("No GPU configurations found for model 'a/b'"), Kind.BAD_MODEL),
        (404, Problem(INCOMPATIBLE), Kind.BAD_HARDWARE),
        (404, Problem("nothing there", field="model"), Kind.BAD_MODEL),
        (404, Problem("nothing there", field="hardware"), Kind.BAD_HARDWARE),
        # Words that the official command line matches.
        (400, Problem("Please check the hardware API"), Kind.BAD_HARDWARE),
        (400, Problem("Invalid hardware provided"), Kind.BAD_HARDWARE),
        (400, Problem("Invalid hardware/gpu provided"), Kind.BAD_HARDWARE),
        (400, Problem("The selected configuration is wrong"), Kind.BAD_HARDWARE),
        (400, Problem("Hardware is required", type="bad_request"), Kind.BAD_HARDWARE),
        (400, Problem("model x is not supported"), Kind.BAD_MODEL),
        (422, Problem("model: invalid"), Kind.BAD_MODEL),
        (400, Problem("availability_zone eu-1 is unknown"), Kind.BAD_ZONE),
        (400, Problem("Unknown availability zone"), Kind.BAD_ZONE),
        (400, Problem("nothing there", field="availability_zone"), Kind.BAD_ZONE),
        (400, Problem("Error parsing endpoint request"), Kind.INVALID),
        (422, Problem("min_replicas must be positive", field="autoscaling"), Kind.INVALID),
        # Capacity, even where the same answer blames the hardware.
        (400, Problem("hardware request not available"), Kind.NO_CAPACITY),
        (400, Problem("Hardware request not available", field="hardware"), Kind.NO_CAPACITY),
        (404, Problem("This hardware is not available right now"), Kind.NO_CAPACITY),
        (422, Problem("insufficient capacity"), Kind.NO_CAPACITY),
        (403, Problem("hardware request not available"), Kind.NO_CAPACITY),
        (402, Problem("spending quota exceeded"), Kind.PAYMENT_REQUIRED),
        (400, Problem("There is no GPU capacity for this"), Kind.NO_CAPACITY),
        (400, Problem("This would exceed your GPU quota"), Kind.NO_CAPACITY),
        (429, Problem("GPU quota exceeded"), Kind.NO_CAPACITY),
        # An id that is quoted must not decide.
        (404, Problem("Model acme/capacity-quota-7b not found"), Kind.BAD_MODEL),
        (400, Problem("Invalid hardware provided: 'quota'"), Kind.BAD_HARDWARE),
        (429, Problem("Too many requests"), Kind.RATE_LIMITED),
        # The rest by number.
        (401, Problem("Invalid API key"), Kind.UNAUTHORIZED),
        (402, Problem("No credits"), Kind.PAYMENT_REQUIRED),
        (409, Problem("Conflict"), Kind.BUSY),
        (409, Problem("Rollout rol_1 is active"), Kind.BUSY),
        (409, Problem("An endpoint named 'etag-7' already exists"), Kind.TAKEN),
        (409, Problem("etag does not match"), Kind.STALE),
        (412, Problem("Precondition failed"), Kind.STALE),
        (400, Problem("x", code="endpoint_not_configured"), Kind.NOT_SERVING),
        (400, Problem("x", code="endpoint_not_ready"), Kind.NOT_SERVING),
        (400, Problem("The endpoint is stopping; try again later"), Kind.BUSY),
        (400, Problem("Cannot update in state STARTING"), Kind.BUSY),
        (500, Problem("model not found"), Kind.SERVER),
        (400, Problem("x", code="dedicated_endpoint_not_running"), Kind.NOT_SERVING),
        (400, Problem("x", code="model_not_available"), Kind.NOT_SERVING),
    ],
)
def test_the_meaning_is_told_apart(status: int, problem: Problem, kind: Kind) -> None:
    assert classify(status, problem) is kind


@pytest.mark.parametrize(
    ("status", "text", "blocked"),
    [
        (403, "error code: 1010", True),
        (403, "Error 1010 Ray ID", True),
        (403, "<html><body><h1>Error 1010</h1></body></html>", True),
        (403, '{"title": "Access denied", "error_code": 1010}', True),
        (403, "error code: 1015", False),
        (403, "error code: 10101", False),
        (429, "error code: 1010", False),
        (403, '{"error": {"message": "request 1010 is forbidden"}}', False),
    ],
)
def test_cloudflares_block_is_recognised(status: int, text: str, blocked: bool) -> None:
    assert is_blocked(status, text) is blocked


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "HTTP 503 with an empty body"),
        ("upstream  connect\nerror", "HTTP 503: upstream connect error"),
        ("<html><head><title>503 Busy</title></head></html>", "HTTP 503: 503 Busy"),
        ("<!DOCTYPE html><p>x", "HTTP 503: an HTML page"),
    ],
)
def test_a_foreign_answer_is_described_in_few_words(text: str, words: str) -> None:
    assert describe(503, text, same) == words


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
WORDS = st.sampled_from(["error", "message", "code", "type", "param", "details"])
BODIES = (
    st.text()
    | JSON.map(json.dumps)
    | st.dictionaries(WORDS, JSON | st.dictionaries(WORDS, JSON)).map(json.dumps)
)


@given(st.integers(100, 599), BODIES)
def test_no_body_breaks_the_reader(status: int, text: str) -> None:
    problem = parse_problem(text, same)
    assert is_blocked(status, text) in {True, False}
    assert len(describe(status, text, same)) < LONGEST_MESSAGE
    if problem is not None:
        assert classify(status, problem) in Kind
        assert problem.message
        assert problem.message.isprintable()
        assert len(problem.message) <= LONGEST_MESSAGE


ECHO = st.tuples(st.text(max_size=500), st.text(max_size=500)).map(
    lambda pad: pad[0] + KEY + pad[1]
)


@given(ECHO, ECHO, ECHO, st.booleans(), st.booleans())
def test_a_key_that_the_server_echoes_is_blanked_out(
    message: str, code: str, field: str, nested: bool, escaped: bool
) -> None:
    error = {"message": message, "code": code, "type": code, "param": field}
    text = json.dumps({"error": error} if nested else error)
    if escaped:  # the same JSON, spelled so that the key does not stand in it literally
        text = text.replace(KEY, "".join(f"\\u{ord(c):04x}" for c in KEY))
    redact = Credential(KEY).redact
    problem = parse_problem(text, redact)
    assert problem is not None
    seen = f"{problem} {describe(500, message, redact)}"
    assert not any(KEY[at : at + 8] in seen for at in range(len(KEY) - 8))


@given(st.text(), st.integers(1, 500))
def test_a_bounded_text_is_one_printable_line(text: str, limit: int) -> None:
    line = bounded(text, limit)
    assert len(line) <= limit
    assert line.isprintable()
