"""Together as far as a decision can notice it: endpoints, lagging lists, lost and late effects.

Deterministic and without a clock of its own. Whatever can go wrong is a switch that a test throws,
so that a run is its script and nothing else. What runs within endpoints of the second generation
is in a module of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from together_operator.core.marker import Marker
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Absent,
    Bounds,
    Change,
    Endpoint,
    Listing,
    Order,
    Phase,
    Refused,
    Summary,
    Unavailable,
    Weight,
)
from together_operator.resource.spec import Api

from . import deployments_model as second
from .cloning import copy

EPOCH = 1_700_000_000.0
"""Unix seconds at the world's zero."""

BAD_HARDWARE = "bad_hardware"
"""Hardware that Together refuses."""

LIFE: Mapping[str, tuple[str, float]] = {
    "PENDING": ("STARTING", 3.0),
    "STARTING": ("STARTED", 20.0),
    "STOPPING": ("STOPPED", 10.0),
    "PROVISIONING": ("READY", 20.0),
}
"""What each passing state turns into, and after how many seconds."""

PHASES = {
    "PENDING": Phase.PENDING,
    "STARTING": Phase.STARTING,
    "STARTED": Phase.STARTED,
    "STOPPING": Phase.STOPPING,
    "STOPPED": Phase.STOPPED,
    "ERROR": Phase.FAILED,
    "PROVISIONING": Phase.STARTING,
    "READY": Phase.STARTED,
    "FAILED": Phase.FAILED,
}
"""What the words of its states mean."""


@dataclass(slots=True)
class Machine:
    """One endpoint, as it truly is.

    Attributes:
        api: Its generation; in the second what runs is within it, and its own state is empty.
        name: What it is called, where that is chosen by who creates it.
        traffic: Who answers under that name.
        owner: The owner part of the marker in its POST body; `None` if a person made it.
        nonce: The nonce part of the same.
        since: When its state last changed.
        listed_from: From when on a LIST shows it.
        listed_until: Until when a LIST still shows it after it has gone.
        gone_at: When it was deleted.
    """

    id: str
    project: str
    display_name: str
    model: str
    hardware: str
    bounds: Bounds
    state: str
    created: float
    owner: str | None
    nonce: str | None
    minutes: int | None
    since: float
    listed_from: float
    listed_until: float = float("inf")
    gone_at: float | None = None
    api: Api = Api.V1
    name: str = ""
    traffic: tuple[Weight, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether it exists, running or not."""
        return self.gone_at is None


@dataclass(frozen=True, slots=True)
class Flight:
    """A request whose effect is still on its way.

    Attributes:
        what: What it asks for.
        deployment: The id of a deployment, or the name of one that is to be made.
        version: The etag that it names.
    """

    at: float
    verb: str
    project: str
    what: Order | Change | tuple[Weight, ...] | None
    endpoint_id: str = ""
    lag: float = 0.0
    deployment: str | None = None
    version: str | None = None


@dataclass(slots=True)
class Together:
    """All of Together.

    Attributes:
        projects: Which project each key sees.
        denied: Keys that are refused.
        down: Whether nothing can be reached.
        limited: Whether every request is refused for its rate.
        full: Whether there is no capacity, so that nothing leaves PENDING.
        retired: Whether create and start are closed.
        omitting: Whether the next LIST is a bad one, without anything in it.
        hiding: How many of the next GETs say 404, whatever is there.
        forgetful: Whether display names do not come back as they were sent.
        skew: Seconds by which its clock is ahead of Kubernetes'.
        unlist: Seconds for which a LIST still shows what has been deleted.
        life: What each passing state turns into, and after how many seconds.
        deployments: What runs, or may run, within endpoints of the second generation.
        unique: Whether no two deployments of an endpoint may have the same name.
    """

    projects: dict[str, str] = field(
        default_factory=lambda: {"K1": "red", "K2": "red", "K3": "blue"}
    )
    denied: set[str] = field(default_factory=set)
    down: bool = False
    limited: bool = False
    full: bool = False
    retired: bool = False
    omitting: bool = False
    hiding: int = 0
    forgetful: bool = False
    skew: float = 0.0
    unlist: float = 0.0
    machines: dict[str, Machine] = field(default_factory=dict)
    flights: tuple[Flight, ...] = ()
    omitted_at: float = float("-inf")
    life: Mapping[str, tuple[str, float]] = field(default_factory=lambda: LIFE)
    deployments: dict[str, second.Unit] = field(default_factory=dict)
    unique: bool = False

    # -- time ------------------------------------------------------------------------------------

    def next_event(self) -> float:
        """When something happens by itself."""
        times = [flight.at for flight in self.flights]
        times += [
            thing.since + self.life[thing.state][1]
            for thing in self.things()
            if thing.alive and thing.state in self.life and not self._stuck(thing)
        ]
        return min(times, default=float("inf"))

    def things(self) -> Iterator[Machine | second.Unit]:
        """Everything that has a state."""
        yield from self.machines.values()
        yield from self.deployments.values()

    def _stuck(self, thing: Machine | second.Unit) -> bool:
        return self.full and thing.state in ("PENDING", "PROVISIONING")

    def pass_to(self, now: float) -> None:
        """Let happen what is due."""
        for thing in self.things():
            while thing.alive and thing.state in self.life and not self._stuck(thing):
                state, seconds = self.life[thing.state]
                if thing.since + seconds > now:
                    break
                thing.state, thing.since = state, thing.since + seconds
        due = [flight for flight in self.flights if flight.at <= now]
        self.flights = tuple(flight for flight in self.flights if flight.at > now)
        for flight in due:
            self._land(flight)

    def _land(self, flight: Flight) -> None:
        if isinstance(flight.what, Order) and flight.verb == "create":
            if not flight.what.endpoint_name:
                self.make(flight.what, flight.project, flight.at, lag=flight.lag)
            elif not second.taken(self, flight.project, flight.what.endpoint_name):
                second.make_endpoint(self, flight.what, flight.project, flight.at, lag=flight.lag)
        elif self.machines[flight.endpoint_id].api is Api.V2:
            second.land(self, flight)
        elif flight.verb == "delete":
            self.remove(flight.endpoint_id, flight.at)
        elif isinstance(flight.what, Change):
            self.change(flight.endpoint_id, flight.what)
        else:
            self.set_state(flight.endpoint_id, flight.verb, flight.at)

    def fly(self, flight: Flight) -> None:
        """Send something off that arrives later."""
        self.flights = (*self.flights, flight)

    # -- what truly happens ----------------------------------------------------------------------

    def make(
        self, order: Order, project: str, now: float, *, lag: float = 0.0, by_hand: bool = False
    ) -> Machine:
        """An endpoint comes into being."""
        marker = None if by_hand else Marker.parse(order.display_name)
        machine = Machine(
            id=f"{'ep_' if order.endpoint_name else 'endpoint-'}{len(self.machines) + 1}",
            project=project,
            display_name=order.display_name,
            model=order.model,
            hardware=order.hardware,
            bounds=order.bounds,
            state="PENDING" if order.started else "STOPPED",
            created=now,
            owner=marker.owner if marker else None,
            nonce=marker.nonce if marker else None,
            minutes=order.inactive_timeout_minutes,
            since=now,
            listed_from=now + lag,
        )
        self.machines[machine.id] = machine
        return machine

    def remove(self, endpoint_id: str, now: float) -> None:
        """An endpoint is deleted."""
        machine = self.machines[endpoint_id]
        if machine.alive:
            machine.gone_at, machine.listed_until = now, now + self.unlist

    def change(self, endpoint_id: str, change: Change) -> None:
        """An endpoint is changed in place."""
        machine = self.machines[endpoint_id]
        if change.display_name is not None:
            machine.display_name = change.display_name
        if change.bounds is not None:
            machine.bounds = change.bounds
        if change.inactive_timeout_minutes is not None:
            machine.minutes = change.inactive_timeout_minutes

    def set_state(self, endpoint_id: str, verb: str, now: float) -> None:
        """An endpoint is started or stopped."""
        machine = self.machines[endpoint_id]
        if not machine.alive:
            return
        if verb == "stop" and machine.state not in ("STOPPING", "STOPPED"):
            machine.state, machine.since = "STOPPING", now
        if verb == "start" and machine.state in ("STOPPED", "ERROR", "STOPPING"):
            machine.state, machine.since = "STARTING", now

    def running(self) -> list[Machine | second.Unit]:
        """Everything that costs, or may cost without anybody's doing."""
        first = [m for m in self.living() if m.api is Api.V1]
        return [*first, *(unit for unit in self.deployments.values() if unit.runs)]

    def word(self, machine: Machine) -> str:
        """What an endpoint of either generation does, in the words of the first."""
        if machine.api is Api.V1:
            return machine.state
        within = [unit for unit in second.within(self, machine.id) if unit.owner is not None]
        words = {"READY": "STARTED", "PROVISIONING": "STARTING", "FAILED": "ERROR"}
        runs = next((unit for unit in within if unit.runs), None)
        unit = runs or (within[0] if within else None)
        return "STOPPED" if unit is None else words.get(unit.state, unit.state)

    def living(self) -> list[Machine]:
        """Every endpoint that exists."""
        return [machine for machine in self.machines.values() if machine.alive]

    # -- what is answered ------------------------------------------------------------------------

    def trouble(self, key: str) -> Unavailable | None:
        """Why a key gets no answer now."""
        if self.down:
            return Unavailable(Reason.UNREACHABLE, "Together cannot be reached")
        if key in self.denied:
            return Unavailable(Reason.UNAUTHORIZED, "The key is not valid")
        if self.limited:
            return Unavailable(Reason.RATE_LIMITED, "Too many requests")
        return None

    def date(self, now: float) -> float:
        """Its clock."""
        return EPOCH + now + self.skew

    def list(self, key: str, now: float, api: Api = Api.V1) -> Listing | Unavailable:
        """One LIST."""
        trouble = self.trouble(key)
        if trouble is not None:
            return trouble
        shown: dict[str, Summary] = {}
        for machine in self.machines.values():
            hidden = now < machine.listed_from or (
                not machine.alive and now >= machine.listed_until
            )
            if hidden or machine.project != self.projects[key] or machine.api is not api:
                continue
            if api is Api.V2:
                shown[machine.id] = second.line(self, machine, now)
            else:
                shown[machine.id] = Summary(
                    machine.id,
                    machine.state,
                    PHASES.get(machine.state, Phase.UNKNOWN),
                    self.date(machine.created),
                )
        if self.omitting:
            self.omitting, self.omitted_at, shown = False, now, {}
        return Listing(shown, self.date(now))

    def get(self, key: str, endpoint_id: str, api: Api = Api.V1) -> Endpoint | Absent | Unavailable:
        """One GET."""
        trouble = self.trouble(key)
        if trouble is not None:
            return trouble
        machine = self.machines.get(endpoint_id)
        if machine is None or not machine.alive or machine.project != self.projects[key]:
            return Absent()
        if machine.api is not api:
            return Absent()
        if self.hiding:
            self.hiding -= 1
            return Absent()
        return self.show(machine)

    def show(self, machine: Machine) -> Endpoint:
        """An endpoint as its whole picture is told."""
        if machine.api is Api.V2:
            return second.show(self, machine)
        return Endpoint(
            id=machine.id,
            name=f"acme/{machine.model}-{machine.id[9:]}",
            display_name="" if self.forgetful else machine.display_name,
            model=machine.model,
            hardware=machine.hardware,
            owner="acme",
            state=machine.state,
            phase=PHASES.get(machine.state, Phase.UNKNOWN),
            bounds=machine.bounds,
            ready_replicas=None,
            created_at=self.date(machine.created),
        )

    def refusal(self, key: str, order: Order | None) -> Refused | None:
        """Why a write is refused now, if it is; `order` for a create."""
        trouble = self.trouble(key)
        if trouble is not None and trouble.reason is not Reason.UNREACHABLE:
            return Refused(trouble.reason, trouble.message, retryable=True)
        if order is None:
            return None
        if self.retired and not order.endpoint_name:
            return Refused(Reason.V1_CLOSED, "v1 is closed for create")
        if order.hardware == BAD_HARDWARE:
            return Refused(Reason.INVALID_HARDWARE, "There is no such hardware")
        return None

    # -- for a search ----------------------------------------------------------------------------

    def clone(self) -> Together:
        """The same world, to go on with differently."""
        new = copy(self)
        new.denied = set(self.denied)
        new.machines = {key: copy(machine) for key, machine in self.machines.items()}
        new.deployments = {key: copy(unit) for key, unit in self.deployments.items()}
        return new
