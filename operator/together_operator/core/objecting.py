"""What the operator's own limits say to spending more."""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.steps import Decision
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Unavailable
from together_operator.resource.spec import Api


def objection(case: Case) -> Decision | None:
    """Why nothing may be bought, started or scaled up, if the limits object.

    A price that cannot be read just now is no refusal that a person has to see to: it is waited
    for, and nothing is bought meanwhile.

    Args:
        case: The resource.
    """
    forbidden = case.observed.forbidden
    if forbidden is None:
        return None
    if isinstance(forbidden, Unavailable):
        after = max(forbidden.retry_after or 0.0, case.timing.repeat)
        message = f"The price is not known, which this operator limits: {forbidden.message}"
        return case.wait(forbidden.reason, message, after, cause=forbidden.reason)
    return case.wait(Reason.NOT_ALLOWED, forbidden)


def unsupported(case: Case) -> Decision | None:
    """Why the generation of the API that is there cannot carry the resource, if it cannot.

    Args:
        case: The resource.
    """
    wished, there = case.desired.spec.api, case.observed.api
    if wished in (Api.AUTO, there):
        return None
    return case.wait(
        Reason.UNSUPPORTED,
        f"spec.api is {wished.value}, and {there.value} was chosen for this resource before;"
        f" nothing was ordered. Set spec.api to {there.value} or Auto",
    )
