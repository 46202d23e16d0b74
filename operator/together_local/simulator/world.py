"""The whole simulated Together, without HTTP.

Why: routes of both generations, the admin API and tests in the same process all
work on one world; putting it together and starting it anew happens here.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from together_local.simulator.accounts import Accounts
from together_local.simulator.assumptions import Assumptions
from together_local.simulator.clock import Clock, Timeline
from together_local.simulator.endpoints import Endpoints
from together_local.simulator.faults import FaultBook
from together_local.simulator.ledger import Ledger
from together_local.simulator.random_faults import RandomFaults
from together_local.simulator.rate_limit import RateLimit
from together_local.simulator.site import Site
from together_local.simulator.v2.deployments import Deployments
from together_local.simulator.v2.endpoints import Endpoints as EndpointsV2
from together_local.simulator.v2.models import Catalogue


class Profile(StrEnum):
    """What kind of account is simulated."""

    CLASSIC = "classic"
    RETIRED = "retired"


@dataclass(frozen=True)
class Options:
    """How a simulated Together begins, and what a reset returns to.

    Attributes:
        profile: classic: v1 is open; retired: v1 create and restart answer 403.
        speed: Simulated seconds per real second; 0: only advancing moves the clock.
        seed: Repeats ids and random faults; None: different every time.
        denied_keys: Keys that get 401.
        projects: Project by key; other keys share the project ``default``.
        assumptions: Assumptions that differ from their defaults.
    """

    profile: Profile = Profile.CLASSIC
    speed: float = 1.0
    seed: int | None = None
    denied_keys: tuple[str, ...] = ()
    projects: Mapping[str, str] = field(default_factory=dict)
    assumptions: Mapping[str, Any] = field(default_factory=dict)


class World:
    """Everything that there is; :meth:`reset` makes it new.

    Raises:
        AssumptionError: An assumption in the options is wrong.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.epoch = 0
        self.reset()

    def reset(self) -> None:
        """Forget everything and begin as the options say.

        ``epoch`` rises, by which an effect that is still under way knows that its
        world is gone.
        """
        self.epoch += 1
        options = self.options
        assumptions = Assumptions().changed(dict(options.assumptions))
        clock = Clock(options.speed)
        chance = random.Random(options.seed)
        self.profile = options.profile
        self.site = Site(clock, Timeline(clock), assumptions, chance=chance)
        self.accounts = Accounts(options.denied_keys, options.projects)
        self.ledger = Ledger()
        self.faults = FaultBook()
        self.random_faults = RandomFaults(options.seed)
        self.rate_limit = RateLimit()
        self.endpoints = Endpoints(self.site, self.ledger)
        self.catalogue = Catalogue(self.site.timeline.now)
        self.endpoints_v2 = EndpointsV2(self.site)
        self.deployments = Deployments(self.site, self.ledger, self.catalogue, self.endpoints_v2)

    def settle(self) -> None:
        """Let everything happen that has fallen due."""
        self.site.timeline.settle()
