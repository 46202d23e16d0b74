"""Which resources there are, as far as one has to know of another.

Everything about a single resource is read fresh when it is worked on. What remains is what spans
them: whose endpoint an id is, which resources a poll concerns, and which are in motion.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from together_operator.controller.account import Place
from together_operator.controller.queue import Key
from together_operator.core.marker import Marker, owner_tag
from together_operator.core.scan import Trait
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.spec import Api
from together_operator.resource.status import Role, Status

N = TypeVar("N", bound=Hashable)

_DEPARTED_KEPT = 4096
"""Of how many resources it is remembered that they are gone."""


class Told(NamedTuple):
    """What is reported of a deployment, as far as a LIST shows it.

    Attributes:
        id: Together's id.
        state: Together's word for it.
        ready: Replicas that serve.
        weight: Its part of the traffic.
    """

    id: str
    state: str | None
    ready: int | None
    weight: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """What others have to know of a resource.

    Attributes:
        key: Its namespace and name.
        uid: Its identity.
        resource_version: Of the reading that this was made of.
        created_at: creationTimestamp in unix seconds.
        endpoint_id: The endpoint that it has on record.
        display_name: The name under which it last saw that endpoint.
        state: Together's word for it, as last reported.
        credential: The identity of the key in use.
        api: The generation that carries its endpoint, or would.
        moving: Whether its endpoint is changing, so that it is worth looking at it often.
        synced: Whether it is reported that Together answers.
        missing: Whether it is reported that its endpoint no longer exists.
        markers_lost: Whether its endpoint came back without its mark.
        deleting: Whether it is being deleted.
        removing: Surplus endpoints that it has yet to delete.
        wanted: The endpoint that it asks to take over, and has not.
        deployments: What it has behind that endpoint in the second generation, as last reported;
            the one that is to serve comes first.
        open_v1: Nonces of attempts in the first generation that may yet take effect, though its
            endpoint is in the second.
    """

    key: Key
    uid: str
    resource_version: str
    created_at: float
    endpoint_id: str | None
    display_name: str
    state: str | None
    credential: str | None
    api: Api
    moving: bool
    synced: bool
    missing: bool
    markers_lost: bool
    deleting: bool
    removing: tuple[str, ...] = ()
    wanted: str | None = None
    deployments: tuple[Told, ...] = ()
    open_v1: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, resource: TogetherEndpoint, credential: str | None, api: Api | None = None
    ) -> Entry:
        """Take from a resource what others have to know.

        Args:
            resource: The resource as it is now.
            credential: The identity of the key in use, if it is known.
            api: The generation that carries its endpoint, or would; `None` for what is on record.
        """
        status = resource.status
        operation = status.operation
        ours = operation is not None and operation.uid == resource.uid
        conditions = {c.type: c for c in status.conditions}
        reconciling = conditions.get(ConditionType.RECONCILING)
        synced = conditions.get(ConditionType.SYNCED)
        ready = conditions.get(ConditionType.READY)
        if credential is None and operation is not None:
            credential = operation.credential
        recorded = Api.V2 if ours and status.api == Api.V2 else Api.V1
        return cls(
            key=Key(resource.namespace, resource.name),
            uid=resource.uid,
            resource_version=resource.resource_version,
            created_at=resource.creation_timestamp,
            endpoint_id=status.endpoint_id if ours else None,
            display_name=status.display_name or "",
            state=status.state,
            credential=credential,
            api=api or recorded,
            moving=ours
            and status.endpoint_id is not None
            and (reconciling is None or reconciling.status == "True"),
            synced=synced is None or synced.status != "False",
            missing=ready is not None and ready.reason == Reason.REMOTE_MISSING,
            markers_lost=bool(operation and operation.markers_lost),
            deleting=resource.deleting,
            removing=operation.removing if operation is not None and ours else (),
            wanted=_wanted(resource) if not ours or status.endpoint_id is None else None,
            deployments=_told(status) if ours else (),
            open_v1=operation.open if operation is not None and recorded is Api.V2 else (),
        )

    @property
    def place(self) -> Place | None:
        """Where its endpoint is looked for, if there is a key."""
        return None if self.credential is None else Place(self.credential, self.api)

    @property
    def places(self) -> tuple[Place, ...]:
        """Everywhere at Together where it has something, or may."""
        if self.place is None:
            return ()
        return (self.place, Place(self.place.identity, Api.V1)) if self.open_v1 else (self.place,)


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
        if entry.markers_lost:
            self._unmarked.add(entry.key)
        if entry.moving:
            self._moving.add(entry.key)
        if entry.place is not None:
            self._by_place.setdefault(entry.place, set()).add(entry.key)
            if entry.open_v1:
                self._leaving.setdefault(entry.place.identity, set()).add(entry.key)
        if entry.endpoint_id is not None:
            self._by_endpoint.setdefault(entry.endpoint_id, set()).add(entry.key)
            self._reserved.pop(entry.endpoint_id, None)
        if entry.wanted is not None:
            self._by_wish.setdefault(entry.wanted, set()).add(entry.key)
        if entry.removing:
            self._removing.add(entry.key)

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
        if entry.place is not None:
            _discard(self._by_place, entry.place, key)
            if entry.open_v1:
                _discard(self._leaving, entry.place.identity, key)
        tag = owner_tag(entry.uid)
        if self._by_owner.get(tag) == key:
            del self._by_owner[tag]
        if entry.endpoint_id is not None:
            _discard(self._by_endpoint, entry.endpoint_id, key)
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
        return [self._by_key[key] for key in self._by_endpoint.get(endpoint_id, ())]

    def others(self, endpoint_id: str, uid: str) -> list[Entry]:
        """The other resources that have an endpoint on record, or have yet to delete it.

        Args:
            endpoint_id: The endpoint.
            uid: The resource that asks.
        """
        others = [entry for entry in self.holders(endpoint_id) if entry.uid != uid]
        removing = (self._by_key[key] for key in self._removing)
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
        unmarked = (self._by_key[key] for key in self._unmarked)
        return any(entry.api is api and entry.credential in credentials for entry in unmarked)

    def of(self, credential: str, api: Api) -> list[Entry]:
        """The resources whose endpoints a key shows in a generation."""
        return [self._by_key[key] for key in self._by_place.get(Place(credential, api), ())]

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


def _told(status: Status) -> tuple[Told, ...]:
    first = sorted(status.deployments, key=lambda d: d.role != Role.CURRENT)
    return tuple(Told(d.id, d.state, d.ready_replicas, d.weight) for d in first)


def _wanted(resource: TogetherEndpoint) -> str | None:
    adopt = resource.spec.adopt
    if adopt is None or resource.status.adopted or resource.deleting:
        return None
    return adopt.endpoint_id


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
