"""Taking in what stands before us, before anything is decided.

Pure like the decisions. What is noticed here is what any process would notice that looked now;
what came of a step that this one took is learned elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from together_operator.core.adopting import wanted
from together_operator.core.case import Case
from together_operator.core.deploying import absent_subject, role_subject
from together_operator.core.memory import Absence, Memory, Seen
from together_operator.core.settling import silent
from together_operator.core.writes import acknowledge, with_another_key
from together_operator.resource.endpoint_status import Applied, Role
from together_operator.resource.remote import HALTED, Endpoint, Phase
from together_operator.resource.spec import State


def notice(case: Case) -> Memory:
    """Take in what stands before us, before anything is decided.

    Args:
        case: The resource now; its memory is the one to grow.

    Returns:
        The grown memory.
    """
    memory = case.memory
    looking = f"{case.credential}/{case.observed.api}" if case.credential else None
    if memory.looked_with != looking:
        memory = replace(
            with_another_key(memory),
            looked_with=looking,
            absences=(),
            glances=(),
            empties=(),
            scan=None,
        )
    if case.desired.deleting and memory.ending is None:
        memory = replace(memory, ending=case.now)
    known = dict(memory.first_sight)
    unresolved = case.unresolved
    subjects = ([unresolved] if unresolved else []) + list(case.open)
    if case.operation is not None and case.operation.deploying is not None:
        subjects.append(case.operation.deploying)
    subjects += [role_subject(d) for d in case.record.deployments if d.role != Role.CURRENT]
    memory = replace(
        memory,
        first_sight=tuple((subject, known.get(subject, case.now)) for subject in subjects),
        absences=tuple(_absences(case, memory)),
        glances=tuple(g for g in memory.glances if g.endpoint_id in _tracked(case)),
    )
    memory = _searched(case, memory)
    endpoint = replace_memory(case, memory).endpoint
    memory = _missed(case, memory, known, endpoint)
    poll = case.observed.poll
    if endpoint is not None and poll is not None and endpoint.id in poll.lines:
        # Should a later LIST leave it out by mistake, this is what was seen last.
        seen = memory.seen
        if seen is None or seen.endpoint.id != endpoint.id or poll.sent_at > seen.at:
            memory = replace(memory, seen=Seen(endpoint, poll.sent_at))
    phase = endpoint.phase if endpoint else Phase.UNKNOWN
    if phase not in (Phase.STARTED, Phase.UNKNOWN) or _unrouted(case, endpoint):
        memory = replace(memory, answered=False)
    if phase is not Phase.PENDING:
        memory = replace(memory, queued_since=None)
    elif memory.queued_since is None:
        memory = replace(memory, queued_since=case.now)
    return _witnessed(case, memory, phase)


def _searched(case: Case, memory: Memory) -> Memory:
    """Note that nothing is to be found of a lost record, in the generation that is looked at."""
    subject = case.unresolved if case.record_lost else None
    searched = tuple(one for one in memory.searched if one[0] == subject)
    one = (subject or "", case.observed.api)
    fresh = subject is not None and one not in searched
    if fresh and silent(replace_memory(case, memory), one[:1]):
        searched = (*searched, one)
    return replace(memory, searched=searched)


def _unrouted(case: Case, endpoint: Endpoint | None) -> bool:
    """Whether no traffic reaches the deployment that is to serve."""
    if endpoint is None or endpoint.deployments is None or case.deployment_id is None:
        return False
    return endpoint.weight(case.deployment_id) <= 0


def _missed(
    case: Case, memory: Memory, known: dict[str, float], endpoint: Endpoint | None
) -> Memory:
    """Note when the deployment on record was first not seen in its endpoint."""
    current = case.deployment_id
    if endpoint is None or endpoint.deployments is None or current is None:
        return memory
    if endpoint.deployment(current) is not None:
        return memory
    subject = absent_subject(current)
    sight = (*memory.first_sight, (subject, known.get(subject, case.now)))
    return replace(memory, first_sight=sight)


def _witnessed(case: Case, memory: Memory, phase: Phase) -> Memory:
    """A state that is seen to be as asked counts as acknowledged.

    Whether an endpoint is to be started again depends on what it was last asked to be (I8). The
    answer to a start or stop may be lost, and a stop may be asked for when idleness has done it
    already: neither may leave behind a belief that is no longer true. What has failed runs as
    little as what is stopped, so that no stop is sent to it, and a start after it is one all the
    same.
    """
    endpoint_id = case.record.endpoint_id
    if endpoint_id is None or case.desired.deleting:
        return memory
    stop = memory.sent("stop")
    if not case.desired.started and phase in HALTED:
        state = State.STOPPED
    elif (
        case.desired.started
        and phase is Phase.STARTED
        # What has just been stopped may still look started.
        and (stop is None or case.now >= stop.at + case.timing.repeat)
    ):
        state = State.STARTED
    else:
        return memory
    if replace_memory(case, memory).applied.state == state:
        return memory
    return acknowledge(memory, endpoint_id, Applied(state=state))


def replace_memory(case: Case, memory: Memory) -> Case:
    """The same case with another memory."""
    return replace(case, observed=replace(case.observed, memory=memory))


def _tracked(case: Case) -> list[str]:
    """The endpoints whose presence matters."""
    tracked = list(case.operation.removing) if case.operation else []
    whole = pictured(case)
    return tracked if whole is None else [*tracked, whole]


def pictured(case: Case) -> str | None:
    """The endpoint whose whole picture is kept: the recorded one, or the one to be taken over."""
    return case.record.endpoint_id or wanted(case)


def _absences(case: Case, memory: Memory) -> Iterable[Absence]:
    poll = case.observed.poll
    for endpoint_id in _tracked(case):
        absence = memory.absence(endpoint_id)
        if poll is None or poll.credential != case.credential:
            if absence is not None:
                yield absence
            continue
        if endpoint_id in poll.lines:
            if absence is not None and absence.last > poll.sent_at:
                yield absence
        elif absence is not None:
            yield replace(absence, last=max(absence.last, poll.sent_at))
        elif not _shown_since(memory, endpoint_id, poll.sent_at):
            yield Absence(endpoint_id, poll.sent_at, poll.sent_at)


def _shown_since(memory: Memory, endpoint_id: str, at: float) -> bool:
    """Whether something newer than a LIST has shown an endpoint that it left out."""
    seen, glance = memory.seen, memory.glance(endpoint_id)
    return (seen is not None and seen.endpoint.id == endpoint_id and seen.at >= at) or (
        glance is not None and glance.found and glance.at >= at
    )
