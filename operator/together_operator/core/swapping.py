"""Swap: a change of what cannot be changed in place, without a request that fails.

A second deployment is built beside the first, tried by its own name, and given the traffic in one
write. Until then the first one is not touched, so that to give up at any moment costs nobody
anything; after it the first one goes on running until no router can send it anything.
"""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.deploying import draft, own_ids, renew, role_subject
from together_operator.core.looking import details, read_since_listed
from together_operator.core.marker import Marker
from together_operator.core.naming import made_of
from together_operator.core.objecting import objection
from together_operator.core.routing import towards
from together_operator.core.sending import send
from together_operator.core.steps import Decision, Probe, Record, Start, Update
from together_operator.core.waiting import between_keys, suspended
from together_operator.resource.endpoint_status import DeploymentStatus, Refusal, Role
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Change, Deployment, Endpoint, Phase
from together_operator.resource.spec import Replacement


def swap(case: Case, endpoint: Endpoint) -> Decision | None:
    """One step towards another deployment in the place of the current one.

    Args:
        case: The resource, with a current deployment that is there.
        endpoint: Its endpoint.

    Returns:
        The step or the wait; `None` if the current one is what the resource asks for.
    """
    current, following = case.current, _following(case)
    if current is None or case.record.adopted:
        return None
    wanted = case.desired.immutable
    if following is not None:
        return _go_on(case, endpoint, current, following, wanted)
    if made_of(current.name) in (wanted, None):
        return None
    if case.desired.spec.replacement is not Replacement.SWAP:
        return None
    failed = _failed_before(case)
    if failed is not None:
        return failed
    if any(d.role == Role.FORMER for d in case.record.deployments):
        return None  # one that still has to go would make it three
    why = f"{current.id} is not what the resource asks for any more"
    if not case.desired.started:
        return renew(case, why)  # nothing serves, so that nothing has to be kept going
    return draft(case, why=why)


def _following(case: Case) -> DeploymentStatus | None:
    return next((d for d in case.record.deployments if d.role == Role.NEXT), None)


def _failed_before(case: Case) -> Decision | None:
    """A replacement that did not come up is tried again when the resource or a person says so."""
    refusal = case.operation.refusal if case.operation is not None else None
    if refusal is None or refusal.generation != case.desired.generation or case.asked_again:
        return None
    if refusal.reason != Reason.REPLACEMENT_FAILED:
        return None
    return case.wait(Reason.REPLACEMENT_FAILED, refusal.message)


def _go_on(
    case: Case,
    endpoint: Endpoint,
    current: DeploymentStatus,
    following: DeploymentStatus,
    wanted: str,
) -> Decision | None:
    seen = endpoint.deployment(following.id)
    turn = turned(case, endpoint, Reason.REPLACING)
    if turn is not None:
        return turn
    if made_of(following.name) != wanted or not case.desired.started:
        return _give_up(case, following, "The resource does not ask for it any more")
    if seen is None and not read_since_listed(case, endpoint.id):
        # A LIST may not show yet what has just been made, which is no reason to give it up.
        return details(case, endpoint.id, Reason.REPLACING, f"Looking for {following.id}")
    if seen is None or seen.phase is Phase.FAILED:
        why = seen.message.strip().rstrip(".") if seen is not None else "it is not there any more"
        return _give_up(case, following, f"{following.id} has failed: {why or 'no cause is given'}")
    if case.desired.spec.suspend:
        return suspended(case, f"replacing {current.id} by {following.id}")
    due = _due(case, following, seen)
    if case.now >= due and case.memory.tried != following.id:
        return _give_up(
            case, following, f"{following.id} was not ready within an hour ({seen.state})"
        )
    return (
        _run(case, endpoint, following, seen)
        or _try(case, endpoint, following, seen, due)
        or _cut_over(case, endpoint, current, following)
    )


def _due(case: Case, following: DeploymentStatus, seen: Deployment) -> float:
    """When it has had its time: since this process first saw it, or since it was made.

    Its age is told by one clock, Together's, and so is the same to each process that takes over.
    """
    known, limit = case.memory.since(role_subject(following)), case.timing.replacement
    since = case.now if known is None else known
    poll = case.observed.poll
    if poll is None or seen.created_at <= 0.0:
        return since + limit
    spent = (poll.date - seen.created_at) / case.timing.replacement_told
    due = min(since + limit, poll.sent_at + limit * (1.0 - spent))
    # Whether it answers is in nobody's record: who finds it ready has to ask before it judges.
    return max(due, since + case.timing.lag) if seen.phase is Phase.STARTED else due


def turned(case: Case, endpoint: Endpoint, reason: Reason) -> Decision | None:
    """Have the roles follow where the traffic has moved.

    Args:
        case: The resource.
        endpoint: Its endpoint, as last seen.
        reason: The one word meanwhile.

    Returns:
        The step, or `None` if the traffic has not moved, or the roles have followed it.
    """
    current, following = case.current, _following(case)
    if current is None or following is None:
        return None
    if endpoint.weight(following.id) <= 0 or endpoint.weight(current.id) > 0:
        return None
    now = following.model_copy(update={"role": Role.CURRENT.value})
    former = current.model_copy(update={"role": Role.FORMER.value})
    others = tuple(d for d in case.record.deployments if d.id not in (current.id, following.id))
    status = case.record.model_copy(update={"deployments": (now, former, *others)})
    told = f"{following.id} has taken the place of {current.id}"
    return case.step(Record(status), reason, told)


def _give_up(case: Case, following: DeploymentStatus, why: str) -> Decision:
    """Let the current one go on as if nothing had been tried."""
    former = following.model_copy(update={"role": Role.FORMER.value})
    deployments = tuple(former if d.id == following.id else d for d in case.record.deployments)
    update: dict[str, object] = {"deployments": deployments}
    message = (
        f"{why}, so it is removed and the former deployment goes on serving. Correct the spec, or"
        " take the change back"
    )
    wanted = case.desired.immutable == made_of(following.name) and case.desired.started
    reason = Reason.REPLACEMENT_FAILED if wanted else Reason.REPLACING
    if wanted and case.operation is not None:
        refusal = Refusal(reason=reason.value, message=message, generation=case.desired.generation)
        update["operation"] = case.operation.model_copy(update={"refusal": refusal})
    return case.step(Record(case.record.model_copy(update=update)), reason, message)


def _run(
    case: Case, endpoint: Endpoint, following: DeploymentStatus, seen: Deployment
) -> Decision | None:
    """Have it run as it is to, within what the limits allow and with the person's own key."""
    halted = seen.phase in (Phase.STOPPED, Phase.STOPPING) or seen.bounds.max == 0
    change = Change() if halted else _outdated(case, seen)
    if not halted and not change:
        return None
    keys = case.observed.keys
    if keys.user is None or keys.user != keys.held:
        return between_keys(case)
    objected = objection(case)
    if objected is not None:
        return objected
    if change:
        step = Update(keys.user, endpoint.id, change, drift=False, deployment_id=following.id)
        told = f"Changing {following.id}, as the resource has changed"
        return send(case, step, Reason.REPLACING, told)
    mark = Marker.of(case.observed.cluster, case.desired.uid, "")
    order = case.desired.order(mark, started=True, name=case.endpoint_name)
    start = Start(keys.user, endpoint.id, order, following.id)
    return send(case, start, Reason.REPLACING, f"Starting {following.id}")


def _outdated(case: Case, seen: Deployment) -> Change:
    """What has been asked for since it was made, of what can be changed in place."""
    minutes = seen.inactive_timeout_minutes
    return case.desired.change(
        None,
        display_name="",
        bounds=seen.bounds,
        inactive_timeout_minutes=(
            case.desired.spec.inactive_timeout_minutes if minutes is None else minutes
        ),
    )


def _try(
    case: Case, endpoint: Endpoint, following: DeploymentStatus, seen: Deployment, due: float
) -> Decision | None:
    """Wait until it is ready, and ask it by its own name."""
    told = "both are billed meanwhile"
    ready = seen.ready_replicas is None or seen.ready_replicas >= case.desired.bounds.min
    if seen.phase is not Phase.STARTED or not ready:
        words = f": {seen.message.strip().rstrip('.')}" if seen.message.strip() else ""
        return case.wait(
            Reason.REPLACING,
            f"Together is starting {following.id}, which is to take the place of the one that"
            f" serves; {told}{words}",
            max(due - case.now, 0.0),
        )
    if case.memory.tried == following.id:
        return None
    at = case.memory.probed_at
    again = case.now if at is None else at + case.timing.probe
    message = f"{following.id} has started; trying it before it gets any traffic; {told}"
    if case.now < again:
        return case.wait(Reason.REPLACING, message, again - case.now)
    name = f"{endpoint.name}/{seen.name}"
    return case.step(Probe(case.credential or "", name, following.id), Reason.REPLACING, message)


def _cut_over(
    case: Case, endpoint: Endpoint, current: DeploymentStatus, following: DeploymentStatus
) -> Decision:
    """One write that moves all of our traffic."""
    own = own_ids(case, endpoint) | {current.id, following.id}
    step = towards(case, endpoint, following.id, own)
    return send(case, step, Reason.REPLACING, f"Moving the traffic to {following.id}")
