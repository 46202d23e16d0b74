"""Adoption: an endpoint that is there already becomes a resource's, or the reason is told.

Nothing is ever ordered for it, and nothing is written to what belongs to somebody else.
"""

from __future__ import annotations

from typing import Any

import pytest

from together_operator.core.marker import Marker
from together_operator.core.steps import Prepare, Record, Reserve, Update
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Bounds
from together_operator.resource.spec import Autoscaling, DeletionPolicy, SpeculativeDecoding, State

from .account_model import CLUSTER
from .adoption import X, adopted, adopting, mark_of, refused
from .world import UID, World


def test_it_is_taken_over_marked_and_kept_as_the_resource_says() -> None:
    world = adopting(display_name="The console's", autoscaling=Autoscaling(min_replicas=2))
    marking = world.reach(Update)
    assert isinstance(marking.decision.step, Update)
    # The mark goes first, by itself: with it on, everybody can see whose the endpoint is.
    assert marking.decision.step.change.display_name is not None
    assert marking.decision.step.change.bounds is None
    world.run(100)
    assert world.reason() == Reason.SERVING
    assert world.status.adopted is True
    assert world.status.endpoint_id == "endpoint-1"
    machine = world.together.machines["endpoint-1"]
    assert machine.display_name.startswith("The console's ")
    assert mark_of(world) == Marker.of(CLUSTER, UID, world.operation.nonce)
    assert machine.bounds == Bounds(2, 2)
    assert world.judge.creates == 0
    writes = (world.cluster.writes, world.judge.remote_writes)
    world.run(3 * 3600)
    assert (world.cluster.writes, world.judge.remote_writes) == writes


@pytest.mark.parametrize("policy", [None, *DeletionPolicy])
def test_what_becomes_of_it_in_the_end(policy: DeletionPolicy | None) -> None:
    world = adopted(deletion_policy=policy)
    world.run(100)
    world.delete()
    world.run(300)
    assert world.gone()
    machine = world.together.machines["endpoint-1"]
    assert machine.alive is (policy is not DeletionPolicy.DELETE)
    if machine.alive:
        assert machine.state == ("STOPPED" if policy is DeletionPolicy.STOP else "STARTED")
    assert world.cluster.copies == {}


def test_suspended_it_is_recorded_and_shown_what_would_change() -> None:
    world = adopting(suspend=True)
    world.run(600)
    assert world.status.adopted is True
    assert world.reason() == Reason.SUSPENDED
    assert "Scaling endpoint-1 from 2-4 to 1-1 replicas" in world.condition().message
    assert "'ml/mixtral'" in world.condition().message
    assert world.judge.remote_writes == 0
    world.edit(suspend=False)
    world.run(100)
    assert world.reason() == Reason.SERVING
    assert mark_of(world) is not None


def test_a_stopped_one_is_not_started_by_itself() -> None:
    world = World()
    machine = world.by_hand("made in the console", started=False)
    world.apply("mixtral", UID, adopt=X)
    world.annotate(names.RESTART_REQUESTED_AT, "in the manifest since long ago")
    world.run(7200)
    assert world.reason() == Reason.STOPPED_REMOTELY
    assert machine.state == "STOPPED"
    world.annotate(names.RESTART_REQUESTED_AT, "now")
    world.run(100)
    assert world.reason() == Reason.SERVING


def test_one_that_runs_is_stopped_if_the_resource_says_so() -> None:
    world = adopting(state=State.STOPPED)
    world.run(100)
    assert world.reason() == Reason.STOPPED
    assert world.together.machines["endpoint-1"].state == "STOPPED"
    assert mark_of(world) is not None
    world.edit(state=State.STARTED)
    world.run(100)
    assert world.reason() == Reason.SERVING


@pytest.mark.parametrize(
    ("different", "named"),
    [
        ({"model": "acme/other"}, ["spec.model says 'acme/model'", "'acme/other'"]),
        ({"hardware": "8x_gpu"}, ["spec.hardware says '1x_gpu'", "'8x_gpu'"]),
        ({"model": "acme/other", "hardware": "8x_gpu"}, ["spec.model", "spec.hardware"]),
    ],
)
def test_another_one_is_refused_with_the_differences(
    different: dict[str, Any], named: list[str]
) -> None:
    world = World()
    world.by_hand("made in the console", **different)
    world.apply("mixtral", UID, adopt=X)
    world.run(3600)
    message = refused(world)
    for word in named:
        assert word in message
    assert world.judge.remote_writes == 0
    assert world.body is not None
    assert not world.body.held
    assert world.cluster.copies == {}
    writes = world.cluster.writes
    world.run(3600)
    assert world.cluster.writes == writes
    world.delete()
    world.run(60)
    assert world.gone()
    assert len(world.together.living()) == 1


def test_a_corrected_resource_takes_it_over_after_all() -> None:
    world = World()
    world.by_hand("made in the console", hardware="8x_gpu")
    world.apply("mixtral", UID, adopt=X)
    world.run(60)
    refused(world)
    world.edit(hardware="8x_gpu")
    world.run(60)
    assert world.reason() == Reason.SERVING
    assert world.judge.creates == 0


@pytest.mark.parametrize(
    "wish",
    [{"availability_zone": "us-1"}, {"speculative_decoding": SpeculativeDecoding.ENABLED}],
)
def test_what_cannot_be_checked_is_refused_too(wish: dict[str, Any]) -> None:
    """The API server refuses it as well, where its CRD is of this version."""
    world = adopting(**wish)
    world.run(60)
    assert "cannot be checked" in refused(world)


def test_without_a_key_of_its_own_nothing_is_taken_over() -> None:
    """The API server refuses it as well, where its CRD is of this version."""
    world = adopting(api_key_secret_ref=None)
    world.run(600)
    assert "spec.apiKeySecretRef" in refused(world)
    assert world.judge.remote_writes == 0


def test_the_key_of_another_project_shows_nothing_to_take_over() -> None:
    world = adopting()
    world.cluster.key = "K3"
    world.run(30)
    assert world.reason() == Reason.ADOPTING
    world.run(300)
    assert "no dedicated endpoint of this id" in refused(world)
    assert world.judge.creates == 0
    world.cluster.key = "K1"
    world.touch()
    world.run(60)
    assert world.reason() == Reason.SERVING


def test_a_missing_secret_is_waited_for() -> None:
    world = adopting()
    world.cluster.key = None
    world.run(60)
    assert world.reason() == Reason.SECRET_MISSING
    world.cluster.key = "K1"
    world.run(100)
    assert world.reason() == Reason.SERVING


@pytest.mark.parametrize("hidden", [1, 2, 3])
def test_one_bad_look_is_no_refusal(hidden: int) -> None:
    world = adopting()
    world.together.omitting = True
    world.together.hiding = hidden
    told = set()
    for _ in range(40):
        world.run(5)
        told.add(world.reason())
    assert world.reason() == Reason.SERVING
    assert Reason.ADOPTION_REFUSED not in told


def test_one_that_vanishes_while_it_is_looked_at_is_never_replaced() -> None:
    world = adopting()
    world.reach(Record)
    world.together.remove("endpoint-1", world.now)
    world.run(2000)
    assert world.reason() in (Reason.REMOTE_MISSING, Reason.ADOPTION_REFUSED)
    assert world.judge.creates == 0


@pytest.mark.parametrize("kind", [Reserve, Prepare, Record, Update])
@pytest.mark.parametrize("label", ["kill", "kill-after", "conflict", "lost", "error"])
def test_it_survives_a_crash_at_each_step(kind: type[Any], label: str) -> None:
    world = adopting()
    thought = world.reach(kind)
    if label not in world.labels(thought):
        label = "ok"
    world.act(world.processes[0], thought, label)
    world.run(1500)
    assert world.reason() == Reason.SERVING
    assert world.status.adopted is True
    assert mark_of(world) == Marker.of(CLUSTER, UID, world.operation.nonce)
    assert world.judge.creates == 0
    world.delete()
    world.run(300)
    assert world.gone()
    assert len(world.together.living()) == 1


@pytest.mark.parametrize("policy", [None, DeletionPolicy.DELETE])
@pytest.mark.parametrize("living", [True, False])
def test_a_lost_record_is_found_again_by_the_mark(
    living: bool, policy: DeletionPolicy | None
) -> None:
    world = adopted(deletion_policy=policy)
    world.run(100)
    world.kill(world.processes[0])
    world.wipe_status()
    if living:
        world.run(60)
        assert world.reason() == Reason.SERVING
        assert world.status.adopted is True
    world.delete()
    world.run(600)
    assert world.gone()
    assert len(world.together.living()) == (1 if policy is None else 0)
    assert world.judge.creates == 0
