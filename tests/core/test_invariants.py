"""Drawn stories: whatever people, Together, Kubernetes and crashes do, the invariants hold.

A story is a script of steps that turn out in one way or another, of time passing, and of things
that happen. The judge looks after each of them. At its end faults stop, a person reads the status
and does what it says, and the resource is deleted: it must have settled, be as it was asked, be
quiet, and go without leaving anything behind.
"""

from __future__ import annotations

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from together_operator.resource.spec import State

from .endings import finish
from .happenings import HAPPENINGS
from .process_model import Process
from .world import UID, World

_PAUSES = st.sampled_from([1.0, 3.0, 6.0, 20.0, 60.0, 61.0, 130.0, 250.0, 700.0])


class Life(RuleBasedStateMachine):
    """The life of one resource with one operator."""

    operators: tuple[str, ...] = ("a",)

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    @initialize(
        state=st.sampled_from([State.STARTED, State.STARTED, State.STOPPED]),
        minutes=st.sampled_from([0, 0, 30]),
    )
    def applied(self, state: State, minutes: int) -> None:
        """Somebody applies a resource."""
        self.world = World.with_resource(state=state, inactive_timeout_minutes=minutes)
        self.world.processes[:] = [Process(name) for name in self.operators]
        self.world.wake(UID)

    @precondition(lambda self: self.world.ready())
    @rule(who=st.integers(0, 3))
    def good(self, who: int) -> None:
        """A step that turns out well."""
        ready = self.world.ready()
        self.world.turn(*ready[who % len(ready)])

    @precondition(lambda self: self.world.ready())
    @rule(who=st.integers(0, 3), how=st.integers(0, 13))
    def any_way(self, who: int, how: int) -> None:
        """A step that turns out in any way that the protocol assumes."""
        ready = self.world.ready()
        process, uid = ready[who % len(ready)]
        thought = process.think(self.world, uid)
        if thought is not None:
            labels = self.world.labels(thought)
            self.world.act(process, thought, labels[how % len(labels)])

    @rule(seconds=_PAUSES)
    def waiting(self, seconds: float) -> None:
        """Time passes and nobody works."""
        self.world.pass_time(seconds)

    @rule(seconds=_PAUSES)
    def working(self, seconds: float) -> None:
        """Time passes and all goes well."""
        self.world.run(seconds)

    @rule(name=st.sampled_from(sorted(HAPPENINGS)))
    def happens(self, name: str) -> None:
        """Somebody does something."""
        self.happen(name)

    def happen(self, name: str) -> None:
        """Make a move, if it can be made now."""
        happening = HAPPENINGS[name]
        if happening.may(self.world):
            self.world.trace.append(f"{self.world.now:.0f} ! {name}")
            happening.run(self.world)

    def teardown(self) -> None:
        """The story ends well."""
        if not self.world.cluster.bodies and not self.world.trace:
            return
        try:
            finish(self.world)
        finally:
            note("\n".join(self.world.trace[-60:]))


class TwoOperators(Life):
    """The same with two operators that know nothing of each other, as without any Lease.

    What two keys do to two such operators is not promised.
    """

    operators = ("a", "b")

    @rule(name=st.sampled_from(sorted(n for n in HAPPENINGS if n not in ("key K2", "key K3"))))
    def happens(self, name: str) -> None:
        """Somebody does something."""
        self.happen(name)


_PROFILE = settings.get_profile("core")

TestLife = Life.TestCase
TestLife.settings = _PROFILE
TestTwoOperators = TwoOperators.TestCase
TestTwoOperators.settings = _PROFILE
