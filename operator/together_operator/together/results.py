"""What can come of one call to Together: types, so that no caller can mistake one for another.

The line that matters most runs between `Refused` and `Ambiguous`: after the first nothing happened
and the next attempt is safe, after the second an endpoint that costs money may exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from together_operator.together._errors import Kind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ok(Generic[T]):
    """Together did it, or answered it.

    Attributes:
        value: The answer.
        date: Together's clock at the answer in unix seconds, or `None` where no `Date` came.
    """

    value: T
    date: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Together answered with an error of its own, and nothing happened.

    Attributes:
        kind: What the error means.
        status: The HTTP status.
        message: Together's words, bounded, on one line, without the key.
        code: Together's machine-readable code, if any.
        field: The request field that Together blames, if any.
        retry_after: Seconds that Together asked to wait, if it did.
    """

    kind: Kind
    status: int
    message: str
    code: str | None = None
    field: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The request left, and what came back does not tell whether it was carried out.

    Attributes:
        message: What was seen.
    """

    message: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """No byte of the request left this machine.

    Attributes:
        message: Why.
    """

    message: str


@dataclass(frozen=True, slots=True)
class Absent:
    """Together says that this id does not exist, for this key, this once.

    Attributes:
        message: Its words.
    """

    message: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """No usable answer to a call that may be repeated.

    Attributes:
        message: What was seen.
        status: The HTTP status, or `None` where no answer came.
        retry_after: Seconds that Together asked to wait, if it did.
    """

    message: str
    status: int | None = None
    retry_after: float | None = None
