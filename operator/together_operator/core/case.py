"""One resource at one moment: the desired, the record and the observed, read together.

The chapters of a decision all ask the same questions of the same four values. They are answered
once, here, so that every chapter means the same by "recorded", "held" or "present".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from together_operator.core.causes import cause
from together_operator.core.marker import Marker
from together_operator.core.memory import turned
from together_operator.core.mirror import detailed, merge, mirror
from together_operator.core.record import Recorded
from together_operator.core.scan import Found, Scan
from together_operator.core.steps import (
    Decision,
    FindWeights,
    Get,
    List,
    Look,
    Situation,
    Step,
    Vet,
    Wait,
)
from together_operator.resource.endpoint_status import (
    Applied,
    Condition,
    DeploymentStatus,
    Migration,
    MigrationPhase,
    Role,
)
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.remote import Endpoint, Phase
from together_operator.resource.spec import Api, DeletionPolicy
from together_operator.resource.status import Status

FAILED_POLLS = 3
"""Failed looks in a row, after which a resource at rest is no longer called synced."""

_QUESTIONS = frozenset(
    {
        Reason.INCONCLUSIVE_SCAN,
        Reason.ATTEMPTS_EXHAUSTED,
        Reason.MARKERS_LOST,
        Reason.CREDENTIAL_MISMATCH,
        Reason.DELETION_BLOCKED,
    }
)
"""Situations in which a person is asked what became of an attempt."""


@dataclass(frozen=True)
class Case(Recorded):
    """One resource at one moment."""

    # -- which key -----------------------------------------------------------------------------

    @property
    def credential(self) -> str | None:
        """The key to look with: the held one, which has seen the endpoint."""
        return self.observed.keys.held or self.observed.keys.user

    @property
    def key_trouble(self) -> Situation | None:
        """Why nothing may be created, started or scaled up."""
        trouble = self.observed.keys.trouble
        if self.observed.keys.user is not None or trouble is None:
            return None
        return self.graced(trouble.reason, trouble.message)

    # -- the other endpoint of a migration -------------------------------------------------------

    @cached_property
    def beside(self) -> Case | None:
        """The other endpoint as if it were a resource of its own, while there are two."""
        migration, status = self.record.migration, self.record.beside
        observed, memory = self.observed.beside, self.memory.beside
        if migration is None or status is None or observed is None or memory is None:
            return None
        desired = self.desired.beside(
            observed.api,
            leaving=migration.phase == MigrationPhase.LEAVING,
            policy=self._policy_beside(migration),
        )
        return Case(desired, status, replace(observed, memory=memory), self.now)

    def _policy_beside(self, migration: Migration) -> DeletionPolicy:
        """What becomes of it: what has come into use counts as much as what was there before."""
        policy = self.desired.policy(adopted=bool(self.record.adopted or migration.adopted))
        used = migration.api == Api.V1 or self.published
        return policy if used else DeletionPolicy.DELETE

    @property
    def published(self) -> bool:
        """Whether applications have been told the name of the endpoint that is to come."""
        migration, inference = self.record.migration, self.record.inference
        if migration is None or migration.phase != MigrationPhase.BUILDING or inference is None:
            return False
        return inference.model == migration.name

    def turned(self, status: Status) -> Case:
        """The case once the other endpoint has taken the place of this one.

        Args:
            status: The status then.
        """
        observed = self.observed.beside
        assert observed is not None  # noqa: S101
        return replace(
            self,
            status=status,
            observed=replace(
                observed, memory=turned(self.memory), beside=replace(self.observed, beside=None)
            ),
        )

    # -- the endpoint --------------------------------------------------------------------------

    @property
    def marker(self) -> Marker | None:
        """The mark that the recorded endpoint carries."""
        if self.operation is None:
            return None
        return Marker.of(self.observed.cluster, self.desired.uid, self.operation.nonce)

    @property
    def endpoint_name(self) -> str:
        """The name that the endpoint has, or would have, where names are unique."""
        return self.desired.endpoint_name(self.observed.cluster)

    @cached_property
    def current(self) -> DeploymentStatus | None:
        """The deployment on record that is to serve, where there are deployments."""
        return next((d for d in self.record.deployments if d.role == Role.CURRENT), None)

    @property
    def deployment_id(self) -> str | None:
        """Its id."""
        return None if self.current is None else self.current.id

    @cached_property
    def endpoint(self) -> Endpoint | None:
        """The newest picture of the recorded endpoint: last answer, else the status, plus LIST."""
        known = self.record.endpoint_id
        if known is None:
            return None
        seen = self.memory.seen
        picture, at = mirror(self.record), float("-inf")
        if seen is not None and seen.endpoint.id == known:
            picture, at = seen.endpoint, seen.at
        poll = self.observed.poll
        line = poll.lines.get(known) if poll is not None and poll.sent_at > at else None
        if line is not None and line.whole is not None:
            picture = detailed(line.whole, picture)
        elif line is not None and picture is not None and picture.deployments is None:
            picture = replace(picture, state=line.state, phase=line.phase)
        if picture is None or picture.deployments is None:
            return picture
        return picture.through(picture.deployment(self.deployment_id))

    def missing(self, endpoint_id: str) -> bool:
        """Whether the newest word about an endpoint is that it is not there."""
        return self.memory.absence(endpoint_id) is not None

    def gone(self, endpoint_id: str) -> bool:
        """Whether its absence is confirmed (I5): two LISTs that span the lag, and a 404."""
        absence = self.memory.absence(endpoint_id)
        return (
            absence is not None
            and absence.not_found is not None
            and absence.last >= absence.first + self.timing.lag
        )

    @cached_property
    def applied(self) -> Applied:
        """What Together last acknowledged: what is on record, and what this process had since."""
        recorded = self.record.applied or Applied()
        known = self.memory.acknowledged
        if known is None or known[0] != self.record.endpoint_id:
            return recorded
        return merge(recorded, known[1])

    @property
    def serving(self) -> bool:
        """Whether a request sent now is answered, as far as is known."""
        endpoint = self.endpoint
        if endpoint is None or endpoint.phase is not Phase.STARTED:
            return False
        return not self.observed.probes or self.memory.answered or self.answered_before

    @property
    def answered_before(self) -> bool:
        """Whether an earlier process found it answering, in the run that still goes on."""
        condition = self.condition(ConditionType.AVAILABLE)
        return (
            condition is not None
            and condition.status == "True"
            and self.record.endpoint_id is not None
        )

    def doubtful(self, scan: Scan) -> tuple[str, ...]:
        """What makes a scan inconclusive (rule 6), the endpoints that are on record apart."""
        return tuple(i for i in (*scan.suspects, *scan.unread) if i not in self.accounted)

    def unaccounted(self, scan: Scan) -> tuple[Found, ...]:
        """Endpoints that an attempt has made and that are not on record.

        Beside a recorded endpoint only an open nonce tells an attempt's work from a copied name.
        """
        alone = self.record.endpoint_id is None
        return tuple(
            found
            for found in scan.ours
            if found.id not in self.accounted and (alone or found.nonce in self.open)
        )

    @cached_property
    def accounted(self) -> frozenset[str]:
        """The endpoints that are on record: ours, and those that are being removed."""
        removing = self.operation.removing if self.operation else ()
        known = self.record.endpoint_id
        return frozenset(removing if known is None else (known, *removing))

    # -- the conversation with a person --------------------------------------------------------

    def condition(self, kind: ConditionType) -> Condition | None:
        """One condition as it stands."""
        return next((c for c in self.status.conditions if c.type is kind), None)

    @property
    def present_reason(self) -> Reason:
        """The word that stands."""
        ready = self.condition(ConditionType.READY)
        if ready is None or ready.reason not in Reason.__members__.values():
            return Reason.CREATING
        return Reason(ready.reason)

    @property
    def answered_none(self) -> bool:
        """Whether a person says that nothing was made, in answer to a question that stands."""
        return self.asking and self.desired.claim == "none"

    @property
    def asking(self) -> bool:
        """Whether the status asks what became of an attempt.

        It does so only once an attempt has had its time, so an annotation that is there already
        (left over, or kept in a manifest) answers nothing before that.
        """
        return self.present_reason in _QUESTIONS

    @property
    def settled_before(self) -> bool:
        """Whether this generation was carried out and has been reported as Ready."""
        ready = self.condition(ConditionType.READY)
        return (
            ready is not None
            and ready.status == "True"
            and ready.observed_generation == self.desired.generation
            and self.record.endpoint_id is not None
        )

    @property
    def asked_again(self) -> bool:
        """Whether a person wants another look, and has not had it."""
        wish = self.desired.reconcile_requested_at
        return wish is not None and wish != self.status.last_handled_reconcile_at

    @property
    def restart_asked(self) -> bool:
        """Whether a person wants it started again, and has not had it."""
        wish = self.desired.restart_requested_at
        return wish is not None and wish != self.status.last_handled_restart_at

    def graced(self, reason: Reason, message: str) -> Situation:
        """A situation in which somebody may be at work: it stalls only after a while."""
        return Situation(reason, message, cause=reason)

    # -- ways to end a decision ----------------------------------------------------------------

    def wait(
        self,
        reason: Reason,
        message: str,
        after: float | None = None,
        *,
        pending: bool = True,
        cause: Reason | None = None,
    ) -> Decision:
        """Nothing to do for now.

        Args:
            reason: The one word.
            message: What is so, and what to do next.
            after: Seconds until another look is worth it.
            pending: Whether a wish is still to be carried out.
            cause: What is wrong with the connection to Together.
        """
        return Decision(Wait(after), Situation(reason, message, pending, cause))

    def as_before(self, after: float | None = None) -> Decision:
        """Nothing to do for now, and nothing new to tell.

        What was told of an earlier generation says nothing of this one, so a changed resource is
        at work until it has been looked at.

        Args:
            after: Seconds until another look is worth it.
        """
        ready = self.condition(ConditionType.READY)
        if ready is None or ready.observed_generation != self.desired.generation:
            reason = Reason.CREATING if self.record.endpoint_id is None else Reason.UPDATING
            return self.wait(reason, "Looking at Together before anything is changed", after)
        return Decision(Wait(after), Situation(self.present_reason, ready.message, keep=True))

    def step(
        self, step: Step, reason: Reason, message: str, *, cause: Reason | None = None
    ) -> Decision:
        """Something to do.

        Args:
            step: The step.
            reason: The one word for the situation meanwhile.
            message: What is being done.
            cause: What is wrong with the connection to Together.
        """
        return Decision(step, Situation(reason, message, cause=cause))

    def read(
        self, step: List | Look | Get | Vet | FindWeights, reason: Reason, message: str
    ) -> Decision:
        """Look, unless looking has just failed: then wait, a little longer each time.

        Args:
            step: A step that only reads.
            reason: The one word for the situation meanwhile.
            message: What is being done.
        """
        return self.paused(step.credential) or self.step(step, reason, message)

    def paused(self, credential: str) -> Decision | None:
        """The wait that is due because a key has just had no answer, if it had none.

        Args:
            credential: The identity of the key; the trouble of one is not that of another.
        """
        trouble = self.memory.trouble_of(credential)
        if trouble is None:
            return None
        what = trouble.what
        due = trouble.at + self.backoff(trouble.count, what.retry_after)
        if self.now >= due:
            return None
        if self.settled_before and trouble.count < FAILED_POLLS:
            return self.as_before(due - self.now)
        return self.wait(
            what.reason,
            what.message,
            due - self.now,
            pending=not self.settled_before,
            cause=cause(what.reason, lasting=trouble.count >= FAILED_POLLS),
        )

    def backoff(self, count: int, retry_after: float | None = None) -> float:
        """Seconds to wait after so many failures in a row.

        Args:
            count: Failures in a row, at least 1.
            retry_after: What Together asked for.
        """
        first, longest = self.timing.retry
        pause = min(longest, first * 2.0 ** min(count - 1, 16))
        return max(pause, min(retry_after or 0.0, longest))
