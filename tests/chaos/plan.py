"""What a run will be, drawn from its seed and from nothing else.

A seed is the campaign's own and a number, such as `7:123`: the same text is the same run for ever,
as long as the lists of scenarios, faults and boundaries are the same.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from tests.chaos import boundaries
from tests.chaos.boundary import Crash, Point
from tests.chaos.faults import FAULTS
from tests.chaos.scenarios import SCENARIOS

T = TypeVar("T", bound=tuple[Any, ...])

_ELECTED: Final = 0.3
"""How many of the runs that are drawn have an operator that needs a Lease."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run before it is one.

    Attributes:
        seed: What it was drawn from.
        scenario: What happens to the resource, by name.
        fault: What goes wrong around the operator, by name.
        crashes: Where the operator ends, one after the other.
        delays: Seconds until it is started again, after each of them.
        elected: Whether the operator works only while it holds a Lease.
        api: The generation of Together's API, `V1` or `V2`.
    """

    seed: str
    scenario: str
    fault: str = "none"
    crashes: tuple[Crash, ...] = ()
    delays: tuple[float, ...] = field(default=())
    elected: bool = False
    api: str = "V1"

    def __str__(self) -> str:
        crashes = ", ".join(map(str, self.crashes)) or "no crash"
        by = "by a Lease" if self.elected else "alone"
        return f"{self.seed}: {self.title} with {self.fault}, {crashes}, {by}"

    @property
    def title(self) -> str:
        """The scenario, with the generation that it is played in."""
        return f"{self.api} {self.scenario}"


def every_part() -> list[tuple[str, str]]:
    """Every scenario in every generation that it is played in."""
    return [(name, api) for name in sorted(SCENARIOS) for api in SCENARIOS[name].apis]


def every_crash() -> list[tuple[str, str, Crash]]:
    """Every scenario's every boundary in each generation, at each point."""
    return [
        (scenario, api, Crash(label, nth, point))
        for scenario, api in every_part()
        for label, nth in boundaries.of(scenario, api)
        for point in Point
    ]


def draw(seed: str) -> Plan:
    """The run of a seed.

    Args:
        seed: The campaign's seed and a number from 0, with a colon between them.

    Raises:
        ValueError: It is not a seed.
    """
    campaign, _, text = seed.partition(":")
    if not text.isdigit():
        raise ValueError(f"{seed!r} is not a seed, such as 7:123")
    number = int(text)
    chance = random.Random(seed)
    # Every other run is the next of all crashes there are, in the campaign's own order.
    all_of_them = _in_order(campaign)
    if number % 2 == 0 and number // 2 < len(all_of_them):
        scenario, api, crash = all_of_them[number // 2]
        return Plan(seed, scenario, "none", (crash,), (_delay(chance),), api=api)
    scenario, api = _part(chance, campaign, number)
    fault = chance.choice(fitting(scenario, api))
    crashes = _crashes(chance, scenario, api, chance.choice((0, 1, 2, 2, 3)))
    delays = tuple(_delay(chance) for _ in crashes)
    kind = FAULTS[fault]
    # As the chart has it where the control plane is in trouble, elsewhere both ways.
    elected = kind.elected or kind.exclusive or chance.random() < _ELECTED
    return Plan(seed, scenario, fault, crashes, delays, elected, api)


@functools.cache
def _in_order(campaign: str) -> list[tuple[str, str, Crash]]:
    return _by_turns(campaign, every_crash())


@functools.cache
def _turns(campaign: str) -> list[tuple[str, str]]:
    return _by_turns(f"{campaign} in turn", every_part())


def _by_turns(seed: str, items: Sequence[T]) -> list[T]:
    """In an order of the seed's own, the generations by turns for as long as both have any."""
    by_api = [[item for item in items if item[1] == api] for api in ("V1", "V2")]
    chance = random.Random(seed)
    for those in by_api:
        chance.shuffle(those)
    pairs = itertools.zip_longest(*by_api)
    return [item for pair in pairs for item in pair if item is not None]


def _part(chance: random.Random, campaign: str, number: int) -> tuple[str, str]:
    """Each in its turn, so that even a campaign of two hundred runs has all of them."""
    parts = _turns(campaign)
    if number % 4 == 1:
        return parts[(number // 4) % len(parts)]
    api = chance.choice(("V1", "V2"))
    return chance.choice([part for part in parts if part[1] == api])


def fitting(scenario: str, api: str) -> Sequence[str]:
    """The faults that say anything in a scenario, in a generation."""
    return [name for name in sorted(FAULTS) if FAULTS[name].fits(SCENARIOS[scenario], api)]


def _crashes(chance: random.Random, scenario: str, api: str, count: int) -> tuple[Crash, ...]:
    first, again = boundaries.of(scenario, api), boundaries.of("restart", api)
    drawn: list[Crash] = []
    for _ in range(count if first else 0):
        label, nth = chance.choice(first + again if drawn else first)
        # After a crash the counting begins anew, and not everything comes as often again.
        drawn.append(Crash(label, 1 if drawn else nth, chance.choice(list(Point))))
    return tuple(drawn)


def _delay(chance: random.Random) -> float:
    """Mostly at once, sometimes so late that effects and waits have passed meanwhile."""
    return chance.choice((0.0, chance.uniform(0, 1), chance.uniform(1, 5)))
