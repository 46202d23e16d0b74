"""What every simulated resource stands on.

Why: endpoints of both API generations share one clock, one stock of hardware, one
set of assumptions and one source of chance; they get it as one value, without
knowing of HTTP or of each other.
"""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from together_local.simulator.assumptions import Assumptions
from together_local.simulator.capacity import Capacity
from together_local.simulator.clock import Clock, Timeline


@dataclass
class Site:
    """The ground under the simulated resources.

    Attributes:
        clock: Real and simulated time.
        timeline: What will happen in simulated time.
        assumptions: What holds where the real API is unknown; replaced when switched.
        capacity: Free hardware.
        chance: Source of ids and draws; seeded, so that a run can be repeated.
    """

    clock: Clock
    timeline: Timeline
    assumptions: Assumptions
    capacity: Capacity = field(default_factory=Capacity)
    chance: random.Random = field(default_factory=random.Random)
    _requests: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_uuid(self) -> str:
        """Return a random UUID drawn from :attr:`chance`."""
        return str(uuid.UUID(int=self.chance.getrandbits(128), version=4))

    def new_hex(self, digits: int) -> str:
        """Return random lower-case hexadecimal digits."""
        return f"{self.chance.getrandbits(4 * digits):0{digits}x}"

    def new_request_id(self) -> str:
        """Return the next request id; counted, so that polling does not use up chance."""
        return f"{next(self._requests):016x}"
