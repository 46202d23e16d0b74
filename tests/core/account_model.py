"""One key in one process: what it has seen at Together, shared by all resources of the key.

Each generation of the API has its own: neither shows what is in the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from together_operator.core.marker import Marker, cluster_tag, owner_tag
from together_operator.core.observed import Poll
from together_operator.core.scan import Found, Scan, Trait, classify, newcomers
from together_operator.core.steps import Look
from together_operator.resource.remote import Endpoint, Listing, Unavailable
from together_operator.resource.spec import Api

from .cloning import copy
from .cluster_model import Body

if TYPE_CHECKING:
    from .world import World

CLUSTER = "a-cluster"


@dataclass(slots=True)
class Account:
    """One key, and what one process has seen with it.

    Attributes:
        key: Its name.
        api: The generation that is looked at.
        poll: The newest LIST.
        failures: How many LISTs in a row had no answer.
        trouble: What the latest came to, if it had none.
        traits: What is known of endpoints that were read.
        before: What the LIST before showed.
        polled_at: When the last periodic LIST was sent.
        told: Extras for which a resource has been woken.
    """

    key: str
    api: Api = Api.V1
    poll: Poll | None = None
    failures: int = 0
    trouble: Unavailable | None = None
    traits: dict[str, Trait] = field(default_factory=dict)
    before: frozenset[str] = frozenset()
    polled_at: float = float("-inf")
    told: set[str] = field(default_factory=set)

    @property
    def name(self) -> tuple[str, Api]:
        """What it is known by."""
        return self.key, self.api

    def list(self, world: World, since: float) -> Poll | Unavailable:
        """Have a LIST that was sent at or after a time."""
        if self.poll is not None and self.poll.sent_at >= min(since, world.now):
            return self.poll
        answer = world.together.list(self.key, world.now, self.api)
        if isinstance(answer, Unavailable):
            self.failures += 1
            self.trouble = answer
            return answer
        self.failures, self.trouble = 0, None
        self.poll = Poll(self.key, world.now, answer.date, answer.endpoints)
        self.traits = {k: v for k, v in self.traits.items() if k in answer.endpoints}
        return self.poll

    def read(self, world: World, ids: tuple[str, ...]) -> None:
        """Read endpoints once and for all."""
        for endpoint_id in ids:
            answer = world.together.get(self.key, endpoint_id, self.api)
            if isinstance(answer, Endpoint):
                self.traits[endpoint_id] = _trait(answer)

    def relearn(self, endpoint: Endpoint) -> None:
        """Take in a new name of an endpoint that was read before."""
        if endpoint.id in self.traits:
            self.traits[endpoint.id] = _trait(endpoint)

    def look(
        self, world: World, step: Look, body: Body, taken: frozenset[str]
    ) -> Scan | Unavailable:
        """One scan."""
        poll = self.list(world, step.since)
        if isinstance(poll, Unavailable):
            return poll
        listing = Listing(dict(poll.lines), poll.date)
        self.read(world, tuple(newcomers(listing, step.horizon, self.traits)))
        return classify(
            credential=step.credential,
            sent_at=poll.sent_at,
            listing=listing,
            traits=self.traits,
            since=step.horizon,
            cluster=CLUSTER,
            uids=step.uids,
            model=body.spec.model,
            hardware=body.spec.hardware,
            taken=taken,
            name=step.name,
        )

    def marked(self, body: Body, endpoint_id: str | None) -> tuple[Found, ...]:
        """What bears a resource's mark in the newest LIST, beside what it has on record."""
        if self.poll is None:
            return ()
        tags = (cluster_tag(CLUSTER), owner_tag(body.uid))
        found = [
            Found(line.id, trait.marker.nonce, line.created_at)
            for line in self.poll.lines.values()
            if (trait := self.traits.get(line.id)) is not None
            and trait.marker is not None
            and (trait.marker.cluster, trait.marker.owner) == tags
            and line.id != endpoint_id
        ]
        return tuple(sorted(found, key=lambda f: (f.created_at, f.id)))

    def clone(self) -> Account:
        """The same, to go on with differently."""
        new = copy(self)
        new.traits, new.told = dict(self.traits), set(self.told)
        return new


def _trait(endpoint: Endpoint) -> Trait:
    return Trait(
        Marker.parse(endpoint.display_name),
        endpoint.model,
        endpoint.hardware,
        vacant=endpoint.deployments == (),
    )
