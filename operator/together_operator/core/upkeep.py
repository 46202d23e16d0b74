"""Update, Start, Stop: keeping a recorded endpoint as the resource says.

What the operator does by itself can only lower spend (I8): a difference in state is corrected
only towards Stopped, and an endpoint that stopped without being asked is started again only when
a person says so.
"""

from __future__ import annotations

from dataclasses import replace

from together_operator.core.adopting import fresh, unmarked, yielded
from together_operator.core.case import Case
from together_operator.core.causes import cause
from together_operator.core.deploying import deploy, renew
from together_operator.core.dismantling import discard, drain
from together_operator.core.looking import absence, details, read_since_listed
from together_operator.core.marker import Marker
from together_operator.core.objecting import objection
from together_operator.core.observed import Link
from together_operator.core.recreating import missed
from together_operator.core.rekeying import keep_key
from together_operator.core.resting import rest, standing_refusal
from together_operator.core.routing import route
from together_operator.core.steps import (
    Decision,
    List,
    Publish,
    Route,
    Start,
    Step,
    Stop,
    Update,
    Wait,
    sooner,
    waits,
)
from together_operator.core.swapping import swap
from together_operator.core.waiting import keyless, suspended
from together_operator.core.writes import subject_of
from together_operator.resource.endpoint_status import Role
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    ENDED,
    HALTED,
    Absent,
    Change,
    Endpoint,
    Phase,
    Refused,
)
from together_operator.resource.spec import State


def upkeep(case: Case, endpoint_id: str) -> Decision:
    """One step towards the recorded endpoint being as the resource says.

    Args:
        case: The resource.
        endpoint_id: The recorded endpoint.
    """
    if case.observed.rival is not None:
        return case.wait(
            Reason.ENDPOINT_CONFLICT,
            f"{endpoint_id} belongs to the TogetherEndpoint {case.observed.rival}, so it is left"
            " alone here. Delete this resource, which leaves the endpoint as it is",
            # Nothing tells this resource that the other one has gone.
            case.timing.grace,
        )
    key = keep_key(case, endpoint_id)
    if key is not None and (case.credential is None or not isinstance(key.step, Wait)):
        return key
    decision = _picture(case, endpoint_id) or _until_drift(case, _work(case, endpoint_id))
    missing = decision.situation.reason is Reason.REMOTE_MISSING
    if key is None or missing or not isinstance(decision.step, Wait):
        return decision
    # What saves money is done with the held key; what a person has to know is the other key.
    return _sooner(key, decision)


def _until_drift(case: Case, decision: Decision) -> Decision:
    """Wait no longer than until name and bounds are to be read again, whatever is waited for."""
    step = decision.step
    if not isinstance(step, Wait):
        return decision
    due = case.memory.details_at + case.timing.drift
    draining = drain(case)
    if draining is not None:
        due = min(due, case.now + draining)
    marked = case.memory.marked_at
    if marked is not None and case.memory.details_at < marked + case.timing.settle:
        due = min(due, marked + case.timing.settle)
    left = max(due - case.now, 0.0)
    return replace(decision, step=Wait(left if step.after is None else min(step.after, left)))


# -- the picture -------------------------------------------------------------------------------


def _picture(case: Case, endpoint_id: str) -> Decision | None:
    """Know what is there before anything is compared."""
    credential = case.credential or ""
    memory, poll = case.memory, case.observed.poll
    if poll is None or poll.credential != credential:
        return case.read(
            List(credential, float("-inf")), case.present_reason, "Looking at Together"
        )
    refresh = case.asked_again and memory.refreshed_for != case.desired.reconcile_requested_at
    if case.missing(endpoint_id) and not refresh:
        return _absent(case, endpoint_id)
    drifted = case.now >= memory.details_at + case.timing.drift
    if case.endpoint is None or refresh or drifted:
        return details(case, endpoint_id, case.present_reason, "Reading the endpoint")
    return None


def _absent(case: Case, endpoint_id: str) -> Decision:
    """An endpoint that is not listed is not gone until that is proven (I5)."""
    if case.gone(endpoint_id):
        return missed(case, endpoint_id)
    return absence(case, endpoint_id, case.present_reason, "Looking for the endpoint")


# -- the work ----------------------------------------------------------------------------------


def _work(case: Case, endpoint_id: str) -> Decision:
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101
    elsewhere = yielded(case, endpoint)
    if elsewhere is not None:
        return elsewhere
    step = _next(case, endpoint)
    if not case.observed.deploys or isinstance(step, Stop):
        return _keep(case, endpoint, step)
    coming = deploy(case, endpoint) or discard(case, endpoint) or swap(case, endpoint)
    if coming is None:
        return _keep(case, endpoint, step)
    if not waits(coming) or not _goes_on(case, endpoint, step):
        return coming
    kept = _keep(case, endpoint, step)
    return _sooner(coming, kept) if waits(kept) else kept


def _sooner(told: Decision, other: Decision) -> Decision:
    """What the one says, until either is to be looked at again."""
    return replace(told, step=sooner(told.step, other.step))


def _goes_on(case: Case, endpoint: Endpoint, step: Step | None) -> bool:
    """Whether the present deployment is kept as it is to be while another is waited for."""
    if endpoint.deployment(case.deployment_id) is None:
        return False
    operation = case.operation
    following = any(d.role == Role.NEXT for d in case.record.deployments)
    ordered = operation is not None and operation.deploying is not None
    # It serves until the traffic moves, which can be an hour away.
    return isinstance(step, Update | Route) or not (following or ordered)


def _keep(case: Case, endpoint: Endpoint, step: Step | None) -> Decision:
    """Carry out what differs, or tell how it is."""
    if isinstance(step, Start) and endpoint.phase is Phase.FAILED and case.current is not None:
        # There is no way back from it, so that a start means another one.
        failed = f"{case.current.id} of {endpoint.id} has failed for good"
        return renew(case, failed)
    if case.desired.spec.suspend:
        return _suspended(case, endpoint, step)
    # A ConfigMap that cannot be written must not keep an endpoint from being stopped.
    due = case.observed.link is Link.DUE and case.record.inference is not None
    if due and not isinstance(step, Stop):
        return case.step(Publish(), Reason.UPDATING, "Writing the ConfigMap for applications")
    if step is None:
        return _still_removing(case, rest(case, endpoint))
    if unmarked(case, endpoint):
        name = _difference(case, endpoint).display_name
        marking = Update(case.credential or "", endpoint.id, Change(display_name=name), drift=False)
        first = step if isinstance(step, Stop) else marking
        return fresh(case, endpoint.id) or _write(case, first)
    return _write(case, step)


def _still_removing(case: Case, resting: Decision) -> Decision:
    """What costs money beside the endpoint that serves is not at rest."""
    former = [d.id for d in case.record.deployments if d.role == Role.FORMER]
    if not former or resting.situation.reason not in (Reason.SERVING, Reason.STOPPED):
        return resting
    return case.wait(
        Reason.REPLACING,
        f"{resting.situation.message}. {', '.join(former)} is removed once no router can send it"
        " anything, and is billed until then",
        drain(case),
    )


def _next(case: Case, endpoint: Endpoint) -> Step | None:
    """The write that is due, if any; the saving one first."""
    stop = _stop(case, endpoint)
    if stop is not None:
        return stop
    change = _difference(case, endpoint)
    if change:
        drift = _is_drift(case, change)
        return Update(case.credential or "", endpoint.id, change, drift, case.deployment_id)
    return _start(case, endpoint) or (route(case, endpoint) if case.desired.started else None)


def _difference(case: Case, endpoint: Endpoint) -> Change:
    marker = case.marker
    bounds = endpoint.bounds
    if case.operation is not None and case.operation.markers_lost:
        marker = None
    if case.observed.deploys:
        # What cannot be renamed bears its mark for good, and bounds are what starts it.
        marker = None
        halted = endpoint.phase in HALTED
        bounds = case.desired.bounds if halted else bounds
    return case.desired.change(
        marker,
        display_name=endpoint.display_name,
        bounds=bounds,
        inactive_timeout_minutes=case.applied.inactive_timeout_minutes,
    )


def _is_drift(case: Case, change: Change) -> bool:
    """Whether Together has acknowledged before what now has to be sent again."""
    applied = case.applied
    if change.inactive_timeout_minutes is not None:
        return False
    if change.display_name is not None and applied.display_name != change.display_name:
        return False
    if change.bounds is None:
        return True
    known = applied.autoscaling
    return known is not None and (known.min_replicas, known.max_replicas) == (
        change.bounds.min,
        change.bounds.max,
    )


def _stop(case: Case, endpoint: Endpoint) -> Stop | None:
    if case.desired.started or endpoint.phase in HALTED:
        return None
    asked = case.applied.state == State.STOPPED
    if endpoint.phase is Phase.UNKNOWN and asked:
        return None
    return Stop(case.credential or "", endpoint.id, asked, case.deployment_id)


def _start(case: Case, endpoint: Endpoint) -> Start | None:
    if not case.desired.started or endpoint.phase not in ENDED:
        return None
    turned = case.applied.state == State.STOPPED
    asked = case.restart_asked and (case.memory.restarted_for != case.desired.restart_requested_at)
    if not turned and not asked:
        return None
    marker = case.marker or Marker.of(case.observed.cluster, case.desired.uid, "")
    order = case.desired.order(marker, started=True, name=case.endpoint_name)
    return Start(case.credential or "", endpoint.id, order, case.deployment_id)


def _costs(case: Case, step: Step, endpoint: Endpoint) -> bool:
    """Whether a step can raise spend, which needs the person's own key."""
    match step:
        case Start():
            return True
        case Update(change=Change(bounds=bounds)) if bounds is not None:
            return bounds.min > endpoint.bounds.min or bounds.max > endpoint.bounds.max
        case _:
            return False


def _write(case: Case, step: Step) -> Decision:
    """Send a write, unless it was refused or has just been sent."""
    endpoint = case.endpoint
    assert endpoint is not None  # noqa: S101
    reason, message = _telling(case, step, endpoint)
    if _costs(case, step, endpoint):
        keys = case.observed.keys
        if keys.user is not None and keys.user != keys.held:
            return case.as_before()
        if keys.user is None:
            return keyless(case, "The key is missing")
        objected = objection(case)
        if objected is not None:
            return objected
    refused = _refused(case, step)
    if refused is not None:
        return refused
    verb, subject = subject_of(case, step)
    sent = case.memory.sent(verb, subject)
    if sent is not None:
        due = sent.at + case.timing.repeat
        if case.now < due:
            told = f"{message}; Together accepted it and does not show it yet"
            return case.wait(reason, told, due - case.now)
    if _starts_unseen(case, step) and not read_since_listed(case, endpoint.id):
        return details(case, endpoint.id, reason, message)
    return case.step(step, reason, message)


def _starts_unseen(case: Case, step: Step) -> bool:
    """Whether a write would start what has stopped by itself since it was listed (I8).

    Bounds are what starts a deployment, and only what was just read has a version to name with it.
    """
    scales = isinstance(step, Update) and step.change.bounds is not None
    return scales and case.observed.deploys


def _telling(case: Case, step: Step, endpoint: Endpoint) -> tuple[Reason, str]:
    match step:
        case Stop():
            return Reason.STOPPING, f"Stopping {endpoint.id}"
        case Start():
            return Reason.STARTING, f"Starting {endpoint.id}"
        case Route():
            return Reason.UPDATING, f"Routing the traffic of {endpoint.id} to its deployment"
        case Update(change=change):
            return _changing(case, change, endpoint)
        case _:
            return Reason.UPDATING, f"Updating {endpoint.id}"


def _changing(case: Case, change: Change, endpoint: Endpoint) -> tuple[Reason, str]:
    """All that a change is about, under the word for what costs most."""
    parts = []
    old, new, minutes = endpoint.bounds, change.bounds, change.inactive_timeout_minutes
    if new is not None:
        parts.append(
            (
                Reason.SCALING,
                f"Scaling {endpoint.id} from {old.min}-{old.max} to {new.min}-{new.max} replicas",
            )
        )
    if change.display_name is not None:
        parts.append((Reason.RENAMING, f"Renaming {endpoint.id} to '{case.desired.human_name}'"))
    if minutes is not None:
        told = f"after {minutes} minutes" if minutes else "never"
        parts.append(
            (Reason.UPDATING, f"Updating {endpoint.id}: it is {told} stopped for inactivity")
        )
    return parts[0][0], "; ".join(text for _, text in parts)


def _refused(case: Case, step: Step) -> Decision | None:
    """What an earlier refusal of the same write means now."""
    verb, subject = subject_of(case, step)
    rejection = case.memory.rejection(verb, subject)
    if rejection is None:
        wanted = isinstance(step, Stop) or (case.restart_asked and isinstance(step, Start))
        return None if wanted else standing_refusal(case)
    what = rejection.what
    if isinstance(what, Refused) and not what.retryable:
        if case.asked_again and rejection.at < case.memory.details_at:
            return None
        return case.wait(what.reason, what.message)
    asked = None if isinstance(what, Absent) else what.retry_after
    due = rejection.at + case.backoff(rejection.count, asked)
    if case.now >= due:
        return None
    if isinstance(what, Absent):
        return case.as_before(due - case.now)
    return case.wait(what.reason, what.message, due - case.now, cause=cause(what.reason))


def _suspended(case: Case, endpoint: Endpoint, step: Step | None) -> Decision:
    if step is None:
        still = rest(case, endpoint, acting=False)
        told = case.wait(
            Reason.SUSPENDED,
            f"Suspended; nothing is pending ({still.situation.reason})",
            pending=False,
        )
        return replace(told, situation=replace(told.situation, beneath=still.situation))
    _, message = _telling(case, step, endpoint)
    return suspended(case, message)
