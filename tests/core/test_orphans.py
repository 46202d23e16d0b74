"""Whose an endpoint is: who may be called an orphan, when, and what it costs."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from together_operator.core.marker import Marker, cluster_tag, owner_tag
from together_operator.core.orphans import (
    MEANINGS,
    ORPHANED,
    Attempt,
    Claims,
    Orphan,
    Suspicions,
    Why,
    cost,
    running,
    why,
)
from together_operator.core.scan import Trait
from together_operator.resource.remote import Phase, Summary

HERE = cluster_tag("here")
LAG = 60.0
OURS = Trait(Marker.of("here", "uid-1", "aaaa"), "acme/model", "1x_gpu")
THEIRS = Trait(Marker.of("elsewhere", "uid-1", "aaaa"), "acme/model", "1x_gpu")
NOBODYS = Trait(None, "acme/model", "1x_gpu", "a person's", 2)


def line(phase: Phase = Phase.STARTED, created_at: float = 1000.0) -> Summary:
    return Summary("e1", phase.value.upper(), phase, created_at)


def claims(**known: object) -> Claims:
    return Claims(**{"endpoints": (), "owners": (), **known})  # type: ignore[arg-type]


# -- whose it is -------------------------------------------------------------------------------


def test_our_mark_without_an_owner_is_an_orphan() -> None:
    assert why(line(), OURS, claims(), HERE) is Why.OWNER_GONE


def test_where_not_all_namespaces_are_looked_at_the_owner_may_live() -> None:
    assert why(line(), OURS, claims(everywhere=False), HERE) is Why.OWNER_NOT_SERVED


@pytest.mark.parametrize(
    ("trait", "known"),
    [
        pytest.param(OURS, {"owners": {owner_tag("uid-1")}}, id="the owner lives"),
        pytest.param(OURS, {"endpoints": {"e1"}}, id="a resource names it"),
        pytest.param(OURS, {"graves": {(owner_tag("uid-1"), "aaaa")}}, id="a tombstone watches"),
        pytest.param(None, {}, id="it could not be read"),
        pytest.param(NOBODYS, {"endpoints": {"e1"}}, id="a resource adopted it"),
        pytest.param(
            NOBODYS,
            {"attempts": (Attempt(1500.0, "acme/model", "1x_gpu"),)},
            id="an unsettled order may have made it",
        ),
    ],
)
def test_nobody_calls_it_an_orphan_where(trait: Trait | None, known: dict[str, object]) -> None:
    assert why(line(), trait, claims(**known), HERE) is None


def test_a_tombstone_watches_for_its_own_attempts_only() -> None:
    other = claims(graves={(owner_tag("uid-1"), "bbbb")})
    assert why(line(), OURS, other, HERE) is Why.OWNER_GONE


@pytest.mark.parametrize(
    "attempt",
    [
        Attempt(1500.0, "acme/other", "1x_gpu"),
        Attempt(1500.0, "acme/model", "2x_gpu"),
        Attempt(1601.0, "acme/model", "1x_gpu"),
    ],
)
def test_an_order_of_something_else_or_after_it_explains_nothing(attempt: Attempt) -> None:
    assert why(line(), NOBODYS, claims(attempts=(attempt,)), HERE) is Why.UNMANAGED


def test_without_any_mark_nobody_manages_it() -> None:
    assert why(line(), NOBODYS, claims(), HERE) is Why.UNMANAGED


@pytest.mark.parametrize("trait", [OURS, NOBODYS])
def test_what_was_left_on_purpose_is_told_as_that(trait: Trait) -> None:
    assert why(line(), trait, claims(released={"e1"}), HERE) is Why.RELEASED


@given(st.booleans(), st.sets(st.just(owner_tag("uid-1"))), st.sets(st.just("e2")))
def test_another_clusters_mark_is_theirs_whatever_is_known_here(
    everywhere: bool, owners: set[str], endpoints: set[str]
) -> None:
    known = claims(everywhere=everywhere, owners=owners, endpoints=endpoints, released={"e1"})
    assert why(line(), THEIRS, known, HERE) is Why.OTHER_CLUSTER
    assert Why.OTHER_CLUSTER not in ORPHANED


def test_every_word_says_what_it_means() -> None:
    assert set(MEANINGS) == set(Why)


# -- what it costs -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "dollars"),
    [
        (Phase.STARTED, "10.00"),
        (Phase.STOPPING, "10.00"),
        (Phase.UNKNOWN, "10.00"),
        (Phase.STOPPED, "0"),
        (Phase.FAILED, "0"),
        (Phase.PENDING, "0"),
        (Phase.STARTING, "0"),
    ],
)
def test_what_runs_or_may_run_costs_its_price_for_each_replica(phase: Phase, dollars: str) -> None:
    assert cost(line(phase), NOBODYS, Decimal("5.00")) == Decimal(dollars)


def test_an_unknown_price_is_not_nothing() -> None:
    assert cost(line(), NOBODYS, None) is None
    assert cost(line(Phase.STOPPED), NOBODYS, None) == 0
    assert "an unknown price" in str(Orphan("e1", Why.UNMANAGED, "key", line(), NOBODYS, None))


def test_what_is_told_names_all_that_a_person_needs() -> None:
    told = str(Orphan("e1", Why.UNMANAGED, "key", line(), NOBODYS, Decimal("5.49")))
    for part in ("e1", "a person's", "acme/model", "1x_gpu", "STARTED", "$10.98 an hour"):
        assert part in told


def test_only_what_runs_or_will_can_be_stopped() -> None:
    stoppable = {phase for phase in Phase if running(line(phase))}
    assert stoppable == {Phase.PENDING, Phase.STARTING, Phase.STARTED}


# -- over time ---------------------------------------------------------------------------------


def looked(
    suspicions: Suspicions,
    at: float,
    reason: Why | None = Why.OWNER_GONE,
    *,
    listed: bool = True,
    read: bool = True,
) -> None:
    suspicions.look(
        at,
        {"e1": line()} if listed else {},
        {"e1": OURS} if read and listed else {},
        {"e1": reason} if reason and listed and read else {},
    )


def test_it_is_told_after_the_lag_and_a_complete_look_at_the_cluster() -> None:
    suspicions = Suspicions(LAG)
    looked(suspicions, 100.0)
    assert not suspicions.told(1e9), "no look at the cluster has confirmed it"
    suspicions.confirm(101.0, ())
    assert not suspicions.told(159.0)
    assert set(suspicions.told(160.0)) == {"e1"}


def test_a_look_at_the_cluster_that_began_before_it_was_seen_proves_nothing() -> None:
    suspicions = Suspicions(LAG)
    looked(suspicions, 100.0)
    suspicions.confirm(99.0, ())
    assert not suspicions.told(1e9)
    assert not list(suspicions.ripe(99.0, 0.0))


def test_an_owner_that_turns_up_ends_it_and_the_next_time_it_begins_anew() -> None:
    suspicions = Suspicions(LAG)
    looked(suspicions, 100.0)
    suspicions.confirm(200.0, ())
    looked(suspicions, 300.0, None)
    assert not len(suspicions)
    looked(suspicions, 400.0)
    assert not suspicions.told(1e9)


def test_a_look_at_the_cluster_that_finds_somebody_ends_it() -> None:
    suspicions = Suspicions(LAG)
    looked(suspicions, 100.0)
    suspicions.confirm(200.0, ())
    suspicions.confirm(800.0, {"e1"})
    assert not len(suspicions)


def test_one_bad_list_ends_nothing_and_a_longer_absence_does() -> None:
    suspicions = Suspicions(LAG)
    looked(suspicions, 100.0)
    suspicions.confirm(101.0, ())
    looked(suspicions, 130.0, listed=False)
    looked(suspicions, 150.0, read=False)
    assert set(suspicions.told(170.0)) == {"e1"}
    looked(suspicions, 230.0, listed=False)
    assert not len(suspicions)


def test_another_reason_begins_anew() -> None:
    suspicions = Suspicions(LAG)
    looked(suspicions, 100.0)
    suspicions.confirm(101.0, ())
    looked(suspicions, 200.0, Why.RELEASED)
    assert not suspicions.told(1e9)


@pytest.mark.parametrize("reason", sorted(ORPHANED - {Why.OWNER_GONE}))
def test_nothing_but_what_is_ours_and_has_lost_its_owner_is_ever_ripe(reason: Why) -> None:
    suspicions = Suspicions(LAG)
    looked(suspicions, 100.0, reason)
    suspicions.confirm(1e6, ())
    assert not list(suspicions.ripe(1e6, 0.0))


def test_it_is_ripe_when_the_newest_look_confirms_it_after_the_whole_wait() -> None:
    suspicions = Suspicions(LAG)
    looked(suspicions, 100.0)
    suspicions.confirm(1099.0, ())
    assert not list(suspicions.ripe(1099.0, 1000.0))
    suspicions.confirm(1100.0, ())
    assert not list(suspicions.ripe(1200.0, 1000.0)), "another look has not"
    assert list(suspicions.ripe(1100.0, 1000.0)) == ["e1"]


def test_it_is_never_ripe_before_the_lag() -> None:
    suspicions = Suspicions(LAG)
    looked(suspicions, 100.0)
    suspicions.confirm(159.0, ())
    assert not list(suspicions.ripe(159.0, 0.0))
