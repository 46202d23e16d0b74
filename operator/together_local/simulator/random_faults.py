"""Faults drawn by chance, repeatable by seed.

Why: a campaign of thousands of creates needs variety that nobody wrote down. The
mix stays within what the create protocol of a careful client can bear: an effect
that comes late belongs to a 5xx or a cut connection, and lists lie singly.
"""

from __future__ import annotations

import random

from together_local.simulator.faults import Fault, FaultKind, Operation

_WRITES = (Operation.CREATE, Operation.WRITE)


class RandomFaults:
    """Draws faults from a seeded source.

    Args:
        seed: Same seed and same requests: same faults. None: different every time.
    """

    def __init__(self, seed: int | None) -> None:
        # Separate from the source of ids, so that a fault does not change what is created.
        self._chance = random.Random(None if seed is None else f"faults-{seed}")
        self.drawn = 0

    def strike(self, operation: Operation, rate: float, seconds: float) -> Fault | None:
        """Return a fault for one request, or None.

        Args:
            operation: What the request does.
            rate: Share of requests that meet a fault.
            seconds: Upper bound of its duration in real seconds.
        """
        if rate <= 0 or self._chance.random() >= rate:
            return None
        self.drawn += 1
        duration = self._chance.uniform(0, seconds)
        return self._chance.choice(self._choices(operation, duration))

    @staticmethod
    def _choices(operation: Operation, seconds: float) -> list[Fault]:
        choices = [
            Fault(fault=FaultKind.DELAY, seconds=seconds),
            Fault(fault=FaultKind.STATUS, status=500),
            Fault(fault=FaultKind.STATUS, status=503, body="upstream connect error"),
            Fault(fault=FaultKind.STATUS, status=429),
            Fault(fault=FaultKind.STATUS, status=429, headers={"Retry-After": "1"}),
            Fault(fault=FaultKind.RESET_BEFORE),
        ]
        if operation in _WRITES:
            choices += [
                Fault(fault=FaultKind.RESET_AFTER),
                Fault(fault=FaultKind.LATE_EFFECT, status=504, seconds=seconds),
                Fault(fault=FaultKind.LATE_EFFECT, status=0, seconds=seconds),
            ]
        if operation is Operation.CREATE:
            choices.append(Fault(fault=FaultKind.HIDE_IN_LIST, seconds=seconds))
        if operation is Operation.LIST:
            choices.append(Fault(fault=FaultKind.OMIT))
        if operation is Operation.READ:
            choices.append(Fault(fault=FaultKind.NOT_FOUND))
        return choices
