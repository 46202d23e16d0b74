"""Whose state it is: what of a resource's status is its own, and what of it is not settled.

Whatever a status says, only what is bound to this very resource in this very cluster proves
anything (create-once rule 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from together_operator.core.desired import Desired
from together_operator.core.memory import Memory
from together_operator.core.observed import Observed
from together_operator.core.timing import Timing
from together_operator.resource.endpoint_status import Operation, OperationPhase
from together_operator.resource.spec import Api
from together_operator.resource.status import Status

_PROTOCOL_FIELDS = (
    "operation", "endpoint_id", "api", "name", "display_name", "hardware", "owner", "created_at",
    "state", "autoscaling", "replicas", "ready_replicas", "inference", "applied", "adopted",
)  # fmt: skip
_NOTHING: dict[str, object] = dict.fromkeys(_PROTOCOL_FIELDS) | {
    "deployments": (),
    "migration": None,
}


@dataclass(frozen=True)
class Recorded:
    """One resource at one moment, as far as its record goes.

    Attributes:
        desired: What the resource says.
        status: The status as it stands, whoever's it is.
        observed: What has been seen.
        now: Monotonic seconds.
    """

    desired: Desired
    status: Status
    observed: Observed
    now: float

    @property
    def memory(self) -> Memory:
        """What this process knows."""
        return self.observed.memory

    @property
    def timing(self) -> Timing:
        """The waits in force."""
        return self.observed.timing

    # -- whose state is it ---------------------------------------------------------------------

    @cached_property
    def record(self) -> Status:
        """The status as far as it is this resource's own.

        A record whose uid or cluster is not ours proves nothing (create-once rule 3), and an id
        without a record is bound to nobody.
        """
        if not self._ours(self.status.operation):
            return self.status.model_copy(update=_NOTHING)
        migration = self.status.migration
        if migration is not None and not self._ours(migration.operation):
            # What of it is at Together is found again by its name, if the move begins anew.
            return self.status.model_copy(update={"migration": None})
        return self.status

    def _ours(self, operation: Operation | None) -> bool:
        mine = (self.desired.uid, self.observed.cluster)
        return operation is not None and (operation.uid, operation.cluster) == mine

    @property
    def operation(self) -> Operation | None:
        """The create record, if it is ours."""
        return self.record.operation

    @property
    def open(self) -> tuple[str, ...]:
        """Nonces of attempts that may yet take effect, the present one not among them."""
        return self.operation.open if self.operation else ()

    @property
    def held(self) -> bool:
        """Whether our finalizer is on it, for this very uid."""
        return self.desired.held and self.desired.owner_uid in (None, self.desired.uid)

    @property
    def record_lost(self) -> bool:
        """Whether a finalizer without a record tells of a past that is not known (rule 10).

        So does our annotation alone: both were written before anything was ordered.
        """
        return (
            self.operation is None
            and (self.held or self.desired.owner_uid == self.desired.uid)
            and self.memory.prepared != self.desired.resource_version
        )

    @property
    def unresolved(self) -> str | None:
        """What has to be settled before anything is concluded: a nonce, or the lost record."""
        if self.record_lost:
            return lost(self.desired.resource_version)
        operation = self.operation
        if operation is None or self.record.endpoint_id is not None:
            return None
        if operation.phase is OperationPhase.REFUSED:
            return None
        return operation.nonce

    @property
    def searched(self) -> tuple[Api, ...]:
        """The generations in which nothing was found of a lost record."""
        return tuple(api for subject, api in self.memory.searched if subject == self.unresolved)

    @property
    def nothing_sent(self) -> bool:
        """Whether this very process wrote the record and has not sent its POST."""
        fence = self.memory.fence
        return (
            self.operation is not None
            and fence is not None
            and fence.nonce == self.operation.nonce
            and not fence.posted
        )


def lost(resource_version: str) -> str:
    """The name under which a lost record is settled: any foreign change begins it anew."""
    return f"lost@{resource_version}"
