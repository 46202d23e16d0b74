"""What one process knows of one resource and writes nowhere.

All of it may be lost at any moment: a process that remembers nothing waits longer, and never does
more. That is why times in here are on the process's own monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from together_operator.core.scan import Scan
from together_operator.resource.endpoint_status import Applied
from together_operator.resource.remote import (
    Absent,
    Ambiguous,
    Done,
    Endpoint,
    NotSent,
    Order,
    Refused,
    Unavailable,
)
from together_operator.resource.spec import Api


@dataclass(frozen=True, slots=True)
class Fence:
    """A record that this process wrote, and when it began to.

    Attributes:
        nonce: The attempt on record.
        began: Just before the write was sent.
        posted: Whether its POST has been sent since.
    """

    nonce: str
    began: float
    posted: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a POST and is not on record yet.

    Attributes:
        nonce: The attempt.
        generation: Of the resource, as the order was made from it.
        order: What was asked for.
        outcome: What Together answered.
    """

    nonce: str
    generation: int
    order: Order
    outcome: Done | Refused | Ambiguous | NotSent


@dataclass(frozen=True, slots=True)
class Denial:
    """Together's refusal of a deployment, which is not on record yet.

    Attributes:
        name: The deployment's name.
        generation: Of the resource, as the order was made from it.
        what: What Together answered.
    """

    name: str
    generation: int
    what: Refused


@dataclass(frozen=True, slots=True)
class Absence:
    """An endpoint that LISTs do not show.

    Attributes:
        endpoint_id: Which.
        first: When the first LIST without it was sent.
        last: When the latest was.
        not_found: When a GET said so as well, if one did.
    """

    endpoint_id: str
    first: float
    last: float
    not_found: float | None = None


@dataclass(frozen=True, slots=True)
class Glance:
    """What the latest GET of an endpoint came to.

    Attributes:
        endpoint_id: Which.
        at: When.
        found: Whether it was there.
    """

    endpoint_id: str
    at: float
    found: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest whole picture of the endpoint, and when it was asked for."""

    endpoint: Endpoint
    at: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """A request that had no answer.

    Attributes:
        credential: The identity of the key that it was made with.
        what: What was seen instead.
        at: When.
        count: How many in a row.
    """

    credential: str
    what: Unavailable
    at: float
    count: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """A write that Together did not carry out.

    Attributes:
        verb: Which write (`update`, `start`, `stop`, `delete`, `create`).
        subject: What it was about; the same subject is not sent again before its time.
        what: Together's answer.
        at: When.
        count: How many in a row.
    """

    verb: str
    subject: str
    what: Refused | Unavailable | Absent
    at: float
    count: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A write that Together accepted."""

    verb: str
    subject: str
    at: float


@dataclass(frozen=True, slots=True)
class Reservation:
    """Who else has an endpoint that is to be taken over.

    Attributes:
        endpoint_id: The endpoint.
        owner: The owner part of the mark that was asked about, if one was.
        holder: The resource that has it or was first to ask, as `namespace/name`; `None` if it is
            this resource's to take.
        complete: Whether every resource of the cluster was looked at.
        at: When.
    """

    endpoint_id: str
    owner: str | None
    holder: str | None
    complete: bool
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Vetting:
    """What a new key could see of the recorded endpoint."""

    credential: str
    endpoint_id: str
    verdict: Endpoint | Absent | Unavailable
    at: float


@dataclass(frozen=True, slots=True)
class Definition:
    """What was seen of the definition of the resource's kind, the CRD.

    Attributes:
        at: When it was asked for, on the monotonic clock.
        removed_at: Its deletionTimestamp in unix seconds, `-inf` if it is known only that it goes;
            `None` while it stays.
        created_at: Its creationTimestamp in unix seconds; `-inf` if that is not known.
        sure: Whether a removal that had just begun would have shown.
    """

    at: float
    removed_at: float | None
    created_at: float = float("-inf")
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Memory:
    """What one process knows of one resource.

    Attributes:
        born: When it first saw the resource.
        ending: When it first saw it being deleted.
        prepared: The resourceVersion that its own finalizer write returned.
        fence: The record that it wrote.
        answer: The outcome that it has to write down.
        draft: The record of a deployment's name that it wrote; the name stands for the nonce.
        denial: The refusal of a deployment that it has to write down.
        first_sight: When it first saw each unresolved thing, or ended its POST.
        searched: The generations in which nothing was found of a lost record, by its name.
        empties: When the conclusive scans that found nothing were sent.
        scan: The newest scan.
        absences: Endpoints that LISTs do not show.
        glances: The latest GET of each endpoint that matters.
        seen: The newest whole picture of the recorded endpoint.
        answered: Whether the model answered in this run of it.
        probed_at: When it was last asked.
        tried: The deployment that answered by its own name, before it had traffic.
        troubles: Requests that had no answer, the latest of each key.
        rejections: Writes that were not carried out, the latest of each verb and subject.
        writes: Writes that were accepted, the latest of each verb and subject.
        vetting: What a new key could see.
        reservation: Who else has the endpoint that is to be taken over.
        weights: A model, and the resource names of the weights that it stands for.
        marked_at: When Together acknowledged our mark on an endpoint that was taken over.
        owner_lives: Whether the uid that the annotation names lives, once looked up.
        definition: What was seen of the CRD since the resource is being deleted.
        queued_since: When the endpoint was first seen pending.
        details_at: When name and bounds were last read, or are counted as read.
        refreshed_for: The request to look again that has been followed.
        restarted_for: The request to start again that has been followed.
        acknowledged: What Together accepted from this process, with the endpoint's id.
        looked_with: The identity of the key that absences and scans were seen with.
        beside: What is known of the other endpoint, while there are two.
    """

    born: float
    ending: float | None = None
    prepared: str | None = None
    fence: Fence | None = None
    answer: Answer | None = None
    draft: Fence | None = None
    denial: Denial | None = None
    first_sight: tuple[tuple[str, float], ...] = field(default=())
    searched: tuple[tuple[str, Api], ...] = field(default=())
    empties: tuple[float, ...] = field(default=())
    scan: Scan | None = None
    absences: tuple[Absence, ...] = field(default=())
    glances: tuple[Glance, ...] = field(default=())
    seen: Seen | None = None
    answered: bool = False
    probed_at: float | None = None
    tried: str | None = None
    troubles: tuple[Trouble, ...] = field(default=())
    rejections: tuple[Rejection, ...] = field(default=())
    writes: tuple[Sent, ...] = field(default=())
    vetting: Vetting | None = None
    reservation: Reservation | None = None
    weights: tuple[str, frozenset[str]] | None = None
    marked_at: float | None = None
    owner_lives: tuple[str, bool] | None = None
    definition: Definition | None = None
    queued_since: float | None = None
    details_at: float = 0.0
    refreshed_for: str | None = None
    restarted_for: str | None = None
    acknowledged: tuple[str, Applied] | None = None
    looked_with: str | None = None
    beside: Memory | None = None

    def since(self, subject: str) -> float | None:
        """When this process first saw an unresolved thing."""
        return dict(self.first_sight).get(subject)

    @property
    def trouble(self) -> Trouble | None:
        """The latest request that had no answer, with any key."""
        return self.troubles[-1] if self.troubles else None

    def trouble_of(self, credential: str) -> Trouble | None:
        """The request that had no answer with one key."""
        return next((t for t in self.troubles if t.credential == credential), None)

    def rejection(self, verb: str, subject: str | None = None) -> Rejection | None:
        """The latest write of a kind that was not carried out.

        Args:
            verb: The kind.
            subject: What it was about; `None` for anything.
        """
        found = [r for r in self.rejections if r.verb == verb and subject in (None, r.subject)]
        return found[-1] if found else None

    def sent(self, verb: str, subject: str | None = None) -> Sent | None:
        """The latest write of a kind that was accepted; arguments as for `rejection`."""
        found = [s for s in self.writes if s.verb == verb and subject in (None, s.subject)]
        return found[-1] if found else None

    def absence(self, endpoint_id: str) -> Absence | None:
        """What is known of an endpoint's absence."""
        return next((a for a in self.absences if a.endpoint_id == endpoint_id), None)

    def glance(self, endpoint_id: str) -> Glance | None:
        """What the latest GET of an endpoint came to."""
        return next((g for g in self.glances if g.endpoint_id == endpoint_id), None)


def turned(memory: Memory) -> Memory:
    """What is known once the other endpoint of a migration has taken the place of the first.

    Args:
        memory: What is known, of both.
    """
    if memory.beside is None:
        return memory
    return replace(memory.beside, beside=replace(memory, beside=None))
