"""What is said when a resource goes, or cannot go: to whoever pays for what is left at Together."""

from __future__ import annotations

import contextlib
from decimal import Decimal, InvalidOperation

from together_operator.core.case import Case
from together_operator.core.steps import Decision
from together_operator.core.uprooting import uprooted
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import ENDED, Endpoint
from together_operator.resource.spec import DeletionPolicy
from together_operator.resource.status import Status


def left_behind(case: Case, policy: DeletionPolicy) -> str | None:
    """The endpoint that stays at Together, or may, when the resource goes now.

    Args:
        case: The resource, about to go.
        policy: What becomes of its endpoint.
    """
    endpoint_id = case.record.endpoint_id
    if endpoint_id is None or case.observed.rival is not None or case.gone(endpoint_id):
        return None
    kept = policy is not DeletionPolicy.DELETE or endpoint_id in case.desired.release
    return endpoint_id if kept else None


def farewell(case: Case, policy: DeletionPolicy, endpoint_id: str) -> str:
    """Which endpoint stays at Together, why, and what it costs.

    Args:
        case: The resource, about to go.
        policy: What becomes of its endpoint.
        endpoint_id: The endpoint.
    """
    if endpoint_id in case.desired.release:
        why, what = "The resource was released by annotation", "may still be at Together"
    elif uprooted(case):
        why = "The definition of TogetherEndpoints (the CRD) is being removed, with every resource"
        what = "is left as it is at Together"
    else:
        why = f"The deletion policy is {policy.value}"
        what = "is left as it is at Together" if policy is DeletionPolicy.RETAIN else "is kept"
    return f"{why}: {endpoint_id} {what}, {_cost(case)}. Delete it there when it is not needed"


def _cost(case: Case) -> str:
    if _idle(case):
        return "and costs nothing while it does not run"
    amount = _amount(case)
    return "at a price that is not known here" if amount is None else f"where it costs {amount}"


def hourly(case: Case) -> str:
    """What an endpoint costs, in two or three words.

    Args:
        case: The resource, or the other endpoint of a migration.
    """
    if _idle(case):
        return "nothing while it does not run"
    return _amount(case) or "at a price that is not known here"


def _idle(case: Case) -> bool:
    endpoint = case.endpoint
    return endpoint is not None and endpoint.phase in ENDED


def _amount(case: Case) -> str | None:
    amount = spending(case.status, case.endpoint)
    return None if amount is None else f"${amount:.2f} per hour"


def spending(status: Status, endpoint: Endpoint | None) -> Decimal | None:
    """US dollars per hour that an endpoint costs while it runs, if that is known.

    Args:
        status: The status that tells its price.
        endpoint: The endpoint.
    """
    if endpoint is not None and status.price is not None:
        replicas = endpoint.ready_replicas or endpoint.bounds.min
        with contextlib.suppress(InvalidOperation):  # whatever a status may hold
            return Decimal(status.price.per_replica_hour) * replicas
    return None


def released(case: Case, nonces: tuple[str, ...]) -> tuple[str, ...]:
    """Everything that stays with our mark, when nothing will be left to say that it may.

    Args:
        case: The resource, about to go.
        nonces: Attempts that might yet take effect: what they make is for the tombstone.
    """
    known = set(case.accounted)
    if case.observed.rival is not None:
        known.discard(case.record.endpoint_id or "")
    known.update(found.id for found in case.observed.marked if found.nonce not in nonces)
    return tuple(sorted(i for i in known if not case.gone(i)))


def blocked(case: Case, why: str, release: str, after: float | None = None) -> Decision:
    """Say that a deletion cannot go on by itself.

    Args:
        case: The resource, being deleted.
        why: What is in the way.
        release: What the annotation has to say to get past it.
        after: Seconds until another look is worth it.
    """
    return case.wait(Reason.DELETION_BLOCKED, regardless(why, release), after)


def regardless(why: str, release: str) -> str:
    """What is in the way, and how a person gets past it.

    Args:
        why: What is in the way.
        release: What the annotation has to say.
    """
    return (
        f"{why.rstrip('. ')}. To let the resource go regardless, and look after the endpoint"
        f" yourself, set the annotation {names.RELEASE} to '{release}'"
    )
