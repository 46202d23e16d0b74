"""One call to Together, as often as its verb allows, judged once.

A read may be repeated, a change only while it has not left, a create never. What an answer means
depends on the verb as well: after a POST, every doubt must stay a doubt.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final, TypeVar

from pydantic import ValidationError

from together_operator.together._credential import Credential
from together_operator.together._errors import (
    Kind,
    bounded,
    classify,
    describe,
    is_blocked,
    parse_problem,
)
from together_operator.together._wire import Call, Failure, Fence, Reply, Wire
from together_operator.together.results import (
    Absent,
    Ambiguous,
    NotSent,
    Ok,
    Refused,
    Unavailable,
)

T = TypeVar("T")
Parse = Callable[[str], T]
"""Makes the payload from the body of a 2xx, or raises `ValueError`."""

_DEFINITE: Final = frozenset({400, 401, 402, 403, 404, 422, 429})
"""After one of these with an error of Together's own, nothing happened."""

NAMED: Final = _DEFINITE | {409, 412}
"""The same where names are unique: there, a conflict says that this request made nothing."""

_REFUSALS: Final = (_DEFINITE - {429}) | {405, 409, 410, 412, 413}
"""The same for calls that may be repeated: there, 429 only means later."""

_GONE: Final = frozenset({404, 410})
_ABOUT_HARDWARE: Final = frozenset({Kind.BAD_HARDWARE, Kind.NO_CAPACITY})
_WORTH_REPEATING: Final = frozenset({408, 425, 429})


class Account:
    """What one credential sends.

    Args:
        wire: The connections.
        credential: Whose key the calls carry.
    """

    def __init__(self, wire: Wire, credential: Credential) -> None:
        self._wire = wire
        self._credential = credential

    async def read(self, call: Call, parse: Parse[T]) -> Ok[T] | Refused | Absent | Unavailable:
        """Send a GET, again while that may help and the budget lasts.

        Args:
            call: The request.
            parse: Makes the payload.
        """
        begun, sent = time.monotonic(), 0
        while True:
            seen = await self._send(call, self._wire.timeouts.read)
            sent += 1
            if not _may_pass(seen):
                return self._judge(call, seen, parse)
            asked = seen.retry_after if isinstance(seen, Reply) else None
            delay = self._wire.backoff.delay(sent, time.monotonic() - begun, asked)
            if delay is None:
                return self._judge(call, seen, parse)
            await asyncio.sleep(delay)

    async def change(
        self, call: Call, parse: Parse[T]
    ) -> Ok[T] | Refused | Absent | Unavailable | NotSent:
        """Send a PATCH or DELETE, a second time only if the first did not leave.

        After an unclear outcome the caller looks before it repeats anything. `NotSent` is one that
        the connection's fence for changes kept here.

        Args:
            call: The request.
            parse: Makes the payload.
        """
        limit = self._wire.timeouts.change
        begun = time.monotonic()
        seen = await self._send(call, limit, self._wire.may_change)
        left = limit - (time.monotonic() - begun)
        if isinstance(seen, Failure) and not seen.sent and not seen.held and left > 0:
            seen = await self._send(call, left, self._wire.may_change)
        if isinstance(seen, Failure) and seen.held:
            return NotSent(seen.message)
        return self._judge(call, seen, parse)

    async def create(
        self,
        call: Call,
        parse: Parse[T],
        fence: Fence | None = None,
        definite: frozenset[int] = _DEFINITE,
    ) -> Ok[T] | Refused | Ambiguous | NotSent:
        """Send a POST that costs money: once, on a connection of its own.

        Args:
            call: The request.
            parse: Makes the payload.
            fence: Asked when the first byte is about to leave; `False` keeps the request here.
            definite: Statuses after which nothing happened.
        """
        seen = await self._wire.send(
            call, self._credential, seconds=self._wire.timeouts.create, fresh=True, fence=fence
        )
        return self._judge_once(seen, parse, definite)

    async def ask(
        self, call: Call, parse: Parse[T], definite: frozenset[int] = _DEFINITE
    ) -> Ok[T] | Refused | Ambiguous | NotSent:
        """Send a POST that changes nothing, once: an inference request or a dry run.

        Args:
            call: The request.
            parse: Makes the payload.
            definite: Statuses after which nothing happened.
        """
        seen = await self._send(call, self._wire.timeouts.probe)
        return self._judge_once(seen, parse, definite)

    async def _send(
        self, call: Call, seconds: float, fence: Fence | None = None
    ) -> Reply | Failure:
        return await self._wire.send(call, self._credential, seconds=seconds, fence=fence)

    def _judge(
        self, call: Call, seen: Reply | Failure, parse: Parse[T]
    ) -> Ok[T] | Refused | Absent | Unavailable:
        if isinstance(seen, Failure):
            return Unavailable(seen.message)
        value = self._value(seen, parse)
        if isinstance(value, Ok):
            return value
        # A lack of hardware is a decision about this change, not a rate of requests.
        refused = self._refusal(seen, _REFUSALS | ({429} if call.method == "PATCH" else set()))
        if refused is not None and refused.status == 429 and refused.kind is not Kind.NO_CAPACITY:
            refused = None
        if refused is None:
            return Unavailable(
                value or self._described(seen), status=seen.status, retry_after=seen.retry_after
            )
        # An id was asked for, so it is gone, whatever the words. Only a change can be refused by a
        # 404 too: the one that means hardware.
        about_hardware = call.method == "PATCH" and refused.kind in _ABOUT_HARDWARE
        if call.id and seen.status in _GONE and not about_hardware:
            return Absent(refused.message)
        return refused

    def _judge_once(
        self, seen: Reply | Failure, parse: Parse[T], definite: frozenset[int]
    ) -> Ok[T] | Refused | Ambiguous | NotSent:
        if isinstance(seen, Failure):
            return Ambiguous(seen.message) if seen.sent else NotSent(seen.message)
        value = self._value(seen, parse)
        if isinstance(value, Ok):
            return value
        return self._refusal(seen, definite) or Ambiguous(value or self._described(seen))

    def _value(self, reply: Reply, parse: Parse[T]) -> Ok[T] | str | None:
        """The payload of a 2xx, or why it cannot be read, or `None` for any other status."""
        if not 200 <= reply.status < 300:
            return None
        try:
            value = parse(reply.text)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            why = f"{where}: {first['msg']}" if where else first["msg"]
        except (ValueError, RecursionError):
            why = self._described(reply)
        else:
            return Ok(value, reply.date)
        return f"the answer could not be read ({self._credential.redact(bounded(why, 200))})"

    def _refusal(self, reply: Reply, statuses: frozenset[int]) -> Refused | None:
        """The error that Together itself worded, where its status makes it a definite one."""
        if is_blocked(reply.status, reply.text):
            return Refused(Kind.BLOCKED, reply.status, "error code: 1010", code="1010")
        problem = parse_problem(reply.text, self._credential.redact)
        if problem is None or reply.status not in statuses:
            return None
        return Refused(
            kind=classify(reply.status, problem),
            status=reply.status,
            message=problem.message,
            code=problem.code,
            field=problem.field,
            retry_after=reply.retry_after,
        )

    def _described(self, reply: Reply) -> str:
        problem = parse_problem(reply.text, self._credential.redact)
        if problem is not None:
            return f"HTTP {reply.status}: {problem.message}"
        return describe(reply.status, reply.text, self._credential.redact)


def _may_pass(seen: Reply | Failure) -> bool:
    return isinstance(seen, Failure) or seen.status in _WORTH_REPEATING or seen.status >= 500
