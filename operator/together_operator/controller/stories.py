"""What happened, as Kubernetes events: one line for each thing that a person would want to know.

Events are written on transitions only. The status says what is; events say how it came about.
"""

from __future__ import annotations

from dataclasses import dataclass

from together_operator.core.case import Case
from together_operator.core.learning import Outcome
from together_operator.core.steps import (
    Beside,
    Create,
    Decision,
    Delete,
    Deploy,
    Dismiss,
    Finish,
    KeepKey,
    Publish,
    Record,
    Route,
    Start,
    Stop,
    Undeploy,
    Update,
)
from together_operator.core.table import ROWS, row
from together_operator.core.uprooting import uprooted
from together_operator.resource.endpoint_status import Migration, MigrationPhase, Operation
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.remote import (
    Ambiguous,
    Change,
    Deployment,
    Done,
    Endpoint,
    NotSent,
)
from together_operator.resource.spec import Api
from together_operator.resource.status import Status


@dataclass(frozen=True, slots=True)
class Story:
    """One event.

    Attributes:
        reason: CamelCase, specific.
        message: What happened.
        warning: Whether it is of type Warning.
    """

    reason: str
    message: str
    warning: bool = False


def of_step(case: Case, decision: Decision, outcome: Outcome) -> Story | None:
    """What a step that was taken amounts to, if it is worth an event.

    Args:
        case: The resource as the step was decided on.
        decision: The decision.
        outcome: What came of it.
    """
    step = decision.step
    if isinstance(step, Beside):
        if case.beside is None or decision.beside is None:
            return None
        return of_step(case.beside, decision.beside, outcome)
    match step, outcome:
        case Create(), Done(endpoint=Endpoint(id=made)):
            return Story("EndpointCreated", f"Together created {made}")
        case Create(), Ambiguous(message=message) | NotSent(message=message):
            return Story("CreateUnclear", f"A create request had no clear answer: {message}", True)
        case Update(drift=True), Done():
            return Story(
                "DriftCorrected", "Name or bounds were changed at Together; put back", True
            )
        case Update(change=Change(bounds=bounds)), Done() if bounds is not None:
            return Story("Scaled", f"Together acknowledged {bounds.min}-{bounds.max} replicas")
        case Update(change=Change(display_name=name)), Done() if name is not None:
            return Story("Renamed", f"Together acknowledged the name '{name}'")
        case Update(), Done():
            return Story("Updated", "Together acknowledged the change")
        case Start(), Done():
            return Story("StartRequested", f"Together acknowledged the start of {step.endpoint_id}")
        case Stop(), Done():
            return _stopped(case, step)
        case Deploy(name=name), Done(deployment=Deployment(id=made)):
            return Story("DeploymentCreated", f"Together created {made} ('{name}'), stopped")
        case Deploy(), Ambiguous(message=message) | NotSent(message=message):
            return Story(
                "DeployUnclear", f"A request to make a deployment had no clear answer: {message}",
                True,
            )  # fmt: skip
        case Route(traffic=traffic), Done():
            told = ", ".join(f"{part.deployment_id} {part.weight:g}" for part in traffic)
            return Story("TrafficRouted", f"Together acknowledged the traffic: {told or 'none'}")
        case Undeploy(deployment_id=deployment_id), Done():
            return Story("DeploymentDeleted", f"Together acknowledged deleting {deployment_id}")
        case Delete(), Done():
            return Story("DeleteRequested", f"Together acknowledged deleting {step.endpoint_id}")
        case Record(status=Status(api=Api.V2, endpoint_id=None)), _ if _moved(case):
            return Story("MovedToV2", decision.situation.message)
        case Record(turned=True), _:
            return Story("MigrationConfirmed", decision.situation.message)
        case Record(status=Status(migration=Migration(phase=phase))), _ if _migrates(case, phase):
            if phase == MigrationPhase.LEAVING:
                return Story("MigrationCalledOff", decision.situation.message)
            return Story("MigrationStarted", decision.situation.message)
        case Dismiss(left=left), _:
            return _dismissed(case, decision, left)
        case KeepKey(), _ if case.observed.keys.held is not None:
            return Story("KeyChanged", "The new key is in use")
        case Publish(), True:
            return Story("ConnectionPublished", "The ConfigMap for applications is up to date")
        case Record(status=Status(endpoint_id=None, operation=Operation(replaces=str(former)))), _:
            if case.record.endpoint_id is None:
                return None  # the same attempt, once more
            message = f"{former} no longer exists; ordering another one, as spec.onMissing says"
            return Story("EndpointRecreated", message, True)
        case Record(), _ if decision.situation.reason is Reason.ADOPTING:
            return Story("EndpointAdopted", decision.situation.message)
        case Record(status=status), _ if decision.situation.reason is Reason.CLAIMING:
            warning = status.operation is not None and bool(status.operation.removing)
            return Story("EndpointClaimed", decision.situation.message, warning)
        case Finish(), _:
            return _let_go(case, decision, step)
        case _:
            return None


def _moved(case: Case) -> bool:
    """Whether Together's refusal of v1 is what leads to v2."""
    return case.record.api is None and not case.observed.deploys


def _stopped(case: Case, step: Stop) -> Story:
    message = f"Together acknowledged the stop of {step.endpoint_id}"
    if step.drift:
        return Story("DriftCorrected", f"It ran although it is to be stopped. {message}", True)
    if case.observed.stop_is_final and not case.observed.deploys:
        return Story(
            "StopMayBeFinal",
            f"{message}. On most accounts Together no longer starts a stopped v1 endpoint again",
            True,
        )
    return Story("StopRequested", message)


def _let_go(case: Case, decision: Decision, step: Finish) -> Story | None:
    message = decision.situation.message
    if step.nonces:
        doubt = "An earlier create request may yet take effect; it is watched for 24 hours"
        if step.left is not None:
            doubt = f"{doubt}. {message}"
        return Story("DeletedWithDoubt", doubt, True)
    if step.left is None:
        return None
    return Story("EndpointRetained", message, uprooted(case) or step.left in case.desired.release)


def _migrates(case: Case, phase: str) -> bool:
    """Whether a record begins a migration, or calls it off."""
    former = case.record.migration
    return former is None or former.phase != phase


def _dismissed(case: Case, decision: Decision, left: str | None) -> Story:
    off = case.observed.api is Api.V1
    if left is not None:
        return Story("EndpointRetained", decision.situation.message)
    word = "is called off" if off else "is finished"
    return Story("MigrationEnded", f"The move to API v2 {word}: {decision.situation.message}")


_SILENT = frozenset({Reason.CREATING, Reason.UPDATING})


def of_change(case: Case, decision: Decision) -> Story | None:
    """The event of a new situation, if it is a new one.

    Args:
        case: The resource as it was.
        decision: What was decided, and so is told now.
    """
    situation = decision.situation
    told = (Reason.CLAIMING, Reason.ADOPTING)
    if isinstance(decision.step, Record) and situation.reason in told:
        return None
    ready = case.condition(ConditionType.READY)
    before = ready.reason if ready is not None else None
    if situation.keep or situation.reason in _SILENT or situation.reason == before:
        return None
    if not situation.pending and ROWS[situation.reason].ready is not True:
        return None
    return Story(situation.reason.value, situation.message, row(case, situation).stalled)


def of_refusal(message: str) -> Story:
    """What is told when the cluster refuses what the operator does for a resource.

    Args:
        message: What it refuses, and how that is mended.
    """
    return Story("KubernetesRefused", message, warning=True)


def of_strangers(case: Case) -> list[Story]:
    """What is told of endpoints with this resource's mark that no request on record made.

    They are never deleted (create-once rule 11), and so a person has to know of them.

    Args:
        case: The resource.
    """
    operation = case.operation
    if operation is None or case.desired.deleting:
        return []
    known = {case.record.endpoint_id, *operation.removing}
    return [
        Story(
            "UnknownEndpoint",
            f"{found.id} carries this resource's mark at Together, but no create request on record"
            " made it, so it is left alone and may be billed. Delete it there if it is not needed",
            warning=True,
        )
        for found in case.observed.marked
        if found.id not in known and found.nonce not in operation.open
    ]
