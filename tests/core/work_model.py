"""What one operator process has in hand: its work on each resource, and what it keeps at rest."""

from __future__ import annotations

from dataclasses import dataclass

from together_operator.core.case import Case
from together_operator.core.learning import Outcome
from together_operator.core.memory import Memory
from together_operator.core.steps import Beside, Create, Decision
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.spec import Api
from together_operator.resource.status import Status

from . import polling_model
from .cluster_model import Body


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a process looks by itself, in seconds.

    Attributes:
        moving: Between two LISTs while something is in motion.
        resting: Between two LISTs at rest.
        failing: The longest pause after failed LISTs.
        kube: Until a reconcile that the cluster did not answer is tried again.
        key: Between two looks for a missing key.
    """

    moving: float = 5.0
    resting: float = 30.0
    failing: float = 240.0
    kube: float = 1.0
    key: float = 60.0


@dataclass(slots=True)
class Entry:
    """What the poller has to know of a resource."""

    credential: str | None
    api: Api
    endpoint_id: str | None
    state: str | None
    moving: bool
    missing: bool
    removing: tuple[str, ...] = ()
    units: tuple[polling_model.Told, ...] = ()
    open_v1: tuple[str, ...] = ()
    beside: Entry | None = None

    @property
    def both(self) -> tuple[Entry, ...]:
        """It, and what there is to know of its other endpoint, if it has two."""
        return (self,) if self.beside is None else (self, self.beside)


@dataclass(frozen=True, slots=True)
class Flying:
    """A POST that has been sent and whose answer is awaited.

    Attributes:
        case: The resource as the order was decided on.
        step: The order.
        outcome: What its answer will be.
        at: When it comes.
    """

    case: Case
    step: Create | Beside
    outcome: Outcome
    at: float


@dataclass(slots=True)
class Work:
    """One resource in the hands of one process.

    Attributes:
        memory: What the process knows of it.
        body: The reading that the present reconcile goes on with.
        due: When it is looked at again by itself.
        ready: Whether it is to be worked on now.
        entry: What the poller knows.
        flying: The POST whose answer is awaited; nothing is done meanwhile.
        again: Whether it has changed since it was read, and is to be read anew afterwards.
    """

    memory: Memory
    body: Body | None = None
    due: float | None = None
    ready: bool = True
    entry: Entry | None = None
    flying: Flying | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class Thought:
    """A decision that has not been acted on."""

    process: str
    uid: str
    body: Body
    case: Case
    decision: Decision


def entry_of(body: Body, status: Status, case: Case) -> Entry:
    """What is to be remembered of one endpoint of a resource, as it was reported."""
    conditions = {c.type: c for c in status.conditions}
    ready, moving = (conditions.get(k) for k in (ConditionType.READY, ConditionType.RECONCILING))
    operation = status.operation
    ours = operation is not None and operation.uid == body.uid
    return Entry(
        case.credential,
        case.observed.api,
        status.endpoint_id if ours else None,
        status.state,
        moving is None or moving.status == "True" or body.deleting,
        ready is not None and ready.reason == Reason.REMOTE_MISSING,
        operation.removing if operation is not None and ours else (),
        polling_model.units(status) if ours else (),
        operation.open if operation is not None and status.api == Api.V2 else (),
    )
