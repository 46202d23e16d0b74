"""How the operator asks for what it cannot begin without, and when it believes that it may not.

An API server that has just started takes requests before it has learned all roles and bindings,
and until then it refuses what is allowed (kubernetes/kubernetes#121635). So one refusal says
nothing: a process that ended at it would take the standby away just when it is needed. A right
counts as missing only if it is refused for a while, and that is short enough for a person who has
just installed the operator to see it end and say which.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final, TypeVar

from together_operator.controller.kube_errors import (
    Forbidden,
    KubeUnavailable,
    NamespaceTerminating,
)

log = logging.getLogger(__name__)

T = TypeVar("T")

_DOUBT: Final = 20.0
_SHORTEST: Final = 10.0
"""An API server does not start more quickly because the operator's waits are shorter."""
_PAUSE: Final = 1.0
_TIMES: Final = 3
"""On a machine that is slow, a while may pass between two questions."""


def doubted_for(scale: float) -> float:
    """For how many seconds a refusal is doubted.

    Args:
        scale: What the waits of the operator are divided by, at least 1.
    """
    return max(_SHORTEST, _DOUBT / scale)


class Refusals:
    """Refusals, which are doubted at first: of one thing they say nothing about another.

    Args:
        limit: Seconds for which they are.
        clock: Steady seconds.
    """

    def __init__(self, limit: float, clock: Callable[[], float]) -> None:
        self._limit = limit
        self._clock = clock
        self._known: dict[str, tuple[float, int]] = {}

    def one_more(self, what: str) -> bool:
        """Take in one more; whether it is to be believed.

        Args:
            what: What is refused.
        """
        since, times = self._known.get(what, (self._clock(), 0))
        self._known[what] = since, times + 1
        return times + 1 >= _TIMES and self._clock() - since >= self._limit

    def forget(self) -> None:
        """There was another answer, or none: those before say nothing of the next."""
        self._known.clear()


async def insist(ask: Callable[[], Awaitable[T]], limit: float) -> T:
    """Ask the API server until it answers; a refusal is believed only after a while.

    Args:
        ask: Asks; as often as needed.
        limit: For how many seconds a refusal is doubted.

    Raises:
        Forbidden: It is refused, and has been for so long.
        KubeError: What was asked fails for another reason.
    """
    refusals = Refusals(limit, asyncio.get_running_loop().time)
    told = ""
    while True:
        pause = _PAUSE
        try:
            return await ask()
        except NamespaceTerminating:
            raise
        except Forbidden as error:
            news = str(error)
            if refusals.one_more(news):
                raise
        except KubeUnavailable as error:
            refusals.forget()
            news, pause = str(error), max(pause, min(error.retry_after, limit))
        if news != told:
            log.warning("Waiting: %s", news)
            told = news
        await asyncio.sleep(pause)


async def unless(stopping: asyncio.Event, work: Coroutine[None, None, T]) -> T | None:
    """Wait for something, or for the order to stop.

    Args:
        stopping: Set when that is given.
        work: What is waited for; it is cancelled then.

    Returns:
        What came of it; `None` if the order came first.
    """
    task = asyncio.create_task(work)
    order = asyncio.create_task(stopping.wait())
    await asyncio.wait((task, order), return_when=asyncio.FIRST_COMPLETED)
    order.cancel()
    if task.done():
        return task.result()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return None
