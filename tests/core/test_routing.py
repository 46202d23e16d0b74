"""Traffic on API v2: our own entry is written and kept, and nobody else's is touched."""

from __future__ import annotations

import pytest

from together_operator.core.steps import Probe, Route
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Weight

from .happenings import HAPPENINGS
from .test_deploying import a_world, serving
from .world import World


def traffic(world: World) -> dict[str, float]:
    """Who answers under the name."""
    return {w.deployment_id: w.weight for w in world.mine()[0].traffic}


def test_nothing_serves_before_it_has_traffic() -> None:
    world = a_world()
    world.reach(Route)
    assert traffic(world) == {}
    world.meet(Route, "refused")
    world.meet(Route, "nothing")
    world.reach(Probe)
    assert list(traffic(world)) == [world.units()[0].id]
    world.run(60)
    assert world.reason() == Reason.SERVING


def test_what_a_person_tests_beside_it_is_kept_with_its_weight() -> None:
    world = serving()
    (unit,) = world.units()
    HAPPENINGS["a test beside"].run(world)
    HAPPENINGS["console unroute"].run(world)
    (theirs,) = world.judge.strangers
    assert traffic(world) == {theirs: 25.0}
    world.annotate(names.RECONCILE_REQUESTED_AT, "now")
    world.run(300)
    assert traffic(world) == {unit.id: 25.0, theirs: 25.0}
    assert world.reason() == Reason.SERVING


def test_a_weight_that_a_person_gave_ours_is_left_as_it_is() -> None:
    world = serving()
    (unit,) = world.units()
    machine = world.mine()[0]
    HAPPENINGS["a test beside"].run(world)
    (theirs,) = world.judge.strangers
    machine.traffic = (Weight(unit.id, 3.0), Weight(theirs, 97.0))
    writes = world.judge.remote_writes
    world.run(7200)
    assert traffic(world) == {unit.id: 3.0, theirs: 97.0}
    assert world.judge.remote_writes == writes


def test_traffic_that_changed_since_it_was_read_is_read_again_before_it_is_written() -> None:
    world = a_world()
    thought = world.reach(Route)
    HAPPENINGS["a test beside"].run(world)
    world.act(world.processes[0], thought)
    (theirs,) = world.judge.strangers
    assert traffic(world) == {theirs: 25.0}
    world.run(900)
    (unit,) = world.units()
    assert traffic(world) == {unit.id: 25.0, theirs: 25.0}
    assert world.reason() == Reason.SERVING


@pytest.mark.parametrize("label", ["lost", "late", "refused", "absent", "kill-late"])
def test_a_write_that_turns_out_badly_is_made_good(label: str) -> None:
    world = a_world()
    world.meet(Route, label)
    world.run(1500)
    assert world.reason() == Reason.SERVING
    assert list(traffic(world)) == [world.units()[0].id]
