"""By whom a resource is deleted: by a person who means it, or along with the CRD.

Who removes the CRD, or uninstalls what brought it, deletes every resource of the cluster at once,
and has said of no endpoint that it may go. So the endpoints stay then, whatever their resources'
policy, and what is left is told.
"""

from __future__ import annotations

from together_operator.core.case import Case
from together_operator.core.steps import Decision, FindDefinition
from together_operator.resource.reasons import Reason


def find_definition(case: Case) -> Decision | None:
    """Find out whether the CRD is being removed.

    The API server marks the CRD before it deletes any resource along with it. So one look since
    the resource is known to be deleted decides for good, if it is one that nothing can hide from.

    Args:
        case: The resource, being deleted.

    Returns:
        The step that is due, or `None` once it is known.
    """
    known = case.memory.definition
    looking = case.step(
        FindDefinition(), Reason.DELETING, "Looking whether only this resource is deleted"
    )
    if known is None:
        return looking
    if known.sure or known.removed_at is not None:
        return None
    ending = case.memory.ending
    due = (case.now if ending is None else ending) + case.timing.scan_gap
    if known.at >= due:
        return None
    if case.now >= due:
        return looking
    return case.wait(
        Reason.DELETING, "Deleting; making sure that only this resource is deleted", due - case.now
    )


def uprooted(case: Case) -> bool:
    """Whether the resource is deleted along with the CRD.

    Kubernetes tells times in whole seconds, so a person's deletion in the very second in which
    the removal of the CRD began counts as part of that: too much is kept rather than lost. So does
    a deletion that is older than the CRD that is there, of a resource that is older too: the former
    CRD was removed by force, and brought back.

    Args:
        case: The resource, being deleted.
    """
    known, deleted = case.memory.definition, case.desired.deleted_at
    if known is None:
        return False
    if known.removed_at is not None and (deleted is None or known.removed_at <= deleted):
        return True
    if deleted is None or case.desired.created_at >= known.created_at:
        return False
    return deleted <= known.created_at
