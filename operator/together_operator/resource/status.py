"""What is true at Together: the status of a TogetherEndpoint.

The models are the source of the CRD's status schema. Reading never fails: whatever a cluster may
hold (written by a newer version, or by hand) is read as far as it can be, and the rest counts as
absent. Writing never fails either (`facts.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from together_operator.resource.endpoint_status import Migration, MigrationPhase, Remote
from together_operator.resource.facts import Generation, Word

_EVIDENCE = frozenset({"operation", "endpointID", "conditions", "phase"})
_SHARED = tuple(Remote.model_fields)


class Status(Remote):
    """What is true at Together. Written by the operator, and only when it changes."""

    observed_generation: Generation = -1
    """Generation of the resource that the operator last carried out or reported on; -1 before it
    saw the resource."""

    selector: Annotated[str, Field(max_length=253)] | None = None
    """Label selector for the scale subresource. Constant, and matches no pod: the replicas run at
    Together."""

    connection_config_map: Word | None = None
    """ConfigMap for applications that was written, by name."""

    last_handled_reconcile_at: Word | None = None
    """Value of the annotation `together-operator.io/reconcile-requested-at` last acted on."""

    last_handled_restart_at: Word | None = None
    """Value of the annotation `together-operator.io/restart-requested-at` last acted on."""

    migration: Migration | None = None
    """The other endpoint, while the resource moves to API v2: the one that is coming, or the one
    that is going. Absent at any other time. Do not edit it."""

    @property
    def beside(self) -> Status | None:
        """The other endpoint of a migration as if it were the resource's only one."""
        if self.migration is None:
            return None
        other = {field: getattr(self.migration, field) for field in _SHARED}
        other["api"] = "V1" if other["api"] == "V1" else "V2"
        return self.model_copy(update={**other, "migration": None})

    def with_beside(self, other: Status, phase: MigrationPhase) -> Status:
        """The status with another endpoint beside the one that it tells of.

        Args:
            other: What the status would be if that endpoint were the only one.
            phase: Where the migration stands.
        """
        told = {field: getattr(other, field) for field in _SHARED}
        migration = Migration.model_construct(phase=phase.value, **told)
        return self.model_copy(update={"migration": migration})

    def turned(self) -> Status:
        """The status once the other endpoint of a migration has taken the place of its endpoint."""
        other = self.beside
        if other is None:
            return self
        former = self.model_copy(update={"migration": None})
        return other.with_beside(former, MigrationPhase.LEAVING)

    @classmethod
    def parse(cls, raw: object) -> Status:
        """Read the status of a resource as the API server returns it; never fails.

        A top-level field, or a condition, that this version cannot read counts as absent. That is
        safe for each of them: without `operation` the create protocol looks for what it may have
        made before it makes anything, without `applied` a change is sent again.

        Args:
            raw: The value of the resource's `status`, or `None`.
        """
        if not isinstance(raw, Mapping):
            return cls()
        readable = dict(raw)
        while True:
            try:
                return cls.model_validate(readable, by_alias=True, by_name=False)
            except ValidationError as error:
                _drop_unreadable(readable, error)

    def to_dict(self) -> dict[str, Any]:
        """The status as Kubernetes takes it.

        Every text is cut to its bound, and what is out of bounds all the same is left out: the API
        server would refuse the whole. Evidence of what was made is never left out.
        """
        plain = self._plain()
        while True:
            try:
                # What was taken over by copying has not been cut yet.
                bounded = type(self).model_validate(plain, by_alias=True, by_name=False)
            except ValidationError as error:
                if any(_is_evidence(problem["loc"]) for problem in error.errors()):
                    return plain
                _drop_unreadable(plain, error)
            else:
                return bounded._plain()

    def _plain(self) -> dict[str, Any]:
        plain = self.model_dump(by_alias=True, exclude_none=True, mode="json")
        for remote in filter(None, (plain, plain.get("migration"))):
            if not remote["deployments"]:
                # API v1 has none, and a list that is always empty only raises questions.
                del remote["deployments"]
        return plain


def _is_evidence(loc: tuple[int | str, ...]) -> bool:
    inner = loc[1:] if loc[0] == "migration" else loc
    return not inner or inner[0] in _EVIDENCE


def _drop_unreadable(readable: dict[str, Any], error: ValidationError) -> None:
    """Remove from a status what the validation complained about: a condition or a whole field."""
    own: list[tuple[int | str, ...]] = []
    beside: list[tuple[int | str, ...]] = []
    for problem in error.errors(include_url=False):
        head, *inner = problem["loc"]
        part = readable.get("migration") if head == "migration" else None
        # What is required and not there cannot be left out; then there is no migration to tell of.
        if inner and isinstance(part, Mapping) and inner[0] in part and inner[0] != "phase":
            beside.append(tuple(inner))
        else:
            own.append(problem["loc"])
    if beside:
        readable["migration"] = dict(readable["migration"])
        _drop(readable["migration"], beside)
    _drop(readable, own)


def _drop(readable: dict[str, Any], locations: list[tuple[int | str, ...]]) -> None:
    bad_conditions: set[int] = set()
    for field, *rest in locations:
        if field == "conditions" and rest and isinstance(rest[0], int):
            bad_conditions.add(rest[0])
        else:
            readable.pop(str(field), None)
    if bad_conditions and "conditions" in readable:
        readable["conditions"] = [
            condition
            for index, condition in enumerate(readable["conditions"])
            if index not in bad_conditions
        ]
