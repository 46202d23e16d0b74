"""An attempt in the place of an endpoint that has gone: only while it is gone, and while asked for.

The record of such an attempt names the former endpoint until the new one is made.
"""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.steps import Decision, List, Record
from together_operator.resource.endpoint_status import OperationPhase
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import OnMissing


def returned(case: Case) -> Decision | None:
    """Take back an endpoint that was missed, if it shows up before another one is made.

    Args:
        case: The resource, without a recorded endpoint.
    """
    operation, poll = case.operation, case.observed.poll
    former = operation.replaces if operation is not None else None
    if operation is None or former is None or poll is None:
        return None
    if poll.credential != case.credential or former not in poll.lines:
        return None
    sent = operation.phase is OperationPhase.OPEN and not case.nothing_sent
    record = operation.model_copy(
        update={
            "phase": OperationPhase.DONE,
            "nonce": case.observed.nonce,
            "open": (*operation.open, operation.nonce) if sent else operation.open,
            "refusal": None,
            "replaces": None,
        }
    )
    status = case.record.model_copy(update={"operation": record, "endpoint_id": former})
    return case.step(Record(status), Reason.CLAIMING, f"{former} is there again; taking it back")


def not_replaced(case: Case) -> Decision | None:
    """What has gone is replaced only for as long as the resource says so.

    Args:
        case: The resource.
    """
    former = case.operation.replaces if case.operation is not None else None
    if former is None or case.desired.spec.on_missing is OnMissing.RECREATE:
        return None
    return case.wait(
        Reason.REMOTE_MISSING,
        f"{former} no longer exists at Together, and no other one has been made. To have a new one,"
        " set spec.onMissing to Recreate",
    )


def still_gone(case: Case) -> Decision | None:
    """Before each attempt, and after each refusal of one, a LIST that does not show the former one.

    Args:
        case: The resource.
    """
    operation, poll = case.operation, case.observed.poll
    if operation is None or operation.replaces is None or case.credential is None:
        return None
    refused = case.memory.rejection("create")
    since = case.now - case.timing.lag
    if refused is not None:
        since = max(since, refused.at)
    if poll is not None and poll.credential == case.credential and poll.sent_at >= since:
        return None
    message = f"Looking once more whether {operation.replaces} is gone"
    return case.read(List(case.credential, since), Reason.CREATING, message)
