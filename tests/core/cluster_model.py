"""Kubernetes as far as a decision can notice it: resources, preconditions, and the key copies.

A write carries the resourceVersion that it was decided on and is refused when that has passed, as
the API server does. Statuses go through the very text that the API server would keep.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from together_operator.core.desired import Desired
from together_operator.core.memory import Definition
from together_operator.resource import names
from together_operator.resource.spec import Spec
from together_operator.resource.status import Status

from .cloning import copy
from .together_model import EPOCH

DISCOVERY_LAG = 4.0
"""Seconds until discovery shows that the CRD is being removed, counted from a whole second."""


class Conflict(Exception):  # noqa: N818 (it tells what happened)
    """The resource has changed since it was read."""


class NotFound(Exception):  # noqa: N818 (it tells what happened)
    """The resource is gone."""


@dataclass(frozen=True, slots=True)
class Body:
    """One reading of a resource."""

    name: str
    uid: str
    spec: Spec
    version: int
    generation: int = 1
    created: float = EPOCH
    deleting: bool = False
    finalizers: frozenset[str] = frozenset()
    annotations: Mapping[str, str] = field(default_factory=dict)
    raw_status: Mapping[str, Any] = field(default_factory=dict)
    status: Status = field(default_factory=Status)
    deleted: float | None = None

    @property
    def held(self) -> bool:
        """Whether our finalizer is on it."""
        return names.FINALIZER in self.finalizers

    @property
    def holding(self) -> tuple[str, ...]:
        """The endpoints that it has on record as its own."""
        operation = self.status.operation
        if operation is None or operation.uid != self.uid:
            return ()
        known = self.status.endpoint_id
        return (*operation.removing, *(() if known is None else (known,)))

    @property
    def wanted(self) -> str | None:
        """The endpoint that it asks to take over, and has not."""
        adopt = self.spec.adopt
        if adopt is None or self.deleting or self.status.adopted or self.holding:
            return None
        return adopt.endpoint_id

    def desired(self) -> Desired:
        """What it says, status apart."""
        notes = self.annotations
        release = notes.get(names.RELEASE, "")
        return Desired(
            namespace="ml",
            name=self.name,
            uid=self.uid,
            generation=self.generation,
            resource_version=str(self.version),
            created_at=self.created,
            deleting=self.deleting,
            held=self.held,
            owner_uid=notes.get(names.OWNER_UID),
            spec=self.spec,
            claim=notes.get(names.CLAIM),
            restored_copy=notes.get(names.RESTORED_COPY),
            release=frozenset(filter(None, (part.strip() for part in release.split(",")))),
            reconcile_requested_at=notes.get(names.RECONCILE_REQUESTED_AT),
            restart_requested_at=notes.get(names.RESTART_REQUESTED_AT),
            deleted_at=self.deleted,
        )


@dataclass(slots=True)
class Cluster:
    """All resources, the person's Secret, and the copies of its key.

    Attributes:
        bodies: The resources by uid.
        key: What the person's Secret holds now.
        copies: The key copies by uid.
        tombstones: Nonces that are watched for beyond their resource, on the key copy, by uid.
        writes: How often the operator wrote.
        defined: When the CRD was made, in unix seconds.
        undefined: When its removal began, in whole unix seconds, if it has.
        blind: Whether the operator may not read the CRD, and discovery tells of a removal late.
    """

    bodies: dict[str, Body] = field(default_factory=dict)
    key: str | None = "K1"
    copies: dict[str, str] = field(default_factory=dict)
    tombstones: dict[str, tuple[str, ...]] = field(default_factory=dict)
    writes: int = 0
    version: int = 1
    defined: float = EPOCH
    undefined: float | None = None
    blind: bool = False

    def add(self, name: str, uid: str, spec: Spec, now: float = 0.0, **carried: Any) -> Body:
        """A resource is made, or restored with what a backup carried."""
        self.version += 1
        body = Body(name, uid, spec, self.version, created=EPOCH + now, **carried)
        self.bodies[uid] = body
        return body

    def get(self, uid: str) -> Body | None:
        """Read a resource."""
        return self.bodies.get(uid)

    # -- people ----------------------------------------------------------------------------------

    def edit(self, uid: str, **spec: Any) -> None:
        """A person changes the spec."""
        body = self.bodies[uid]
        changed = body.spec.model_copy(update=spec)
        if changed != body.spec:
            self._put(replace(body, spec=changed, generation=body.generation + 1))

    def annotate(self, uid: str, **notes: str | None) -> None:
        """A person sets annotations, or takes them off."""
        body = self.bodies[uid]
        self._put(replace(body, annotations=_merged(body.annotations, notes)))

    def touch(self, uid: str) -> None:
        """Somebody changes something that means nothing."""
        if uid in self.bodies:
            self._put(self.bodies[uid])

    def wipe_status(self, uid: str) -> None:
        """Somebody, or a restored etcd, loses the status."""
        self._put(replace(self.bodies[uid], status=Status(), raw_status={}))

    def strip(self, uid: str, *, finalizer: bool) -> None:
        """Somebody's tool takes our finalizer or our annotation off a living resource."""
        body = self.bodies[uid]
        if finalizer:
            self._put(replace(body, finalizers=body.finalizers - {names.FINALIZER}))
        else:
            self.annotate(uid, **{names.OWNER_UID: None})

    def delete(self, uid: str, now: float = 0.0) -> None:
        """A person deletes the resource."""
        body = self.bodies[uid]
        if not body.finalizers:
            del self.bodies[uid]
        elif not body.deleting:
            deleted = EPOCH + int(now)
            self._put(replace(body, deleting=True, deleted=deleted, generation=body.generation + 1))

    def undefine(self, now: float) -> None:
        """A person deletes the CRD, and the API server every resource along with it."""
        self.undefined = EPOCH + int(now)
        for uid in list(self.bodies):
            self.delete(uid, now)

    def definition(self, now: float) -> Definition:
        """What the operator sees of the CRD."""
        if self.blind:
            shows = self.undefined is not None and EPOCH + now >= self.undefined + DISCOVERY_LAG
            return Definition(now, float("-inf") if shows else None, sure=False)
        return Definition(now, self.undefined, self.defined)

    # -- the operator ----------------------------------------------------------------------------

    def write(self, read: Body, change: Callable[[Body], Body]) -> Body:
        """Change a resource as it was read.

        Raises:
            Conflict: It has changed since.
            NotFound: It is gone.
        """
        body = self.bodies.get(read.uid)
        if body is None:
            raise NotFound(read.uid)
        if body.version != read.version:
            raise Conflict(read.uid)
        self.writes += 1
        after = self._put(change(body))
        if after.deleting and not after.finalizers:
            del self.bodies[read.uid]
        return after

    def write_status(self, read: Body, status: Status) -> Body:
        """Replace the status, through the text that the API server keeps."""
        raw = status.to_dict()
        return self.write(
            read, lambda body: replace(body, raw_status=raw, status=Status.parse(raw))
        )

    def write_notes(
        self, read: Body, notes: Mapping[str, str | None], *, hold: bool | None = None
    ) -> Body:
        """Change annotations, and put our finalizer on (`True`) or take it off (`False`)."""
        ours = frozenset({names.FINALIZER})

        def change(body: Body) -> Body:
            finalizers = body.finalizers
            if hold is not None:
                finalizers = finalizers | ours if hold else finalizers - ours
            return replace(
                body, annotations=_merged(body.annotations, notes), finalizers=finalizers
            )

        return self.write(read, change)

    def _put(self, body: Body) -> Body:
        self.version += 1
        body = replace(body, version=self.version)
        self.bodies[body.uid] = body
        return body

    # -- for a search ----------------------------------------------------------------------------

    def clone(self) -> Cluster:
        """The same cluster, to go on with differently."""
        new = copy(self)
        new.bodies, new.copies = dict(self.bodies), dict(self.copies)
        new.tombstones = dict(self.tombstones)
        return new


def _merged(old: Mapping[str, str], notes: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in {**old, **notes}.items() if value is not None}
