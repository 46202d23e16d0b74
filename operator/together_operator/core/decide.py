"""The decision: what to do next about one resource.

It reads as the story of a resource, from top to bottom, and takes one step at a time. It is pure:
given the same desired, record, observed and time it always answers the same, so that everything
that can go wrong around it can be played to it.
"""

from __future__ import annotations

from dataclasses import replace

from together_operator.core.case import Case
from together_operator.core.copies import former_owner, settle_copy
from together_operator.core.creating import create, write_down
from together_operator.core.deleting import delete
from together_operator.core.deploying import refused_deployment
from together_operator.core.migrating import begin, migrate
from together_operator.core.removing import extras
from together_operator.core.steps import Consume, Decision, Wait
from together_operator.core.upkeep import upkeep
from together_operator.resource import names
from together_operator.resource.reasons import Reason


def decide(case: Case) -> Decision:
    """The next step.

    Args:
        case: The resource at this moment; its memory has taken notice of what is observed.

    Returns:
        The step, and what a person is told meanwhile.
    """
    beside = case.beside
    return _alone(case) if beside is None else migrate(case, beside, _alone)


def _alone(case: Case) -> Decision:
    """The next step for one endpoint, as if the resource had no other."""
    written = write_down(case) or refused_deployment(case)
    if written is not None:
        return written
    if case.desired.deleting:
        return delete(case)
    return settle_copy(case) or _consume(case) or extras(case) or begin(case) or _live(case)


def _live(case: Case) -> Decision:
    endpoint_id = case.record.endpoint_id
    decision = create(case) if endpoint_id is None else upkeep(case, endpoint_id)
    if isinstance(decision.step, Wait) and case.operation and case.operation.removing:
        after = decision.step.after
        pause = case.timing.scan_gap
        return replace(decision, step=Wait(pause if after is None else min(after, pause)))
    return decision


def _consume(case: Case) -> Decision | None:
    """Take an answer off once its question is no longer asked."""
    desired = case.desired
    if desired.claim is not None and case.unresolved is None and not _awaited(case):
        return case.step(Consume(names.CLAIM), Reason.UPDATING, "The answer has been followed")
    if desired.restored_copy is not None and former_owner(case) is None:
        return case.step(
            Consume(names.RESTORED_COPY), Reason.UPDATING, "The answer has been followed"
        )
    return None


def _awaited(case: Case) -> bool:
    """Whether an answer has still something to say about open attempts."""
    return bool(case.open) and (case.record.endpoint_id is None or case.answered_none)
