"""Keys: changed, gone, refused or of another project, while it lives and while it goes."""

from __future__ import annotations

import pytest

from together_operator.core.steps import Create, KeepKey, Stop, Vet, Wait
from together_operator.resource import names
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import Autoscaling, DeletionPolicy, State

from .beginnings import serving
from .world import UID, World


def change(world: World, key: str | None) -> None:
    """The person's Secret holds another key, and the resource is looked at."""
    world.cluster.key = key
    world.wake(UID)


# -- a key of the same project ---------------------------------------------------------------------


def test_a_new_key_is_tried_before_the_former_one_is_let_go() -> None:
    world = serving()
    change(world, "K2")
    world.meet(Vet)
    assert world.cluster.copies == {UID: "K1"}
    world.meet(KeepKey)
    assert world.cluster.copies == {UID: "K2"}
    world.run(60)
    assert world.reason() == Reason.SERVING
    world.edit(display_name="By the new key")
    world.run(60)
    assert world.mine()[0].display_name.startswith("By the new key")


def test_a_revoked_key_is_replaced_without_waiting_for_its_back_off() -> None:
    world = serving()
    world.together.denied.add("K1")
    world.run(1800)
    assert world.conditions()["Stalled"] == "True"
    assert world.reason() == Reason.UNAUTHORIZED
    change(world, "K2")
    world.run(5)
    assert world.reason() == Reason.SERVING


def test_two_keys_that_both_fail_are_not_asked_in_turn_without_pause() -> None:
    world = serving()
    change(world, "K2")
    world.together.down = True
    world.kill(world.processes[0])
    steps = world.steps
    world.run(600)
    assert world.steps - steps < 200


@pytest.mark.parametrize("ended", ["new", "former"])
def test_a_key_that_changes_while_an_older_attempt_is_open_is_taken_once_that_is_settled(
    ended: str,
) -> None:
    world = World.with_resource()
    world.meet(Create, "nothing")
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert list(world.operation.open) != []
    # Another process has to look for itself.
    world.kill(world.processes[0])
    change(world, "K2")
    world.run(60)
    assert world.reason() == Reason.SERVING
    assert world.cluster.copies == {UID: "K1"}
    if ended == "former":
        change(world, "K1")
        world.run(600)
        assert list(world.operation.open) != []
        return
    world.run(600)
    assert world.cluster.copies == {UID: "K2"}
    assert list(world.operation.open) == []
    assert world.reason() == Reason.SERVING


def test_where_the_former_key_can_settle_nothing_a_person_is_asked() -> None:
    world = World.with_resource()
    world.meet(Create, "nothing")
    world.run(600)
    world.kill(world.processes[0])
    world.together.denied.add("K1")
    change(world, "K2")
    world.run(600)
    assert world.reason() == Reason.CREDENTIAL_MISMATCH
    assert names.CLAIM in world.condition().message
    world.annotate(names.CLAIM, "none")
    world.run(600)
    assert world.reason() == Reason.SERVING
    assert world.cluster.copies == {UID: "K2"}
    assert names.CLAIM not in world.cluster.bodies[UID].annotations


# -- a key of another project ----------------------------------------------------------------------


def test_another_project_s_key_is_told_and_the_former_one_goes_on_looking() -> None:
    world = serving()
    change(world, "K3")
    world.run(60)
    assert world.reason() == Reason.CREDENTIAL_MISMATCH
    assert world.conditions()["Stalled"] == "True"
    assert world.conditions()["Available"] == "True"
    assert world.cluster.copies == {UID: "K1"}
    world.mine()[0].state = "ERROR"
    world.run(60)
    assert world.status.state == "ERROR"


def test_what_saves_money_is_done_with_the_former_key_and_what_costs_is_not() -> None:
    world = serving()
    change(world, "K3")
    world.run(60)
    world.edit(autoscaling=Autoscaling(min_replicas=5))
    world.run(120)
    assert world.mine()[0].bounds.min == 1
    world.edit(autoscaling=Autoscaling(), state=State.STOPPED)
    world.run(120)
    assert world.mine()[0].state == "STOPPED"


def test_a_key_put_right_is_noticed_without_any_event() -> None:
    world = serving()
    change(world, "K3")
    world.run(60)
    world.cluster.key = "K1"
    world.run(120)
    assert world.reason() == Reason.SERVING


def test_a_missing_endpoint_is_called_missing_whatever_the_new_key_sees() -> None:
    world = serving()
    world.together.remove("endpoint-1", world.now)
    change(world, "K3")
    world.run(300)
    assert world.reason() == Reason.REMOTE_MISSING


# -- no key ----------------------------------------------------------------------------------------


def test_without_the_secret_it_stalls_after_the_grace_time_and_recovers_by_itself() -> None:
    world = serving()
    change(world, None)
    world.run(60)
    assert world.reason() == Reason.SECRET_MISSING
    assert world.conditions()["Reconciling"] == "True"
    world.run(900)
    assert world.conditions()["Stalled"] == "True"
    assert world.conditions()["Available"] == "True"
    world.cluster.key = "K1"
    world.run(120)
    assert world.reason() == Reason.SERVING


def test_a_refused_key_stalls_although_the_order_is_retried() -> None:
    world = World.with_resource()
    world.reach(Create)
    world.together.denied.add("K1")
    world.run(1800)
    assert world.reason() == Reason.UNAUTHORIZED
    assert world.conditions()["Stalled"] == "True"
    assert world.conditions()["Synced"] == "False"
    world.together.denied.clear()
    world.run(1800)
    assert world.reason() == Reason.SERVING


def test_with_the_copy_alone_it_stops_and_never_starts() -> None:
    world = serving()
    change(world, None)
    world.edit(state=State.STOPPED)
    world.run(60)
    assert world.mine()[0].state == "STOPPED"
    world.edit(state=State.STARTED)
    world.run(600)
    assert world.mine()[0].state == "STOPPED"
    world.cluster.key = "K1"
    world.run(200)
    assert world.reason() == Reason.SERVING


# -- while it goes ---------------------------------------------------------------------------------


def test_the_copy_deletes_although_the_secret_is_gone() -> None:
    world = serving()
    world.cluster.key = None
    world.delete()
    world.run(300)
    assert world.gone()
    assert world.together.living() == []


def test_another_project_s_key_does_not_keep_the_copy_from_deleting() -> None:
    world = serving()
    change(world, "K3")
    world.run(60)
    world.delete()
    world.run(300)
    assert world.gone()
    assert world.together.living() == []


@pytest.mark.parametrize("policy", [DeletionPolicy.DELETE, DeletionPolicy.STOP])
def test_a_new_key_unblocks_a_deletion_whose_key_was_revoked(policy: DeletionPolicy) -> None:
    world = serving()
    world.edit(deletion_policy=policy)
    world.run(10)
    world.together.denied.add("K1")
    world.delete()
    world.run(60)
    assert world.reason() == Reason.DELETION_BLOCKED
    assert "endpoint-1" in world.condition().message
    assert world.conditions()["Synced"] == "False"
    change(world, "K2")
    world.run(600)
    assert world.gone()
    assert [m.state for m in world.mine()] == (["STOPPED"] if policy == "Stop" else [])


def test_a_deletion_with_no_usable_key_is_blocked_until_it_is_released() -> None:
    world = serving()
    world.together.denied.update({"K1", "K3"})
    change(world, "K3")
    world.delete()
    world.run(600)
    assert world.reason() == Reason.DELETION_BLOCKED
    assert f"{names.RELEASE} to 'endpoint-1'" in world.condition().message
    world.annotate(names.RELEASE, "endpoint-1")
    world.run(60)
    assert world.gone()


@pytest.mark.parametrize("trouble", ["denied", "down", "no key"])
def test_retain_lets_go_whatever_is_the_matter(trouble: str) -> None:
    world = serving()
    world.edit(deletion_policy=DeletionPolicy.RETAIN)
    world.run(10)
    if trouble == "denied":
        world.together.denied.add("K1")
    if trouble == "down":
        world.together.down = True
    if trouble == "no key":
        world.cluster.key = None
        world.cluster.copies.clear()
    world.delete()
    world.run(60)
    assert world.gone()
    assert len(world.mine()) == 1


def test_a_deletion_waits_for_together_and_says_so() -> None:
    world = serving()
    world.together.down = True
    world.delete()
    world.meet(Wait)
    world.run(60)
    assert world.reason() == Reason.DELETING
    assert world.conditions()["Ready"] == "False"
    assert world.conditions()["Reconciling"] == "True"
    world.run(1200)
    assert world.reason() == Reason.DELETION_BLOCKED
    world.together.down = False
    world.run(900)
    assert world.gone()


def test_a_stop_under_mismatch_is_sent_once() -> None:
    world = serving()
    change(world, "K3")
    world.edit(state=State.STOPPED)
    world.meet(Stop)
    writes = world.judge.remote_writes
    world.run(600)
    assert world.judge.remote_writes == writes
