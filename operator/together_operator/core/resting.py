"""At rest: nothing differs from what the resource says, so what is so has to be told well.

Most of a resource's life is spent here. Every word that a person reads in it says what is so,
what it costs or does not cost, and what can be done about it.
"""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.deploying import own_ids
from together_operator.core.looking import details
from together_operator.core.naming import ours
from together_operator.core.observed import Link
from together_operator.core.steps import Decision, Probe
from together_operator.core.writes import start_subject
from together_operator.resource import names
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.remote import ENDED, Endpoint, Phase, Refused

_NEW = frozenset({Reason.CREATING, Reason.CLAIMING, Reason.WAITING_FOR_CAPACITY})


DEFINITE = frozenset(
    {
        Reason.V1_CLOSED,
        Reason.INVALID_MODEL,
        Reason.INVALID_HARDWARE,
        Reason.INVALID_ZONE,
        Reason.CONFIG_REQUIRED,
        Reason.INVALID_REQUEST,
        Reason.UNSUPPORTED,
        Reason.NAME_TAKEN,
    }
)
"""Refusals that only a change of the resource, or a person's request, can turn."""


def standing_refusal(case: Case) -> Decision | None:
    """A definite refusal that an earlier process met, as the status still tells it.

    Args:
        case: The resource.
    """
    stalled = case.condition(ConditionType.STALLED)
    known = case.memory.rejections or case.memory.writes
    if stalled is None or stalled.status != "True" or stalled.reason not in DEFINITE:
        return None
    if stalled.observed_generation != case.desired.generation or case.asked_again or known:
        return None
    return case.wait(Reason(stalled.reason), stalled.message)


def rest(case: Case, endpoint: Endpoint, *, acting: bool = True) -> Decision:
    """Nothing differs; tell what is so, and prove that it serves.

    Args:
        case: The resource.
        endpoint: Its endpoint.
        acting: Whether anything may be sent or written.
    """
    trouble = _connection_trouble(case)
    if trouble is not None:
        return trouble
    if case.desired.started and endpoint.phase in ENDED:
        refused = _restart_refused(case, endpoint)
        if refused is not None:
            return refused
    match endpoint.phase:
        case Phase.FAILED:
            start = (
                f"Set the annotation {names.RESTART_REQUESTED_AT} to start it again"
                if case.desired.started
                else "Set spec.state to Started to try it again"
            )
            return case.wait(
                Reason.ENDPOINT_FAILED,
                f"Together reports {endpoint.state} for {endpoint.id} and gives"
                f" {_cause(case, endpoint)}. {start}, or delete this resource and apply it again",
            )
        case Phase.STOPPED if not case.desired.started:
            return case.wait(
                Reason.STOPPED, f"Stopped as asked; nothing is billed{_finality(case)}"
            )
        case Phase.STOPPED:
            return _stopped_by_others(case, endpoint)
        case Phase.STOPPING:
            return case.wait(Reason.STOPPING, f"{endpoint.id} is stopping")
        case Phase.STARTED:
            return _started(case, endpoint, acting=acting)
        case Phase.PENDING:
            return _pending(case, endpoint)
        case Phase.STARTING:
            new = case.present_reason in _NEW
            reason = Reason.CREATING if new else Reason.STARTING
            return case.wait(reason, f"Together is starting {endpoint.id}")
        case _:
            return case.wait(
                Reason.STARTING,
                f"Together reports the state '{endpoint.state}', which this version does not"
                " know; waiting for one that it knows",
            )


def _cause(case: Case, endpoint: Endpoint) -> str:
    """Why it is as it is, in Together's words, where it says."""
    seen = endpoint.deployment(case.deployment_id)
    words = seen.message.strip().rstrip(".") if seen is not None else ""
    return f"the cause: {words}" if words else "no cause"


def _connection_trouble(case: Case) -> Decision | None:
    trouble = case.observed.trouble
    key = case.key_trouble
    if key is not None:
        return case.wait(key.reason, key.message, cause=key.reason)
    if trouble is None:
        return None
    if trouble.reason in (Reason.UNREACHABLE, Reason.RATE_LIMITED):
        return case.wait(
            Reason.UNREACHABLE,
            trouble.message,
            pending=not case.settled_before,
            cause=Reason.UNREACHABLE,
        )
    return case.wait(trouble.reason, trouble.message, cause=trouble.reason)


def _finality(case: Case) -> str:
    if case.observed.deploys or not case.observed.stop_is_final:
        return ""
    return ". On most accounts Together no longer starts a stopped v1 endpoint again"


def _restart_refused(case: Case, endpoint: Endpoint) -> Decision | None:
    """A start that a person asked for and that was refused for good goes on being told."""
    wish = case.desired.restart_requested_at
    if wish is None or (case.restart_asked and case.memory.restarted_for != wish):
        return None
    rejection = case.memory.rejection(
        "start", start_subject(case, case.deployment_id or endpoint.id)
    )
    if rejection is None:
        return standing_refusal(case)
    what = rejection.what
    if not isinstance(what, Refused) or what.retryable:
        return None
    return case.wait(what.reason, what.message)


def _stopped_by_others(case: Case, endpoint: Endpoint) -> Decision:
    sent = case.memory.sent("start")
    if sent is not None and case.now < sent.at + case.timing.repeat:
        return case.wait(
            Reason.STARTING, f"Starting {endpoint.id}", sent.at + case.timing.repeat - case.now
        )
    restart = f"set the annotation {names.RESTART_REQUESTED_AT} to any new value"
    minutes = case.applied.inactive_timeout_minutes or 0
    if minutes > 0:
        return case.wait(
            Reason.IDLE_STOPPED,
            f"Together stopped {endpoint.id} after {minutes} minutes without traffic; nothing is"
            f" billed. To start it again, {restart}{_finality(case)}",
        )
    return case.wait(
        Reason.STOPPED_REMOTELY,
        f"{endpoint.id} was stopped, and not by this operator; nothing is billed. To start it"
        f" again, {restart}; to keep it so, set spec.state to Stopped{_finality(case)}",
    )


def _pending(case: Case, endpoint: Endpoint) -> Decision:
    since = case.memory.queued_since
    due = (since if since is not None else case.now) + case.timing.queue
    ready = case.condition(ConditionType.READY)
    told = ready is not None and ready.reason == Reason.WAITING_FOR_CAPACITY
    if told or case.now >= due:
        return case.wait(
            Reason.WAITING_FOR_CAPACITY,
            f"Together has queued {endpoint.id} until {endpoint.hardware} is available; nothing"
            f" is billed meanwhile{_told(case, endpoint)}. Fewer spec.autoscaling.minReplicas may"
            " start sooner",
        )
    reason = Reason.CREATING if case.present_reason in _NEW else Reason.STARTING
    return case.wait(reason, f"Together is preparing {endpoint.id}", due - case.now)


def _scaling(case: Case, endpoint: Endpoint, ready: int, *, acting: bool) -> Decision:
    """Wait for replicas. No LIST counts them, so the endpoint itself is read while some lack."""
    message = f"{ready} of at least {endpoint.bounds.min} replicas are ready"
    due = case.memory.details_at + case.timing.probe
    if acting and case.now >= due:
        return details(case, endpoint.id, Reason.SCALING, message)
    return case.wait(Reason.SCALING, message, due - case.now if acting else None)


def _started(case: Case, endpoint: Endpoint, *, acting: bool) -> Decision:
    if not case.desired.started:
        return case.wait(Reason.STOPPING, f"{endpoint.id} still runs")
    if not case.serving and not acting:
        return case.wait(
            Reason.PROBING, f"{endpoint.id} has started; whether the model answers is not asked"
        )
    if not case.serving:
        at = case.memory.probed_at
        due = case.now if at is None else at + case.timing.probe
        message = f"{endpoint.id} has started; asking the model for a first answer"
        if case.now >= due:
            return case.step(Probe(case.credential or "", endpoint.name), Reason.PROBING, message)
        return case.wait(Reason.PROBING, message, due - case.now)
    ready = endpoint.ready_replicas
    if ready is not None and ready < endpoint.bounds.min:
        return _scaling(case, endpoint, ready, acting=acting)
    if case.observed.link is Link.FOREIGN:
        connection = case.desired.spec.connection
        name = connection.config_map_name if connection else ""
        return case.wait(
            Reason.CONNECTION_CONFLICT,
            f"The endpoint serves, but the ConfigMap {name} was not made by this resource and is"
            " left alone. Choose another spec.connection.configMapName, or delete the ConfigMap",
        )
    if case.observed.link is Link.DENIED:
        return case.wait(
            Reason.CONNECTION_CONFLICT,
            "The endpoint serves, but the operator may not read ConfigMaps here, so the one of"
            " spec.connection is not kept up to date. Grant it in the operator's Role (the Helm"
            " chart contains it), or remove spec.connection",
            case.timing.repeat,
        )
    return case.wait(
        Reason.SERVING,
        f"Answers as model '{endpoint.name}'{_beside(case, endpoint)}{_cosmetic(case)}",
    )


def _told(case: Case, endpoint: Endpoint) -> str:
    cause_ = _cause(case, endpoint)
    return "" if cause_ == "no cause" else f" ({cause_})"


def _beside(case: Case, endpoint: Endpoint) -> str:
    """What bears our mark and is not on record: nothing proves which request made it."""
    own = own_ids(case, endpoint)
    strays = [d.id for d in endpoint.deployments or () if ours(case, d) and d.id not in own]
    if not strays:
        return ""
    return (
        f". {', '.join(strays)} bears this resource's mark as well, and no request on record made"
        " it; delete it at Together if it is not needed"
    )


def _cosmetic(case: Case) -> str:
    """What the generation cannot do and nobody depends on."""
    if not case.observed.deploys or case.desired.spec.display_name is None:
        return ""
    return ". API v2 has no display name, so spec.displayName is not shown at Together"
