"""The table of situations: what each says in the five conditions, always all of them.

Kubectl, Helm, Flux and Argo CD act on these, so every row of the contract is spelled out here.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from together_operator.core.case import Case
from together_operator.core.report import Terms, report
from together_operator.core.steps import Decision, Situation, Wait
from together_operator.core.table import ROWS
from together_operator.resource import names
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.spec import Autoscaling, DeletionPolicy
from together_operator.resource.status import Status

from .beginnings import serving
from .process_model import HOST
from .together_model import EPOCH
from .world import World

WORK, REST, PERSON, HOLD = "at work", "at rest", "a person must act", "on hold"
MEANING = {
    WORK: ("False", "True", "False"),
    REST: ("True", "False", "False"),
    PERSON: ("False", "False", "True"),
    HOLD: ("False", "False", "False"),
}
"""Ready, Reconciling, Stalled."""

TABLE = {
    WORK: {
        Reason.CREATING, Reason.CLAIMING, Reason.ADOPTING, Reason.SCALING, Reason.STARTING,
        Reason.STOPPING, Reason.RENAMING, Reason.UPDATING, Reason.PROBING, Reason.REPLACING,
        Reason.MIGRATING,
        Reason.WAITING_FOR_CAPACITY, Reason.RATE_LIMITED, Reason.UNREACHABLE,
        Reason.SECRET_MISSING, Reason.UNAUTHORIZED,
        Reason.FORBIDDEN, Reason.PAYMENT_REQUIRED, Reason.DELETING,
    },
    REST: {
        Reason.SERVING, Reason.STOPPED, Reason.IDLE_STOPPED, Reason.MIGRATION_UNCONFIRMED,
    },
    PERSON: {
        Reason.V1_CLOSED, Reason.INVALID_MODEL, Reason.INVALID_HARDWARE, Reason.INVALID_ZONE,
        Reason.CONFIG_REQUIRED,
        Reason.INVALID_REQUEST, Reason.NOT_ALLOWED, Reason.UNSUPPORTED, Reason.NAME_TAKEN,
        Reason.ENDPOINT_CONFLICT, Reason.CREDENTIAL_MISMATCH, Reason.RESTORED_COPY,
        Reason.ADOPTION_REFUSED, Reason.REPLACEMENT_FAILED,
        Reason.REMOTE_MISSING, Reason.STOPPED_REMOTELY, Reason.ATTEMPTS_EXHAUSTED,
        Reason.INCONCLUSIVE_SCAN, Reason.MARKERS_LOST, Reason.ENDPOINT_FAILED,
        Reason.CONNECTION_CONFLICT, Reason.DELETION_BLOCKED,
    },
    HOLD: {Reason.SUSPENDED, Reason.DELETION_SUSPENDED},
}  # fmt: skip
BY_REASON = {reason: meaning for meaning, reasons in TABLE.items() for reason in reasons}


def case_of(world: World) -> Case:
    """The resource as the core sees it now."""
    world.touch()
    return world.reach(Wait).case


def told(case: Case, situation: Situation, later: float = 0.0) -> Status:
    """The status that tells of a situation."""
    wall = EPOCH + case.now + later
    decision = Decision(Wait(None), situation)
    return report(case, decision, wall=wall, terms=Terms(None, HOST))


def triple(status: Status) -> tuple[str, ...]:
    """Ready, Reconciling and Stalled, with all five present."""
    by_type = {c.type: c for c in status.conditions}
    assert set(by_type) == set(ConditionType)
    assert len(status.conditions) == 5
    kinds = (ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED)
    return tuple(by_type[kind].status for kind in kinds)


def test_every_reason_has_its_place() -> None:
    assert set(BY_REASON) == set(Reason) == set(ROWS)


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("fresh", [True, False])
def test_each_reason_says_what_the_contract_says(reason: Reason, fresh: bool) -> None:
    case = case_of(serving())
    if fresh:
        case = replace(case, status=case.status.model_copy(update={"conditions": ()}))
    status = told(case, Situation(reason, "what is so, and what to do"))
    assert triple(status) == MEANING[BY_REASON[reason]]
    for condition in status.conditions:
        assert condition.observed_generation == case.desired.generation
        assert (condition.reason, condition.message) == (reason, "what is so, and what to do")
    assert status.observed_generation == case.desired.generation


@pytest.mark.parametrize(
    "reason",
    [Reason.SECRET_MISSING, Reason.UNAUTHORIZED, Reason.FORBIDDEN, Reason.PAYMENT_REQUIRED],
)
def test_what_somebody_may_be_mending_stalls_after_fifteen_minutes(reason: Reason) -> None:
    case = case_of(serving())
    for seconds, meaning in ((0.0, WORK), (899.0, WORK), (900.0, PERSON)):
        observed = replace(case.observed, unsynced=seconds)
        status = told(replace(case, observed=observed), Situation(reason, "x", cause=reason))
        assert triple(status) == MEANING[meaning]


@pytest.mark.parametrize("before", ["True", "False"])
@pytest.mark.parametrize("reason", [Reason.UNREACHABLE, Reason.RATE_LIMITED, Reason.SUSPENDED])
def test_with_nothing_pending_ready_keeps_what_it_says(reason: Reason, before: str) -> None:
    case = case_of(serving())
    kept = tuple(
        c.model_copy(update={"status": before, "reason": "Before", "message": "as it was"})
        if c.type is ConditionType.READY
        else c
        for c in case.status.conditions
    )
    case = replace(case, status=case.status.model_copy(update={"conditions": kept}))
    status = told(case, Situation(reason, "x", pending=False))
    assert triple(status) == (before, "False", "False")
    ready = status.conditions[0]
    assert (ready.reason, ready.message) == ("Before", "as it was")


def test_a_time_of_change_moves_only_with_the_status() -> None:
    case = case_of(serving())
    before = {c.type: c.last_transition_time for c in case.status.conditions}
    status = told(case, Situation(Reason.SERVING, "in other words"), later=1000.0)
    assert {c.type: c.last_transition_time for c in status.conditions} == before
    status = told(case, Situation(Reason.SCALING, "x"), later=1000.0)
    moved = {c.type for c in status.conditions if c.last_transition_time != before[c.type]}
    assert moved == {ConditionType.READY, ConditionType.RECONCILING}


def test_the_longest_of_messages_is_cut_and_not_refused() -> None:
    case = case_of(serving())
    status = told(case, Situation(Reason.INVALID_MODEL, "x" * 100_000))
    assert all(len(c.message) <= 4096 for c in Status.parse(status.to_dict()).conditions)


def test_the_mirror_of_what_is_true() -> None:
    world = serving(autoscaling=Autoscaling(min_replicas=2, max_replicas=4))
    status, machine = world.status, world.mine()[0]
    assert (status.endpoint_id, status.api) == (machine.id, "V1")
    assert (status.display_name, status.state) == (machine.display_name, "STARTED")
    assert status.autoscaling is not None
    assert (status.autoscaling.min_replicas, status.autoscaling.max_replicas) == (2, 4)
    assert (status.replicas, status.selector) == (2, names.SELECTOR)
    assert status.inference is not None
    assert (status.inference.base_url, status.inference.model) == (HOST, status.name)
    machine.state = "STOPPED"
    world.run(60)
    assert (world.status.replicas, world.status.state) == (0, "STOPPED")


def test_a_policy_changed_while_deleting_is_followed() -> None:
    world = serving()
    world.edit(suspend=True)
    world.delete()
    world.run(60)
    assert world.reason() == Reason.DELETION_SUSPENDED
    world.edit(deletion_policy=DeletionPolicy.RETAIN)
    world.run(60)
    assert world.gone()
    assert len(world.mine()) == 1
