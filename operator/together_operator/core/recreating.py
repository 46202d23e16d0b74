"""Recreate: another endpoint in the place of one that has gone, where `spec.onMissing` says so.

A false absence would make two of one. So the absence has to last as long as the outcome of a
create request would have to, seen in every LIST of that time and by a GET at both its ends. The
former id stays on record until the new endpoint is made: should it show up again, it is taken
back and nothing is ordered.
"""

from __future__ import annotations

from dataclasses import replace

from together_operator.core.case import Case
from together_operator.core.creating import attempt
from together_operator.core.steps import Decision, Get, List
from together_operator.resource import names
from together_operator.resource.endpoint_status import OperationPhase
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import HALTED, Endpoint, Phase
from together_operator.resource.spec import OnMissing, State

_OF_THE_ENDPOINT = (
    "endpoint_id", "name", "display_name", "hardware", "owner", "created_at", "state",
    "autoscaling", "replicas", "ready_replicas", "inference", "applied",
)  # fmt: skip


def missed(case: Case, endpoint_id: str) -> Decision:
    """What is to be done about the recorded endpoint, which is gone.

    Args:
        case: The resource, whose recorded endpoint is confirmed gone.
        endpoint_id: That endpoint.
    """
    gone = f"{endpoint_id} no longer exists at Together, and this operator did not delete it."
    if case.desired.spec.on_missing is not OnMissing.RECREATE:
        again = "apply it again"
        if case.desired.spec.adopt is not None:
            again += " without spec.adopt"
        return case.wait(
            Reason.REMOTE_MISSING,
            f"{gone} To have a new one, set spec.onMissing to Recreate, or delete this resource and"
            f" {again}",
        )
    if _halted(case):
        # To order one that runs in its place would start what nobody asked to start (I8).
        return case.wait(
            Reason.REMOTE_MISSING,
            f"{gone} It was not running, so none is ordered by itself. To have a new one that runs,"
            f" set the annotation {names.RESTART_REQUESTED_AT} to any new value",
        )
    keys = case.observed.keys
    if keys.user is None or keys.user != keys.held:
        # Only the key that has seen the former one can tell that it is gone.
        return case.wait(
            Reason.REMOTE_MISSING,
            f"{gone} Another one is ordered, as spec.onMissing says, once the Secret holds the key"
            " again that it was seen with",
        )
    if case.desired.spec.suspend:
        return case.wait(
            Reason.SUSPENDED,
            f"{gone} Suspended; waiting with ordering another one. Set spec.suspend to false to go"
            " on",
        )
    return _certain(case, endpoint_id, gone) or _anew(case, endpoint_id, keys.user)


def _halted(case: Case) -> bool:
    """Whether the former endpoint was not running, and nobody has asked for it to run since."""
    if not case.desired.started or case.applied.state == State.STOPPED or case.restart_asked:
        return False
    former = case.endpoint
    phase = case.observed.former_phase
    if former is not None and former.phase is not Phase.UNKNOWN and _is_whole(case, former):
        phase = former.phase
    return phase in HALTED


def _is_whole(case: Case, former: Endpoint) -> bool:
    """Whether the last picture had what runs in it: deployments may go a moment earlier."""
    return former.deployments is None or former.deployment(case.deployment_id) is not None


def _certain(case: Case, endpoint_id: str, gone: str) -> Decision | None:
    """Wait until the absence has lasted, and look once more in both ways."""
    absence = case.memory.absence(endpoint_id)
    assert absence is not None  # noqa: S101
    credential, message = case.credential or "", f"{gone} Making sure before another one is ordered"
    due = absence.first + case.timing.settle
    if case.now < due:
        return case.wait(Reason.CREATING, message, due - case.now)
    if absence.last < due:
        return case.read(List(credential, due), Reason.CREATING, message)
    if absence.not_found is None or absence.not_found < due:
        return case.read(Get(credential, endpoint_id), Reason.CREATING, message)
    operation = case.operation
    if operation is not None and operation.removing:
        return case.wait(Reason.CREATING, f"{gone} Removing surplus endpoints first")
    return None


def _anew(case: Case, endpoint_id: str, credential: str) -> Decision:
    """Begin the create protocol with a record of its own."""
    operation = case.operation
    assert operation is not None  # noqa: S101
    # What this resource had ordered is removed should it show up beside the new one; what was
    # there before the resource is not its to delete, and would only be reported.
    ordered = operation.replaces is not None or not case.record.adopted
    open_ = (*operation.open, operation.nonce) if ordered else operation.open
    record = operation.model_copy(
        update={
            "phase": OperationPhase.REFUSED,
            "refusal": None,
            "credential": credential,
            "open": open_,
            "deploying": None,
            "replaces": endpoint_id,
        }
    )
    freed = dict.fromkeys(_OF_THE_ENDPOINT) | {"operation": record, "deployments": ()}
    return attempt(replace(case, status=case.record.model_copy(update=freed)), open_)
