"""The work queue: what its users rely on, and its invariants under any sequence of calls."""

from __future__ import annotations

import asyncio
from collections import Counter

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from together_operator.controller.queue import LOWER_LANE_TURN, Key, Lane, Queue, ShutDown, Work

A = Key("ml", "a")
B = Key("ml", "b")


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> Queue:
    return Queue(clock=clock, jitter=lambda: 0.0)


def take(queue: Queue) -> Work:
    work = queue.get_nowait()
    assert work is not None
    return work


def drain(queue: Queue) -> list[Key]:
    keys = []
    while (work := queue.get_nowait()) is not None:
        keys.append(work.key)
        queue.done(work.key)
    return keys


def test_hints_for_one_key_become_one_piece_of_work(queue: Queue, clock: Clock) -> None:
    queue.add(A, "poll", Lane.REMOTE)
    clock.now += 2
    queue.add(A, "update", Lane.PERSON)
    assert take(queue) == Work(A, frozenset({"poll", "update"}), Lane.PERSON, 2.0)
    assert queue.get_nowait() is None


def test_a_key_in_work_is_not_handed_out_again_until_it_is_done(queue: Queue) -> None:
    queue.add(A, "create")
    take(queue)
    queue.add(A, "update")
    queue.add(A, "delete")
    assert queue.get_nowait() is None
    queue.done(A)
    assert take(queue).triggers == {"update", "delete"}
    queue.done(A)
    assert queue.get_nowait() is None


def test_done_without_work_is_an_error(queue: Queue) -> None:
    with pytest.raises(KeyError):
        queue.done(A)


def test_a_person_overtakes_the_poller_and_the_poller_overtakes_the_resync(queue: Queue) -> None:
    resync, remote, person = Key("ml", "resync"), Key("ml", "remote"), Key("ml", "person")
    queue.add(resync, "resync", Lane.RESYNC)
    queue.add(remote, "poll", Lane.REMOTE)
    queue.add(person, "update", Lane.PERSON)
    assert drain(queue) == [person, remote, resync]


def test_an_edit_of_a_key_that_waits_for_its_resync_moves_it_up(queue: Queue) -> None:
    queue.add(A, "resync", Lane.RESYNC)
    queue.add(B, "resync", Lane.RESYNC)
    queue.add(B, "update", Lane.PERSON)
    queue.add(B, "resync", Lane.RESYNC)
    assert drain(queue) == [B, A]


def test_a_thousand_edits_of_one_team_delay_another_teams_edit_by_one(queue: Queue) -> None:
    for number in range(1000):
        queue.add(Key("busy", str(number)), "update")
    calm = Key("calm", "only")
    queue.add(calm, "update")
    assert calm in [take(queue).key for _ in range(2)]


def test_namespaces_take_turns(queue: Queue) -> None:
    for namespace in ("x", "y", "z"):
        for name in ("1", "2"):
            queue.add(Key(namespace, name), "update")
    assert [str(key) for key in drain(queue)] == ["x/1", "y/1", "z/1", "x/2", "y/2", "z/2"]


def test_an_endless_stream_of_edits_does_not_starve_the_lower_lanes(queue: Queue) -> None:
    remote, resync = Key("ml", "remote"), Key("ml", "resync")
    queue.add(remote, "poll", Lane.REMOTE)
    queue.add(resync, "resync", Lane.RESYNC)
    seen = []
    for number in range(2 * (LOWER_LANE_TURN + 1)):
        queue.add(Key("busy", str(number)), "update")
        queue.add(Key("busy", f"{number}-again"), "update")
        seen.append(take(queue).key)
    assert {remote, resync} <= set(seen)


def test_of_two_appointments_the_earlier_counts(queue: Queue, clock: Clock) -> None:
    queue.add_after(A, 30, "late")
    queue.add_after(A, 10, "early")
    queue.add_after(A, 20, "between")
    clock.now += 9.9
    assert queue.get_nowait() is None
    clock.now += 0.1
    assert take(queue).triggers == {"early"}
    queue.done(A)
    clock.now += 100
    assert queue.get_nowait() is None


def test_an_immediate_request_replaces_the_appointment(queue: Queue, clock: Clock) -> None:
    queue.add_after(A, 10, "settle")
    queue.add(A, "update")
    assert take(queue).triggers == {"update"}
    queue.done(A)
    clock.now += 100
    assert queue.get_nowait() is None
    assert queue.delayed == 0


def test_an_appointment_that_comes_due_while_the_key_is_in_work_is_kept(
    queue: Queue, clock: Clock
) -> None:
    queue.add(A, "update")
    take(queue)
    queue.add_after(A, 5, "settle")
    clock.now += 6
    assert queue.get_nowait() is None
    queue.done(A)
    assert take(queue) == Work(A, frozenset({"settle"}), Lane.REMOTE, 1.0)


def test_a_more_urgent_appointment_overtakes_the_place_in_a_slower_lane(
    queue: Queue, clock: Clock
) -> None:
    queue.add(B, "resync", Lane.RESYNC)
    queue.add(A, "resync", Lane.RESYNC)
    queue.add_after(A, 1, "settle", Lane.REMOTE)
    clock.now += 1
    assert take(queue) == Work(A, frozenset({"resync", "settle"}), Lane.REMOTE, 1.0)


def test_failures_back_off_exponentially_up_to_the_limit_and_success_forgets_them(
    clock: Clock,
) -> None:
    queue = Queue(clock=clock, base_delay=1, max_delay=60, jitter=lambda: 0.0)
    delays = []
    for _ in range(8):
        queue.add(A, "update")
        take(queue)
        delays.append(queue.retry(A))
        queue.done(A)
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]
    assert queue.failures(A) == 8
    queue.forget(A)
    assert queue.retry(A) == 1
    assert queue.retry(B, at_least=42) == 42


def test_back_off_is_spread(clock: Clock) -> None:
    queue = Queue(clock=clock, base_delay=10, jitter=lambda: 1.0)
    assert queue.retry(A) == pytest.approx(8)


def test_after_shutdown_nothing_is_handed_out(queue: Queue) -> None:
    queue.add(A, "update")
    queue.add(B, "update")
    work = take(queue)
    queue.add(work.key, "again")
    queue.shutdown()
    queue.done(work.key)
    queue.add(A, "late")
    queue.add_after(A, 1, "late")
    with pytest.raises(ShutDown):
        queue.get_nowait()


async def test_a_waiting_worker_gets_what_is_added_and_what_comes_due() -> None:
    queue = Queue()
    getter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add(A, "update")
    assert (await asyncio.wait_for(getter, 10)).key == A
    getter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add_after(B, 60, "later")
    queue.add_after(B, 0.01, "soon")
    assert (await asyncio.wait_for(getter, 10)).triggers == {"soon"}


async def test_each_appointment_finds_a_worker_though_another_is_busy() -> None:
    queue = Queue()
    getters = [asyncio.create_task(queue.get()) for _ in range(2)]
    await asyncio.sleep(0)
    queue.add_after(A, 0.01, "first")
    queue.add_after(B, 0.05, "second")
    works = await asyncio.wait_for(asyncio.gather(*getters), 10)
    assert [work.key for work in works] == [A, B]


async def test_a_worker_that_is_cancelled_passes_its_turn_on() -> None:
    queue = Queue()
    first = asyncio.create_task(queue.get())
    second = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add(A, "update")
    first.cancel()
    assert (await asyncio.wait_for(second, 10)).key == A
    third = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    third.cancel()
    with pytest.raises(asyncio.CancelledError):
        await third
    queue.add(B, "update")
    assert (await asyncio.wait_for(queue.get(), 10)).key == B


async def test_shutdown_ends_every_waiting_worker() -> None:
    queue = Queue()
    getters = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.add_after(A, 60, "later")
    queue.shutdown()
    results = await asyncio.wait_for(asyncio.gather(*getters, return_exceptions=True), 10)
    assert [type(result) for result in results] == [ShutDown] * 3


async def test_many_workers_and_ten_thousand_keys_lose_nothing() -> None:
    queue = Queue()
    total = 10_000
    seen: Counter[Key] = Counter()
    everything = asyncio.Event()

    async def worker() -> None:
        while True:
            try:
                work = await queue.get()
            except ShutDown:
                return
            seen[work.key] += 1
            if len(seen) == total:
                everything.set()
            await asyncio.sleep(0)
            queue.done(work.key)

    workers = [asyncio.create_task(worker()) for _ in range(16)]
    for number in range(total):
        key = Key(f"ns-{number % 20}", str(number))
        if number % 3:
            queue.add(key, "resync", Lane.RESYNC)
        else:
            queue.add_after(key, 0.001 * (number % 7), "due")
    await asyncio.wait_for(everything.wait(), 60)
    queue.shutdown()
    await asyncio.gather(*workers)
    assert set(seen.values()) == {1}


KEYS = st.builds(Key, st.sampled_from(["x", "y", "z"]), st.sampled_from(["1", "2", "3"]))
LANES = st.sampled_from(Lane)


class QueueModel(RuleBasedStateMachine):
    """The queue beside the simplest thing that could be right: a set of promises per key."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.queue = Queue(clock=self.clock, jitter=lambda: 0.0)
        self.owed: dict[Key, float] = {}
        """When each key must be available at the latest, for every promise not yet kept."""
        self.working: set[Key] = set()
        self.passed_over = 0
        """Hand-outs in a row that left a waiting lower lane where it was."""

    def promise(self, key: Key, due: float) -> None:
        self.owed[key] = min(due, self.owed.get(key, due))

    @rule(key=KEYS, lane=LANES)
    def add(self, key: Key, lane: Lane) -> None:
        self.queue.add(key, "add", lane)
        self.promise(key, self.clock.now)

    @rule(key=KEYS, lane=LANES, seconds=st.integers(0, 20))
    def add_after(self, key: Key, lane: Lane, seconds: int) -> None:
        self.queue.add_after(key, seconds, "after", lane)
        self.promise(key, self.clock.now + seconds)

    @rule(key=KEYS)
    def retry(self, key: Key) -> None:
        delay = self.queue.retry(key)
        assert 0 < delay <= 300
        self.promise(key, self.clock.now + delay)

    @rule(key=KEYS)
    def forget(self, key: Key) -> None:
        self.queue.forget(key)
        assert self.queue.failures(key) == 0

    @rule(seconds=st.integers(1, 30))
    def time_passes(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule()
    def get(self) -> None:
        work = self.queue.get_nowait()
        available = {
            key
            for key, due in self.owed.items()
            if due <= self.clock.now and key not in self.working
        }
        if work is None:
            assert not available, f"{available} were lost"
            return
        key = work.key
        assert key not in self.working, "two workers on one key"
        assert key in available, "nobody asked for it yet"
        assert work.waited >= 0
        assert work.triggers
        self.working.add(key)
        del self.owed[key]
        more_urgent = any(self.queue.depth(lane) for lane in Lane if lane < work.lane)
        less_urgent = any(self.queue.depth(lane) for lane in Lane if lane > work.lane)
        if more_urgent:
            assert self.passed_over == LOWER_LANE_TURN, "a lower lane overtook out of turn"
            self.passed_over = 0
        elif less_urgent:
            self.passed_over += 1
            assert self.passed_over <= LOWER_LANE_TURN, "a lower lane missed its turn"
        else:
            self.passed_over = 0

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.working.remove(key)
        self.queue.done(key)

    @invariant()
    def counts_agree(self) -> None:
        assert self.queue.working == len(self.working)
        assert self.queue.delayed <= len(self.owed)

    def teardown(self) -> None:
        self.clock.now += 1000
        for key in list(self.working):
            self.working.remove(key)
            self.queue.done(key)
        rest = drain(self.queue)
        assert sorted(rest) == sorted(self.owed)


QueueModel.TestCase.settings = settings(max_examples=200, stateful_step_count=80, deadline=None)
TestQueueModel = QueueModel.TestCase


@given(st.lists(KEYS, unique=True))
def test_while_two_namespaces_wait_neither_gets_two_turns_more(keys: list[Key]) -> None:
    queue = Queue(clock=Clock())
    for key in keys:
        queue.add(key, "update")
    left = Counter(key.namespace for key in keys)
    served: Counter[str] = Counter()
    for key in drain(queue):
        served[key.namespace] += 1
        left[key.namespace] -= 1
        waiting = [served[namespace] for namespace, count in left.items() if count]
        assert max([served[key.namespace], *waiting]) - min([served[key.namespace], *waiting]) <= 1
