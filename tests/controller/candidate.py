"""A process that stands for the Lease, against a clock that nobody sets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from tests.controller.fake_leases import FakeLeases, LeaseServer
from tests.controller.virtual import steady
from together_operator.controller.kube_errors import KubeError
from together_operator.controller.leadership import Leadership, LeaseLost, Term
from together_operator.controller.lease import Leases

TERM = Term()
NAMESPACE = "system"


class Candidate:
    """One operator that stands for election.

    Attributes:
        leases: Its connection to the API server.
        leadership: What is tested.
        asleep: Seconds that its clock is ahead, after it was frozen.
        error: What ended it.
    """

    def __init__(self, server: LeaseServer, term: Term = TERM) -> None:
        self.leases = FakeLeases(server)
        self.asleep = 0.0
        self.lost = 0
        self.error: BaseException | None = None
        self.leadership = Leadership(
            cast("Leases", self.leases), NAMESPACE, term, self.clock, self._lost
        )
        self.ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def clock(self) -> float:
        """Its own steady clock."""
        return steady() + self.asleep

    def _lost(self) -> None:
        self.lost += 1
        self.ending.set()

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self.leadership.campaign()
            async with self.leadership.held():
                await self.ending.wait()
        except (LeaseLost, KubeError) as error:
            self.error = error

    async def stop(self) -> None:
        """End in good order."""
        assert self._task is not None
        self.ending.set()
        await self._task

    async def crash(self) -> None:
        """End at once, without a word to the API server."""
        assert self._task is not None
        self.leases.unreachable = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.leadership._lease = None

    @property
    def leads(self) -> bool:
        """Whether it believes that it leads."""
        return self.leadership.leads


async def until(test: Callable[[], bool], within: float = 600.0) -> float:
    """Wait until something is so; the seconds that took."""
    began = steady()
    while not test():
        assert steady() - began < within, "it never became so"
        await asyncio.sleep(0.02)
    return steady() - began


async def two() -> tuple[Candidate, Candidate, LeaseServer]:
    """A leader, and one that stands by."""
    server = LeaseServer()
    first, second = Candidate(server), Candidate(server)
    first.start()
    await until(lambda: first.leads)
    second.start()
    await until(lambda: second.leadership.standing_by)
    return first, second, server
