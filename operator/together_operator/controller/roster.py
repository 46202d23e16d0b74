"""Which resources there are, as far as one has to know of another.

Everything about a single resource is read fresh when it is worked on. What remains is what spans
them: whose endpoint an id is, which resources a poll concerns, and which are in motion.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from together_operator.controller.account import Place
from together_operator.controller.entry import Entry
from together_operator.controller.queue import Key
from together_operator.core.marker import Marker, owner_tag
from together_operator.core.scan import Trait
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.spec import Api

N = TypeVar("N", bound=Hashable)

_DEPARTED_KEPT = 4096
"""Of how many resources it is remembered that they are gone."""


class Roster:
    """All resources that are known."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Entry] = {}
        self._by_owner: dict[str, Key] = {}
        self._by_endpoint: dict[str, set[Key]] = {}
        self._by_place: dict[Place, set[Key]] = {}
        self._leaving: dict[str, set[Key]] = {}
        self._by_wish: dict[str, set[Key]] = {}
        self._reserved: dict[str, Key] = {}
        self._departed: dict[str, None] = {}
        self._removing: set[Key] = set()
        self._unmarked: set[Key] = set()
        self._moving: set[Key] = set()

    def __iter__(self) -> Iterator[Entry]:
        return iter(tuple(self._by_key.values()))

    def __len__(self) -> int:
        return len(self._by_key)

    def get(self, key: Key) -> Entry | None:
        """What is known of a resource."""
        return self._by_key.get(key)

    def put(self, entry: Entry) -> None:
        """Take in what is true of a resource now."""
        self.remove(entry.key)
        self._by_key[entry.key] = entry
        self._by_owner[owner_tag(entry.uid)] = entry.key
        if entry.place is not None and entry.open_v1:
            self._leaving.setdefault(entry.place.identity, set()).add(entry.key)
        if entry.wanted is not None:
            self._by_wish.setdefault(entry.wanted, set()).add(entry.key)
        for one in entry.both:
            if one.markers_lost:
                self._unmarked.add(one.key)
            if one.moving:
                self._moving.add(one.key)
            if one.place is not None:
                self._by_place.setdefault(one.place, set()).add(one.key)
            if one.endpoint_id is not None:
                self._by_endpoint.setdefault(one.endpoint_id, set()).add(one.key)
                self._reserved.pop(one.endpoint_id, None)
            if one.removing:
                self._removing.add(one.key)

    def remove(self, key: Key) -> Entry | None:
        """Forget a resource."""
        entry = self._by_key.pop(key, None)
        if entry is None:
            return None
        self._unmarked.discard(key)
        self._moving.discard(key)
        self._removing.discard(key)
        if entry.wanted is not None:
            _discard(self._by_wish, entry.wanted, key)
        if entry.place is not None and entry.open_v1:
            _discard(self._leaving, entry.place.identity, key)
        tag = owner_tag(entry.uid)
        if self._by_owner.get(tag) == key:
            del self._by_owner[tag]
        for one in entry.both:
            if one.place is not None:
                _discard(self._by_place, one.place, key)
            if one.endpoint_id is not None:
                _discard(self._by_endpoint, one.endpoint_id, key)
        return entry

    def depart(self, key: Key) -> Entry | None:
        """Forget a resource that is gone for good, but not that it is.

        Args:
            key: The resource.
        """
        entry = self.remove(key)
        if entry is not None:
            self._departed[owner_tag(entry.uid)] = None
            if len(self._departed) > _DEPARTED_KEPT:
                del self._departed[next(iter(self._departed))]
        return entry

    def departed(self, tag: str | None) -> bool:
        """Whether the resource that the owner part of a mark names was seen to go."""
        return tag in self._departed

    def owner(self, tag: str) -> Entry | None:
        """The living resource that the owner part of a mark names."""
        key = self._by_owner.get(tag)
        return None if key is None else self._by_key[key]

    def taken(self, uid: str, named: str | None = None) -> Collection[str]:
        """The endpoints that are no attempt's work, as they are at any time.

        Args:
            uid: The resource that asks; what others have on record is theirs.
            named: The endpoint that it asks to take over.
        """
        return _Taken(self, uid, named)

    def holders(self, endpoint_id: str) -> list[Entry]:
        """The resources that have an endpoint on record."""
        keys = self._by_endpoint.get(endpoint_id, ())
        return [e for key in keys for e in self._by_key[key].both if e.endpoint_id == endpoint_id]

    def others(self, endpoint_id: str, uid: str) -> list[Entry]:
        """The other resources that have an endpoint on record, or have yet to delete it.

        Args:
            endpoint_id: The endpoint.
            uid: The resource that asks.
        """
        others = [entry for entry in self.holders(endpoint_id) if entry.uid != uid]
        removing = (entry for key in self._removing for entry in self._by_key[key].both)
        others += [e for e in removing if endpoint_id in e.removing and e.uid != uid]
        return sorted(others, key=lambda entry: entry.key)

    def wanting(self, endpoint_id: str) -> list[Entry]:
        """The resources that ask to take over an endpoint."""
        return [self._by_key[key] for key in self._by_wish.get(endpoint_id, ())]

    def reserve(self, endpoint_id: str, key: Key) -> Entry | None:
        """Be the only resource that may take over an endpoint, or learn which one is.

        Between the question and the record a lot is waited for, and two that ask at once would
        both be told that nobody has it.

        Args:
            endpoint_id: The endpoint.
            key: The resource that asks.

        Returns:
            The other resource that was first to ask, if there is one.
        """
        first = self._by_key.get(self._reserved.get(endpoint_id, key))
        if first is not None and first.key != key and first.wanted == endpoint_id:
            return first
        self._reserved[endpoint_id] = key
        return None

    def rivals(self, resource: TogetherEndpoint, endpoint_id: str) -> list[Entry]:
        """The other resources that have an endpoint on record.

        Args:
            resource: The one that asks.
            endpoint_id: The endpoint that it has, or would take, on record.
        """
        return [entry for entry in self.holders(endpoint_id) if entry.uid != resource.uid]

    def markers_lost(self, credentials: Collection[str | None], api: Api) -> bool:
        """Whether names came back without their mark with any of these keys.

        Args:
            credentials: The keys.
            api: The generation; each has names of its own.
        """
        unmarked = (entry for key in self._unmarked for entry in self._by_key[key].both)
        return any(
            entry.markers_lost and entry.api is api and entry.credential in credentials
            for entry in unmarked
        )

    def of(self, credential: str, api: Api) -> list[Entry]:
        """The resources whose endpoints a key shows in a generation."""
        place = Place(credential, api)
        keys = self._by_place.get(place, ())
        return [entry for key in keys for entry in self._by_key[key].both if entry.place == place]

    def leaving(self, credential: str) -> list[Entry]:
        """The resources of a key in v2 for which something may yet come to life in v1."""
        return [self._by_key[key] for key in self._leaving.get(credential, ())]

    def uses(self, credential: str, api: Api) -> bool:
        """Whether any resource has something at a key's account in a generation, or may."""
        place = Place(credential, api)
        return place in self._by_place or (api is Api.V1 and credential in self._leaving)

    def in_motion(self, credential: str, api: Api) -> bool:
        """Whether a change is under way for any resource of a key in a generation."""
        return not self._moving.isdisjoint(self._by_place.get(Place(credential, api), ()))

    def recorded(self) -> Collection[str]:
        """The endpoints that any resource has on record."""
        return self._by_endpoint.keys()

    def places(self) -> Collection[Place]:
        """The keys in use, and the generations in which they are."""
        return {*self._by_place, *(Place(identity, Api.V1) for identity in self._leaving)}


@dataclass(frozen=True, slots=True)
class _Taken(Collection[str]):
    """Answers for one endpoint at a time: of ten thousand, a look asks about a few."""

    roster: Roster
    uid: str
    named: str | None

    def __contains__(self, endpoint_id: object) -> bool:
        return isinstance(endpoint_id, str) and (
            endpoint_id == self.named
            or any(entry.uid != self.uid for entry in self.roster.holders(endpoint_id))
        )

    def __iter__(self) -> Iterator[str]:
        return (endpoint_id for endpoint_id in self.roster.recorded() if endpoint_id in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _discard(index: dict[N, set[Key]], name: N, key: Key) -> None:
    keys = index[name]
    keys.discard(key)
    if not keys:
        del index[name]


def better(
    resource: TogetherEndpoint, rivals: Iterable[Entry], trait: Trait | None
) -> Entry | None:
    """The resource that has the better right to an endpoint, if another one has.

    The mark on the endpoint decides; failing that, who is older.

    Args:
        resource: The one that asks.
        rivals: The others that have the endpoint on record.
        trait: What Together told of the endpoint. Without it what each resource remembers has to
            do, which whoever may write its status can have written.
    """

    def right(uid: str, created_at: float, remembered: str) -> tuple[bool, float, str]:
        marker = Marker.parse(remembered) if trait is None else trait.marker
        marked = marker is not None and marker.owner == owner_tag(uid)
        return (not marked, created_at, uid)

    def of(entry: Entry) -> tuple[bool, float, str]:
        return right(entry.uid, entry.created_at, entry.display_name)

    mine = right(resource.uid, resource.creation_timestamp, resource.status.display_name or "")
    best = min(rivals, key=of, default=None)
    return best if best is not None and of(best) < mine else None
