"""One operator process around the real core: what `controller/` does, step by step and without I/O.

The decisions, the memory, the status and the classification of lists are the shipped code. What is
re-stated here is only the loop that drives them: read, observe, decide, do one thing, learn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from together_operator.core.case import FAILED_POLLS, Case
from together_operator.core.decide import decide
from together_operator.core.learning import (
    Outcome,
    begin,
    learn,
    notice,
    own_write,
    replace_memory,
)
from together_operator.core.marker import Marker, cluster_tag, owner_tag
from together_operator.core.memory import Memory
from together_operator.core.observed import Keys, Observed, Poll
from together_operator.core.report import GRACED, report
from together_operator.core.scan import Found, Scan, Trait, classify, newcomers
from together_operator.core.steps import (
    Consume,
    Create,
    Decision,
    Delete,
    FindOwner,
    Finish,
    Get,
    KeepKey,
    List,
    Look,
    Prepare,
    Probe,
    Publish,
    Record,
    Start,
    Stop,
    Update,
    Vet,
    Wait,
)
from together_operator.resource import names
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.remote import (
    Absent,
    Ambiguous,
    Change,
    Done,
    Endpoint,
    Listing,
    NotSent,
    Refused,
    Unavailable,
)
from together_operator.resource.spec import Api
from together_operator.resource.status import Status
from together_operator.resource.times import parse_time

from .cluster_model import Body, Conflict, NotFound
from .together_model import EPOCH, Flight

if TYPE_CHECKING:
    from .world import World

CLUSTER = "a-cluster"
HOST = "https://api.together.test/v1"

KUBE_PAUSE = 1.0
"""Seconds after which a reconcile that the cluster did not answer is tried again."""

KEY_PAUSE = 60.0
"""Seconds between two looks for a missing key."""


class Down(Exception):  # noqa: N818 (it tells what happened)
    """The cluster gave no answer."""


class Killed(Exception):  # noqa: N818 (it tells what happened)
    """The process is gone."""


@dataclass(slots=True)
class Account:
    """One key, and what one process has seen with it."""

    key: str
    poll: Poll | None = None
    failures: int = 0
    trouble: Unavailable | None = None
    traits: dict[str, Trait] = field(default_factory=dict)
    before: frozenset[str] = frozenset()
    polled_at: float = float("-inf")
    told: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Entry:
    """What the poller has to know of a resource."""

    credential: str | None
    endpoint_id: str | None
    state: str | None
    moving: bool
    missing: bool


@dataclass(slots=True)
class Work:
    """One resource in the hands of one process.

    Attributes:
        memory: What the process knows of it.
        body: The reading that the present reconcile goes on with.
        due: When it is looked at again by itself.
        ready: Whether it is to be worked on now.
        entry: What the poller knows.
    """

    memory: Memory
    body: Body | None = None
    due: float | None = None
    ready: bool = True
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Thought:
    """A decision that has not been acted on."""

    process: str
    uid: str
    body: Body
    case: Case
    decision: Decision


@dataclass(slots=True)
class Process:
    """One operator process.

    Attributes:
        name: For traces.
        works: What it works on, by uid.
        accounts: What it has seen, by key.
    """

    name: str
    works: dict[str, Work] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)

    # -- thinking --------------------------------------------------------------------------------

    def wake(self, world: World, uid: str) -> None:
        """Have a resource worked on."""
        if uid not in world.cluster.bodies and uid not in self.works:
            return
        work = self.works.get(uid)
        if work is None:
            # The controller spreads the first reading of details; here it is simply an hour off.
            self.works[uid] = Work(Memory(born=world.now, details_at=world.now))
        else:
            work.ready = True

    def think(self, world: World, uid: str) -> Thought | None:
        """Read, observe and decide; `None` if there is nothing to work on."""
        work = self.works[uid]
        body = work.body or world.cluster.get(uid)
        if body is None or (body.deleting and not body.held):
            del self.works[uid]
            return None
        case = self._observe(world, body, work.memory)
        work.memory = case.memory
        work.body = body
        return Thought(self.name, uid, body, case, decide(case))

    def _observe(self, world: World, body: Body, memory: Memory) -> Case:
        user = None if world.cluster.key is None else world.cluster.key
        held = world.cluster.copies.get(body.uid)
        trouble = None
        if user is None:
            trouble = Unavailable(Reason.SECRET_MISSING, "Secret together does not exist")
        for key in (held, user):
            if key is not None:
                self.accounts.setdefault(key, Account(key))
        account = self.accounts.get(held or user or "")
        lasting = account is not None and account.failures >= FAILED_POLLS
        observed = Observed(
            cluster=CLUSTER,
            api=Api.V1,
            nonce=world.draw_nonce(),
            timing=world.timing,
            keys=Keys(user, held, trouble),
            memory=memory,
            poll=account.poll if account else None,
            trouble=account.trouble if account and lasting else None,
            forbidden=world.forbidden,
            rival=world.rival,
            markers_lost=world.markers_lost,
            creates_stopped=world.creates_stopped,
            marked=self._marked(account, body),
            unsynced=_unsynced(body.status, EPOCH + world.now),
        )
        case = Case(body.desired(), body.status, observed, world.now)
        return replace_memory(case, notice(case))

    def _marked(self, account: Account | None, body: Body) -> tuple[Found, ...]:
        if account is None or account.poll is None:
            return ()
        tags = (cluster_tag(CLUSTER), owner_tag(body.uid))
        found = [
            Found(line.id, trait.marker.nonce, line.created_at)
            for line in account.poll.lines.values()
            if (trait := account.traits.get(line.id)) is not None
            and trait.marker is not None
            and (trait.marker.cluster, trait.marker.owner) == tags
            and line.id != body.status.endpoint_id
        ]
        return tuple(sorted(found, key=lambda f: (f.created_at, f.id)))

    # -- acting ----------------------------------------------------------------------------------

    def act(self, world: World, thought: Thought, label: str) -> None:
        """Carry out what was decided, in one of the ways in which it can turn out."""
        work = self.works[thought.uid]
        try:
            if isinstance(thought.decision.step, Wait):
                self._rest(world, work, thought, thought.decision.step, label)
            else:
                self._step(world, work, thought, label)
        except (Conflict, NotFound):
            work.body = None
        except Down:
            work.body, work.ready, work.due = None, False, world.now + KUBE_PAUSE
        except Killed:
            world.kill(self)

    def _step(self, world: World, work: Work, thought: Thought, label: str) -> None:
        step = thought.decision.step
        case = replace_memory(thought.case, begin(thought.case.memory, step, world.now))
        work.memory = case.memory
        if label == "kill":
            raise Killed
        after, outcome = self._carry_out(world, replace(thought, case=case), label)
        if label.startswith("kill"):
            raise Killed
        work.memory = learn(case, step, outcome, world.now)
        work.body = after
        if after is not None:
            work.memory = own_write(work.memory, str(thought.body.version), str(after.version))

    def _carry_out(self, world: World, thought: Thought, label: str) -> tuple[Body | None, Outcome]:
        step, body, cluster = thought.decision.step, thought.body, world.cluster
        match step:
            case Record():
                status = self._report(world, thought)
                return self._kube(world, body, label, lambda: self._tell(world, body, status)), None
            case Prepare():
                notes = {names.OWNER_UID: body.uid}
                after = self._kube(
                    world, body, label, lambda: cluster.write_notes(body, notes, hold=True)
                )
                return after, str(after.version)
            case Consume(annotation=annotation):
                after = self._kube(
                    world, body, label, lambda: cluster.write_notes(body, {annotation: None})
                )
                return after, None
            case Finish(nonces=nonces):
                self._kube(world, body, label, lambda: self._let_go(world, body))
                if not nonces:
                    cluster.copies.pop(body.uid, None)
                return None, None
            case KeepKey(credential=credential):
                if label == "error":
                    raise Down
                if cluster.key == credential:
                    cluster.copies[body.uid] = credential
                if label == "lost":
                    raise Down
                return body, None
            case FindOwner(uid=uid):
                if label == "error":
                    raise Down
                return body, uid in cluster.bodies
            case Publish():
                return body, None
            case _:
                return body, self._remote(world, thought, label)

    def _let_go(self, world: World, body: Body) -> Body:
        after = world.cluster.write_notes(body, {}, hold=False)
        world.judge.finished(world, body)
        return after

    def _tell(self, world: World, body: Body, status: Status) -> Body:
        after = world.cluster.write_status(body, status)
        world.judge.told(world, after)
        return after

    def _kube(self, world: World, body: Body, label: str, write: Callable[[], Body]) -> Body:
        if label == "conflict":
            world.cluster.touch(body.uid)
        if label == "error":
            raise Down
        if label == "slow":
            world.pass_time(world.timing.fence + 1.0)
        after = write()
        if label == "lost":
            raise Down
        return after

    # -- Together --------------------------------------------------------------------------------

    def _remote(self, world: World, thought: Thought, label: str) -> Outcome:
        step, together = thought.decision.step, world.together
        if label == "hide":
            together.hiding += 1
        if label == "omit":
            together.omitting = True
        if label == "down" and not isinstance(step, Create):
            return Unavailable(Reason.UNREACHABLE, "Together cannot be reached")
        match step:
            case List(credential=credential, since=since):
                return self._list(world, credential, since)
            case Look():
                return self._look(world, thought, step)
            case Get(credential=key, endpoint_id=endpoint_id):
                return together.get(key, endpoint_id)
            case Vet(credential=key, endpoint_id=endpoint_id):
                return together.get(key, endpoint_id)
            case Probe(credential=key, name=name):
                return self._probe(world, key, name)
            case Create():
                return self._create(world, thought, step, label)
            case Update() | Start() | Stop() | Delete():
                return self._change(world, thought, step, label)
            case _:
                raise TypeError(step)

    def _list(self, world: World, key: str, since: float) -> Poll | Unavailable:
        account = self.accounts[key]
        if account.poll is not None and account.poll.sent_at >= min(since, world.now):
            return account.poll
        answer = world.together.list(key, world.now)
        if isinstance(answer, Unavailable):
            account.failures += 1
            account.trouble = answer
            return answer
        account.failures, account.trouble = 0, None
        account.poll = Poll(key, world.now, answer.date, answer.endpoints)
        account.traits = {k: v for k, v in account.traits.items() if k in answer.endpoints}
        return account.poll

    def _read(self, world: World, account: Account, ids: list[str]) -> None:
        for endpoint_id in ids:
            answer = world.together.get(account.key, endpoint_id)
            if isinstance(answer, Endpoint):
                marker = Marker.parse(answer.display_name)
                account.traits[endpoint_id] = Trait(marker, answer.model, answer.hardware)

    def _look(self, world: World, thought: Thought, step: Look) -> Scan | Unavailable:
        poll = self._list(world, step.credential, step.since)
        if isinstance(poll, Unavailable):
            return poll
        account = self.accounts[step.credential]
        listing = Listing(dict(poll.lines), poll.date)
        self._read(world, account, newcomers(listing, step.horizon, account.traits))
        return classify(
            credential=step.credential,
            sent_at=poll.sent_at,
            listing=listing,
            traits=account.traits,
            since=step.horizon,
            cluster=CLUSTER,
            uids=step.uids,
            model=thought.body.spec.model,
            hardware=thought.body.spec.hardware,
            taken=self._taken(thought.uid),
        )

    def _taken(self, uid: str) -> frozenset[str]:
        return frozenset(
            work.entry.endpoint_id
            for other, work in self.works.items()
            if other != uid and work.entry is not None and work.entry.endpoint_id is not None
        )

    def _probe(self, world: World, key: str, name: str) -> Done | Refused | Unavailable:
        trouble = world.together.trouble(key)
        if trouble is not None:
            return trouble
        for machine in world.together.living():
            if world.together.show(machine).name == name and machine.state == "STARTED":
                return Done()
        return Refused(Reason.PROBING, f"{name} does not answer yet", retryable=True)

    def _create(self, world: World, thought: Thought, step: Create, label: str) -> Outcome:
        together, fence = world.together, thought.case.memory.fence
        if label == "paused":
            world.pass_time(world.timing.fence + 1.0)
        if fence is None or world.now - fence.began > world.timing.fence:
            return NotSent("The record is no longer fresh")
        refusal = together.refusal(step.credential, step.order)
        if refusal is not None:
            return refusal
        if together.down or label in ("unsent", "down"):
            return NotSent("Together cannot be reached")
        if label == "refused":
            return Refused(Reason.WAITING_FOR_CAPACITY, "No capacity now", retryable=True)
        if label == "refused-for-good":
            return Refused(Reason.INVALID_REQUEST, "The request is not valid")
        world.judge.posts(world, thought, step)
        project = together.projects[step.credential]
        if label in ("late", "kill-late", "slow-late"):
            if label == "slow-late":
                world.pass_time(world.timing.post_timeout)
            at = world.now + world.timing.late
            if label == "kill-late":
                at += world.timing.post_timeout
            together.fly(Flight(at, "create", project, step.order, lag=world.lag))
        elif label not in ("nothing", "slow-nothing"):
            machine = together.make(step.order, project, world.now, lag=world.lag)
            world.judge.look(world)
            if label == "ok":
                return Done(together.show(machine))
        if label in ("slow-lost", "slow-nothing"):
            world.pass_time(world.timing.post_timeout)
        return Ambiguous("The answer was lost")

    def _change(
        self, world: World, thought: Thought, step: Update | Start | Stop | Delete, label: str
    ) -> Outcome:
        together = world.together
        world.judge.changes(world, thought, step)
        refusal = together.refusal(step.credential, None)
        if refusal is not None:
            return refusal
        if together.down:
            return Unavailable(Reason.UNREACHABLE, "Together cannot be reached")
        if label == "refused":
            return Refused(Reason.UPDATING, "Not now", retryable=True)
        if label == "refused-for-good":
            return Refused(Reason.INVALID_REQUEST, "The request is not valid")
        machine = together.machines.get(step.endpoint_id)
        project = together.projects[step.credential]
        if label == "absent" or machine is None or not machine.alive or machine.project != project:
            return Absent()
        if isinstance(step, Start) and together.retired:
            return Refused(Reason.V1_CLOSED, "v1 is closed for restart")
        if isinstance(step, Start) and machine.state == "STOPPING":
            return Refused(Reason.STARTING, "It is stopping", retryable=True)
        verb, what = _verb(step)
        if label in ("late", "kill-late"):
            at = world.now + world.timing.post_timeout + world.timing.late
            together.fly(Flight(at, verb, project, what, machine.id))
        elif label != "nothing":
            if verb == "delete":
                together.remove(machine.id, world.now)
            elif what is not None:
                together.change(machine.id, what)
            else:
                together.set_state(machine.id, verb, world.now)
            if label == "ok":
                return Done() if verb == "delete" else Done(together.show(machine))
        return Unavailable(Reason.UNREACHABLE, "The answer was lost")

    # -- at rest ---------------------------------------------------------------------------------

    def _report(self, world: World, thought: Thought) -> Status:
        return report(
            thought.case,
            thought.decision,
            wall=EPOCH + world.now,
            price=None,
            inference_url=HOST,
        )

    def _rest(self, world: World, work: Work, thought: Thought, step: Wait, label: str) -> None:
        body, case = thought.body, thought.case
        if label == "kill":
            raise Killed
        status = self._report(world, thought)
        if status.to_dict() != body.raw_status:
            read = body
            body = self._kube(world, body, label, lambda: self._tell(world, read, status))
        work.memory = own_write(work.memory, str(thought.body.version), str(body.version))
        work.body, work.ready = None, False
        conditions = {c.type: c for c in body.status.conditions}
        ready = conditions[ConditionType.READY]
        operation = body.status.operation
        ours = operation is not None and operation.uid == body.uid
        work.entry = Entry(
            case.credential,
            body.status.endpoint_id if ours else None,
            body.status.state,
            conditions[ConditionType.RECONCILING].status == "True" or body.deleting,
            ready.reason == Reason.REMOTE_MISSING,
        )
        pauses = [] if step.after is None else [step.after]
        if case.observed.keys.trouble is not None:
            pauses.append(KEY_PAUSE)
        if thought.decision.situation.reason in GRACED:
            pauses.append(max(KEY_PAUSE, case.timing.grace - case.observed.unsynced))
        work.due = world.now + min(pauses) if pauses else None

    # -- polling ---------------------------------------------------------------------------------

    def interval(self, account: Account) -> float:
        """Seconds between two LISTs with a key."""
        moving = any(
            work.entry is not None and work.entry.moving and work.entry.credential == account.key
            for work in self.works.values()
        )
        pause = 5.0 if moving else 30.0
        return min(pause * 2.0**account.failures, 240.0) if account.failures else pause

    def next_poll(self) -> float:
        """When the next LIST is due."""
        return min(
            (a.polled_at + self.interval(a) for a in self.accounts.values()), default=float("inf")
        )

    def poll(self, world: World) -> None:
        """Look with each key whose time has come, and wake what is not as it was reported."""
        for account in self.accounts.values():
            if account.polled_at + self.interval(account) <= world.now:
                account.polled_at = world.now
                self._poll(world, account)

    def _poll(self, world: World, account: Account) -> None:
        entries = {
            uid: work.entry
            for uid, work in self.works.items()
            if work.entry is not None and work.entry.credential == account.key
        }
        lasting = account.failures >= FAILED_POLLS
        answer = self._list(world, account.key, world.now)
        if isinstance(answer, Unavailable):
            if account.failures == FAILED_POLLS:
                for uid in entries:
                    self.wake(world, uid)
            return
        for uid, entry in entries.items():
            if lasting:
                self.wake(world, uid)
            if entry.endpoint_id is None:
                continue
            line = answer.lines.get(entry.endpoint_id)
            if line is None:
                changed = not entry.missing
            else:
                changed = entry.missing or line.state != entry.state
            if changed:
                self.wake(world, uid)
        self._newcomers(world, account, answer)

    def _newcomers(self, world: World, account: Account, poll: Poll) -> None:
        listed = frozenset(poll.lines)
        seconds, account.before = listed & account.before, listed
        recorded = {work.entry.endpoint_id for work in self.works.values() if work.entry}
        fresh = sorted(i for i in seconds if i not in recorded and i not in account.traits)
        self._read(world, account, fresh)
        tags = {owner_tag(uid): uid for uid in self.works}
        for endpoint_id, trait in account.traits.items():
            if trait.marker is None or endpoint_id in account.told or endpoint_id in recorded:
                continue
            uid = tags.get(trait.marker.owner)
            if uid is not None and self.works[uid].entry is not None:
                account.told.add(endpoint_id)
                self.wake(world, uid)
        account.told &= listed

    # -- for a search ----------------------------------------------------------------------------

    def clone(self) -> Process:
        """The same process, to go on with differently."""
        return Process(
            self.name,
            {uid: replace(work) for uid, work in self.works.items()},
            {
                key: replace(account, traits=dict(account.traits), told=set(account.told))
                for key, account in self.accounts.items()
            },
        )


def _verb(step: Update | Start | Stop | Delete) -> tuple[str, Change | None]:
    match step:
        case Update(change=change):
            return "update", change
        case Start():
            return "start", None
        case Stop():
            return "stop", None
        case Delete():
            return "delete", None


def _unsynced(status: Status, wall: float) -> float:
    for condition in status.conditions:
        if condition.type is ConditionType.SYNCED and condition.status == "False":
            return max(0.0, wall - parse_time(condition.last_transition_time))
    return 0.0
