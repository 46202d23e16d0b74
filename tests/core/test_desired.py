"""What a resource asks for, and what an update has to send for it."""

from __future__ import annotations

from typing import Any

import pytest

from together_operator.core.desired import Desired
from together_operator.core.marker import Marker
from together_operator.resource.remote import Bounds, Change
from together_operator.resource.spec import (
    Autoscaling,
    DeletionPolicy,
    SpeculativeDecoding,
    State,
)

from .cluster_model import Body
from .world import a_spec

MARKER = Marker.of("a-cluster", "a-uid", "aaaa")


def desired(**wishes: Any) -> Desired:
    """What a resource says."""
    return Body("mixtral", "a-uid", a_spec(**wishes), 1).desired()


def change(wanted: Desired, marker: Marker | None = MARKER, **seen: Any) -> Change:
    """What has to be sent, given what is there."""
    there: dict[str, Any] = {
        "display_name": MARKER.write("ml/mixtral"),
        "bounds": Bounds(1, 1),
        "inactive_timeout_minutes": 0,
    }
    return wanted.change(marker, **{**there, **seen})


def test_nothing_is_sent_when_nothing_differs() -> None:
    assert not change(desired())


def test_both_bounds_are_sent_when_one_differs() -> None:
    wanted = desired(autoscaling=Autoscaling(min_replicas=1, max_replicas=3))
    assert change(wanted) == Change(bounds=Bounds(1, 3))


@pytest.mark.parametrize(
    ("autoscaling", "bounds"),
    [
        (Autoscaling(), Bounds(1, 1)),
        (Autoscaling(min_replicas=4), Bounds(4, 4)),
        (Autoscaling(min_replicas=2, max_replicas=5), Bounds(2, 5)),
    ],
)
def test_an_absent_maximum_is_the_minimum(autoscaling: Autoscaling, bounds: Bounds) -> None:
    assert desired(autoscaling=autoscaling).bounds == bounds


def test_a_rename_sends_the_marker_again() -> None:
    sent = change(desired(display_name="Another name")).display_name
    assert sent == MARKER.write("Another name")


def test_a_name_without_its_marker_is_put_right_and_left_alone_where_markers_are_lost() -> None:
    wanted = desired()
    assert change(wanted, display_name="ml/mixtral") == Change(MARKER.write("ml/mixtral"))
    assert not change(wanted, marker=None, display_name="whatever Together made of it")


def test_a_timeout_that_nobody_acknowledged_is_sent_zero_included() -> None:
    assert change(desired(), inactive_timeout_minutes=None) == Change(inactive_timeout_minutes=0)
    wanted = desired(inactive_timeout_minutes=30)
    assert change(wanted, inactive_timeout_minutes=60) == Change(inactive_timeout_minutes=30)


def test_all_differences_go_into_one_change() -> None:
    wanted = desired(
        display_name="x", inactive_timeout_minutes=5, autoscaling=Autoscaling(min_replicas=2)
    )
    assert change(wanted) == Change(MARKER.write("x"), Bounds(2, 2), 5)


def test_an_order_says_everything() -> None:
    wanted = desired(
        inactive_timeout_minutes=60,
        availability_zone="us-central-4b",
        speculative_decoding=SpeculativeDecoding.DISABLED,
        autoscaling=Autoscaling(min_replicas=1, max_replicas=2),
    )
    order = wanted.order(MARKER, started=True)
    assert order.display_name == MARKER.write("ml/mixtral")
    assert (order.bounds, order.inactive_timeout_minutes) == (Bounds(1, 2), 60)
    assert (order.speculative_decoding, order.availability_zone) == (False, "us-central-4b")
    assert order.started


@pytest.mark.parametrize(
    ("wish", "sent"),
    [
        (SpeculativeDecoding.AUTO, None),
        (SpeculativeDecoding.ENABLED, True),
        (SpeculativeDecoding.DISABLED, False),
    ],
)
def test_speculative_decoding_is_sent_only_where_it_is_asked_for(
    wish: SpeculativeDecoding, sent: bool | None
) -> None:
    order = desired(speculative_decoding=wish).order(MARKER, started=False)
    assert order.speculative_decoding is sent


def test_a_policy_that_is_absent_deletes_or_retains_what_was_adopted() -> None:
    assert desired().policy(adopted=False) is DeletionPolicy.DELETE
    assert desired().policy(adopted=True) is DeletionPolicy.RETAIN
    stop = desired(deletion_policy=DeletionPolicy.STOP)
    assert stop.policy(adopted=True) is DeletionPolicy.STOP


def test_it_is_to_run_unless_it_says_otherwise() -> None:
    assert desired().started
    assert not desired(state=State.STOPPED).started
