"""Telling ours from others' in one LIST."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from together_operator.core.marker import Marker
from together_operator.core.scan import Scan, Trait, classify, horizon, newcomers
from together_operator.resource.remote import Listing, Phase, Summary

CLUSTER, UID, MODEL, HARDWARE = "a-cluster", "a-uid", "acme/model", "1x_gpu"
OURS = Marker.of(CLUSTER, UID, "aaaa")


def listing(**created: float) -> Listing:
    """A LIST of endpoints, by when they were created."""
    lines = {i: Summary(i, "STARTED", Phase.STARTED, at) for i, at in created.items()}
    return Listing(lines, date=1000.0)


def trait(marker: Marker | None, model: str = MODEL, hardware: str = HARDWARE) -> Trait:
    """What one GET told."""
    return Trait(marker, model, hardware)


def scan(
    seen: Listing, traits: Mapping[str, Trait], *, since: float = 0.0, taken: str = ""
) -> Scan:
    """Classify a LIST."""
    return classify(
        credential="key",
        sent_at=5.0,
        listing=seen,
        traits=traits,
        since=since,
        cluster=CLUSTER,
        uids=(UID,),
        model=MODEL,
        hardware=HARDWARE,
        taken=taken.split(),
    )


def test_ours_are_told_by_cluster_and_uid_whatever_the_nonce_the_oldest_first() -> None:
    younger = Marker.of(CLUSTER, UID, "bbbb")
    found = scan(listing(b=20.0, a=10.0), {"a": trait(OURS), "b": trait(younger)})
    assert [(f.id, f.nonce) for f in found.ours] == [("a", "aaaa"), ("b", "bbbb")]
    assert found.listed == {"a", "b"}
    assert (found.suspects, found.unread) == ((), ())


@pytest.mark.parametrize(
    "other", [Marker.of("b-cluster", UID, "aaaa"), Marker.of(CLUSTER, "b-uid", "aaaa")]
)
def test_another_cluster_s_or_resource_s_endpoint_is_neither_ours_nor_suspect(
    other: Marker,
) -> None:
    found = scan(listing(a=10.0), {"a": trait(other)})
    assert (found.ours, found.suspects, found.unread) == ((), (), ())


def test_an_unmarked_newcomer_with_our_model_and_hardware_is_a_suspect() -> None:
    found = scan(listing(a=10.0), {"a": trait(None)})
    assert found.suspects == ("a",)


@pytest.mark.parametrize("other", [trait(None, model="b"), trait(None, hardware="b")])
def test_an_unmarked_newcomer_of_another_kind_is_not(other: Trait) -> None:
    assert scan(listing(a=10.0), {"a": other}).suspects == ()


def test_what_could_not_be_read_is_told() -> None:
    assert scan(listing(a=10.0), {}).unread == ("a",)


def test_what_another_resource_has_on_record_is_neither() -> None:
    found = scan(listing(a=10.0, b=10.0), {"a": trait(None)}, taken="a b")
    assert (found.suspects, found.unread) == ((), ())


def test_what_is_older_than_the_attempt_needs_no_reading() -> None:
    seen = listing(old=99.0, new=100.0)
    assert newcomers(seen, 100.0, ()) == ["new"]
    assert newcomers(seen, 100.0, ("new",)) == []
    assert scan(seen, {}, since=100.0).unread == ("new",)


def test_the_horizon_is_ten_minutes_of_together_s_clock_or_an_hour_before_the_resource() -> None:
    assert horizon(10_000.0, 500.0) == 9_400.0
    assert horizon(None, 10_000.0) == 6_400.0
