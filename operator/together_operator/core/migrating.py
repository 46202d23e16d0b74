"""Migration: from an endpoint of API v1 to one of v2, with both of them there in between.

The endpoint that is to come is carried by the same decisions as any other, as if it were a
resource of its own beside the first. All that is decided here is when there are two, which of them
is the resource's own, and when there is one again. Until a person confirms it the first one is
kept as it is, so that to call it off at any moment costs nobody anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from together_operator.core.case import Case
from together_operator.core.claiming import new_operation
from together_operator.core.parting import hourly
from together_operator.core.steps import (
    Beside,
    Decision,
    Dismiss,
    Finish,
    KeepKey,
    Record,
    Single,
    Situation,
    Wait,
    sooner,
    waits,
)
from together_operator.core.table import ROWS, row
from together_operator.resource.endpoint_status import MigrationPhase, OperationPhase
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import Api, OnMissing
from together_operator.resource.status import Status

Alone = Callable[[Case], Decision]
"""Decides about one endpoint as if there were no other."""


def begin(case: Case) -> Decision | None:
    """Begin to move an endpoint of v1 to v2, if the resource asks for that.

    The record of an attempt that never was stands for one that has not begun, as the evidence that
    nothing has been lost.

    Args:
        case: The resource, living, with one endpoint.
    """
    desired = case.desired
    wished = desired.spec.api is Api.V2 and case.observed.api is Api.V1
    if not wished or case.record.endpoint_id is None or case.record.migration is not None:
        return None
    if desired.spec.suspend or case.observed.rival is not None:
        return None
    none_yet = new_operation(case, case.observed.nonce).model_copy(
        update={"phase": OperationPhase.REFUSED}
    )
    coming = Status(api=Api.V2.value, operation=none_yet)
    return case.step(
        Record(case.record.with_beside(coming, MigrationPhase.BUILDING)),
        Reason.MIGRATING,
        f"Making an endpoint of API v2 beside {case.record.endpoint_id}, which goes on serving",
    )


def migrate(case: Case, beside: Case, alone: Alone) -> Decision:
    """One step while there are two endpoints.

    Args:
        case: The resource, as far as its own endpoint goes.
        beside: The other endpoint.
        alone: Decides about one of them.
    """
    building = not beside.desired.leaving and not case.desired.deleting
    if building and case.desired.spec.api is not Api.V2:
        return _call_off(case, beside)
    mine, other = alone(_own(case, beside)), alone(_unasked(case, beside))
    if isinstance(mine.step, KeepKey) and _needs_key(case, beside):
        mine = replace(mine, step=Wait())
    told = _told(case, beside, mine, other)
    if not waits(mine) and not isinstance(mine.step, Finish):
        return replace(mine, situation=told, beside=other)
    if not waits(other) and not isinstance(other.step, Finish):
        assert not isinstance(other.step, Beside)  # noqa: S101
        return Decision(Beside(other.step), told, other)
    if case.desired.deleting:
        return Decision(_ending(mine, other), told, other)
    if isinstance(other.step, Finish):
        return _dismiss(case, beside, other, other.step)
    if building and _ready(other) and (_confirmed(case) or _left(case)):
        return _turn(case, beside)
    return Decision(sooner(mine.step, other.step), told, other)


# -- each of the two -----------------------------------------------------------------------------


def _own(case: Case, beside: Case) -> Case:
    """The first endpoint; while the other one comes, none is ordered in its place."""
    spec = case.desired.spec
    if not beside.desired.leaving:
        spec = spec.model_copy(update={"on_missing": OnMissing.REPORT})
    claim = None if _asks(beside) else case.desired.claim
    return replace(case, desired=replace(case.desired, spec=spec, claim=claim))


def _unasked(case: Case, beside: Case) -> Case:
    """The other endpoint, to which an answer goes only if it has a question."""
    if _asks(beside) or case.desired.claim is None:
        return beside
    return replace(beside, desired=replace(beside.desired, claim=None))


def _asks(beside: Case) -> bool:
    return beside.unresolved is not None or bool(beside.open)


def _needs_key(case: Case, beside: Case) -> bool:
    """Whether the former key has still to show what came of an order of the other endpoint."""
    held = case.observed.keys.held
    return held is not None and _asks(beside) and beside.memory.trouble_of(held) is None


# -- from one to two, and back -------------------------------------------------------------------


def _confirmed(case: Case) -> bool:
    migration = case.desired.spec.migration
    return migration is not None and migration.confirm


def _left(case: Case) -> bool:
    """Whether the first endpoint is gone, so that nobody has to be asked about it."""
    endpoint_id = case.record.endpoint_id
    return endpoint_id is not None and case.gone(endpoint_id)


def _ready(other: Decision) -> bool:
    return bool(ROWS[other.situation.reason].ready)


def _call_off(case: Case, beside: Case) -> Decision:
    status = case.record.with_beside(beside.record, MigrationPhase.LEAVING)
    return case.step(
        Record(status),
        Reason.MIGRATING,
        f"The move to API v2 is called off, and {case.record.endpoint_id} goes on serving; what was"
        " made on API v2 is removed",
    )


def _turn(case: Case, beside: Case) -> Decision:
    """From now on the other one is the resource's own."""
    former, now = case.record.endpoint_id, beside.record.endpoint_id
    return case.step(
        Record(case.record.turned(), turned=True),
        Reason.MIGRATING,
        f"{now} of API v2 has taken the place of {former}",
    )


def _dismiss(case: Case, beside: Case, other: Decision, step: Finish) -> Decision:
    """Nothing is left to do for the other one; what may yet come of it is watched for."""
    operation = case.operation
    if operation is not None and beside.observed.api is Api.V1:
        late = (nonce for nonce in step.nonces if nonce not in operation.open)
        operation = operation.model_copy(update={"open": (*operation.open, *late)})
    status = case.record.model_copy(update={"migration": None, "operation": operation})
    gone = beside.record.endpoint_id or "What was made on API v2"
    message = other.situation.message if step.left is not None else f"{gone} is gone"
    told = Situation(Reason.MIGRATING, message)
    return Decision(Dismiss(status, step.left, step.released), told)


def _ending(mine: Decision, other: Decision) -> Single:
    """The resource goes once nothing is left to do for either."""
    if isinstance(mine.step, Finish) and isinstance(other.step, Finish):
        return Finish(
            (*mine.step.nonces, *other.step.nonces),
            mine.step.credential or other.step.credential,
            mine.step.left or other.step.left,
            tuple(sorted({*mine.step.released, *other.step.released})),
        )
    return sooner(mine.step, other.step)


# -- what a person is told -----------------------------------------------------------------------


def _told(case: Case, beside: Case, mine: Decision, other: Decision) -> Situation:
    own, theirs = mine.situation, other.situation
    if own.keep and (theirs.keep or theirs.reason is beside.present_reason):
        return own
    if case.desired.deleting:
        told = _of_deletion(case, beside, mine, other)
    elif not _undisturbed(case, beside, own):
        told = replace(own, message=f"{own.message}. Meanwhile: {theirs.message}", keep=False)
    elif beside.desired.leaving:
        told = _of_leaving(case, beside, theirs)
    else:
        told = _of_building(case, beside, theirs)
    return replace(told, cause=own.cause or theirs.cause, pending=own.pending or theirs.pending)


def _undisturbed(case: Case, beside: Case, own: Situation) -> bool:
    """Whether the first endpoint needs nobody's attention, so that the move is what is told."""
    if own.keep or ROWS[own.reason].ready or own.reason is Reason.REPLACING:
        return True
    # That v1 is closed, or has lost the endpoint, is a reason to move and no hindrance.
    return not beside.desired.leaving and (own.reason is Reason.V1_CLOSED or _left(case))


def _of_deletion(case: Case, beside: Case, mine: Decision, other: Decision) -> Situation:
    own, theirs = mine.situation, other.situation
    if isinstance(mine.step, Finish) and isinstance(other.step, Finish):
        told = [d.situation.message for d in (mine, other) if _leaves(d)]
        return replace(own, message=". ".join(told) or own.message)
    behind = row(beside, theirs).stalled and not row(case, own).stalled
    return theirs if behind or isinstance(mine.step, Finish) else own


def _leaves(decision: Decision) -> bool:
    return isinstance(decision.step, Finish) and decision.step.left is not None


def _of_leaving(case: Case, beside: Case, theirs: Situation) -> Situation:
    way = "The move to API v2 is confirmed"
    if beside.observed.api is Api.V2:
        way = f"The move to API v2 is called off, and {case.record.endpoint_id} serves as before"
    stalled = row(beside, theirs).stalled or theirs.reason is Reason.DELETION_SUSPENDED
    reason = theirs.reason if stalled else Reason.MIGRATING
    return Situation(reason, f"{way}. {theirs.message}")


def _of_building(case: Case, beside: Case, theirs: Situation) -> Situation:
    first = case.record.endpoint_id
    stays = f"{first} {'is gone' if _left(case) else 'goes on serving'}"
    if ROWS[theirs.reason].ready:
        return Situation(
            Reason.MIGRATION_UNCONFIRMED,
            f"{_bills(case, beside)}. When nothing asks for the former name any more, set"
            f" spec.migration.confirm to true, and {first} is removed as spec.deletionPolicy says."
            f" To stay with it, set spec.api to {Api.V1.value}",
        )
    if row(beside, theirs).stalled:
        return replace(
            theirs,
            message=f"Moving to API v2: {theirs.message.rstrip('. ')}. {stays}; to call the move"
            f" off, set spec.api to {Api.V1.value}",
        )
    if theirs.reason is Reason.SUSPENDED:
        return theirs
    return Situation(Reason.MIGRATING, f"Moving to API v2, {stays}: {theirs.message}")


def _bills(case: Case, beside: Case) -> str:
    """Both names, and what each costs."""
    parts = [
        f"'{one.endpoint.name}' is {one.endpoint.id} of API {one.observed.api.value.lower()}"
        f" ({hourly(one)})"
        for one in (beside, case)
        if one.endpoint is not None
    ]
    return f"Both endpoints are there and billed while they run: {', '.join(parts)}"
