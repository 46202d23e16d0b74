"""A resource whose spec cannot be read in full: nothing is lost by it, and nothing is guessed.

Such a spec was stored before a rule of the CRD, or under a newer one. What Together has answered is
still written down, and a deletion still goes its way, unless what becomes of the endpoint is the
very thing that cannot be read.
"""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.creating import write_down
from together_operator.core.steps import Beside, Decision, FindDefinition, Record, single
from together_operator.core.uprooting import uprooted
from together_operator.resource.reasons import Reason


def misread(case: Case, decision: Decision, problem: str, *, fate_unknown: bool) -> Decision:
    """What is done about a resource whose spec cannot be read in full.

    Args:
        case: The resource, as far as it can be read.
        decision: What would be done about that much of it.
        problem: What cannot be read.
        fate_unknown: Whether that is what becomes of the endpoint.
    """
    answered = _answered(case)
    if answered is not None:
        return answered
    if not case.desired.deleting:
        return case.wait(Reason.INVALID_REQUEST, problem)
    looks = isinstance(single(decision.step), FindDefinition)
    if not fate_unknown or looks or uprooted(case):
        return decision
    return case.wait(
        Reason.DELETION_BLOCKED,
        f"What is to become of the endpoint cannot be read, so it is left as it is: {problem}",
    )


def _answered(case: Case) -> Decision | None:
    """Write down what Together has answered, of either endpoint."""
    written = write_down(case)
    if written is not None or case.beside is None:
        return written
    other = write_down(case.beside)
    if other is None or not isinstance(other.step, Record):
        return None
    return Decision(Beside(other.step), other.situation, other)
