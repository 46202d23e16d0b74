"""What others have to know of a resource: whose endpoint is which, and as what it was last told.

It is made of one reading of the resource, and holds for as long as that is the newest.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from together_operator.controller.account import Place
from together_operator.controller.queue import Key
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.endpoint_status import Role
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.spec import Api
from together_operator.resource.status import Status


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
        beside: Its other endpoint, while it moves from one generation to the other.
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
    beside: Entry | None = None

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
        entry = cls._of(resource, resource.status, credential, api)
        operation, other = resource.status.operation, resource.status.beside
        if other is None or operation is None or operation.uid != resource.uid:
            return entry
        beside = cls._of(resource, other, entry.credential, Api(other.api or Api.V2))
        return replace(entry, beside=replace(beside, wanted=None, open_v1=()))

    @classmethod
    def _of(
        cls, resource: TogetherEndpoint, status: Status, credential: str | None, api: Api | None
    ) -> Entry:
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
        former = (Place(self.place.identity, Api.V1),) if self.open_v1 else ()
        return (self.place, *former, *(self.beside.places if self.beside else ()))

    @property
    def both(self) -> tuple[Entry, ...]:
        """It, and what there is to know of its other endpoint, if it has two."""
        return (self,) if self.beside is None else (self, self.beside)


def _told(status: Status) -> tuple[Told, ...]:
    first = sorted(status.deployments, key=lambda d: d.role != Role.CURRENT)
    return tuple(Told(d.id, d.state, d.ready_replicas, d.weight) for d in first)


def _wanted(resource: TogetherEndpoint) -> str | None:
    adopt = resource.spec.adopt
    if adopt is None or resource.status.adopted or resource.deleting:
        return None
    return adopt.endpoint_id
