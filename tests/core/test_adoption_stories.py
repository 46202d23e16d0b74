"""Drawn stories of two resources that ask for one endpoint, with people and crashes in between.

The judge looks after every step: nothing is ordered beside what was taken over, and nothing is
written to an endpoint that is on record twice, or carries the mark of another cluster or of another
resource that lives.
"""

from __future__ import annotations

from typing import Any

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from together_operator.core.marker import Marker
from together_operator.resource import names
from together_operator.resource.remote import Bounds
from together_operator.resource.spec import (
    Adopt,
    Autoscaling,
    DeletionPolicy,
    OnMissing,
    State,
)

from .endings import end_faults
from .judge import Violation
from .together_model import Machine
from .world import UID, World

SECOND = "uid-2"
X = "endpoint-1"
THEIRS = Marker.of("elsewhere", "uid-9", "bbbb").write("ml/theirs")
_PAUSES = st.sampled_from([1.0, 3.0, 6.0, 61.0, 130.0, 250.0, 700.0])
_EDITS: dict[str, dict[str, Any]] = {
    "scale": {"autoscaling": Autoscaling(min_replicas=3)},
    "rename": {"display_name": "A new name"},
    "stop": {"state": State.STOPPED},
    "start": {"state": State.STARTED},
    "suspend": {"suspend": True},
    "resume": {"suspend": False},
    "delete it": {"deletion_policy": DeletionPolicy.DELETE},
    "stop it": {"deletion_policy": DeletionPolicy.STOP},
    "retain it": {"deletion_policy": DeletionPolicy.RETAIN},
    "recreate": {"on_missing": OnMissing.RECREATE},
    "report": {"on_missing": OnMissing.REPORT},
}
_REMOTE = {
    "takes the mark off": {"display_name": "made in the console"},
    "is another cluster": {"display_name": THEIRS},
    "stops it": {"state": "STOPPED"},
    "scales it": {"bounds": Bounds(5, 7)},
}


class Adoption(RuleBasedStateMachine):
    """One endpoint, and two resources."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(
        first=st.sampled_from(["adopts", "adopts", "made it"]),
        later=st.sampled_from([0.0, 0.0, 100.0]),
        recreate=st.booleans(),
        marked=st.sampled_from([None, None, THEIRS, "gone"]),
    )
    def applied(self, first: str, later: float, recreate: bool, marked: str | None) -> None:
        """Somebody made an endpoint, or a resource did, and others ask for it."""
        world = self.world = World()
        if first == "adopts":
            gone = Marker.of("a-cluster", "uid-of-old", "aaaa").write("ml/old")
            world.by_hand({None: "by hand", "gone": gone}.get(marked, THEIRS))
            world.pass_time(7200)
        wish: dict[str, Any] = {"adopt": Adopt(endpoint_id=X)}
        if recreate:
            wish["on_missing"] = OnMissing.RECREATE
        world.apply("first", UID, **(wish if first == "adopts" else {}))
        world.run(later)
        world.apply("second", SECOND, **wish)

    # -- what happens ------------------------------------------------------------------------------

    @precondition(lambda self: self.world.ready())
    @rule(who=st.integers(0, 3), how=st.integers(0, 13), well=st.booleans())
    def step(self, who: int, how: int, well: bool) -> None:
        """A step that turns out in any way that the protocol assumes."""
        ready = self.world.ready()
        process, uid = ready[who % len(ready)]
        thought = process.think(self.world, uid)
        if thought is not None:
            labels = self.world.labels(thought)
            self.world.act(process, thought, "ok" if well else labels[how % len(labels)])
        self.once()

    @rule(seconds=_PAUSES, working=st.booleans())
    def time(self, seconds: float, working: bool) -> None:
        """Time passes."""
        if working:
            self.world.run(seconds)
        else:
            self.world.pass_time(seconds)
        self.once()

    @rule(uid=st.sampled_from([UID, SECOND]), what=st.sampled_from(sorted(_EDITS)))
    def edit(self, uid: str, what: str) -> None:
        """A person changes a resource."""
        body = self.world.cluster.get(uid)
        if body is not None and not body.deleting:
            self.world.edit(uid, **_EDITS[what])

    @rule(uid=st.sampled_from([UID, SECOND]))
    def delete(self, uid: str) -> None:
        """A person deletes a resource."""
        body = self.world.cluster.get(uid)
        if body is not None and not body.deleting:
            self.world.delete(uid)

    @rule(uid=st.sampled_from([UID, SECOND]), again=st.booleans())
    def ask(self, uid: str, again: bool) -> None:
        """A person asks for another look, or for a start."""
        body = self.world.cluster.get(uid)
        if body is not None and not body.deleting:
            word = names.RECONCILE_REQUESTED_AT if again else names.RESTART_REQUESTED_AT
            self.world.annotate(word, f"t{self.world.now:.0f}", uid)

    @rule(what=st.sampled_from(sorted(_REMOTE)))
    def console(self, what: str) -> None:
        """A person, or another cluster, changes the endpoint at Together."""
        machine = self.machine()
        # Lost with its mark, a record is lost for good: that is not promised.
        renames = "display_name" in _REMOTE[what]
        if machine is not None and not (renames and self.lost()):
            self.world.trace.append(f"{self.world.now:.0f} somebody {what}")
            for name, value in _REMOTE[what].items():
                setattr(machine, name, value)

    @rule()
    def vanish(self) -> None:
        """Somebody deletes the endpoint at Together."""
        if self.machine() is not None:
            self.world.trace.append(f"{self.world.now:.0f} {X} deleted by hand")
            self.world.together.remove(X, self.world.now)

    @rule(key=st.sampled_from(["K1", "K2", "K3", None]))
    def key(self, key: str | None) -> None:
        """A person changes the Secret."""
        self.world.cluster.key = key
        for uid in self.world.cluster.bodies:
            self.world.wake(uid)

    @rule(uid=st.sampled_from([UID, SECOND]))
    def wipe(self, uid: str) -> None:
        """A status is lost, while the mark on the endpoint tells whose it is."""
        body, machine = self.world.cluster.get(uid), self.machine()
        if body is None or machine is None or body.status.operation is None:
            return
        mark = Marker.parse(machine.display_name)
        if X in body.holding and mark == Marker.of("a-cluster", uid, mark.nonce if mark else ""):
            self.world.wipe_status(uid)

    @rule()
    def kill(self) -> None:
        """SIGKILL."""
        self.world.kill(self.world.processes[0])

    # -- what holds --------------------------------------------------------------------------------

    def machine(self) -> Machine | None:
        """The endpoint that they ask for, while it exists."""
        machine = self.world.together.machines.get(X)
        return machine if machine is not None and machine.alive else None

    def lost(self) -> bool:
        """Whether a resource has lost its record."""
        bodies = self.world.cluster.bodies.values()
        return any(body.held and body.status.operation is None for body in bodies)

    def once(self) -> None:
        """No endpoint is on record twice."""
        held = [i for body in self.world.cluster.bodies.values() for i in body.holding]
        if len(held) != len(set(held)):
            raise Violation(f"on record twice: {held}")

    def teardown(self) -> None:
        """When nothing goes wrong any more, everything settles, and goes when it is deleted."""
        world = self.world
        try:
            end_faults(world)
            world.cluster.key = world.cluster.copies.get(
                UID, world.cluster.copies.get(SECOND, "K1")
            )
            for uid, body in tuple(world.cluster.bodies.items()):
                if body.spec.suspend:
                    world.edit(uid, suspend=False)
            for _ in range(4):
                world.run(1000)
                self.once()
            for uid in tuple(world.cluster.bodies):
                if not world.settled(uid) and not world.cluster.bodies[uid].deleting:
                    raise Violation(f"{uid} has not settled: {world.reason(uid)}")
            writes = world.judge.remote_writes
            world.run(7200)
            if world.judge.remote_writes != writes:
                raise Violation("it is not quiet")
        finally:
            note("\n".join(world.trace[-60:]))


TestAdoption = Adoption.TestCase
TestAdoption.settings = settings.get_profile("core")
