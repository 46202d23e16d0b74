"""One operator process around the real core: what `controller/` does, step by step and without I/O.

The decisions, the memory, the status and the classification of lists are the shipped code. What is
re-stated here is only the loop that drives them: read, observe, decide, do one thing, learn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from together_operator.core.decide import decide
from together_operator.core.learning import (
    Outcome,
    begin,
    learn,
    own_write,
)
from together_operator.core.marker import owner_tag
from together_operator.core.memory import Memory, Reservation
from together_operator.core.noticing import replace_memory
from together_operator.core.report import Terms, report
from together_operator.core.steps import (
    Beside,
    Consume,
    Create,
    Delete,
    Deploy,
    Dismiss,
    FindDefinition,
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
    Reserve,
    Route,
    Start,
    Step,
    Stop,
    Undeploy,
    Update,
    Vet,
    Wait,
    single,
)
from together_operator.core.table import GRACED
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Done, Endpoint, Refused, Unavailable
from together_operator.resource.spec import Api
from together_operator.resource.status import Status

from . import polling_model
from .account_model import Account
from .cloning import copy
from .cluster_model import Body, Conflict, NotFound
from .request_model import change, create, probe
from .sight_model import observe
from .together_model import EPOCH
from .work_model import Flying, Thought, Work, entry_of

if TYPE_CHECKING:
    from .world import World

HOST = "https://api.together.test/v1"


class Down(Exception):  # noqa: N818 (it tells what happened)
    """The cluster gave no answer."""


class Killed(Exception):  # noqa: N818 (it tells what happened)
    """The process is gone."""


@dataclass(slots=True)
class Process:
    """One operator process.

    Attributes:
        name: For traces.
        works: What it works on, by uid.
        accounts: What it has seen, by key and generation.
        reserved: Which resource may take over an endpoint, by endpoint.
        closed: The keys to which Together has said that v1 is closed.
    """

    name: str
    works: dict[str, Work] = field(default_factory=dict)
    accounts: dict[tuple[str, Api], Account] = field(default_factory=dict)
    reserved: dict[str, str] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)

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
            work.again = work.body is not None
            work.ready = True

    def think(self, world: World, uid: str) -> Thought | None:
        """Read, observe and decide; `None` if there is nothing to work on."""
        work = self.works[uid]
        body = work.body or world.cluster.get(uid)
        if body is None or (body.deleting and not body.held):
            del self.works[uid]
            for other in [b.uid for b in world.cluster.bodies.values() if b.wanted is not None]:
                self.wake(world, other)
            return None
        case = observe(self, world, body, work.memory)
        thought = Thought(self.name, uid, body, case, decide(case))
        self.mind(thought)
        return thought

    def mind(self, thought: Thought) -> None:
        """Keep what was noticed on the way to a decision."""
        work = self.works[thought.uid]
        work.again = work.again and work.body is not None
        work.memory, work.body = thought.case.memory, thought.body
        for case in filter(None, (thought.case, thought.case.beside)):
            keys, api = case.observed.keys, case.observed.api
            for key in (keys.held, keys.user):
                if key is not None:
                    self.account(key, api)

    def account(self, key: str, api: Api) -> Account:
        """What has been seen with a key in a generation."""
        return self.accounts.setdefault((key, api), Account(key, api))

    def _closed(self, step: Step, outcome: Outcome) -> None:
        """Remember that Together has closed v1 to a key."""
        said = isinstance(outcome, Refused) and outcome.reason is Reason.V1_CLOSED
        if isinstance(step, Create) and said:
            self.closed.add(step.credential)

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
            work.body, work.ready, work.due = None, False, world.now + world.pace.kube
        except Killed:
            world.kill(self)

    def _step(self, world: World, work: Work, thought: Thought, label: str) -> None:
        step = thought.decision.step
        case = replace_memory(thought.case, begin(thought.case.memory, step, world.now))
        work.memory = case.memory
        if label == "kill":
            raise Killed
        inner = single(step)
        if isinstance(inner, Create) and label.startswith("flying"):
            aimed = self._aimed(replace(thought, case=case))
            outcome = create(world, aimed, inner, label)
            work.flying = Flying(case, step, outcome, world.now + world.timing.post_timeout)
            work.ready = False
            return
        after, outcome = self._carry_out(world, replace(thought, case=case), label)
        if label.startswith("kill"):
            raise Killed
        work.memory = learn(case, step, outcome, world.now)
        self._closed(inner, outcome)
        work.body = after
        if after is not None:
            work.memory = own_write(work.memory, str(thought.body.version), str(after.version))

    def _aimed(self, thought: Thought) -> Thought:
        """A step for the other endpoint of a migration, as if that were the only one."""
        beside, decision = thought.case.beside, thought.decision
        if not isinstance(decision.step, Beside) or beside is None or decision.beside is None:
            return thought
        wish = beside.desired
        body = replace(thought.body, status=beside.status, spec=wish.spec, deleting=wish.deleting)
        return replace(thought, body=body, case=beside, decision=decision.beside)

    def _carry_out(self, world: World, thought: Thought, label: str) -> tuple[Body | None, Outcome]:
        step, body, cluster = thought.decision.step, thought.body, world.cluster
        if isinstance(step, Beside) and not isinstance(step.step, Record):
            aimed = self._aimed(thought)
            after, outcome = self._carry_out(world, aimed, label)
            return (body if after is aimed.body else after), outcome
        match step:
            case Record() | Beside() | Dismiss():
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
                self._entomb(world, body, step)
                if label == "kill-between":
                    raise Killed
                self._kube(world, body, label, lambda: self._let_go(world, body))
                if not nonces:
                    cluster.copies.pop(body.uid, None)
                return None, None
            case KeepKey(credential=credential):
                if label == "error":
                    raise Down
                if cluster.key == credential:
                    cluster.copies[body.uid] = credential
                    cluster.tombstones.pop(body.uid, None)
                if label == "lost":
                    raise Down
                return body, None
            case FindOwner(uid=uid):
                if label == "error":
                    raise Down
                return body, uid in cluster.bodies
            case FindDefinition():
                if label == "error":
                    raise Down
                return body, cluster.definition(world.now)
            case Reserve():
                if label == "error":
                    raise Down
                return body, self._reserve(world, body, step)
            case Publish():
                return body, None
            case _:
                return body, self._remote(world, thought, label)

    def _entomb(self, world: World, body: Body, step: Finish) -> None:
        """The tombstone comes before the finalizer goes (create-once rule 13)."""
        cluster = world.cluster
        if step.nonces and body.uid not in cluster.copies and cluster.key == step.credential:
            cluster.copies[body.uid] = cluster.key or ""
        if step.nonces and body.uid in cluster.copies:
            cluster.tombstones[body.uid] = step.nonces

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
        outcome = self._at_together(world, thought, label)
        step = thought.decision.step
        seen = outcome.endpoint if isinstance(outcome, Done) else outcome
        if isinstance(seen, Endpoint) and isinstance(step, Get | Vet | Update | Start | Stop):
            self.account(step.credential, thought.case.observed.api).relearn(seen)
        return outcome

    def _at_together(self, world: World, thought: Thought, label: str) -> Outcome:
        step, together = thought.decision.step, world.together
        api = thought.case.observed.api
        if label == "hide":
            together.hiding += 1
        if label == "omit":
            together.omitting = True
        if label == "down" and not isinstance(step, Create | Deploy):
            return Unavailable(Reason.UNREACHABLE, "Together cannot be reached")
        match step:
            case List(credential=key, since=since):
                return self.account(key, api).list(world, since)
            case Look():
                return self.account(step.credential, api).look(
                    world, step, thought.body, self._taken(thought.body)
                )
            case Get(credential=key, endpoint_id=endpoint_id):
                return together.get(key, endpoint_id, api)
            case Vet(credential=key, endpoint_id=endpoint_id):
                return together.get(key, endpoint_id, api)
            case Probe(credential=key, name=name):
                return probe(world, key, name)
            case Create():
                return create(world, thought, step, label)
            case Update() | Start() | Stop() | Delete() | Deploy() | Undeploy() | Route():
                return change(world, thought, step, label)
            case _:
                raise TypeError(step)

    def _taken(self, body: Body) -> frozenset[str]:
        adopt = body.spec.adopt
        return frozenset(
            entry.endpoint_id
            for other, work in self.works.items()
            for entry in (work.entry.both if work.entry is not None else ())
            if other != body.uid and entry.endpoint_id is not None
        ) | frozenset(() if adopt is None else (adopt.endpoint_id,))

    # -- who has the endpoint that is to be taken over -------------------------------------------

    def _reserve(self, world: World, body: Body, step: Reserve) -> Reservation:
        """As the cluster knows, and one at a time."""
        holder = None
        first = world.cluster.get(self.reserved.get(step.endpoint_id, body.uid))
        if first is not None and first.uid != body.uid and first.wanted == step.endpoint_id:
            holder = first.uid
        for other in world.cluster.bodies.values():
            held = step.endpoint_id in other.holding
            if other.uid != body.uid and (held or step.owner == owner_tag(other.uid)):
                holder = other.uid
        if holder is None:
            self.reserved[step.endpoint_id] = body.uid
        return Reservation(step.endpoint_id, step.owner, holder, complete=world.complete)

    # -- at rest ---------------------------------------------------------------------------------

    def _report(self, world: World, thought: Thought) -> Status:
        return report(
            thought.case,
            thought.decision,
            wall=EPOCH + world.now,
            terms=Terms(None, HOST),
            beside=Terms(None, HOST),
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
        work.body, work.ready, work.again = None, work.again, False
        work.entry = entry_of(body, body.status, case)
        if case.beside is not None and body.status.beside is not None:
            beside = replace(entry_of(body, body.status.beside, case.beside), open_v1=())
            work.entry = replace(work.entry, beside=beside)
        if work.entry.open_v1 and case.credential is not None:
            self.account(case.credential, Api.V1)
        pauses = [] if step.after is None else [step.after]
        if case.observed.keys.trouble is not None:
            pauses.append(world.pace.key)
        if thought.decision.situation.reason in GRACED:
            pauses.append(max(world.pace.key, case.timing.grace - case.observed.unsynced))
        work.due = world.now + min(pauses) if pauses else None

    # -- polling ---------------------------------------------------------------------------------

    def land(self, world: World) -> None:
        """Take in the answers that have come."""
        for work in self.works.values():
            flying = work.flying
            if flying is not None and flying.at <= world.now:
                case = replace_memory(flying.case, work.memory)
                work.memory = learn(case, flying.step, flying.outcome, world.now)
                step = flying.step
                self._closed(single(step), flying.outcome)
                work.flying, work.ready = None, True

    def next_event(self) -> float:
        """When something happens by itself."""
        times = [work.flying.at for work in self.works.values() if work.flying is not None]
        times += [work.due for work in self.works.values() if work.due is not None]
        return min(times, default=float("inf"))

    def next_poll(self, world: World) -> float:
        """When the next LIST is due."""
        return polling_model.due(world, self)

    def poll(self, world: World) -> None:
        """Look with each key whose time has come, and wake what is not as it was reported."""
        polling_model.poll(world, self)

    # -- for a search ----------------------------------------------------------------------------

    def clone(self) -> Process:
        """The same process, to go on with differently."""
        return Process(
            self.name,
            {uid: copy(work) for uid, work in self.works.items()},
            {key: account.clone() for key, account in self.accounts.items()},
            dict(self.reserved),
            set(self.closed),
        )
