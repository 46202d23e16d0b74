"""``filter`` and ``orderBy`` of API v2's lists.

Why: finding one's own endpoint by ``name="x"`` is how a client without idempotency keys
avoids buying twice, so the expression is really evaluated. The grammar is the documented
one: comparisons of known fields with AND, OR, NOT and parentheses; of names also ``:``
for a part of them and ``*`` at either end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from together_local.simulator.errors import ApiError

#: Fields of one entry: texts, and times in unix seconds.
Fields = Mapping[str, str | float]
Test = Callable[[Fields], bool]

_TOKEN = re.compile(
    r'\s*(?:(?P<mark>[()])|(?P<op>!=|<=|>=|[=<>:])|"(?P<quoted>[^"]*)"|(?P<word>[^\s()=<>:!"]+))'
)


def read_filter(text: str, known: frozenset[str]) -> Test:
    """Return what an expression asks of an entry.

    Args:
        text: The expression.
        known: The fields that it may name.

    Raises:
        ApiError: 400, when it cannot be read or names another field.
    """
    parser = _Parser(text, known)
    test = parser.either()
    parser.end()
    return test


def read_order(text: str) -> tuple[str, bool]:
    """Return the field to order by, and whether the largest comes first.

    Raises:
        ApiError: 400, when it is no such order.
    """
    match = re.fullmatch(
        r"\s*(created_at|updated_at|createdAt|updatedAt)(?:\s+(asc|desc))?\s*", text
    )
    if match is None:
        message = "orderBy must be created_at or updated_at, optionally followed by asc or desc"
        raise ApiError(400, message, param="orderBy")
    field = "created_at" if match[1].startswith("created") else "updated_at"
    return field, match[2] == "desc"


class _Parser:
    def __init__(self, text: str, known: frozenset[str]) -> None:
        self._text = text
        self._known = known
        self._tokens = self._split(text)

    def either(self) -> Test:
        tests = [self._all()]
        while self._take_word("OR"):
            tests.append(self._all())
        return lambda fields: any(test(fields) for test in tests)

    def end(self) -> None:
        if self._tokens:
            raise self._wrong(f"unexpected {self._tokens[0][1]!r}")

    def _all(self) -> Test:
        tests = [self._one()]
        while self._take_word("AND"):
            tests.append(self._one())
        return lambda fields: all(test(fields) for test in tests)

    def _one(self) -> Test:
        if self._take_word("NOT"):
            test = self._one()
            return lambda fields: not test(fields)
        if self._tokens and self._tokens[0] == ("mark", "("):
            self._tokens.pop(0)
            test = self.either()
            if not self._tokens or self._tokens.pop(0) != ("mark", ")"):
                raise self._wrong("a parenthesis is not closed")
            return test
        return self._comparison()

    def _comparison(self) -> Test:
        if len(self._tokens) < 3:
            raise self._wrong("a comparison needs a field, an operator and a value")
        (_, field), (kind, op), (_, value) = (self._tokens.pop(0) for _ in range(3))
        if field not in self._known:
            raise self._wrong(f"unknown field {field!r}")
        if kind != "op":
            raise self._wrong(f"{op!r} is not an operator")
        if field.endswith("_at"):
            return _compare(field, op, self._moment(value))
        if op not in ("=", "!=", ":"):
            raise self._wrong(f"{field} cannot be compared with {op}")
        return _match(field, op, value)

    def _moment(self, value: str) -> float:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise self._wrong(f"{value!r} is not a time of RFC 3339") from None
        if moment.tzinfo is None:
            raise self._wrong(f"{value!r} has no time zone")
        return moment.timestamp()

    def _take_word(self, word: str) -> bool:
        if self._tokens and self._tokens[0] == ("word", word):
            self._tokens.pop(0)
            return True
        return False

    def _split(self, text: str) -> list[tuple[str, str]]:
        tokens, at = [], 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._wrong(f"cannot be read at {text[at:]!r}")
            tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            at = match.end()
        return tokens

    def _wrong(self, why: str) -> ApiError:
        return ApiError(400, f"invalid filter {self._text!r}: {why}", param="filter")


def _match(field: str, op: str, value: str) -> Test:
    def found(fields: Fields) -> bool:
        text = str(fields[field])
        # A name is known bare and with the project or endpoint that it belongs to.
        names = {text, text.rsplit("/", 1)[-1]} if field == "name" else {text}
        if op == ":":
            return any(value.strip("*") in name for name in names)
        pattern = ".*".join(re.escape(part) for part in value.split("*"))
        return any(re.fullmatch(pattern, name) for name in names) is (op == "=")

    return found


def _compare(field: str, op: str, value: float) -> Test:
    tests: dict[str, Callable[[float], bool]] = {
        "=": lambda moment: moment == value,
        "!=": lambda moment: moment != value,
        "<": lambda moment: moment < value,
        "<=": lambda moment: moment <= value,
        ">": lambda moment: moment > value,
        ">=": lambda moment: moment >= value,
        ":": lambda moment: moment == value,
    }
    return lambda fields: tests[op](float(fields[field]))
