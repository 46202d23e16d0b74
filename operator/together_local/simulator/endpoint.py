"""One dedicated endpoint of API v1, as a machine of states.

Why: what an operator must survive is the endpoint's life: waiting for hardware,
starting, serving, idling out, stopping, failing, vanishing. The states and what is
known of them are Together's (documented: PENDING, STARTING, STARTED, STOPPING,
STOPPED, ERROR); what is not known is asked of the assumptions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from together_local.simulator.billing import Meter
from together_local.simulator.catalogue import Hardware, Model
from together_local.simulator.clock import Timer, rfc3339
from together_local.simulator.site import Site

PENDING = "PENDING"
STARTING = "STARTING"
STARTED = "STARTED"
STOPPING = "STOPPING"
STOPPED = "STOPPED"
ERROR = "ERROR"
DELETED = "DELETED"

#: States in which state=STARTED asks for nothing new.
COMING_OR_UP = frozenset({PENDING, STARTING, STARTED})


@dataclass
class EndpointSpec:
    """What an endpoint is made from; times and identity are the server's own.

    Attributes:
        model: What it serves.
        hardware: What one replica runs on.
        project: Whose it is; also the owner's name.
        key_id: Hash of the key that made it, or None when made in the console.
        min_replicas: Lower bound.
        max_replicas: Upper bound.
        inactive_timeout: Minutes without inference before it stops; 0 = never.
        display_name: What a person calls it; None: what the server calls it.
        requested_display_name: The same as the request had it, which may differ.
    """

    model: Model
    hardware: Hardware
    project: str
    key_id: str | None
    min_replicas: int
    max_replicas: int
    inactive_timeout: int
    display_name: str | None
    requested_display_name: str | None


@dataclass
class Endpoint:
    """An endpoint and its life. All methods act at the timeline's present moment."""

    site: Site
    spec: EndpointSpec
    id: str = ""
    name: str = ""
    owner: str = ""
    state: str = STOPPED
    created_at: float = 0
    created_wall: float = 0
    deleted_at: float | None = None
    deleted_wall: float | None = None
    hidden_until_wall: float = 0
    serving_at: float = 0
    last_activity: float = 0
    overrides: dict[str, Any] = field(default_factory=dict)
    meter: Meter = field(init=False)
    _held: int = 0
    _timers: dict[str, Timer] = field(default_factory=dict)
    _restart: bool = False

    def __post_init__(self) -> None:
        """Give it the identity that the server makes up."""
        self.id = f"endpoint-{self.site.new_uuid()}"
        self.owner = self.spec.project
        self.name = f"{self.owner}/{self.spec.model.id}-{self.site.new_hex(8)}"
        self.created_at = self.site.timeline.now
        self.created_wall = self.site.clock.wall()
        self.meter = Meter(self.spec.hardware.cents_per_minute)

    # What callers ask for.

    def start(self) -> None:
        """Begin the way to STARTED; nothing when it is up or on its way."""
        if self.state in COMING_OR_UP or self.state == DELETED:
            return
        if self.state == STOPPING:
            self._restart = True
            return
        self._cancel()
        self._bill(0)
        self._release(self._held)
        self.state = PENDING
        self._after("life", self.site.assumptions.pending_seconds, self._find_hardware)

    def stop(self) -> None:
        """Begin the way to STOPPED; nothing when it is there or on its way."""
        self._restart = False
        if self.state in (STOPPING, STOPPED, DELETED):
            return
        if not self.site.assumptions.bill_stopping:
            self._bill(0)
        if self.state == PENDING:
            self._stopped()
            return
        self._cancel()
        self.state = STOPPING
        self._after("life", self.site.assumptions.stopping_seconds, self._stopped)

    def scale(self, min_replicas: int, max_replicas: int) -> None:
        """Set both bounds; without load the lower one is what runs."""
        self.spec.min_replicas = min_replicas
        self.spec.max_replicas = max_replicas
        if self.site.capacity.waits(self.spec.hardware.id, self.id):
            self._find_hardware()
        if self.state == STARTED and self.site.assumptions.patch_bounces:
            self._bill(0)
            self._come_up()
        self._fit()

    def set_inactive_timeout(self, minutes: int) -> None:
        """Set the minutes without inference before it stops; 0 = never."""
        self.spec.inactive_timeout = minutes
        self._watch_idle()

    def touch(self) -> None:
        """Note an inference request, which the idle timer counts from."""
        self.last_activity = self.site.timeline.now

    def remove(self) -> None:
        """Delete it. It is billed no longer and its hardware is free at once."""
        if self.state == DELETED:
            return
        self._cancel()
        self._bill(0)
        # What LIST and GET show of it while they lag behind.
        self.overrides.setdefault("state", self.state)
        self.state = DELETED
        self.deleted_at = self.site.timeline.now
        self.deleted_wall = self.site.clock.wall()
        self._release(self._held)

    def force(self, state: str) -> None:
        """Put it into any state, known or not, where it then stays.

        STARTED runs and bills, whatever hardware is free; PENDING, STARTING and states
        that nobody knows keep their hardware; the others give it back.
        """
        self._cancel()
        self.state = state
        if state == STARTED:
            self._hold(self._wanted - self._held)
            self._started()
            self.serving_at = self.site.timeline.now
        elif state in (STOPPED, ERROR, "FAILED"):
            self._bill(0)
            self._release(self._held)
        elif state in (PENDING, STARTING, STOPPING):
            self._bill(0)

    # What it shows.

    @property
    def display_name(self) -> str:
        """What it is called, by a person or by default."""
        if self.spec.display_name is not None:
            return self.spec.display_name
        defaults = {"model": self.spec.model.id, "name": self.name, "empty": ""}
        return defaults[self.site.assumptions.display_name_default]

    @property
    def serving(self) -> bool:
        """Whether inference would be answered now."""
        return self.state == STARTED and self.site.timeline.now >= self.serving_at

    def listed(self) -> dict[str, Any]:
        """Return what LIST shows: no display_name, hardware or autoscaling."""
        thin = ("object", "id", "name", "model", "type", "owner", "state", "created_at")
        shown = self.shown()
        return {name: shown[name] for name in thin}

    def shown(self) -> dict[str, Any]:
        """Return what GET shows: no inactive_timeout, zone or speculative flag."""
        autoscaling: dict[str, Any] = {
            "min_replicas": self.spec.min_replicas,
            "max_replicas": self.spec.max_replicas,
        }
        if self.site.assumptions.extra_fields:
            autoscaling["ready_replicas"] = self.meter.replicas if self.state == STARTED else 0
            autoscaling["current_replicas"] = self._held
        shown: dict[str, Any] = {
            "object": "endpoint",
            "id": self.id,
            "name": self.name,
            "display_name": self.display_name,
            "model": self.spec.model.id,
            "hardware": self.spec.hardware.id,
            "type": "dedicated",
            "owner": self.owner,
            "state": self.state,
            "autoscaling": autoscaling,
            "created_at": rfc3339(self.created_at),
        }
        if self.site.assumptions.inactive_timeout_shown:
            shown["inactive_timeout"] = self.spec.inactive_timeout
        return {**shown, **self.overrides}

    def ledger_entry(self) -> dict[str, Any]:
        """Return its line in the ledger; ``created_at`` and ``deleted_at`` are real time."""
        now = self.site.timeline.now
        rounding = self.site.assumptions.minute_rounding
        return {
            "id": self.id,
            "name": self.name,
            "display_name": self.display_name,
            "requested_display_name": self.spec.requested_display_name,
            "generation": "v1",
            "model": self.spec.model.id,
            "hardware": self.spec.hardware.id,
            "state": self.state,
            "autoscaling": {
                "min_replicas": self.spec.min_replicas,
                "max_replicas": self.spec.max_replicas,
            },
            "created_at": self.created_wall,
            "deleted_at": self.deleted_wall,
            "replica_minutes": round(self.meter.minutes(now, rounding), 4),
            "billed_cents": self.meter.cents(now, rounding),
            "project": self.spec.project,
            "key_id": self.spec.key_id,
        }

    # How it lives.

    @property
    def _wanted(self) -> int:
        return max(1, self.spec.min_replicas)

    def _find_hardware(self) -> None:
        if self.state != PENDING:
            return
        capacity, hardware = self.site.capacity, self.spec.hardware.id
        offered = capacity.offer(hardware, self._wanted)
        enough = 1 if self.site.assumptions.partial_capacity == "start" else self._wanted
        if offered < enough:
            capacity.wait(hardware, self.id, self._find_hardware)
            return
        capacity.leave(hardware, self.id)
        self._hold(offered)
        self._come_up()
        self._fit()

    def _come_up(self) -> None:
        self.state = STARTING
        self._after("life", self.site.assumptions.starting_seconds, self._started)

    def _started(self) -> None:
        self.state = STARTED
        self._bill(self._held)
        self.serving_at = self.site.timeline.now + self.site.assumptions.serving_delay_seconds
        self.last_activity = self.site.timeline.now
        self._watch_idle()

    def _stopped(self) -> None:
        self._cancel()
        self._bill(0)
        self.state = STOPPED
        self._release(self._held)
        if self._restart:
            self._restart = False
            self.start()

    def _fit(self) -> None:
        """Bring held hardware and running replicas to what is wanted."""
        if self.state not in (STARTING, STARTED):
            return
        capacity, hardware = self.site.capacity, self.spec.hardware.id
        if self._held > self._wanted:
            if self.meter.replicas > self._wanted:
                self._bill(self._wanted)
            self._release(self._held - self._wanted)
        else:
            offered = capacity.offer(hardware, self._wanted - self._held)
            self._hold(offered)
            if offered and self.state == STARTED:
                if self.site.assumptions.bill_scaling_up:
                    self._bill(self._held)
                self._after("scale", self.site.assumptions.scale_up_seconds, self._scaled)
        if self._held < self._wanted:
            capacity.wait(hardware, self.id, self._fit)
        else:
            capacity.leave(hardware, self.id)

    def _scaled(self) -> None:
        if self.state == STARTED:
            self._bill(self._held)

    def _watch_idle(self) -> None:
        minutes = self.spec.inactive_timeout
        if self.state != STARTED or minutes <= 0:
            self._drop("idle")
            return
        left = self.last_activity + minutes * 60 - self.site.timeline.now
        # A timeout shortened to less than what has passed already falls due at once.
        self._after("idle", left, self._idle)

    def _idle(self) -> None:
        idle_for = self.site.timeline.now - self.last_activity
        # Unix seconds as floats carry noise: less than a millisecond short is not short.
        if idle_for >= self.spec.inactive_timeout * 60 - 0.001:
            self.stop()
            if self.site.assumptions.idle_stop_path == "direct":
                self._stopped()
        else:
            self._watch_idle()

    def _bill(self, replicas: int) -> None:
        self.meter.run(replicas, self.site.timeline.now)

    def _hold(self, replicas: int) -> None:
        self._held += replicas
        self.site.capacity.take(self.spec.hardware.id, replicas)

    def _release(self, replicas: int) -> None:
        self._held -= replicas
        if self._held == 0:
            self.site.capacity.leave(self.spec.hardware.id, self.id)
        self.site.capacity.give_back(self.spec.hardware.id, replicas)

    def _after(self, purpose: str, seconds: float, action: Callable[[], None]) -> None:
        self._drop(purpose)
        self._timers[purpose] = self.site.timeline.after(seconds, action)

    def _drop(self, purpose: str) -> None:
        timer = self._timers.pop(purpose, None)
        if timer is not None:
            timer.cancel()

    def _cancel(self) -> None:
        for purpose in list(self._timers):
            self._drop(purpose)
        self.site.capacity.leave(self.spec.hardware.id, self.id)
