"""What the status says: the conditions, and the mirror of what is true at Together.

`Available` says that a request sent now is answered, under the name that applications are told to
use; the other conditions follow from the one word for the situation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from together_operator.core.case import Case
from together_operator.core.copies import former_owner
from together_operator.core.deploying import as_known
from together_operator.core.observed import Link
from together_operator.core.steps import (
    Decision,
    Dismiss,
    Record,
    Situation,
    Step,
    Wait,
)
from together_operator.core.table import ROWS, row
from together_operator.resource import names
from together_operator.resource.endpoint_status import (
    Condition,
    Inference,
    MigrationPhase,
    OperationPhase,
    Price,
    StatusAutoscaling,
)
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.remote import Endpoint, Phase
from together_operator.resource.status import Status
from together_operator.resource.times import format_time

_KEEP = None

_MAY_ANSWER = frozenset({Phase.STARTED, Phase.UNKNOWN})

_BROKEN = frozenset({Reason.ENDPOINT_FAILED, Reason.STOPPED_REMOTELY, Reason.REMOTE_MISSING})


@dataclass(frozen=True, slots=True)
class Terms:
    """What an account tells of an endpoint that the endpoint does not tell itself.

    Attributes:
        price: US dollars per replica and hour, if known.
        inference_url: Base URL under which the endpoint answers; empty if that is not known.
    """

    price: Decimal | None = None
    inference_url: str = ""


def report(
    case: Case, decision: Decision, *, wall: float, terms: Terms, beside: Terms | None = None
) -> Status:
    """The status as it should read now.

    Args:
        case: The resource.
        decision: What was decided about it.
        wall: Unix seconds by this machine's clock, for the time of a condition's change.
        terms: What the account of its endpoint tells.
        beside: What that of the other endpoint of a migration tells.
    """
    step, beside = decision.step, beside or Terms()
    if isinstance(step, Record) and step.turned:
        case = case.turned(step.status)
        terms, beside = beside, terms
    elif isinstance(step, Record | Dismiss):
        case = replace(case, status=step.status)
    elif former_owner(case) is None:
        # What a copy carries is the question that a person is asked; it stands until the answer.
        case = replace(case, status=case.record)
    other = _of_beside(case, decision, wall, beside)
    status = case.status
    update: dict[str, object] = {
        "observed_generation": case.desired.generation,
        "selector": names.SELECTOR,
        "conditions": _conditions(case, decision, wall, other),
    }
    endpoint = case.endpoint
    if endpoint is not None:
        update |= _mirror(case, endpoint, terms.inference_url)
    if case.record.endpoint_id is not None:
        update["applied"] = case.applied
    else:
        update["replicas"] = 0
    if terms.price is not None and case.record.endpoint_id is not None:
        update["price"] = Price(per_replica_hour=f"{terms.price:.2f}")
    connection = case.desired.spec.connection
    if case.observed.link is Link.CURRENT and connection is not None:
        update["connection_config_map"] = connection.config_map_name
    elif case.observed.link is Link.UNWANTED:
        update["connection_config_map"] = None
    update |= _requests(case, step)
    if other is not None:
        update["migration"] = status.with_beside(other.status, other.phase).migration
        if other.used:
            update["inference"] = other.status.inference
    elif case.published:
        update["inference"] = case.record.inference
    return status.model_copy(update=update)


@dataclass(frozen=True, slots=True)
class _Other:
    """What is told of the other endpoint of a migration.

    Attributes:
        status: What the status would be if it were the only one.
        phase: Where the migration stands.
        used: Whether applications are told to use it.
    """

    status: Status
    phase: MigrationPhase
    used: bool


def _of_beside(case: Case, decision: Decision, wall: float, terms: Terms) -> _Other | None:
    beside, other, migration = case.beside, decision.beside, case.record.migration
    if beside is None or other is None or migration is None:
        return None
    told = report(beside, other, wall=wall, terms=terms)
    endpoint, phase = beside.endpoint, MigrationPhase(migration.phase)
    lasting = case.published and endpoint is not None and endpoint.phase in _MAY_ANSWER
    # What becomes of it when the resource goes depends on whether it has come into use.
    lasting = case.published if case.desired.deleting else lasting
    used = phase is MigrationPhase.BUILDING and told.inference is not None
    return _Other(told, phase, used and (lasting or bool(ROWS[other.situation.reason].ready)))


def _mirror(case: Case, endpoint: Endpoint, inference_url: str) -> dict[str, object]:
    """Together's words as they are, unchecked: the status leaves out what it cannot hold."""
    known = case.status
    running = endpoint.phase is Phase.STARTED and not case.gone(endpoint.id)
    replicas = endpoint.bounds.min if running else 0
    if endpoint.phase is Phase.UNKNOWN and endpoint.state == known.state:
        replicas = known.replicas or 0
    return {
        "name": endpoint.name,
        "display_name": endpoint.display_name,
        "hardware": endpoint.hardware or known.hardware,
        "owner": endpoint.owner or known.owner,
        "created_at": format_time(endpoint.created_at) if endpoint.created_at else known.created_at,
        "state": endpoint.state,
        "autoscaling": StatusAutoscaling.model_construct(
            min_replicas=endpoint.bounds.min, max_replicas=endpoint.bounds.max
        ),
        "replicas": replicas,
        "ready_replicas": endpoint.ready_replicas,
        "inference": _inference(case, endpoint, inference_url),
        "deployments": tuple(as_known(entry, endpoint) for entry in case.record.deployments),
    }


def _inference(case: Case, endpoint: Endpoint, url: str) -> Inference | None:
    """How to call it; without a key at hand the URL is not known, and what is known stays."""
    if not url:
        return case.status.inference
    return Inference.model_construct(base_url=url, model=endpoint.name)


def _requests(case: Case, step: Step) -> dict[str, object]:
    """Which wishes of a person count as handled with this write."""
    handled: dict[str, object] = {}
    wish = case.desired.reconcile_requested_at
    operation = case.operation
    if case.record.endpoint_id is not None:
        refusal = operation.refusal if operation is not None else None
        stands = refusal is not None and refusal.generation == case.desired.generation
        # To have a deployment made that was refused, or failed, is the wish as well.
        looked = case.memory.refreshed_for == wish and not stands
    else:
        # To try a refused order again is the wish, however long something else is in the way.
        refused = operation is not None and operation.phase is OperationPhase.REFUSED
        looked = not (refused and isinstance(step, Wait))
    if wish is not None and looked:
        handled["last_handled_reconcile_at"] = wish
    restart = case.desired.restart_requested_at
    endpoint = case.endpoint
    if restart is not None and endpoint is not None:
        # What is just stopping is still to be started, and what is suspended may be later.
        running = endpoint.phase in (Phase.PENDING, Phase.STARTING, Phase.STARTED)
        if running or not case.desired.started or case.memory.restarted_for == restart:
            handled["last_handled_restart_at"] = restart
    return handled


def _conditions(
    case: Case, decision: Decision, wall: float, other: _Other | None
) -> tuple[Condition, ...]:
    now, situation = format_time(wall), decision.situation
    if situation.keep and len(case.status.conditions) == len(ConditionType):
        return tuple(
            c.model_copy(update={"observed_generation": case.desired.generation})
            for c in case.status.conditions
        )
    line = row(case, situation)
    word, text = situation.reason.value, situation.message
    ready, told, why = line.ready, word, text
    beneath = situation.beneath
    if ready is None and beneath is not None and ROWS[beneath.reason].ready:
        ready, told, why = True, beneath.reason.value, beneath.message

    def condition(kind: ConditionType, value: bool | None, reason: str, message: str) -> Condition:
        old = case.condition(kind)
        status = {True: "True", False: "False"}.get(value) if value is not None else None
        if status is None:
            status = old.status if old is not None else "Unknown"
        since = old.last_transition_time if old is not None and old.status == status else now
        if value is None and old is not None and kind is ConditionType.READY:
            reason, message = old.reason, old.message
        return Condition(
            type=kind,
            status=status,
            observed_generation=case.desired.generation,
            last_transition_time=since,
            reason=reason,
            message=message,
        )

    return (
        condition(ConditionType.READY, ready, told, why),
        condition(ConditionType.RECONCILING, line.reconciling, word, text),
        condition(ConditionType.STALLED, line.stalled, word, text),
        condition(ConditionType.AVAILABLE, _usable(case, decision, other), word, text),
        condition(ConditionType.SYNCED, situation.cause is None, word, text),
    )


def _usable(case: Case, decision: Decision, other: _Other | None) -> bool | None:
    """Whether what applications are told to use answers."""
    situation = decision.situation
    if other is not None and other.used:
        known = {c.type: c.status for c in other.status.conditions}[ConditionType.AVAILABLE]
        return {"True": True, "False": False}.get(known)
    if decision.beside is not None and decision.beside.situation.reason is situation.reason:
        # What is told is the other one's trouble.
        situation = replace(situation, reason=Reason.MIGRATING)
    return _available(case, situation)


def _available(case: Case, situation: Situation) -> bool | None:
    """As observed; kept where nothing new can be known."""
    known = case.record.endpoint_id
    if situation.reason in _BROKEN:
        return False
    if known is not None and case.desired.deleting and case.missing(known):
        return False
    if known is not None and case.gone(known):
        return False
    if situation.cause is not None and case.record.endpoint_id is not None:
        # A missing Secret does not blind the copy of its key: what is seen not to run is not kept.
        halted = case.endpoint is not None and case.endpoint.phase not in _MAY_ANSWER
        return False if halted else _KEEP
    if case.endpoint is not None and case.endpoint.phase is Phase.UNKNOWN:
        return None if case.observed.poll is None else False
    return case.serving
