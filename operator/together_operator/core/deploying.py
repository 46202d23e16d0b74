"""Deployments: what runs behind an endpoint of the second generation, and how it comes to be there.

An endpoint there is a name and nothing more. One deployment is made within it, stopped, so that
an order whose answer is lost costs nothing and can be looked up by its name. Only what is on
record by its id is ever started, which makes it one.
"""

from __future__ import annotations

from dataclasses import replace

from together_operator.core.case import Case
from together_operator.core.causes import cause
from together_operator.core.looking import details
from together_operator.core.marker import Marker
from together_operator.core.naming import deployment_name, made_of, mark_of, ours
from together_operator.core.objecting import objection
from together_operator.core.steps import Decision, Deploy, Record
from together_operator.core.waiting import between_keys, keyless, still_refused, suspended
from together_operator.resource import names
from together_operator.resource.endpoint_status import DeploymentStatus, Operation, Refusal, Role
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import HALTED, Absent, Deployment, Endpoint
from together_operator.resource.spec import OnMissing, State


def deploy(case: Case, endpoint: Endpoint) -> Decision | None:
    """One step towards a deployment on record.

    Args:
        case: The resource.
        endpoint: Its endpoint.

    Returns:
        The step, or `None` if there is one, and it is there.
    """
    operation = _operation(case)
    if operation.deploying is not None:
        made = _of_name(endpoint, operation.deploying)
        return _known(case, made) if made is not None else _post(case, endpoint)
    if case.current is not None:
        return _vanished(case, endpoint, case.current)
    return recognise_deployment(case, endpoint) or draft(case)


def recognise_deployment(case: Case, endpoint: Endpoint) -> Decision | None:
    """Put what bears our mark on record, where the record of it is lost: one is to serve.

    Args:
        case: The resource.
        endpoint: Its endpoint.

    Returns:
        The step, or `None` if there is one on record, or none to be found.
    """
    operation = _operation(case)
    if case.current is not None or operation.deploying is not None:
        return None
    known = {entry.id for entry in case.record.deployments}
    found = [d for d in endpoint.deployments or () if ours(case, d) and d.id not in known]
    if not found:
        return None
    first = max(found, key=lambda d: (endpoint.weight(d.id), -d.created_at))
    # Of a replacement that was under way when the record was lost, the other one runs too.
    others = tuple(d for d in found if d.id != first.id)
    return _known(case, first, others, halted=False)


def renew(case: Case, why: str) -> Decision:
    """Have another deployment made in the place of one that does not run and shall not.

    Args:
        case: The resource.
        why: What is the matter with the current one.
    """
    current = case.current
    assert current is not None  # noqa: S101
    former = current.model_copy(update={"role": Role.FORMER.value})
    return draft(case, (*_without(case, current), former), why)


def own_ids(case: Case, endpoint: Endpoint) -> frozenset[str]:
    """The deployments of an endpoint that are on record, and those that bear the same names.

    A name is drawn once, so that a second deployment of the same name is the work of the same
    request.

    Args:
        case: The resource.
        endpoint: Its endpoint.
    """
    recorded = case.record.deployments
    known, titles = {d.id for d in recorded}, {d.name for d in recorded}
    if case.operation is not None and case.operation.deploying is not None:
        titles.add(case.operation.deploying)
    return frozenset(
        d.id for d in endpoint.deployments or () if d.id in known or (d.name in titles)
    )


def _operation(case: Case) -> Operation:
    operation = case.operation
    assert operation is not None  # noqa: S101
    return operation


def _of_name(endpoint: Endpoint, name: str) -> Deployment | None:
    made = [d for d in endpoint.deployments or () if d.name == name]
    return min(made, key=lambda d: (d.created_at, d.id), default=None)


def _known(
    case: Case, made: Deployment, others: tuple[Deployment, ...] = (), *, halted: bool = True
) -> Decision:
    """Put a deployment on record by its id, and others that have to go."""
    role = Role.CURRENT if case.current is None else Role.NEXT
    # What is to take another's place says nothing of whether the endpoint is to run.
    halted = halted and role is Role.CURRENT
    entry = DeploymentStatus(id=made.id, name=made.name, role=role.value)
    operation = _operation(case).model_copy(update={"deploying": None, "refusal": None})
    former = tuple(DeploymentStatus(id=d.id, name=d.name, role=Role.FORMER.value) for d in others)
    deployments = (entry, *former, *case.record.deployments)
    status = case.record.model_copy(update={"deployments": deployments, "operation": operation})
    return case.step(
        Record(status, halted=halted), _word(case), f"Together made the deployment {made.id}"
    )


def _word(case: Case) -> Reason:
    """The one word while a deployment is being made."""
    if case.current is not None:
        return Reason.REPLACING
    new = case.present_reason in (Reason.CREATING, Reason.CLAIMING)
    return Reason.CREATING if new else Reason.STARTING


# -- a new one -------------------------------------------------------------------------------------


def draft(
    case: Case, others: tuple[DeploymentStatus, ...] | None = None, why: str = ""
) -> Decision:
    """Everything that has to be true before a deployment is ordered, and then its name on record.

    Args:
        case: The resource.
        others: The deployments that stay on record, if not those that are.
        why: What it is to take the place of.
    """
    keys = case.observed.keys
    told = f"{why}; making another one" if why else "Making the deployment, which does not run yet"
    if case.desired.spec.suspend:
        return suspended(case, told)
    if keys.user is None:
        return keyless(case, "There is no key to make a deployment with")
    if keys.user != keys.held:
        return case.as_before()
    stands = objection(case) or _standing(case) or case.paused(keys.user)
    if stands is not None:
        return stands
    operation = _operation(case).model_copy(
        update={"deploying": deployment_name(case), "refusal": None}
    )
    update: dict[str, object] = {"operation": operation}
    if others is not None:
        update["deployments"] = others
    return case.step(Record(case.record.model_copy(update=update)), _word(case), told)


def _standing(case: Case) -> Decision | None:
    """What the last refusal means now: try again if something changed, or if it may have passed."""
    refusal = _operation(case).refusal
    if refusal is None or refusal.generation != case.desired.generation or case.asked_again:
        return None
    if refusal.reason not in set(Reason):
        return None
    return still_refused(case, "deploy", refusal)


def refused_deployment(case: Case) -> Decision | None:
    """Record that Together refused the deployment on order, so that the spec can be corrected.

    Args:
        case: The resource.
    """
    denial, operation = case.memory.denial, case.operation
    if denial is None or operation is None or operation.deploying != denial.name:
        return None
    what = denial.what
    refusal = Refusal(reason=what.reason, message=what.message, generation=denial.generation)
    record = operation.model_copy(update={"deploying": None, "refusal": refusal})
    return case.step(
        Record(case.record.model_copy(update={"operation": record})),
        what.reason,
        what.message,
        cause=cause(what.reason),
    )


def _post(case: Case, endpoint: Endpoint) -> Decision:
    """Order the deployment under the name on record, once nothing else can come of that name."""
    operation, keys, memory = _operation(case), case.observed.keys, case.memory
    name = operation.deploying or ""
    draft = memory.draft
    unsent = draft is not None and draft.nonce == name and not draft.posted
    if not unsent:
        settled_at = (memory.since(name) or case.now) + case.timing.settle
        message = (
            f"A request to make the deployment {name} had no clear answer; looking at Together for"
            " what it made before anything else is done"
        )
        if case.now < settled_at:
            pause = min(settled_at - case.now, 2 * case.timing.scan_gap)
            if case.now >= memory.details_at + pause:
                return details(case, endpoint.id, Reason.CLAIMING, message)
            return case.wait(Reason.CLAIMING, message, pause)
        if memory.details_at < settled_at:
            return details(case, endpoint.id, Reason.CLAIMING, message)
    if made_of(name) != case.desired.immutable:
        return _reconsider(case)
    told = "Making the deployment, which does not run yet"
    if case.desired.spec.suspend:
        return suspended(case, told)
    if keys.user is None or keys.user != keys.held:
        return between_keys(case)
    paused = case.paused(keys.user)
    if paused is not None:
        return paused
    rejection = memory.rejection("deploy", name)
    if rejection is not None and isinstance(rejection.what, Absent):
        due = rejection.at + case.backoff(rejection.count)
        if case.now < due:
            return case.as_before(due - case.now)
    mark = Marker.of(case.observed.cluster, case.desired.uid, operation.nonce)
    order = case.desired.order(mark, started=False, name=case.endpoint_name)
    return case.step(Deploy(keys.user, endpoint.id, name, order), _word(case), told)


def _reconsider(case: Case) -> Decision:
    """Nothing was made under the name on record, and it is not that of what is asked for now.

    What is made from one spec under the name of another would be taken for what it is not.
    """
    current = case.current
    if current is None or made_of(current.name) != case.desired.immutable:
        return draft(case)
    record = _operation(case).model_copy(update={"deploying": None})
    return case.step(
        Record(case.record.model_copy(update={"operation": record})),
        Reason.UPDATING,
        "The change was taken back before anything was made of it",
    )


# -- one that is not there any more ----------------------------------------------------------------


def role_subject(entry: DeploymentStatus) -> str:
    """The name under which it is remembered since when a deployment has had its role.

    Args:
        entry: The deployment on record.
    """
    return f"{entry.role}@{entry.id}"


def absent_subject(deployment_id: str) -> str:
    """The name under which a deployment's absence is remembered.

    Args:
        deployment_id: Together's id.
    """
    return f"absent@{deployment_id}"


def _vanished(case: Case, endpoint: Endpoint, current: DeploymentStatus) -> Decision | None:
    """Whether the deployment on record is there; what becomes of the resource if it is not."""
    if endpoint.deployment(current.id) is not None:
        return None
    if any(d.role == Role.NEXT for d in case.record.deployments):
        return None  # what was to take its place does so, and is not left to run for nobody
    since = case.memory.since(absent_subject(current.id))
    due = (case.now if since is None else since) + case.timing.lag
    if case.now < due:
        return case.as_before(due - case.now)
    if case.memory.details_at < due:
        return details(case, endpoint.id, case.present_reason, "Looking for the deployment")
    gone = f"{current.id} no longer exists in {endpoint.id}, and this operator did not delete it."
    spec = case.desired.spec
    halted = case.observed.former_phase in HALTED or case.applied.state == State.STOPPED
    halted = halted and case.desired.started and not case.restart_asked
    if spec.on_missing is OnMissing.RECREATE and not halted:
        return draft(case, _without(case, current), gone.rstrip("."))
    if case.restart_asked and case.desired.started:
        return draft(case, _without(case, current), gone.rstrip("."))
    return case.wait(
        Reason.REMOTE_MISSING,
        f"{gone} To have a new one, set spec.onMissing to Recreate, or the annotation"
        f" {names.RESTART_REQUESTED_AT} to any new value",
    )


def _without(case: Case, one: DeploymentStatus) -> tuple[DeploymentStatus, ...]:
    return tuple(d for d in case.record.deployments if d.id != one.id)


def as_known(entry: DeploymentStatus, endpoint: Endpoint) -> DeploymentStatus:
    """What the status tells of a deployment on record.

    Args:
        entry: The entry as it stands.
        endpoint: Its endpoint, as last seen.
    """
    seen = endpoint.deployment(entry.id)
    if seen is None:
        return entry
    weight = endpoint.weight(seen.id)
    return entry.model_copy(
        update={
            "state": seen.state,
            "message": seen.message or None,
            "model": seen.model or entry.model,
            "config": seen.config or entry.config,
            "hardware": seen.hardware or entry.hardware,
            "quantization": seen.quantization or entry.quantization,
            "regions": seen.regions or entry.regions,
            "ready_replicas": seen.ready_replicas,
            "weight": f"{weight:g}",
        }
    )


def with_deployment(endpoint: Endpoint, made: Deployment) -> Endpoint:
    """An endpoint with what an answer has just told of one of its deployments.

    Args:
        endpoint: The endpoint, as known.
        made: The deployment, new or changed.
    """
    others = tuple(d for d in endpoint.deployments or () if d.id != made.id)
    return _holding(endpoint, tuple(sorted((*others, made), key=lambda d: (d.created_at, d.id))))


def without_deployment(endpoint: Endpoint, deployment_id: str) -> Endpoint:
    """An endpoint without one of its deployments, which has just been removed.

    Args:
        endpoint: The endpoint, as known.
        deployment_id: Together's id of the deployment.
    """
    left = tuple(d for d in endpoint.deployments or () if d.id != deployment_id)
    return _holding(endpoint, left)


def _holding(endpoint: Endpoint, deployments: tuple[Deployment, ...]) -> Endpoint:
    """An endpoint with these deployments, of which the oldest marked one tells whose it is.

    The next reading will tell the same, so that nothing changes by it.
    """
    bare = endpoint.name.rpartition("/")[2]
    marks = (mark_of(deployment) for deployment in deployments)
    mark = next((mark for mark in marks if mark is not None), None)
    name = bare if mark is None else f"{bare} {mark}"
    return replace(endpoint, deployments=deployments, display_name=name)
