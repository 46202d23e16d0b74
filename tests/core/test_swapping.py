"""Swap: a change of what cannot be changed in place, without a request that fails."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from together_operator.core.steps import Deploy, Probe, Record, Route, Start, Stop, Undeploy
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import DeletionPolicy, Replacement

from .deployments_model import Unit
from .happenings import HAPPENINGS
from .process_model import Process
from .test_deploying import a_world, serving
from .world import HARDWARE, World

ANOTHER = "2x_gpu"


def swapping(**wishes: object) -> tuple[World, Unit]:
    """A world in which somebody has just changed the hardware of what serves; what serves."""
    world = serving(replacement=Replacement.SWAP, **wishes)
    (current,) = world.units()
    world.edit(hardware=ANOTHER)
    return world, current


def roles(world: World) -> dict[str, str]:
    """The deployments on record, and what they are."""
    return {entry.id: entry.role for entry in world.status.deployments}


def routed(world: World) -> set[str]:
    """Who has the traffic."""
    return {w.deployment_id for w in world.mine()[0].traffic if w.weight > 0}


def due(world: World) -> tuple[Process, str]:
    """Who is the next to have something to do, as soon as there is somebody."""
    while not world.ready():
        world.pass_time(5.0)
    return world.ready()[0]


def replaced(world: World, current: Unit, within: float = 900.0) -> Unit:
    """Another one serves in the place of the current one, which is gone."""
    world.run(within)
    assert world.reason() == Reason.SERVING, world.condition().message
    (unit,) = world.units()
    assert unit.id != current.id
    assert unit.hardware == world.cluster.bodies["uid-1"].spec.hardware
    assert roles(world) == {unit.id: "Current"}
    assert routed(world) == {unit.id}
    return unit


def test_one_takes_the_place_of_the_other() -> None:
    world, current = swapping()
    replaced(world, current)


@pytest.mark.parametrize("kind", [Deploy, Start, Route, Stop, Undeploy])
@pytest.mark.parametrize("label", ["lost", "nothing", "late", "refused", "kill", "kill-after"])
def test_whatever_becomes_of_a_step_one_takes_the_place_of_the_other(
    kind: type, label: str
) -> None:
    world, current = swapping()
    world.meet(kind, label)
    replaced(world, current, 2400)


@pytest.mark.parametrize("kind", [Deploy, Start, Probe])
def test_what_lists_do_not_show_yet_is_not_given_up(kind: type) -> None:
    world = serving(replacement=Replacement.SWAP)
    (current,) = world.units()
    world.lag = 60.0
    world.edit(hardware=ANOTHER)
    world.meet(kind)
    world.kill(world.processes[0])
    made = [unit for unit in world.units() if unit is not current]
    assert [replaced(world, current)] == made


# -- it does not come up ---------------------------------------------------------------------------


def failed(world: World, current: Unit, within: float) -> None:
    """The second one is given up, and the first one goes on."""
    world.run(within)
    assert world.reason() == Reason.REPLACEMENT_FAILED, world.condition().message
    assert "within an hour" in world.condition().message
    assert world.units() == [current]
    assert routed(world) == {current.id}


def test_an_hour_is_given_to_it() -> None:
    world, current = swapping()
    world.together.full = True
    world.meet(Start)
    world.run(3000)
    assert world.reason() == Reason.REPLACING
    failed(world, current, 900)


@pytest.mark.parametrize("pause", [60.0, 600.0, 1800.0])
def test_it_is_an_hour_however_often_the_operator_starts_anew(pause: float) -> None:
    world, current = swapping()
    world.together.full = True
    world.meet(Start)
    began = world.now
    while world.now < began + 3500:
        assert world.reason() == Reason.REPLACING
        world.run(min(pause, began + 3500 - world.now))
        world.kill(world.processes[0])
        world.run(1)
    assert world.reason() == Reason.REPLACING
    failed(world, current, 400)


def test_what_is_ready_in_time_is_not_given_up_for_its_age() -> None:
    world, current = swapping()
    world.together.full = True
    world.meet(Start)
    world.run(3300)
    world.kill(world.processes[0])
    world.together.full = False
    replaced(world, current)


def test_what_was_ready_in_time_is_not_given_up_by_who_has_not_asked_it_yet() -> None:
    world, current = swapping()
    world.together.full = True
    world.meet(Start)
    world.run(3500)
    world.together.full = False
    world.meet(Route, "nothing")
    world.pass_time(300)
    world.kill(world.processes[0])
    replaced(world, current)


# -- the wish changes in the midst -----------------------------------------------------------------

FURTHER = "4x_gpu"


@pytest.mark.parametrize("label", ["unsent", "kill", "lost", "late", "nothing", "kill-late"])
def test_what_is_changed_further_before_it_is_made_is_made_as_it_is_asked_for_now(
    label: str,
) -> None:
    world, current = swapping()
    first = world.meet(Deploy, label).decision.step
    assert isinstance(first, Deploy)
    world.edit(hardware=FURTHER)
    unit = replaced(world, current, 2400)
    assert unit.name != first.name


def test_what_was_never_sent_is_renamed_at_once() -> None:
    world, current = swapping()
    world.meet(Deploy, "unsent")
    world.edit(hardware=FURTHER)
    named = world.meet(Record).decision.step
    assert isinstance(named, Record)
    assert named.status.operation is not None
    again = world.meet(Deploy).decision.step
    assert isinstance(again, Deploy)
    assert (again.name, again.order.hardware) == (named.status.operation.deploying, FURTHER)
    replaced(world, current)
    assert len(world.together.deployments) == 2


@pytest.mark.parametrize("label", ["unsent", "kill", "lost", "late", "nothing", "kill-late"])
def test_what_is_taken_back_before_it_is_made_leaves_what_serves(label: str) -> None:
    world, current = swapping()
    world.meet(Deploy, label)
    world.edit(hardware=HARDWARE)
    world.run(2400)
    assert world.reason() == Reason.SERVING
    assert world.units() == [current]
    assert roles(world) == {current.id: "Current"}
    assert world.operation.deploying is None


@pytest.mark.parametrize("label", ["unsent", "kill", "lost", "late", "nothing", "kill-late"])
def test_what_is_changed_before_the_first_one_is_made_is_made_as_it_is_asked_for_now(
    label: str,
) -> None:
    world = a_world(replacement=Replacement.SWAP)
    world.meet(Deploy, label)
    world.edit(hardware=ANOTHER)
    world.run(2400)
    assert world.reason() == Reason.SERVING, world.condition().message
    (unit,) = world.units()
    assert (unit.hardware, unit.state) == (ANOTHER, "READY")
    assert roles(world) == {unit.id: "Current"}


def test_what_may_still_get_the_traffic_runs_until_it_cannot() -> None:
    world, current = swapping()
    moving = world.meet(Route, "late").decision.step
    assert isinstance(moving, Route)
    world.edit(hardware=HARDWARE)
    reached = world.together.deployments[moving.traffic[0].deployment_id]
    before = ""
    while world.together.flights:
        before = reached.state
        world.run(1)
    assert before == "READY", "it would have had the traffic and not run"
    world.run(600)
    assert world.units() == [current]
    assert routed(world) == {current.id}


@pytest.mark.parametrize("event", ["idle stop", "error"])
def test_the_stop_of_the_former_one_is_no_wish_to_stop_and_start_again(event: str) -> None:
    world, current = swapping()
    stopped = world.meet(Stop).decision.step
    assert isinstance(stopped, Stop)
    assert stopped.deployment_id == current.id
    HAPPENINGS[event].run(world)
    world.run(2400)
    (unit,) = world.units()
    assert unit.id == world.status.deployments[0].id
    assert unit.state in ("STOPPED", "FAILED")
    assert world.reason() in (Reason.STOPPED_REMOTELY, Reason.ENDPOINT_FAILED)


_ENDINGS = ("ok", "lost", "nothing", "late", "refused", "unsent", "kill", "kill-after", "kill-late")
_STORIES = settings.get_profile("core").max_examples // 5
_CHAPTERS = st.tuples(
    st.sampled_from([HARDWARE, ANOTHER, FURTHER]), st.integers(1, 14), st.sampled_from(_ENDINGS)
)


@given(st.lists(_CHAPTERS, min_size=1, max_size=5))
@settings(settings.get_profile("core"), max_examples=_STORIES)
def test_whatever_is_wished_in_whichever_moment_the_last_wish_is_what_serves(
    story: list[tuple[str, int, str]],
) -> None:
    world = serving(replacement=Replacement.SWAP)
    for hardware, turns, ending in story:
        world.edit(hardware=hardware)
        for left in reversed(range(turns)):
            process, uid = due(world)
            thought = process.think(world, uid)
            if thought is not None:
                possible = left == 0 and ending in world.labels(thought)
                world.act(process, thought, ending if possible else "ok")
    world.run(3000)
    assert world.reason() == Reason.SERVING, world.condition().message
    (unit,) = world.units()
    assert (unit.hardware, unit.state) == (story[-1][0], "READY")
    assert roles(world) == {unit.id: "Current"}
    assert routed(world) == {unit.id}


# -- deleted in the midst --------------------------------------------------------------------------

MOMENTS = (Deploy, Start, Probe, Route, Stop, Undeploy)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("label", ["ok", "kill", "kill-after"])
def test_retain_keeps_what_serves_and_nothing_beside_it(moment: type, label: str) -> None:
    world, _ = swapping(deletion_policy=DeletionPolicy.RETAIN)
    label = "ok" if label == "kill-after" and moment is Probe else label
    world.meet(moment, label)
    world.delete()
    world.run(900)
    assert world.gone()
    (unit,) = world.units()
    assert (unit.state, routed(world)) == ("READY", {unit.id})


def test_retain_waits_for_the_routers_before_the_former_one_is_stopped() -> None:
    world, current = swapping(deletion_policy=DeletionPolicy.RETAIN)
    world.meet(Route)
    moved = world.now
    world.delete()
    stopped = world.meet(Stop).decision.step
    assert isinstance(stopped, Stop)
    assert stopped.deployment_id == current.id
    assert world.now >= moved + world.timing.lag
    world.run(900)
    assert world.gone()


@pytest.mark.parametrize("moment", MOMENTS)
def test_stop_keeps_one_that_is_stopped(moment: type) -> None:
    world, _ = swapping(deletion_policy=DeletionPolicy.STOP)
    world.meet(moment)
    world.delete()
    world.run(900)
    assert world.gone()
    (unit,) = world.units()
    assert (unit.state, routed(world)) == ("STOPPED", {unit.id})


@pytest.mark.parametrize("policy", [None, *DeletionPolicy])
@pytest.mark.parametrize("moment", MOMENTS)
def test_the_crd_goes_and_nothing_is_touched(moment: type, policy: DeletionPolicy | None) -> None:
    world, _ = swapping(deletion_policy=policy)
    world.meet(moment)
    before = [(unit.id, unit.bounds) for unit in world.units()]
    world.undefine()
    world.run(900)
    assert world.gone()
    assert [(unit.id, unit.bounds) for unit in world.units()] == before


def test_what_is_beside_it_blocks_the_deletion_while_there_is_no_key() -> None:
    world, current = swapping(deletion_policy=DeletionPolicy.RETAIN)
    world.meet(Start)
    (beside,) = (unit for unit in world.units() if unit is not current)
    world.cluster.key = None
    world.cluster.copies.clear()
    world.delete()
    world.run(600)
    assert world.reason() == Reason.DELETION_BLOCKED
    message = world.condition().message
    assert beside.id in message
    assert f"{names.RELEASE} to '{world.status.endpoint_id}'" in message
    world.annotate(names.RELEASE, world.status.endpoint_id)
    world.run(60)
    assert world.gone()
    assert {unit.state for unit in world.units()} == {"READY"}


def test_without_anything_beside_it_retain_needs_no_key() -> None:
    world, current = swapping(deletion_policy=DeletionPolicy.RETAIN)
    replaced(world, current)
    world.cluster.key = None
    world.cluster.copies.clear()
    world.delete()
    world.run(60)
    assert world.gone()


def test_a_suspended_one_stays_until_what_is_beside_it_may_go() -> None:
    world, current = swapping(deletion_policy=DeletionPolicy.RETAIN)
    world.meet(Start)
    world.edit(suspend=True)
    world.delete()
    world.run(600)
    assert world.reason() == Reason.DELETION_SUSPENDED
    assert len(world.units()) == 2
    world.edit(suspend=False)
    world.run(900)
    assert world.gone()
    assert world.units() == [current]


@pytest.mark.parametrize("moment", [Start, Route])
def test_retain_keeps_one_that_serves_though_the_record_is_lost(moment: type) -> None:
    world, _ = swapping(deletion_policy=DeletionPolicy.RETAIN)
    world.meet(moment)
    world.wipe_status()
    world.delete()
    world.run(2400)
    assert world.gone()
    (unit,) = world.units()
    assert (unit.state, routed(world)) == ("READY", {unit.id})
