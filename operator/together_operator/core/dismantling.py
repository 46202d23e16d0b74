"""Taking apart what runs behind an endpoint of the second generation, in the order it asks for.

Together refuses to delete a deployment that runs or has traffic, and an endpoint that has
deployments. So: out of the traffic, stopped, seen to be stopped, deleted; and the endpoint last.
"""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.deploying import own_ids, recognise_deployment, role_subject
from together_operator.core.looking import details, read_since_listed
from together_operator.core.routing import without
from together_operator.core.sending import send
from together_operator.core.steps import Decision, Record, Stop, Undeploy, waits
from together_operator.resource.endpoint_status import DeploymentStatus, Role
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import ENDED, Deployment, Endpoint, Unavailable


def dismantle(
    case: Case, endpoint: Endpoint, deployment_ids: frozenset[str], reason: Reason
) -> Decision | None:
    """One step towards deployments being gone.

    Args:
        case: The resource.
        endpoint: Its endpoint, as last seen.
        deployment_ids: What has to go.
        reason: The one word meanwhile.

    Returns:
        The step, or `None` once none of them is there.
    """
    there = [d for d in endpoint.deployments or () if d.id in deployment_ids]
    if not there:
        return None
    step = without(case, endpoint, deployment_ids)
    if step is not None:
        routing = send(case, step, reason, f"Taking {there[0].id} out of the traffic")
        if not waits(routing) or reason is not Reason.DELETING:
            return routing
        # Whatever keeps it in the traffic, nobody is served by it much longer: it need not cost.
        running = (d for d in there if d.phase not in ENDED)
        stops = (_one(case, endpoint, deployment, reason) for deployment in running)
        return next((stop for stop in stops if not waits(stop)), routing)
    waiting: Decision | None = None
    for deployment in there:
        decision = _one(case, endpoint, deployment, reason)
        if not waits(decision):
            return decision
        waiting = waiting or decision
    return waiting


def halt(case: Case, endpoint: Endpoint, reason: Reason, why: str) -> Decision | None:
    """One step towards all of ours having ended, which is kept.

    Args:
        case: The resource.
        endpoint: Its endpoint, as last seen.
        reason: The one word meanwhile.
        why: What it is done for, after its name.

    Returns:
        The step, or `None` once nothing of it runs.
    """
    recorded = [entry.id for entry in case.record.deployments]
    hidden = not recorded or any(endpoint.deployment(one) is None for one in recorded)
    if hidden and not read_since_listed(case, endpoint.id):
        return details(case, endpoint.id, reason, f"Looking what runs in {endpoint.id}")
    waiting = recognise_deployment(case, endpoint)
    if waiting is not None:
        return waiting
    own = own_ids(case, endpoint)  # in the midst of a replacement there are two
    for deployment in endpoint.deployments or ():
        if deployment.id not in own or deployment.phase in ENDED:
            continue
        decision = _halt(case, endpoint, deployment, reason, why)
        if not waits(decision):
            return decision
        waiting = waiting or decision
    return waiting


def _halt(
    case: Case, endpoint: Endpoint, deployment: Deployment, reason: Reason, why: str
) -> Decision:
    message = f"Stopping {deployment.id}, {why}"
    if (deployment.bounds.min, deployment.bounds.max) == (0, 0):
        return case.wait(reason, message, case.timing.scan_gap)
    step = Stop(case.credential or "", endpoint.id, drift=False, deployment_id=deployment.id)
    return send(case, step, reason, message)


def _one(case: Case, endpoint: Endpoint, deployment: Deployment, reason: Reason) -> Decision:
    if deployment.phase not in ENDED:
        return _halt(case, endpoint, deployment, reason, "before it is deleted")
    message = f"Deleting {deployment.id} at Together"
    step = Undeploy(case.credential or "", endpoint.id, deployment.id)
    return send(case, step, reason, message)


def discard(case: Case, endpoint: Endpoint) -> Decision | None:
    """Remove deployments whose place another one has taken, and forget those that are gone.

    Args:
        case: The resource, living.
        endpoint: Its endpoint, as last seen.

    Returns:
        The step that is due, or `None` where nothing can be done now.
    """
    former = [d for d in case.record.deployments if d.role == Role.FORMER]
    gone = {d.id for d in former if endpoint.deployment(d.id) is None}
    if gone and not read_since_listed(case, endpoint.id):
        # A LIST may not show yet what has just been made; to forget it would leave it running.
        return details(case, endpoint.id, _meanwhile(case)[0], "Looking what is left of it")
    if gone:
        left = tuple(d for d in case.record.deployments if d.id not in gone)
        status = case.record.model_copy(update={"deployments": left})
        reason, message = _meanwhile(case)
        return case.step(Record(status), reason, message or f"{', '.join(sorted(gone))} is gone")
    unused = (d.id for d in former if case.now >= drained(case, d))
    stale = frozenset(unused) | _doubles(case, endpoint)
    if not stale or case.desired.spec.suspend:
        return None
    decision = dismantle(case, endpoint, stale, Reason.UPDATING)
    return None if decision is None or waits(decision) else decision


def _meanwhile(case: Case) -> tuple[Reason, str]:
    """What a person is told while the rest is removed: a failure is not talked over by that."""
    refusal = case.operation.refusal if case.operation is not None else None
    stands = refusal is not None and refusal.generation == case.desired.generation
    if refusal is not None and stands and refusal.reason == Reason.REPLACEMENT_FAILED:
        return Reason.REPLACEMENT_FAILED, refusal.message
    return Reason.UPDATING, ""


def drain(case: Case) -> float | None:
    """Seconds until a former deployment may be stopped, if there is one that still has to wait.

    Args:
        case: The resource.
    """
    former = (d for d in case.record.deployments if d.role == Role.FORMER)
    left = [drained(case, d) - case.now for d in former]
    return max(min(left), case.timing.scan_gap) if left else None


def drained(case: Case, former: DeploymentStatus) -> float:
    """When no router sends anything to it any more, and what it was sent has been answered.

    Args:
        case: The resource.
        former: The deployment on record whose place another one has taken.

    Returns:
        Monotonic seconds.
    """
    since = case.memory.since(role_subject(former))
    due = (case.now if since is None else since) + case.timing.lag
    unclear = case.memory.rejection("route")
    if unclear is None or not isinstance(unclear.what, Unavailable):
        return due
    # A write of the traffic that had no answer may yet send it there.
    return max(due, unclear.at + case.timing.settle)


def _doubles(case: Case, endpoint: Endpoint) -> frozenset[str]:
    """Deployments that the same request made a second time, which do not run."""
    recorded = {d.id for d in case.record.deployments}
    doubles = own_ids(case, endpoint) - recorded
    if case.current is None:
        return frozenset()
    return frozenset(doubles)


def foreign(case: Case, endpoint: Endpoint) -> tuple[Deployment, ...]:
    """The deployments of an endpoint that are not on record as this resource's.

    Args:
        case: The resource.
        endpoint: Its endpoint, as last seen.
    """
    own = own_ids(case, endpoint)
    return tuple(d for d in endpoint.deployments or () if d.id not in own)
