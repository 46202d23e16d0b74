"""One run: a resource's scenario, with faults and crashes, from its beginning to its end.

Everything that happens by the clock happens in `tend`, which every wait calls: the operator comes
back after a crash, a fault ends, a person does something in the console. Nothing runs beside it.
"""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable
from typing import Any

from tests.chaos.books import Books, of_v2
from tests.chaos.event import Event
from tests.chaos.kube import KubeAwayError, Object
from tests.chaos.plan import Plan
from tests.chaos.stage import Life, Stage
from tests.chaos.timing import DEADLINE, NAMESPACE
from tests.chaos.wishes import Moving, Wishes
from tests.support.operator import KEYS, SECRET, manifest, reason_of

_LOOK = 0.05
"""Seconds between two looks."""

_LONGEST = 4 * DEADLINE
"""Seconds after which nothing is waited for any more, whatever still goes wrong."""


class NotJudgedError(AssertionError):
    """The run did not come to where it can be judged, which is as bad as a wrong end."""


class Run:
    """A run under way.

    Args:
        stage: Where it takes place.
        plan: What it is.

    Attributes:
        stage: Where it takes place.
        plan: What it is.
        chance: Draws whatever else is drawn, by the plan's seed.
        kube: The resource's namespace.
        together: The simulated Together, for who acts there.
        name: The resource.
        uid: Its uid, once it has been made.
        key: The API key in its Secret.
        keys: Every key that the run has used.
        project: Whose endpoints these are at Together.
        log: Where the run's part of the operator's log begins.
        began: Unix seconds.
        wishes: What it asked of the endpoint's state, in order.
        deleted: When its deletion was asked for, in unix seconds.
        gone: When it was first seen to be gone, in unix seconds.
        calm: Since when nothing has gone wrong any more, in monotonic seconds.
        retained: Endpoints that the resource is to leave behind.
        by_hand: What a person has made for the resource to take over.
        strangers: Endpoints and deployments of the same project that are not the resource's.
        guests: Those of them that have traffic of the resource's endpoint, and how much.
        swaps: When two deployments of it may run, from and until, in unix seconds.
        moving: When it may have an endpoint in each generation.
        beyond: Whether an effect comes later than the protocol assumes.
        lateness: Seconds after an answer within which its request may still take effect.
        namespace_goes: Whether its namespace is being deleted.
        over: Whether the run has come to its end, and nothing more is to go wrong.
        downtime: Seconds for which the operator was away.
        reached: The crashes that have come about.
        notes: What happened, for who reads of a failure.
    """

    def __init__(self, stage: Stage, plan: Plan) -> None:
        self.stage = stage
        self.plan = plan
        self.chance = random.Random(f"{plan.seed} as it happens")
        self.kube = stage.kube
        self.together: Any = stage.operator.simulator.admin
        mark = uuid.uuid4().hex[:8]
        self.name = f"run-{mark}"
        self.uid = ""
        self.project = f"project-{mark}"
        self.keys: list[str] = []
        self.key = self.new_key()
        self.log = stage.log_sizes()
        self.began = time.time()
        self.wishes = Wishes()
        self.deleted: float | None = None
        self.gone: float | None = None
        self.calm = time.monotonic()
        self.retained: set[str] = set()
        self.by_hand: set[str] = set()
        self.strangers: set[str] = set()
        self.guests: dict[str, tuple[float, float]] = {}
        self.swaps: list[tuple[float, float]] = []
        self.moving = Moving()
        self.beyond = False
        self.lateness = 0.0
        self.over = False
        self.namespace_goes = False
        self.downtime = 0.0
        self.reached: list[str] = []
        self.notes: list[str] = []
        self._events: list[Event] = []
        self._ahead = list(zip(plan.crashes, plan.delays, strict=True))
        self._running = [stage.life]
        self._again: float | None = None

    # -- what a person does ----------------------------------------------------------------------

    def new_key(self) -> str:
        """Another API key, of the same project once that is told to Together."""
        self.keys.append(f"{KEYS}{uuid.uuid4().hex}")
        return self.keys[-1]

    def open(self) -> None:
        """Begin with an empty Together, and a Secret with a key."""
        self.together.reset()
        self.together.keys(projects={self.key: self.project})
        self.kube.secret(SECRET, self.key)
        self.stage.tracker.reset()

    def apply(self, **spec: Any) -> None:
        """Create the resource, in the plan's generation unless another one is given."""
        if self.plan.api == "V2":
            spec = {"api": "V2", **spec}
        document = manifest(self.name, **spec)
        self.note(f"apply {document['spec']}")
        self.wishes.add(spec.get("state", "Started"))
        made = self.kube.create(document)
        self.uid = made["metadata"]["uid"]

    def edit(self, **spec: Any) -> None:
        """Change fields of the resource's spec."""
        self.note(f"edit {spec}")
        if "state" in spec:
            self.wishes.add(spec["state"], start=spec["state"] == "Started")
        self.kube.patch(self.name, {"spec": spec})
        self.disturbed()

    def swap(self, **spec: Any) -> None:
        """Change what cannot be changed in place: two deployments may run from now on."""
        if not self.swapping:
            self.swaps.append((time.time(), float("inf")))
        self.edit(**spec)

    def swapped(self) -> None:
        """No two deployments may run any more."""
        if self.swapping:
            self.swaps[-1] = (self.swaps[-1][0], time.time())

    @property
    def swapping(self) -> bool:
        """Whether two deployments may run."""
        return bool(self.swaps) and self.swaps[-1][1] == float("inf")

    def swapping_at(self, at: float) -> bool:
        """Whether two deployments were free to run at a moment, in unix seconds."""
        return any(since <= at < until for since, until in self.swaps)

    def move(self, *, confirmed: bool = False) -> None:
        """Ask for API v2 for what is in v1: there may be one in each from now on."""
        self.moving.since = time.time()
        if confirmed:
            self.moving.confirmed = time.time()
        self.edit(api="V2", **({"migration": {"confirm": True}} if confirmed else {}))

    def confirm(self) -> None:
        """Say that the endpoint of v1 may go."""
        self.moving.confirmed = time.time()
        self.edit(migration={"confirm": True})

    def call_off(self) -> None:
        """Say that what is made in v2 shall go."""
        self.moving.called_off = time.time()
        self.edit(api="V1")

    def annotate(self, word: str, value: str | None) -> None:
        """Set or remove one of our annotations."""
        self.note(f"annotate {word}={value}")
        notes = {f"together-operator.io/{word}": value}
        self.kube.patch(self.name, {"metadata": {"annotations": notes}})
        self.disturbed()

    def delete(self) -> None:
        """Ask for the resource to be deleted."""
        self.note("delete")
        self.deleted = self.deleted or time.time()
        self.kube.delete(self.name)
        self.disturbed()

    def delete_namespace(self) -> None:
        """Ask for the namespace to be deleted, and make it anew at the end of the run."""
        self.note("delete the namespace")
        self.deleted, self.namespace_goes = time.time(), True
        self.kube.delete_namespace()
        self.disturbed()

    def rotate(self) -> str:
        """Put another key of the same project into the Secret; the former one."""
        former, self.key = self.key, self.new_key()
        self.together.keys(projects={self.key: self.project})
        self.kube.secret(SECRET, self.key)
        self.note("another key")
        self.disturbed()
        return former

    def sweep(self) -> None:
        """Take away what may be left of a resource that is gone, so that the next run is alone."""
        for copy in self.kube.secrets(self.stage.operator.namespace):
            place = f"/api/v1/namespaces/{copy['metadata']['namespace']}/secrets"
            if copy.get("type") == "Opaque":
                self.kube.ask("DELETE", f"{place}/{copy['metadata']['name']}", missing=True)
        self.kube.delete_secret(SECRET)

    # -- what is there ---------------------------------------------------------------------------

    def read(self) -> Object | None:
        """The resource, or `None` if there is none."""
        found = self.kube.read(self.name)
        if found is None and self.uid and self.gone is None:
            self.gone = time.time()
        return found

    def ledger(self) -> Object:
        """Together's books of this run."""
        found: Object = self.together.ledger()
        return found

    def books(self) -> Books:
        """What there is at Together of this run, the strangers left out."""
        return Books.read(self.ledger(), self.project, self.strangers)

    def live(self) -> list[Object]:
        """What lives at Together of this run, the strangers left out."""
        return self.books().live

    def posts(self) -> list[Object]:
        """The orders that reached Together."""
        return [
            request
            for request in self.together.requests("POST")
            if request["path"].endswith(("/endpoints", "/deployments"))
            and "validateOnly" not in request["query"]
        ]

    def force(self, unit: str, state: str) -> None:
        """Put an endpoint of API v1 or a deployment into a state, as API v1 spells it."""
        of_deployment = unit.startswith("dep_")
        self.together.force(unit, state=of_v2(state) if of_deployment else state)

    def note(self, text: str) -> None:
        """Write down what happens."""
        self.notes.append(f"{time.time() - self.began:8.3f}  {text}")

    # -- what goes wrong -------------------------------------------------------------------------

    def effects_within(self, seconds: float) -> None:
        """Some requests take effect only so long after their answer."""
        self.lateness = max(self.lateness, seconds)

    def disturbed(self) -> None:
        """All is not well just now."""
        self.calm = time.monotonic()

    def after(self, seconds: float, act: Callable[[], None], *, trouble: bool = True) -> None:
        """Have something happen once, after so many seconds."""
        due = time.monotonic() + seconds
        self.once(lambda: time.monotonic() >= due, act, trouble=trouble)

    def once(
        self, when: Callable[[], bool], act: Callable[[], None], *, trouble: bool = True
    ) -> None:
        """Have something happen once, as soon as something is so.

        Args:
            when: Whether it is so.
            act: What happens then.
            trouble: Whether all is not well before.
        """
        self._events.append(Event(when, act, trouble))

    def arm_crashes(self) -> None:
        """From now on the operator meets its ends, one after the other."""
        self.stage.tracker.reset()
        self._arm_next()

    def _arm_next(self) -> None:
        if self._ahead:
            self.stage.tracker.arm(self._ahead[0][0])

    def tend(self) -> None:
        """Have everything happen whose time has come.

        Raises:
            NotJudgedError: The operator has ended by itself.
        """
        self._tend_operator()
        for event in list(self._events):
            if event.when():
                self._events.remove(event)
                event.act()
                if event.trouble:
                    self.disturbed()

    def _tend_operator(self) -> None:
        for life in list(self._running):
            code = self.stage.exit_code(life)
            if code is None:
                continue
            if life.ended is None and not self._deposed(life):
                raise NotJudgedError(f"the operator ended by itself, with {code}")
            self._running.remove(life)
            self.stage.bury(life)
            if life.ended is None:
                self.note(f"{life.name} has lost the Lease, and is started again")
                self._again = time.monotonic()
            if life.killed:
                self._fallen(life)
        if self._again is not None and time.monotonic() >= self._again:
            self._again = None
            self._arm_next()
            self.launch()

    def _deposed(self, life: Life) -> bool:
        """Whether a process has ended because it leads no more, as it should."""
        return self.plan.elected and "is lost: " in life.logged()

    def _fallen(self, life: Life) -> None:
        delay = 0.0
        # Between the request and its end the run may have come to its own.
        if life.struck and self._ahead:
            crash, delay = self._ahead.pop(0)
            self.reached.append(str(crash))
        self.note(f"{life.name} was killed: {self.reached[-1:] or 'at rest'}")
        self.disturbed()
        if life is self.stage.life:
            self.downtime += delay
            self._again = time.monotonic() + delay
        else:
            self._arm_next()  # a newer one is there already

    def launch(self) -> None:
        """Start one more process of the operator."""
        life = self.stage.launch()
        self._running.append(life)
        self.note(f"{life.name} started")
        self.disturbed()

    def retire(self) -> None:
        """Ask every process but the newest to leave, as Kubernetes would."""
        for life in self._running[:-1]:
            self.note(f"{life.name} asked to leave")
            life.terminate()
        self.disturbed()

    def spare(self) -> None:
        """Let the operator live, and nothing more go wrong."""
        self.over = True
        self.stage.tracker.disarm()
        # One may have struck in this very moment.
        self.until("the dead are counted", lambda: not any(life.killed for life in self._running))
        self._ahead.clear()
        self.together.clear_faults()
        if self._again is not None:
            self.launch()
            self._again = None

    @property
    def troubled(self) -> bool:
        """Whether something is still going wrong, or the operator is not quite there."""
        away = self._again is not None or not self.stage.ready(self.stage.life)
        return away or any(event.trouble for event in self._events)

    # -- waiting ---------------------------------------------------------------------------------

    def until(
        self, what: str, look: Callable[[], Any], *, within: float = DEADLINE, calm: bool = False
    ) -> Any:
        """Wait until a look returns something true, and return that.

        Args:
            what: What is waited for, in words.
            look: Returns something true, or not.
            within: Seconds until that is given up, since something last went wrong.
            calm: Whether nothing may be going wrong any more, either.

        Raises:
            NotJudgedError: It did not become true.
        """
        self.disturbed()
        latest = self.calm + _LONGEST
        while True:
            self.tend()
            try:
                seen = look()
            except KubeAwayError:
                seen = None
            if seen and not (calm and self.troubled):
                return seen
            if time.monotonic() > latest:
                raise NotJudgedError(f"something goes wrong all the time: {what}")
            patience = within + (NAMESPACE if self.namespace_goes else 0.0)
            if time.monotonic() > self.calm + patience and not self.troubled:
                raise NotJudgedError(f"not within {patience:.0f} s: {what}; last seen: {seen!r}")
            time.sleep(_LOOK)

    def reaches(self, *reasons: str) -> Object:
        """Wait until Ready has one of these reasons for this generation; the resource then."""

        def look() -> Object | None:
            found = self.read()
            return found if found is not None and reason_of(found) in reasons else None

        found: Object = self.until("|".join(reasons), look)
        return found
