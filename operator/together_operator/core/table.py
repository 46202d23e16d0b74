"""The table of situations: what each word means to kubectl, Helm, Flux and Argo CD.

`Ready` says that this generation is carried out and that neither the operator nor a person has
anything left to do; `Stalled` says that a person must act; what is neither is being worked on.
"""

from __future__ import annotations

from dataclasses import dataclass

from together_operator.core.case import Case
from together_operator.core.steps import Situation
from together_operator.resource.reasons import Reason

_KEEP = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table; `None` keeps what a condition says.

    Attributes:
        ready: Ready.
        reconciling: Reconciling.
        stalled: Stalled.
    """

    ready: bool | None
    reconciling: bool
    stalled: bool


_AT_WORK = Row(ready=False, reconciling=True, stalled=False)
_AT_REST = Row(ready=True, reconciling=False, stalled=False)
_A_PERSON = Row(ready=False, reconciling=False, stalled=True)
_ON_HOLD = Row(ready=False, reconciling=False, stalled=False)
_AS_BEFORE = Row(ready=_KEEP, reconciling=False, stalled=False)

ROWS: dict[Reason, Row] = {
    Reason.CREATING: _AT_WORK,
    Reason.CLAIMING: _AT_WORK,
    Reason.ADOPTING: _AT_WORK,
    Reason.SCALING: _AT_WORK,
    Reason.STARTING: _AT_WORK,
    Reason.STOPPING: _AT_WORK,
    Reason.RENAMING: _AT_WORK,
    Reason.REPLACING: _AT_WORK,
    Reason.MIGRATING: _AT_WORK,
    Reason.UPDATING: _AT_WORK,
    Reason.PROBING: _AT_WORK,
    Reason.WAITING_FOR_CAPACITY: _AT_WORK,
    Reason.RATE_LIMITED: _AT_WORK,
    Reason.UNREACHABLE: _AT_WORK,
    Reason.SECRET_MISSING: _AT_WORK,
    Reason.UNAUTHORIZED: _AT_WORK,
    Reason.FORBIDDEN: _AT_WORK,
    Reason.PAYMENT_REQUIRED: _AT_WORK,
    Reason.SERVING: _AT_REST,
    Reason.MIGRATION_UNCONFIRMED: _AT_REST,
    Reason.STOPPED: _AT_REST,
    Reason.IDLE_STOPPED: _AT_REST,
    Reason.STOPPED_REMOTELY: _A_PERSON,
    Reason.V1_CLOSED: _A_PERSON,
    Reason.INVALID_MODEL: _A_PERSON,
    Reason.INVALID_HARDWARE: _A_PERSON,
    Reason.INVALID_ZONE: _A_PERSON,
    Reason.CONFIG_REQUIRED: _A_PERSON,
    Reason.INVALID_REQUEST: _A_PERSON,
    Reason.NOT_ALLOWED: _A_PERSON,
    Reason.UNSUPPORTED: _A_PERSON,
    Reason.NAME_TAKEN: _A_PERSON,
    Reason.ENDPOINT_CONFLICT: _A_PERSON,
    Reason.CREDENTIAL_MISMATCH: _A_PERSON,
    Reason.RESTORED_COPY: _A_PERSON,
    Reason.ADOPTION_REFUSED: _A_PERSON,
    Reason.REMOTE_MISSING: _A_PERSON,
    Reason.ATTEMPTS_EXHAUSTED: _A_PERSON,
    Reason.INCONCLUSIVE_SCAN: _A_PERSON,
    Reason.MARKERS_LOST: _A_PERSON,
    Reason.ENDPOINT_FAILED: _A_PERSON,
    Reason.REPLACEMENT_FAILED: _A_PERSON,
    Reason.CONNECTION_CONFLICT: _A_PERSON,
    Reason.SUSPENDED: _ON_HOLD,
    Reason.DELETING: _AT_WORK,
    Reason.DELETION_BLOCKED: _A_PERSON,
    Reason.DELETION_SUSPENDED: _ON_HOLD,
}

GRACED = frozenset(
    {Reason.SECRET_MISSING, Reason.UNAUTHORIZED, Reason.FORBIDDEN, Reason.PAYMENT_REQUIRED}
)
"""Situations in which somebody may be at work already; they stall only after the grace time."""

_QUIET = frozenset({Reason.UNREACHABLE, Reason.RATE_LIMITED, Reason.SUSPENDED})
"""Situations that change nothing for a resource with no wish pending."""


def row(case: Case, situation: Situation) -> Row:
    """The row of the table that a situation is in."""
    if situation.reason in GRACED and case.observed.unsynced >= case.timing.grace:
        return _A_PERSON
    if situation.reason in _QUIET and not situation.pending:
        return _AS_BEFORE
    return ROWS[situation.reason]
