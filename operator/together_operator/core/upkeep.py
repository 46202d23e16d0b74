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
from together_operator.core.creating import nothing_made
from together_operator.core.looking import absence, details
from together_operator.core.marker import Marker
from together_operator.core.objecting import objection
from together_operator.core.observed import Link
from together_operator.core.recreating import missed
from together_operator.core.removing import newly_proven
from together_operator.core.resting import rest, standing_refusal
from together_operator.core.settling import Settled, said_none, settle
from together_operator.core.steps import (
    Decision,
    KeepKey,
    List,
    Publish,
    Start,
    Step,
    Stop,
    Update,
    Vet,
    Wait,
)
from together_operator.core.writes import subject_of
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Absent, Change, Endpoint, Phase, Refused
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
    key = _key(case, endpoint_id)
    if key is not None and (case.credential is None or not isinstance(key.step, Wait)):
        return key
    decision = _picture(case, endpoint_id) or _until_drift(case, _work(case, endpoint_id))
    missing = decision.situation.reason is Reason.REMOTE_MISSING
    if key is None or missing or not isinstance(decision.step, Wait):
        return decision
    # What saves money is done with the held key; what a person has to know is the other key.
    pauses = [step.after for step in (key.step, decision.step) if isinstance(step, Wait)]
    after = min((pause for pause in pauses if pause is not None), default=None)
    return Decision(Wait(after), key.situation)


def _until_drift(case: Case, decision: Decision) -> Decision:
    """Wait no longer than until name and bounds are to be read again, whatever is waited for."""
    step = decision.step
    if not isinstance(step, Wait):
        return decision
    due = case.memory.details_at + case.timing.drift
    marked = case.memory.marked_at
    if marked is not None and case.memory.details_at < marked + case.timing.settle:
        due = min(due, marked + case.timing.settle)
    left = max(due - case.now, 0.0)
    return replace(decision, step=Wait(left if step.after is None else min(step.after, left)))


# -- the key -----------------------------------------------------------------------------------


def _key(case: Case, endpoint_id: str) -> Decision | None:
    """Keep the key with which the endpoint can be seen, whatever becomes of the Secret."""
    keys = case.observed.keys
    if keys.user is None:
        if keys.held is not None:
            return None
        trouble = case.key_trouble
        message = trouble.message if trouble else "There is no key to look at the endpoint with"
        return case.wait(
            trouble.reason if trouble else Reason.SECRET_MISSING,
            message,
            cause=trouble.reason if trouble else Reason.SECRET_MISSING,
        )
    if keys.user == keys.held:
        return None
    operation = case.operation
    if keys.held is None and operation is not None and operation.credential == keys.user:
        return case.step(KeepKey(keys.user), Reason.UPDATING, "Keeping a copy of the key")
    if case.open and operation is not None and operation.credential != keys.user:
        return _former_attempts(case)
    vetting = case.memory.vetting
    subject = (keys.user, endpoint_id)
    known = vetting is not None and (vetting.credential, vetting.endpoint_id) == subject
    if not known or vetting is None:
        return case.read(
            Vet(keys.user, endpoint_id), Reason.UPDATING, "Trying the new key on the endpoint"
        )
    if isinstance(vetting.verdict, Endpoint):
        return case.step(KeepKey(keys.user), Reason.UPDATING, "Taking the new key into use")
    if case.now >= vetting.at + case.timing.lag:
        return case.read(
            Vet(keys.user, endpoint_id), Reason.CREDENTIAL_MISMATCH, "Trying the new key again"
        )
    return _mismatch(
        case, f"this key cannot see {endpoint_id}", vetting.at + case.timing.lag - case.now
    )


def _former_attempts(case: Case) -> Decision:
    """What may yet come of the former key has to be settled with it before it is let go."""
    if said_none(case, case.open):
        return nothing_made(case)
    verdict = settle(case, case.open)
    if isinstance(verdict, Settled):
        proven = newly_proven(case, verdict.found)
        if proven is not None:
            return proven
        if not verdict.found:
            return nothing_made(case, "Nothing more came of the former key's create requests")
        return _mismatch(case, f"{verdict.found[0].id} is to be looked at first", case.timing.lag)
    if not isinstance(verdict.step, Wait) or verdict.situation.keep:
        return verdict
    if verdict.situation.reason is Reason.CLAIMING:
        return case.as_before(verdict.step.after)
    return _mismatch(
        case,
        "an earlier create request of the former key may yet take effect. If nothing of it is left"
        f" at Together, set the annotation {names.CLAIM} to 'none'",
        verdict.step.after,
    )


def _mismatch(case: Case, why: str, after: float | None = None) -> Decision:
    secret = case.desired.spec.api_key_secret_ref
    place = f"Secret {secret.name}" if secret else "the operator's settings"
    return case.wait(
        Reason.CREDENTIAL_MISMATCH,
        f"The key in {place} is not taken into use: {why}. The former key goes on serving the"
        " endpoint's deletion; put a key of the same project into place",
        after,
    )


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
    if case.desired.spec.suspend:
        return _suspended(case, endpoint, step)
    # A ConfigMap that cannot be written must not keep an endpoint from being stopped.
    due = case.observed.link is Link.DUE and case.record.inference is not None
    if due and not isinstance(step, Stop):
        return case.step(Publish(), Reason.UPDATING, "Writing the ConfigMap for applications")
    if step is None:
        return rest(case, endpoint)
    if unmarked(case, endpoint):
        name = _difference(case, endpoint).display_name
        marking = Update(case.credential or "", endpoint.id, Change(display_name=name), drift=False)
        first = step if isinstance(step, Stop) else marking
        return fresh(case, endpoint.id) or _write(case, first)
    return _write(case, step)


def _next(case: Case, endpoint: Endpoint) -> Step | None:
    """The write that is due, if any; the saving one first."""
    stop = _stop(case, endpoint)
    if stop is not None:
        return stop
    change = _difference(case, endpoint)
    if change:
        return Update(case.credential or "", endpoint.id, change, _is_drift(case, change))
    return _start(case, endpoint)


def _difference(case: Case, endpoint: Endpoint) -> Change:
    marker = case.marker
    if case.operation is not None and case.operation.markers_lost:
        marker = None
    return case.desired.change(
        marker,
        display_name=endpoint.display_name,
        bounds=endpoint.bounds,
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
    if case.desired.started or endpoint.phase in (Phase.STOPPING, Phase.STOPPED, Phase.FAILED):
        return None
    asked = case.applied.state == State.STOPPED
    if endpoint.phase is Phase.UNKNOWN and asked:
        return None
    return Stop(case.credential or "", endpoint.id, drift=asked)


def _start(case: Case, endpoint: Endpoint) -> Start | None:
    if not case.desired.started or endpoint.phase not in (Phase.STOPPED, Phase.FAILED):
        return None
    turned = case.applied.state == State.STOPPED
    asked = case.restart_asked and (case.memory.restarted_for != case.desired.restart_requested_at)
    if not turned and not asked:
        return None
    marker = case.marker or Marker.of(case.observed.cluster, case.desired.uid, "")
    order = case.desired.order(marker, started=True)
    return Start(case.credential or "", endpoint.id, order)


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
            trouble = case.key_trouble
            missing = trouble.reason if trouble else Reason.SECRET_MISSING
            words = trouble.message if trouble else "The key is missing"
            return case.wait(missing, words, cause=missing)
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
    return case.step(step, reason, message)


def _telling(case: Case, step: Step, endpoint: Endpoint) -> tuple[Reason, str]:
    match step:
        case Stop():
            return Reason.STOPPING, f"Stopping {endpoint.id}"
        case Start():
            return Reason.STARTING, f"Starting {endpoint.id}"
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
    return case.wait(
        Reason.SUSPENDED,
        f"Suspended; waiting with: {message}. Set spec.suspend to false to go on",
    )
