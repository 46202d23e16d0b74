"""The world around a decision: a cluster, Together, time, people, and what goes wrong with them.

One action changes one thing: a process takes one step (in one of the ways in which it can turn
out), a person does something, something happens at Together, or time passes. Everything is
deterministic and can be cloned, so a test may play scripts to it as well as search it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from together_operator.core import steps
from together_operator.core.marker import owner_tag
from together_operator.core.steps import Record, Single, Wait
from together_operator.core.timing import Timing
from together_operator.resource import names
from together_operator.resource.endpoint_status import Condition, Operation
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.remote import Bounds, Order, Weight
from together_operator.resource.spec import Api, SecretKeyRef, Spec, State
from together_operator.resource.status import Status

from . import deployments_model as second
from .cloning import copy
from .cluster_model import Body, Cluster
from .deployments_model import Unit
from .judge import Judge, Violation
from .outcomes import LABELS
from .process_model import Process
from .together_model import Machine, Together
from .work_model import Pace, Thought

UID = "uid-1"
MODEL = "acme/model"
HARDWARE = "1x_gpu"
MOST_TURNS = 60
"""Turns without any time passing, after which a process counts as running hot."""

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

Kind = type[Any] | tuple[type[Any], ...]
"""A kind of step, or several."""


def a_spec(**wishes: object) -> Spec:
    """What a person asks for, unless said otherwise."""
    plain: dict[str, object] = {
        "model": MODEL,
        "hardware": HARDWARE,
        "api_key_secret_ref": SecretKeyRef(name="together"),
    }
    return Spec.model_validate({**plain, **wishes})


@dataclass(slots=True)
class World:
    """Everything.

    Attributes:
        now: Monotonic seconds, the same for every process of this machine.
        timing: The waits in force.
        pace: How often a process looks by itself.
        probes: Whether serving is proved by a request.
        forbidden: Why the operator's guards forbid to buy, if they do.
        rival: Another resource that has the better right to the recorded endpoint.
        markers_lost: Whether names are known not to come back as they were sent.
        first: The generation that `Auto` tries first.
        complete: Whether the operator serves every namespace.
        lag: For how long LISTs do not show what is made now.
        deaf: Whether watch events are lost for the moment.
        frozen: Names of processes that are stopped (SIGSTOP) and take no step.
        trace: What happened, for a failure's message.
    """

    now: float = 1000.0
    timing: Timing = field(default_factory=Timing)
    pace: Pace = field(default_factory=Pace)
    cluster: Cluster = field(default_factory=Cluster)
    together: Together = field(default_factory=Together)
    judge: Judge = field(default_factory=Judge)
    processes: list[Process] = field(default_factory=lambda: [Process("a")])
    forbidden: str | None = None
    rival: str | None = None
    markers_lost: bool = False
    first: Api = Api.V1
    complete: bool = True
    probes: bool = True
    lag: float = 0.0
    deaf: bool = False
    frozen: set[str] = field(default_factory=set)
    nonces: int = 0
    turns: int = 0
    steps: int = 0
    trace: list[str] = field(default_factory=list)

    @classmethod
    def with_resource(cls, **wishes: object) -> World:
        """A world in which somebody has just applied a resource."""
        world = cls()
        body = world.cluster.add("mixtral", UID, a_spec(**wishes), world.now)
        if body.spec.state is State.STARTED:
            world.judge.licences.add(UID)
        world.wake(UID)
        return world

    def draw_nonce(self) -> str:
        """A nonce that nobody has drawn yet."""
        self.nonces += 1
        number, letters = self.nonces, ""
        for _ in range(4):
            number, digit = divmod(number, 32)
            letters += _ALPHABET[digit]
        return letters

    # -- processes -------------------------------------------------------------------------------

    def wake(self, uid: str) -> None:
        """A watch event reaches every process."""
        if not self.deaf:
            for process in self.processes:
                process.wake(self, uid)

    def kill(self, process: Process) -> None:
        """SIGKILL; it starts again with nothing but what is written down."""
        self.trace.append(f"{self.now:.0f} {process.name} killed")
        process.works.clear()
        process.accounts.clear()
        process.reserved.clear()
        process.closed.clear()
        for uid in self.cluster.bodies:
            process.wake(self, uid)

    def ready(self) -> list[tuple[Process, str]]:
        """Who has something to do now."""
        return [
            (process, uid)
            for process in self.processes
            for uid, work in process.works.items()
            if work.ready and work.flying is None and process.name not in self.frozen
        ]

    def labels(self, thought: Thought) -> tuple[str, ...]:
        """In which ways the step can turn out, within what the protocol assumes."""
        labels = LABELS[type(single(thought))]
        if isinstance(thought.decision.step, Wait):
            return labels
        return tuple(name for name in labels if name != "omit" or self._may_omit())

    def _may_omit(self) -> bool:
        """Bad LISTs are single ones, and not of what is younger than the lag."""
        apart = 3 * self.timing.lag + self.timing.settle
        youngest = max((m.created for m in self.together.machines.values()), default=-apart)
        return self.now > max(self.together.omitted_at, youngest) + apart

    def turn(self, process: Process, uid: str, label: str = "ok") -> Thought | None:
        """One step of one process."""
        thought = process.think(self, uid)
        if thought is not None:
            self.act(process, thought, label)
        return thought

    def act(self, process: Process, thought: Thought, label: str = "ok") -> None:
        """Carry out what was decided."""
        self.steps += 1
        self.turns += 1
        self.trace.append(f"{self.now:.1f} {process.name} {describe(thought)} [{label}]")
        if self.turns > MOST_TURNS:
            last = "\n".join(self.trace[-8:])
            raise Violation(f"I9: {self.turns} steps and no time passes\n{last}")
        before = self.now
        process.act(self, thought, label)
        self.judge.look(self)
        if self.now > before:
            self.turns = 0

    def _awake(self) -> list[Process]:
        return [process for process in self.processes if process.name not in self.frozen]

    # -- time ------------------------------------------------------------------------------------

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with all that happens by itself meanwhile; nobody takes a step."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(self._next(), end)
            self.turns = 0
            self.together.pass_to(self.now)
            self.judge.look(self)
            for process in self._awake():
                process.land(self)
                process.poll(self)
                for work in process.works.values():
                    if work.due is not None and work.due <= self.now:
                        work.ready, work.due = True, None

    def _next(self) -> float:
        times = [self.together.next_event()]
        for process in self._awake():
            times += [process.next_poll(self), process.next_event()]
        return max(min(times), self.now + 0.001)

    def work(self) -> None:
        """Have all done that can be done now, without a fault."""
        while ready := self.ready():
            self.turn(*ready[0])

    def run(self, seconds: float) -> None:
        """Let time pass, and have the processes work, without a fault."""
        end = self.now + seconds
        self.work()
        while self.now < end:
            self.pass_time(min(self._next(), end) - self.now)
            self.work()

    def meet(self, kind: Kind, label: str = "ok", within: float = 4000.0) -> Thought:
        """Go on until the next step of a kind, and have it turn out in a certain way."""
        thought = self.reach(kind, within)
        process = next(p for p in self.processes if p.name == thought.process)
        self.act(process, thought, label)
        return thought

    def reach(self, kind: Kind, within: float = 4000.0) -> Thought:
        """Go on until a step of a kind has been decided on, and do not take it."""
        end = self.now + within
        while self.now <= end:
            for process, uid in self.ready():
                thought = process.think(self, uid)
                if thought is None:
                    continue
                if isinstance(single(thought), kind):
                    return thought
                self.act(process, thought)
            if not self.ready():
                self.pass_time(self._next() - self.now)
        last = "\n".join(self.trace[-20:])
        raise AssertionError(f"There was no {kind} within {within:.0f} s\n{last}")

    # -- people ----------------------------------------------------------------------------------

    def edit(self, uid: str = UID, **spec: Any) -> None:
        """A person changes the spec."""
        before = self.cluster.bodies[uid].spec
        self.trace.append(f"{self.now:.0f} edit {spec}")
        self.cluster.edit(uid, **spec)
        after = self.cluster.bodies[uid].spec
        if before.state is State.STOPPED and after.state is State.STARTED:
            self.judge.licences.add(uid)
        self.wake(uid)

    def annotate(self, note: str, value: str | None, uid: str = UID) -> None:
        """A person sets an annotation, or takes it off."""
        self.trace.append(f"{self.now:.0f} {note}={value}")
        self.cluster.annotate(uid, **{note: value})
        if note == names.RESTART_REQUESTED_AT and value is not None:
            self.judge.licences.add(uid)
        self.wake(uid)

    def touch(self, uid: str = UID) -> None:
        """Somebody changes what means nothing to the operator."""
        self.cluster.touch(uid)
        self.wake(uid)

    def delete(self, uid: str = UID) -> None:
        """A person deletes the resource."""
        self.trace.append(f"{self.now:.0f} delete")
        self.cluster.delete(uid, self.now)
        self.wake(uid)

    def undefine(self) -> None:
        """A person deletes the CRD."""
        self.trace.append(f"{self.now:.0f} the CRD is deleted")
        uids = list(self.cluster.bodies)
        self.cluster.undefine(self.now)
        for uid in uids:
            self.wake(uid)

    def wipe_status(self, uid: str = UID) -> None:
        """The status is lost."""
        self.trace.append(f"{self.now:.0f} status wiped")
        self.cluster.wipe_status(uid)
        self.wake(uid)

    def by_hand(self, display_name: str, **different: Any) -> Machine:
        """A person makes an endpoint in the console.

        Args:
            display_name: Its name.
            different: What of the order is not as the resource would have it.
        """
        order = Order(MODEL, HARDWARE, Bounds(1, 1), display_name, True, 0, None, None)
        order = replace(order, **different)
        return self.together.make(order, "red", self.now, by_hand=True)

    def beside(self, name: str, **different: Any) -> Machine:
        """A person makes an endpoint of API v2 in the console, with one deployment that runs.

        Args:
            name: Its name, unique in the project.
            different: What of the deployment is not as the resource would have it.
        """
        order = Order(MODEL, HARDWARE, Bounds(1, 1), "", True, 0, None, None, endpoint_name=name)
        machine = second.make_endpoint(self.together, order, "red", self.now, by_hand=True)
        self.deploy_by_hand(machine, **different)
        return machine

    def deploy_by_hand(self, machine: Machine, *, weight: float = 1.0, **different: Any) -> Unit:
        """A person makes a deployment in the console, within an endpoint of API v2.

        Args:
            machine: The endpoint, anybody's.
            weight: Its part of the traffic; 0 leaves it out.
            different: What of it is not as the resource would have it.
        """
        order = Order(MODEL, HARDWARE, Bounds(1, 1), "", True, 0, None, None)
        order, number = replace(order, **different), len(self.together.deployments)
        unit = second.make_unit(self.together, machine, f"by-hand-{number}", order, self.now)
        if weight > 0:
            machine.traffic = (*machine.traffic, Weight(unit.id, weight))
        self.judge.strangers[unit.id] = unit.bounds
        return unit

    def apply(self, name: str, uid: str, **wishes: object) -> None:
        """Somebody applies another resource."""
        body = self.cluster.add(name, uid, a_spec(**wishes), self.now)
        if body.spec.state is State.STARTED and body.spec.adopt is None:
            self.judge.licences.add(uid)
        self.wake(uid)

    def restore(self, uid: str, *, notes: bool, status: bool) -> None:
        """A backup of the resource is put back under another name, with what it kept."""
        old = self.cluster.bodies[UID]
        self.cluster.add(
            "copy",
            uid,
            old.spec,
            self.now,
            annotations=dict(old.annotations) if notes else {},
            finalizers=old.finalizers if notes else frozenset(),
            raw_status=old.raw_status if status else {},
            status=old.status if status else Status(),
        )
        self.wake(uid)

    def lose(self, uid: str = UID) -> None:
        """The resource is gone without having been deleted; its endpoint lives on."""
        del self.cluster.bodies[uid]
        self.wake(uid)

    # -- for a search ----------------------------------------------------------------------------

    def clone(self) -> World:
        """The same world, to go on with differently; its trace begins anew."""
        new = copy(self)
        new.cluster, new.together = self.cluster.clone(), self.together.clone()
        new.judge, new.trace, new.frozen = self.judge.clone(), [], set(self.frozen)
        new.processes = [process.clone() for process in self.processes]
        return new

    # -- what one sees ---------------------------------------------------------------------------

    @property
    def body(self) -> Body | None:
        """The resource."""
        return self.cluster.get(UID)

    def gone(self) -> bool:
        """Whether the resource is gone."""
        return UID not in self.cluster.bodies

    @property
    def status(self) -> Status:
        """The status of the resource."""
        return self.cluster.bodies[UID].status

    @property
    def operation(self) -> Operation:
        """The create record of the resource."""
        operation = self.status.operation
        assert operation is not None
        return operation

    def conditions(self, uid: str = UID) -> dict[str, str]:
        """Every condition of the resource: True, False or Unknown by type."""
        return {c.type.value: c.status for c in self.cluster.bodies[uid].status.conditions}

    def condition(self, kind: ConditionType = ConditionType.READY, uid: str = UID) -> Condition:
        """One condition of the resource."""
        conditions = {c.type: c for c in self.cluster.bodies[uid].status.conditions}
        return conditions[kind]

    def reason(self, uid: str = UID) -> str:
        """The one word that a person reads."""
        return self.condition(uid=uid).reason

    def mine(self, uid: str = UID) -> list[Machine]:
        """The living endpoints that were made for a resource."""
        return [m for m in self.together.living() if m.owner == owner_tag(uid)]

    def units(self, uid: str = UID) -> list[Unit]:
        """The living deployments that were made for a resource."""
        tag = owner_tag(uid)
        return [u for u in self.together.deployments.values() if u.alive and u.owner == tag]

    def reason_or_none(self, uid: str = UID) -> str | None:
        """The one word that a person reads, if there is one yet."""
        body = self.cluster.get(uid)
        return self.reason(uid) if body is not None and body.status.conditions else None

    def settled(self, uid: str = UID) -> bool:
        """Whether the resource is Ready, Stalled, suspended or gone."""
        body = self.cluster.get(uid)
        if body is None:
            return True
        if not body.status.conditions:
            return False
        if body.spec.suspend:
            return True
        return "True" in (
            self.condition(ConditionType.READY, uid).status,
            self.condition(ConditionType.STALLED, uid).status,
        )


def single(thought: Thought) -> Single:
    """The step of a decision, whichever endpoint it is for."""
    return steps.single(thought.decision.step)


def describe(thought: Thought) -> str:
    """A decision in a line."""
    step, situation = single(thought), thought.decision.situation
    what = ("beside: " if step is not thought.decision.step else "") + type(step).__name__
    if isinstance(step, Wait):
        what += f"({step.after})"
    if isinstance(step, Record):
        operation = step.status.operation
        if operation is not None:
            what += f"({operation.phase} {operation.nonce} open={operation.open})"
    return f"{what} {situation.reason}: {situation.message[:60]}"


__all__ = ["Reason", "Violation", "World", "a_spec", "describe"]
