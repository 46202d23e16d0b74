"""Claiming: the record of what an earlier attempt is found to have made, or not to have made."""

from __future__ import annotations

from dataclasses import replace

from together_operator.core.case import Case
from together_operator.core.scan import horizon
from together_operator.core.settling import Settled
from together_operator.core.steps import Decision, Record
from together_operator.resource import names
from together_operator.resource.endpoint_status import Applied, Operation, OperationPhase
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import State
from together_operator.resource.times import format_time

SAID_SO = f"The annotation {names.CLAIM} says that nothing was made"


def claim(case: Case, verdict: Settled) -> Decision:
    """Take what carries our mark: the oldest is ours, the proven rest goes (rule 8).

    Args:
        case: The resource.
        verdict: What settling found, at least one endpoint.
    """
    first, *rest = verdict.found
    operation = case.operation or _lost_operation(case)
    proven = set(_attempts(case))
    if verdict.chosen or not first.nonce:
        # What a person chose is what came of the latest attempt, and bears its mark from now on;
        # so does what is known by its name alone.
        first = replace(first, nonce=operation.nonce)
    extras = {found.nonce: found.id for found in reversed(rest)}
    extras = {n: i for n, i in extras.items() if n in proven and n != first.nonce}
    done = operation.model_copy(
        update={
            "phase": OperationPhase.DONE,
            "nonce": first.nonce,
            "open": tuple(sorted(proven - {first.nonce, *extras})),
            "removing": tuple(extras.values()),
            "refusal": None,
        }
    )
    status = case.record.model_copy(
        update={"operation": done, "endpoint_id": first.id, "api": case.observed.api}
    )
    if case.desired.spec.adopt is not None:
        status = status.model_copy(update={"adopted": True})
    if case.observed.deploys and case.operation is not None:
        # What an attempt makes there runs nothing, and is started only once it is on record.
        status = status.model_copy(update={"applied": Applied(state=State.STOPPED)})
    if case.operation is None:
        # Whether a restart was asked for before the record was lost is not known: do not start.
        wish = case.desired.restart_requested_at
        status = status.model_copy(update={"last_handled_restart_at": wish})
    return case.step(
        Record(status), Reason.CLAIMING, f"Took over {first.id}, which an earlier attempt made"
    )


def _attempts(case: Case) -> tuple[str, ...]:
    """The nonces on record; without a record nothing is proven by a nonce."""
    operation = case.operation
    return () if operation is None else (operation.nonce, *operation.open)


def _lost_operation(case: Case) -> Operation:
    """A record in place of a lost one, which goes on looking as far back as that may have gone."""
    since = horizon(None, case.desired.created_at)
    operation = new_operation(case, case.observed.nonce)
    return operation.model_copy(update={"date": format_time(since)})


def new_operation(case: Case, nonce: str) -> Operation:
    """The record of an attempt that begins now.

    Args:
        case: The resource.
        nonce: The attempt's own four letters.
    """
    poll = case.observed.poll
    return Operation(
        phase=OperationPhase.OPEN,
        uid=case.desired.uid,
        cluster=case.observed.cluster,
        credential=case.credential or "",
        nonce=nonce,
        date=format_time(poll.date if poll is not None else case.desired.created_at),
    )


def nothing_made(case: Case, why: str = SAID_SO) -> Decision:
    """Write down that no attempt is open any more.

    A person's answer stands on record before its annotation is taken off and before anything else
    is done, so that it cannot serve a later question.

    Args:
        case: The resource.
        why: What to tell.
    """
    operation = case.operation or _lost_operation(case)
    update: dict[str, object] = {"open": (), "attempts": 0}
    if case.record.endpoint_id is None:
        refusal = operation.refusal if operation.phase is OperationPhase.REFUSED else None
        update |= {"phase": OperationPhase.REFUSED, "refusal": refusal}
    return case.step(
        Record(case.record.model_copy(update={"operation": operation.model_copy(update=update)})),
        Reason.UPDATING if case.record.endpoint_id else Reason.CREATING,
        why,
    )
