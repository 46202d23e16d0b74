"""One deployment of API v2, as a machine of states.

Why: it is what costs money, and its life is what a client must survive: waiting for
hardware beyond all patience, coming up, losing and regaining replicas, idling out,
draining. The states and what is known of them are Together's; what is not known is
asked of the assumptions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from together_local.simulator.billing import Meter
from together_local.simulator.clock import Timer
from together_local.simulator.site import Site
from together_local.simulator.v2.events import Journal
from together_local.simulator.v2.models import Config, Weights
from together_local.simulator.v2.states import (
    DEGRADED,
    DELETED,
    FAILED,
    PREFIX,
    PROVISIONING,
    READY,
    SCALING,
    STOPPED,
    STOPPING,
)

_NO_CAPACITY = "InsufficientCapacity"


@dataclass
class DeploymentSpec:
    """What a deployment is made from.

    Attributes:
        name: Its bare name.
        requested_name: The same as the request had it.
        weights: What it serves.
        revision: The pinned state of the weights.
        config: The recipe.
        low: Lower bound of replicas; 0 with ``high`` 0 is stopped.
        high: Upper bound.
        scaling: Everything else of autoscaling, as the API spells it.
        inactive_timeout: Minutes without inference before it stops; 0 = never.
        max_concurrent: Requests per replica; None: the platform's choice.
        placement: As the request had it; None: anywhere.
        region: Where its replicas run.
        key_id: Hash of the key that made it, or None when made in the console.
    """

    name: str
    requested_name: str
    weights: Weights
    revision: str
    config: Config
    low: int
    high: int
    scaling: dict[str, Any]
    inactive_timeout: int
    max_concurrent: int | None
    placement: dict[str, Any] | None
    region: str
    key_id: str | None


class Deployment:
    """A deployment and its life. All methods act at the timeline's present moment.

    Args:
        site: What it stands on.
        spec: What it is made from.
        journal: Where its story is written.
    """

    def __init__(self, site: Site, spec: DeploymentSpec, journal: Journal) -> None:
        self.site = site
        self.spec = spec
        self.id = f"dep_{site.new_hex(20)}"
        self.state = self.last_state = STOPPED
        self.message = "No replicas are requested"
        self.created_at = self.updated_at = site.timeline.now
        self.created_wall = site.clock.wall()
        self.deleted_at: float | None = None
        self.deleted_wall: float | None = None
        self.hidden_until_wall = 0.0
        self.version = 1
        self.ready = 0
        self.held = 0
        self.last_activity = 0.0
        self.ran: list[list[float | None]] = []
        self.overrides: dict[str, Any] = {}
        self.meter = Meter(spec.config.instance.cents_per_hour(site.assumptions) / 60)
        self._journal = journal
        self._hardware = spec.config.instance.hardware.id
        self._was_ready = False
        self._up = False
        self._timers: dict[str, Timer] = {}

    @property
    def desired(self) -> int:
        """Replicas that are wanted now: without load the lower bound."""
        return 0 if self.state in (STOPPING, STOPPED, FAILED) else self.spec.low

    # What callers ask for.

    def start(self) -> None:
        """Begin the way to READY."""
        self._cancel()
        self._set(PROVISIONING, "The scheduler is placing replicas", "ReplicasProgressing")
        if not self._was_ready:
            budget = self.site.assumptions.readiness_budget_seconds
            self._after("budget", budget, self._give_up)
        self._after("life", self.site.assumptions.pending_seconds, self._place)

    def stop(self) -> None:
        """Begin the way to STOPPED; nothing when it is there, on its way, or FAILED."""
        if self.state == FAILED and self.site.assumptions.failed_deployment_delete == "after_stop":
            self._set(STOPPED, "Stopped", "Stopped")
        if self.state in (STOPPING, STOPPED, FAILED, DELETED):
            return
        self._cancel()
        self._up = False
        self.ready = 0
        if not self.site.assumptions.bill_stopping:
            self._bill(0)
        if self.held == 0:
            self._stopped()
            return
        self._set(STOPPING, "Replicas are draining", "Draining")
        self._after("life", self.site.assumptions.stopping_seconds, self._stopped)

    def scale(self, low: int, high: int) -> None:
        """Set both bounds: 0 and 0 stop it, more start it or fit it."""
        before = self.spec.low
        self.spec.low, self.spec.high = low, high
        if low != before:
            self._tell("deployment.scaled", oldReplicas=before, newReplicas=low)
        if low == 0:
            self.stop()
        elif self.state == STOPPED:
            self.start()
        elif self._up:
            self._fit()
        elif self.site.capacity.waits(self._hardware, self.id):
            self._place()

    def watch_idle(self) -> None:
        """Begin to wait for idleness; again whenever what is waited for has changed."""
        seconds = self._idle_seconds
        if not self._up or not seconds:
            self._drop("idle")
            return
        left = self.last_activity + seconds - self.site.timeline.now
        self._after("idle", left, self._idle)

    def touch(self) -> None:
        """Note an inference request, which idleness counts from."""
        self.last_activity = self.site.timeline.now

    def remove(self) -> None:
        """Delete it. It is billed no longer and its hardware is free at once."""
        self._cancel()
        self.ready = 0
        self._bill(0)
        self.last_state = self.state
        self.state = DELETED
        self._keep_hours()
        self.deleted_at = self.site.timeline.now
        self.deleted_wall = self.site.clock.wall()
        self._release(self.held)

    def force(self, state: str) -> None:
        """Put it into any state, known or not, where it then stays.

        READY runs and bills whatever hardware is free; STOPPED and FAILED give it back;
        the others keep what they have.

        Args:
            state: With or without Together's prefix.
        """
        self._cancel()
        full = state if state.startswith(PREFIX) else PREFIX + state
        self._up = full == READY
        if full == READY:
            self._hold(max(0, max(1, self.spec.low) - self.held))
            self._serve()
        elif full in (STOPPED, FAILED):
            self.ready = 0
            self._bill(0)
            self._release(self.held)
        self._set(full, "Set by hand", "Forced")
        self.watch_idle()

    # How it lives.

    def _place(self) -> None:
        if self.state not in (PROVISIONING, DEGRADED) or self._up:
            return
        capacity = self.site.capacity
        offered = capacity.offer(self._hardware, self.spec.low)
        enough = 1 if self.site.assumptions.partial_capacity == "start" else self.spec.low
        if offered < enough:
            name = self.spec.config.instance.name
            text = f"Insufficient capacity: no {name} is free in {self.spec.region}; still trying"
            self._set(DEGRADED, text, _NO_CAPACITY, "LEVEL_WARN")
            capacity.wait(self._hardware, self.id, self._place)
            return
        capacity.leave(self._hardware, self.id)
        self._hold(offered)
        self._set(SCALING, "Replicas are starting", "ReplicasProgressing")
        self._after("life", self.site.assumptions.starting_seconds, self._come_up)

    def _come_up(self) -> None:
        self._drop("budget")
        self._was_ready = self._up = True
        self.last_activity = self.site.timeline.now
        self._serve()
        self._fit()
        self.watch_idle()

    def _give_up(self) -> None:
        self._cancel()
        self._release(self.held)
        text = "No replica became ready within the time allowed"
        self._set(FAILED, text, "ReadinessBudgetExceeded", "LEVEL_ERROR")

    def _stopped(self) -> None:
        self._cancel()
        self._bill(0)
        self._set(STOPPED, "Stopped", "Stopped")
        self._release(self.held)

    def _fit(self) -> None:
        """Bring held hardware to what is wanted."""
        if not self._up:
            return
        assumptions, capacity, wanted = self.site.assumptions, self.site.capacity, self.spec.low
        if self.held > wanted:
            self.ready = min(self.ready, wanted)
            self._bill(self.ready)
            # Draining takes its time; the hardware is free afterwards, the bill ends at once.
            self._after("scale", assumptions.stopping_seconds, self._drained)
        elif self.held < wanted:
            offered = capacity.offer(self._hardware, wanted - self.held)
            self._hold(offered)
            if offered:
                self._after("scale", assumptions.scale_up_seconds, self._scaled)
        if self.held < wanted:
            capacity.wait(self._hardware, self.id, self._fit)
        else:
            capacity.leave(self._hardware, self.id)
        self._assess()

    def _drained(self) -> None:
        self._release(max(0, self.held - self.spec.low))
        self._scaled()

    def _scaled(self) -> None:
        if self._up:
            self._serve()
            self._assess()

    def _assess(self) -> None:
        if "scale" in self._timers:
            self._set(SCALING, "Replicas are starting or draining", "ReplicasProgressing")
        elif self.ready < self.spec.low:
            name = self.spec.config.instance.name
            text = f"Insufficient capacity: {self.ready} of {self.spec.low} replicas run on {name}"
            self._set(DEGRADED, text, _NO_CAPACITY, "LEVEL_WARN")
        else:
            self._set(READY, "All replicas are ready", "AllReplicasReady")

    @property
    def _idle_seconds(self) -> float:
        window = str(self.spec.scaling.get("scaleToZeroWindow", "0s"))
        waits = (self.spec.inactive_timeout * 60, float(window.rstrip("s")))
        return min((wait for wait in waits if wait > 0), default=0.0)

    def _idle(self) -> None:
        idle_for = self.site.timeline.now - self.last_activity
        # Unix seconds as floats carry noise: less than a millisecond short is not short.
        if idle_for < self._idle_seconds - 0.001:
            self.watch_idle()
            return
        self._tell("deployment.scaled", oldReplicas=self.spec.low, newReplicas=0, reason="Idle")
        if self.site.assumptions.idle_stop_zeroes_bounds:
            self.spec.low = self.spec.high = 0
            self.version += 1
            self.updated_at = self.site.timeline.now
        self.stop()

    def _serve(self) -> None:
        self.ready = self.held
        self._bill(self.ready)

    def _set(self, state: str, message: str, reason: str, level: str = "LEVEL_INFO") -> None:
        if (state, message) != (self.state, self.message):
            self._tell(
                "condition.set",
                level,
                subjectId="Ready",
                status="True" if state == READY else "False",
                reason=reason,
                message=message,
            )
        self.state, self.message = state, message
        self._keep_hours()

    def _keep_hours(self) -> None:
        """Write down when it begins to run and when it has ended, in real unix seconds."""
        runs = self.state not in (STOPPED, FAILED, DELETED)
        if runs == bool(self.ran and self.ran[-1][1] is None):
            return
        # What falls due is replayed later than it happens.
        clock = self.site.clock
        behind = (clock.now() - self.site.timeline.now) / clock.speed if clock.speed else 0.0
        now = clock.wall() - behind
        if runs:
            self.ran.append([now, None])
        else:
            self.ran[-1][1] = max(now, self.ran[-1][0] or now)

    def _tell(self, kind: str, level: str = "LEVEL_INFO", **details: Any) -> None:
        self._journal.add(kind, self.id, level, **details)

    def _bill(self, replicas: int) -> None:
        self.meter.run(replicas, self.site.timeline.now)

    def _hold(self, replicas: int) -> None:
        self.held += replicas
        self.site.capacity.take(self._hardware, replicas)

    def _release(self, replicas: int) -> None:
        self.held -= replicas
        if self.held == 0:
            self.site.capacity.leave(self._hardware, self.id)
        self.site.capacity.give_back(self._hardware, replicas)

    def _after(self, purpose: str, seconds: float, action: Callable[[], None]) -> None:
        self._drop(purpose)

        def happen() -> None:
            del self._timers[purpose]
            action()

        self._timers[purpose] = self.site.timeline.after(seconds, happen)

    def _drop(self, purpose: str) -> None:
        timer = self._timers.pop(purpose, None)
        if timer is not None:
            timer.cancel()

    def _cancel(self) -> None:
        for purpose in list(self._timers):
            self._drop(purpose)
        self.site.capacity.leave(self._hardware, self.id)
