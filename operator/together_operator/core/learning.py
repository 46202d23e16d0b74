"""How a process's knowledge grows: from what it sees, and from what came of its steps.

Pure like the decisions, and kept apart from them, so that the very code that ships can be driven
through crashes, lost replies and stale views by a test that plays the world.
"""

from __future__ import annotations

from dataclasses import replace

from together_operator.core.case import Case
from together_operator.core.deploying import (
    with_deployment,
    without_deployment,
)
from together_operator.core.memory import (
    Answer,
    Definition,
    Denial,
    Fence,
    Glance,
    Memory,
    Reservation,
    Seen,
    Trouble,
    Vetting,
    turned,
)
from together_operator.core.mirror import detailed
from together_operator.core.noticing import pictured
from together_operator.core.observed import Poll
from together_operator.core.record import lost
from together_operator.core.scan import Scan
from together_operator.core.steps import (
    Beside,
    Create,
    Delete,
    Deploy,
    FindDefinition,
    FindOwner,
    FindWeights,
    Get,
    List,
    Look,
    Prepare,
    Probe,
    Record,
    Reserve,
    Route,
    Start,
    Step,
    Stop,
    Undeploy,
    Update,
    Vet,
    Write,
)
from together_operator.core.writes import (
    accepted,
    acknowledge,
    acknowledged,
    rejected,
    subject_of,
)
from together_operator.resource.endpoint_status import Applied, Operation, OperationPhase
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Ambiguous,
    Done,
    Endpoint,
    NotSent,
    Refused,
    Unavailable,
)
from together_operator.resource.spec import State
from together_operator.resource.status import Status

Outcome = (
    Done
    | Refused
    | Ambiguous
    | NotSent
    | Absent
    | Unavailable
    | Endpoint
    | Scan
    | Poll
    | Definition
    | Reservation
    | frozenset[str]
    | bool
    | str
    | None
)

_SCANS_KEPT = 8


def begin(memory: Memory, step: Step, now: float) -> Memory:
    """Note what cannot be taken back, before the step is taken.

    The fence stands from before its record is sent: should the write's answer be lost, this
    process still knows that it has sent no POST under that nonce. A nonce that was met on record
    may have been sent by anybody, so that writing it again (with an extra beside it) proves
    nothing.

    Args:
        memory: What is known.
        step: The step that is about to be taken.
        now: Monotonic seconds.
    """
    match step:
        case Beside(step=inner):
            assert memory.beside is not None  # noqa: S101
            return replace(memory, beside=begin(memory.beside, inner, now))
        case Record(turned=True):
            return memory
        case Create() if memory.fence is not None:
            return replace(memory, fence=replace(memory.fence, posted=True))
        case Deploy(name=name):
            return replace(memory, draft=Fence(name, now, posted=True))
        case Record(status=Status(operation=Operation(deploying=str(name)))):
            met = memory.since(name) is not None
            return memory if met else replace(memory, draft=Fence(name, now))
        case Record(status=Status(endpoint_id=str(endpoint_id)), halted=True):
            return acknowledge(memory, endpoint_id, Applied(state=State.STOPPED))
        case Record(status=Status(operation=Operation(phase=OperationPhase.OPEN, nonce=nonce))):
            met = memory.since(nonce) is not None
            known = memory.fence is not None and memory.fence.nonce == nonce
            return memory if met or known else replace(memory, fence=Fence(nonce, now))
        case _:
            return memory


def learn(case: Case, step: Step, outcome: Outcome, now: float) -> Memory:
    """Take in what came of a step.

    Args:
        case: The resource as the step was decided on, with the memory after `begin`.
        step: The step.
        outcome: What came of it.
        now: Monotonic seconds after it.

    Returns:
        The grown memory.
    """
    memory = case.memory
    if isinstance(step, Beside):
        beside = case.beside
        assert beside is not None  # noqa: S101
        return replace(memory, beside=learn(beside, step.step, outcome, now))
    if isinstance(outcome, Unavailable) and isinstance(step, List | Look | Get | Vet | FindWeights):
        return _unanswered(memory, step.credential, outcome, now)
    match step:
        case List(credential=credential):
            return _answered(memory, credential)
        case Look(credential=credential) if isinstance(outcome, Scan):
            return _scanned(_answered(memory, credential), case, outcome)
        case Get(credential=credential, endpoint_id=endpoint_id):
            return _read(_answered(memory, credential), case, endpoint_id, outcome, now)
        case Vet(credential=credential, endpoint_id=endpoint_id):
            assert isinstance(outcome, Endpoint | Absent)  # noqa: S101
            vetting = Vetting(credential, endpoint_id, outcome, now)
            return replace(_answered(memory, credential), vetting=vetting)
        case FindWeights(credential=credential, model=model) if isinstance(outcome, frozenset):
            return replace(_answered(memory, credential), weights=(model, outcome))
        case Probe(deployment_id=str(tried)):
            answered = isinstance(outcome, Done)
            return replace(memory, tried=tried if answered else None, probed_at=now)
        case Probe():
            answered = isinstance(outcome, Done)
            return replace(memory, answered=answered, probed_at=now)
        case FindOwner(uid=uid):
            return replace(memory, owner_lives=(uid, bool(outcome)))
        case FindDefinition() if isinstance(outcome, Definition):
            return replace(memory, definition=outcome)
        case Reserve() if isinstance(outcome, Reservation):
            return replace(memory, reservation=replace(outcome, at=now))
        case Prepare() if isinstance(outcome, str):
            return replace(memory, prepared=outcome)
        case Record(turned=True):
            return turned(memory)
        case Record():
            return replace(memory, answer=None, prepared=None, denial=None)
        case Create():
            return _created(memory, case.desired.generation, step, outcome, now)
        case Deploy():
            return _deployed(memory, case, step, outcome, now)
        case Update() | Start() | Stop() | Delete() | Undeploy() | Route():
            return _written(memory, case, step, outcome, now)
        case _:
            return memory


def own_write(memory: Memory, before: str, after: str) -> Memory:
    """Follow the resource through a write of this process's own.

    What depends on nobody having changed the resource (create-once rule 10) still holds after it,
    because the write carried the version that it was decided on as its precondition. Without this
    the status that tells of the waiting would begin the waiting anew.

    Args:
        memory: What is known.
        before: The resourceVersion that was the write's precondition.
        after: The resourceVersion that it returned.

    Returns:
        The memory that goes with the new version.
    """
    names = {lost(before): lost(after)}
    beside = memory.beside
    return replace(
        memory,
        beside=None if beside is None else own_write(beside, before, after),
        prepared=after if memory.prepared == before else memory.prepared,
        first_sight=tuple((names.get(subject, subject), at) for subject, at in memory.first_sight),
        searched=tuple((names.get(subject, subject), api) for subject, api in memory.searched),
    )


def _unanswered(memory: Memory, credential: str, what: Unavailable, now: float) -> Memory:
    old = memory.trouble_of(credential)
    trouble = Trouble(credential, what, now, old.count + 1 if old is not None else 1)
    return replace(memory, troubles=(*_answered(memory, credential).troubles, trouble))


def _answered(memory: Memory, credential: str) -> Memory:
    troubles = tuple(t for t in memory.troubles if t.credential != credential)
    return replace(memory, troubles=troubles)


def _scanned(memory: Memory, case: Case, scan: Scan) -> Memory:
    silent = not case.doubtful(scan) and not case.unaccounted(scan)
    empties = (*memory.empties, scan.sent_at)[-_SCANS_KEPT:] if silent else ()
    return replace(memory, scan=scan, empties=empties)


def _read(memory: Memory, case: Case, endpoint_id: str, outcome: Outcome, now: float) -> Memory:
    others = tuple(g for g in memory.glances if g.endpoint_id != endpoint_id)
    glance = Glance(endpoint_id, now, found=isinstance(outcome, Endpoint))
    memory = replace(memory, glances=(*others, glance))
    if isinstance(outcome, Endpoint):
        memory = replace(
            memory, absences=tuple(a for a in memory.absences if a.endpoint_id != endpoint_id)
        )
        if endpoint_id != pictured(case):
            return memory
        return replace(
            memory,
            seen=Seen(outcome, now),
            details_at=now,
            refreshed_for=case.desired.reconcile_requested_at,
        )
    absences = tuple(
        replace(a, not_found=now) if a.endpoint_id == endpoint_id else a for a in memory.absences
    )
    return replace(memory, absences=absences, refreshed_for=case.desired.reconcile_requested_at)


def _created(memory: Memory, generation: int, step: Create, outcome: Outcome, now: float) -> Memory:
    nonce = step.nonce
    assert isinstance(outcome, Done | Refused | Ambiguous | NotSent)  # noqa: S101
    if isinstance(outcome, NotSent):
        fence = memory.fence
        memory = replace(memory, fence=replace(fence, posted=False) if fence else None)
        what = Unavailable(Reason.UNREACHABLE, outcome.message)
        return _unanswered(memory, step.credential, what, now)
    first_sight = tuple(
        (subject, now if subject == nonce else at) for subject, at in memory.first_sight
    )
    memory = replace(
        _answered(memory, step.credential),
        answer=Answer(nonce, generation, step.order, outcome),
        first_sight=first_sight,
    )
    if isinstance(outcome, Done) and outcome.endpoint is not None:
        return replace(
            memory,
            seen=Seen(outcome.endpoint, now),
            details_at=now,
            answered=False,
            rejections=tuple(r for r in memory.rejections if r.verb != "create"),
        )
    if isinstance(outcome, Refused):
        return rejected(memory, "create", nonce, outcome, now)
    return memory


def _deployed(memory: Memory, case: Case, step: Deploy, outcome: Outcome, now: float) -> Memory:
    name = step.name
    if isinstance(outcome, NotSent):
        memory = replace(memory, draft=Fence(name, now))
        what = Unavailable(Reason.UNREACHABLE, outcome.message)
        return _unanswered(memory, step.credential, what, now)
    first_sight = tuple(
        (subject, now if subject == name else at) for subject, at in memory.first_sight
    )
    memory = replace(_answered(memory, step.credential), first_sight=first_sight)
    if isinstance(outcome, Done) and outcome.deployment is not None:
        kept = tuple(r for r in memory.rejections if r.verb != "deploy")
        memory = replace(memory, rejections=kept)
        return _pictured_with(memory, step.endpoint_id, outcome, now)
    if isinstance(outcome, Absent):
        return rejected(replace(memory, draft=Fence(name, now)), "deploy", name, outcome, now)
    # A name that is taken is our own, of a request whose answer was lost: it is looked up.
    if isinstance(outcome, Refused) and outcome.reason is not Reason.NAME_TAKEN:
        denial = Denial(name, case.desired.generation, outcome)
        return rejected(replace(memory, denial=denial), "deploy", name, outcome, now)
    return memory


def _pictured_with(memory: Memory, endpoint_id: str, outcome: Done, now: float) -> Memory:
    """Take in what an answer tells of one deployment, or of the endpoint without its details."""
    seen = memory.seen
    if seen is None or seen.endpoint.id != endpoint_id:
        return memory
    endpoint = seen.endpoint
    if outcome.endpoint is not None:
        endpoint = detailed(outcome.endpoint, endpoint)
    if outcome.deployment is not None:
        endpoint = with_deployment(endpoint, outcome.deployment)
    return replace(memory, seen=Seen(endpoint, now))


def _written(
    memory: Memory,
    case: Case,
    step: Write,
    outcome: Outcome,
    now: float,
) -> Memory:
    if isinstance(outcome, NotSent):
        return memory  # it was not this process's to make just now, which says nothing of Together
    verb, subject = subject_of(case, step)
    final = isinstance(outcome, Refused) and not outcome.retryable
    one = step.deployment_id if isinstance(step, Start | Stop | Update) else case.deployment_id
    of_another = one != case.deployment_id
    if isinstance(step, Start) and not of_another and (final or isinstance(outcome, Done)):
        memory = replace(memory, restarted_for=case.desired.restart_requested_at)
    if isinstance(step, Delete) and isinstance(outcome, Absent):
        memory = _read(memory, case, step.endpoint_id, outcome, now)
        return accepted(memory, verb, subject, now)
    if isinstance(step, Undeploy) and isinstance(outcome, Absent | Done):
        seen = memory.seen
        if seen is not None and seen.endpoint.id == step.endpoint_id:
            left = without_deployment(seen.endpoint, step.deployment_id)
            memory = replace(memory, seen=Seen(left, now))
        return accepted(memory, verb, subject, now)
    if not isinstance(outcome, Done):
        assert isinstance(outcome, Refused | Unavailable | Absent)  # noqa: S101
        return rejected(memory, verb, subject, outcome, now)
    memory = accepted(memory, verb, subject, now)
    if case.observed.deploys:
        memory = _pictured_with(memory, step.endpoint_id, outcome, now)
    elif outcome.endpoint is not None and outcome.endpoint.id == case.record.endpoint_id:
        memory = replace(memory, seen=Seen(outcome.endpoint, now), details_at=now)
    if case.record.adopted and isinstance(step, Update) and step.change.display_name is not None:
        memory = replace(memory, marked_at=now)
    # What is on record as asked for is so of the one that serves.
    return memory if of_another else acknowledged(memory, step)
