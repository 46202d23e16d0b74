"""Who leads: never two at once, by clocks that nobody sets, and never again once it is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.controller.candidate import NAMESPACE, TERM, Candidate, two, until
from tests.controller.fake_leases import LeaseServer
from tests.controller.virtual import virtually
from together_operator.controller.leadership import LeaseLost, Term


def test_the_times_are_those_of_the_protocol() -> None:
    assert (TERM.duration, TERM.renewal, TERM.change, TERM.needed) == (15, 2, 10, 11)
    assert TERM.good_for == pytest.approx(15 * 0.98 - 1)
    assert Term.scaled(1) == TERM


@pytest.mark.parametrize(("scale", "duration"), [(1.5, 10), (3.75, 4), (30, 4), (1000, 4)])
def test_they_are_scaled_together_and_have_a_floor(scale: float, duration: float) -> None:
    term = Term.scaled(scale)
    assert term.duration == pytest.approx(duration)
    for name in ("renewal", "margin", "change", "needed", "call"):
        assert getattr(term, name) / getattr(TERM, name) == pytest.approx(duration / 15)
    assert term.good_for > term.needed + term.renewal * 0.95, "a change is possible in between"


def test_alone_it_leads_at_once_and_goes_on() -> None:
    async def scene() -> None:
        server = LeaseServer()
        only = Candidate(server)
        only.start()
        assert await until(lambda: only.leads) < 1
        for _ in range(1000):
            assert only.leads
            assert only.leadership.may_change()
            await asyncio.sleep(0.9)
        assert server.kept is not None
        assert server.kept["spec"]["leaseDurationSeconds"] == 15
        assert server.kept["spec"]["leaseTransitions"] == 1
        # Every two seconds, and not more often.
        assert len(server.writes) == pytest.approx(450, abs=3)
        await only.stop()

    virtually(scene())


def test_no_two_processes_have_the_same_name() -> None:
    async def scene() -> None:
        server = LeaseServer()
        names = {Candidate(server).leadership.identity for _ in range(50)}
        assert len(names) == 50

    virtually(scene())


@settings(max_examples=40, deadline=None)
@given(
    phase=st.floats(0, 4),
    delay=st.floats(0, 1),
    answer=st.floats(0, 1),
    trouble=st.sampled_from(["crash", "partition"]),
)
def test_another_takes_over_within_20_s_and_never_before_the_first_has_ceased(
    phase: float, delay: float, answer: float, trouble: str
) -> None:
    async def scene() -> None:
        first, second, _ = await two()
        for candidate in (first, second):
            candidate.leases.delay, candidate.leases.answer = delay, answer
        await asyncio.sleep(phase)
        stopped = asyncio.Event()

        async def watch() -> None:
            while not stopped.is_set():
                assert not (first.leads and second.leads), "two lead at once"
                await asyncio.sleep(0.05)

        watching = asyncio.create_task(watch())
        if trouble == "crash":
            await first.crash()
        else:
            first.leases.unreachable = True
        took = await until(lambda: second.leads)
        assert took <= 20
        await asyncio.sleep(10)
        stopped.set()
        await watching
        if trouble != "crash":
            assert isinstance(first.error, LeaseLost)
            assert first.lost == 1
        assert second.leads
        await second.stop()

    virtually(scene())


def test_given_back_it_is_taken_at_the_next_look() -> None:
    async def scene() -> None:
        first, second, server = await two()
        await asyncio.sleep(5)
        await first.stop()
        assert first.error is None
        assert not first.leadership.may_change()
        assert await until(lambda: second.leads) <= TERM.renewal
        assert server.holder == second.leadership.identity
        assert server.kept is not None
        assert server.kept["spec"]["leaseTransitions"] == 2
        await second.stop()

    virtually(scene())


def test_a_process_that_wakes_up_late_knows_before_it_does_anything() -> None:
    async def scene() -> None:
        first, _, _ = await two()
        await asyncio.sleep(7)
        assert first.leadership.may_change()
        first.asleep = 60  # nobody has run meanwhile, not even its own renewals
        assert not first.leadership.may_change()
        assert not first.leadership.valid
        assert first.lost == 1
        await until(lambda: first.error is not None, within=1)
        assert "held up" in str(first.error)

    virtually(scene())


def test_lost_is_lost_even_if_nobody_else_took_it() -> None:
    async def scene() -> None:
        server = LeaseServer()
        only = Candidate(server)
        only.start()
        await until(lambda: only.leads)
        only.leases.unreachable = True
        await until(lambda: only.error is not None)
        only.leases.unreachable = False
        written = len(server.writes)
        await asyncio.sleep(120)
        assert not only.leadership.leads
        assert not only.leadership.valid
        assert only.lost == 1
        assert len(server.writes) == written, "nothing is given back that is not one's own"

    virtually(scene())


def test_changes_wait_while_too_little_is_left() -> None:
    async def scene() -> None:
        server = LeaseServer()
        only = Candidate(server)
        only.start()
        await until(lambda: only.leads)
        only.leases.unreachable = True
        await until(lambda: not only.leadership.may_change())
        assert only.leads
        assert only.leadership.left == pytest.approx(TERM.needed, abs=0.05)
        waiting = asyncio.create_task(only.leadership.renewed())
        await asyncio.sleep(1)
        assert not waiting.done()
        only.leases.unreachable = False
        await asyncio.wait_for(waiting, 3)
        assert only.leadership.may_change()

        only.leases.unreachable = True
        await until(lambda: not only.leadership.may_change())
        # It does not wait for ever for what will not come.
        await asyncio.wait_for(only.leadership.renewed(), 20)
        assert not only.leadership.valid

    virtually(scene())


def test_the_time_of_a_renewal_counts_from_before_it_was_sent() -> None:
    async def scene() -> None:
        server = LeaseServer()
        only = Candidate(server)
        only.start()
        await until(lambda: only.leads)
        only.leases.answer = 3.0
        await asyncio.sleep(30)
        assert only.leads
        best = 0.0
        for _ in range(600):
            best = max(best, only.leadership.left)
            await asyncio.sleep(0.01)
        assert best == pytest.approx(TERM.good_for - 3.0, abs=0.05)
        assert not only.leadership.may_change(), "so slow a cluster permits no change at Together"

    virtually(scene())


def test_an_answer_that_was_lost_is_made_good() -> None:
    async def scene() -> None:
        server = LeaseServer()
        only = Candidate(server)
        only.leases.meddle = _once(lambda: server.edit(renewTime="1970-01-01T00:00:00.000000Z"))
        only.start()
        await until(lambda: only.leads)
        identity = only.leadership.identity
        # Somebody labels it; and a renewal of ours arrives whose answer never came.
        for _ in range(3):
            only.leases.meddle = _once(lambda: server.edit(holderIdentity=identity))
            await asyncio.sleep(3)
            assert only.leads
        await only.stop()

    virtually(scene())


def _once(act: Callable[[], None]) -> Callable[[], None]:
    left = [act]

    def meddle() -> None:
        if left:
            with contextlib.suppress(AssertionError):  # there is none yet
                left.pop()()

    return meddle


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda server: server.edit(holderIdentity="another"), "another holds it now"),
        (lambda server: server.edit(holderIdentity=""), "nobody holds it now"),
        (lambda server: setattr(server, "kept", None), "somebody deleted it"),
    ],
    ids=["taken", "emptied", "deleted"],
)
def test_what_somebody_does_to_it_ends_the_leader(
    act: Callable[[LeaseServer], None], words: str
) -> None:
    async def scene() -> None:
        server = LeaseServer()
        only = Candidate(server)
        only.start()
        await until(lambda: only.leads)
        act(server)
        await until(lambda: only.error is not None, within=3)
        assert isinstance(only.error, LeaseLost)
        assert words in str(only.error)
        assert f"{NAMESPACE}/together-operator" in str(only.error)

    virtually(scene())


@pytest.mark.parametrize("stamp", ["1970-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"])
def test_what_a_wall_clock_wrote_proves_nothing(stamp: str) -> None:
    """The holder's clock may be wrong by any amount: what counts is whether it still writes."""

    async def scene() -> None:
        server = LeaseServer()
        server.put({"metadata": {"namespace": NAMESPACE}, "spec": {}})
        server.edit(holderIdentity="another", leaseDurationSeconds=15, renewTime=stamp)
        standby = Candidate(server)
        standby.start()
        assert await until(lambda: standby.leads) == pytest.approx(15, abs=0.1)
        await standby.stop()

    virtually(scene())


def test_the_holders_own_duration_counts() -> None:
    """An older version, or another time scale, may have asked for more."""

    async def scene() -> None:
        server = LeaseServer()
        server.put({"metadata": {"namespace": NAMESPACE}, "spec": {}})
        server.edit(holderIdentity="another", leaseDurationSeconds=40)
        standby = Candidate(server)
        standby.start()
        assert await until(lambda: standby.leads) == pytest.approx(40, abs=0.1)
        await standby.stop()

    virtually(scene())


def test_many_at_once_elect_one() -> None:
    async def scene() -> None:
        for _ in range(20):
            server = LeaseServer()
            candidates = [Candidate(server) for _ in range(5)]
            for candidate in candidates:
                candidate.start()
            while candidates:
                await asyncio.sleep(5)
                (leader,) = [c for c in candidates if c.leads]
                candidates.remove(leader)
                assert all(c.leadership.standing_by for c in candidates)
                await leader.stop()

    virtually(scene())
