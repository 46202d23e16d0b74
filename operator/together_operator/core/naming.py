"""Names of the second generation: what is made is found again by the name that it was given.

An endpoint's name is unique in its project, which takes the place of an idempotency key: the name
is looked up before anything is ordered under it, and a clash says that it is there. What runs
bears the mark of its owner in its own name. An endpoint in which nothing runs yet bears none, so
that one is ours only if our record is older than it.
"""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.marker import Marker
from together_operator.core.scan import Found
from together_operator.core.steps import Decision
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Deployment, Endpoint
from together_operator.resource.times import parse_time


def deployment_name(case: Case) -> str:
    """A name for a new deployment: what is immutable about it, and whose it is.

    Args:
        case: The resource.
    """
    mark = Marker.of(case.observed.cluster, case.desired.uid, case.observed.nonce)
    return f"{case.desired.immutable}-{mark}"


def mark_of(deployment: Deployment) -> Marker | None:
    """The mark in a deployment's name, if it has one.

    Args:
        deployment: The deployment.
    """
    _, dash, mark = deployment.name.partition("-")
    return Marker.parse(f" {mark}") if dash else None


def made_of(name: str) -> str | None:
    """The letters for what is immutable about a deployment, if its name was given by us.

    Args:
        name: The name of a deployment, there or on order.
    """
    letters, dash, mark = name.partition("-")
    return letters if dash and Marker.parse(f" {mark}") is not None else None


def ours(case: Case, deployment: Deployment) -> bool:
    """Whether a deployment bears our mark: made for this very resource, by whichever request.

    Args:
        case: The resource.
        deployment: A deployment.
    """
    mark = mark_of(deployment)
    return mark is not None and mark == Marker.of(
        case.observed.cluster, case.desired.uid, mark.nonce
    )


def named(case: Case) -> Found | Decision | None:
    """Look whether the name that the resource would take is taken, and by whom.

    Args:
        case: The resource, without a recorded endpoint, and with a LIST of the key in use.

    Returns:
        An endpoint of that name that is ours; the step or the wait where it is not, or is still to
        be looked at; `None` if the name is free.
    """
    name, poll = case.endpoint_name, case.observed.poll
    line = next((line for line in poll.lines.values() if line.name == name), None) if poll else None
    if line is None:
        return None
    if line.whole is None:
        # It has more deployments than a LIST shows, which a resource of its own never has.
        return _taken(case, line.id, "it holds many deployments")
    return whose(case, line.whole)


def whose(case: Case, endpoint: Endpoint) -> Found | Decision:
    """Whether an endpoint that has our name is ours.

    Args:
        case: The resource.
        endpoint: The endpoint, whole.
    """
    own = [deployment for deployment in endpoint.deployments or () if ours(case, deployment)]
    if own:
        mark = mark_of(own[0])
        return Found(endpoint.id, mark.nonce if mark else "", endpoint.created_at)
    if not endpoint.deployments and _predates(case, endpoint):
        return Found(endpoint.id, "", endpoint.created_at)
    how = (
        "it holds deployments that this resource did not make"
        if endpoint.deployments
        else "it was there before this resource ordered anything"
    )
    return _taken(case, endpoint.id, how)


def _taken(case: Case, endpoint_id: str, how: str) -> Decision:
    return case.wait(
        Reason.NAME_TAKEN,
        f"The project has an endpoint of the name '{case.endpoint_name}' already"
        f" ({endpoint_id}), and {how}; nothing was ordered. Choose another spec.v2.endpointName, or"
        " delete that endpoint at Together",
        case.timing.lag,
    )


def _predates(case: Case, endpoint: Endpoint) -> bool:
    """Whether our record was there before the endpoint, by Together's clock."""
    if case.operation is None:
        return False
    try:
        return parse_time(case.operation.date) <= endpoint.created_at
    except ValueError:
        return False
