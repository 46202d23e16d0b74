"""The work queue: which resource is looked at next.

Everything that happens (a person's edit, a finding of the poller, a timer) says no more than
"look at this resource again". The queue turns these hints into work so that one resource is
worked by one task at a time, no hint is lost, and nobody waits because of somebody else.

The semantics are those of client-go's work queue (deduplicated, dirty while in work, per-key
exponential back-off, delayed adds), with two additions that it lacks: lanes, so that a person does
not wait behind ten thousand periodic checks, and fairness across namespaces within a lane, so that
one team's thousand edits do not hold up another team's one.

All methods belong to the event loop that owns the queue; from another thread use
`loop.call_soon_threadsafe(queue.add, key, trigger, lane)`.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

LOWER_LANE_TURN: Final = 16
"""At most this many hand-outs in a row pass over a waiting lower lane: an endless stream of edits
slows the periodic checks down, and never stops them."""


class Key(NamedTuple):
    """The name of a resource."""

    namespace: str
    name: str

    def __str__(self) -> str:
        """The resource as people write it."""
        return f"{self.namespace}/{self.name}"


class Lane(IntEnum):
    """How urgent a hint is; the lower number overtakes."""

    PERSON = 0
    """Something that a person or tool did: spec, annotation, deletion."""
    REMOTE = 1
    """Something that happened at Together, or a step that is due."""
    RESYNC = 2
    """A periodic look at everything."""


@dataclass(frozen=True, slots=True)
class Work:
    """One resource to look at.

    Attributes:
        key: The resource.
        triggers: Why: the names of all hints that came together.
        lane: The most urgent lane among them.
        waited: Seconds since the first of the hints was due.
    """

    key: Key
    triggers: frozenset[str]
    lane: Lane
    waited: float


class ShutDown(Exception):  # noqa: N818 - an end, not an error, named as in asyncio
    """The queue hands out nothing any more."""


@dataclass(slots=True)
class _Hint:
    triggers: set[str]
    lane: Lane
    since: float

    def merge(self, triggers: set[str], lane: Lane, since: float) -> None:
        self.triggers |= triggers
        self.lane = min(self.lane, lane)
        self.since = min(self.since, since)


class _Fair:
    """The keys waiting in one lane: first in, first out per namespace, namespaces in turn."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def push(self, key: Key) -> None:
        self._turns.setdefault(key.namespace, OrderedDict())[key.name] = None
        self._size += 1

    def remove(self, key: Key) -> None:
        names = self._turns[key.namespace]
        del names[key.name]
        if not names:
            del self._turns[key.namespace]
        self._size -= 1

    def pop(self) -> Key:
        namespace, names = next(iter(self._turns.items()))
        name, _ = names.popitem(last=False)
        if names:
            self._turns.move_to_end(namespace)
        else:
            del self._turns[namespace]
        self._size -= 1
        return Key(namespace, name)


class Queue:
    """The work queue of the operator.

    Args:
        base_delay: Seconds before the first repetition of a failed key; doubles with each failure.
        max_delay: Longest back-off in seconds.
        clock: Monotonic seconds.
        jitter: Returns a number between 0 and 1; up to a fifth of a back-off is left out by it, so
            that keys which failed together do not come back together.
    """

    def __init__(
        self,
        *,
        base_delay: float = 1.0,
        max_delay: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._clock = clock
        self._jitter = jitter
        self._lanes: dict[Lane, _Fair] = {lane: _Fair() for lane in Lane}
        self._waiting: dict[Key, _Hint] = {}
        self._working: dict[Key, _Hint | None] = {}
        self._later: dict[Key, tuple[float, str, Lane]] = {}
        self._due: list[tuple[float, Key]] = []
        self._failures: dict[Key, int] = {}
        self._passed_over = 0
        self._lower_turns = 0
        self._getters: deque[asyncio.Future[None]] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

    def add(self, key: Key, trigger: str, lane: Lane = Lane.PERSON) -> None:
        """Ask for a look at a resource now, which settles every appointment of it.

        Args:
            key: The resource.
            trigger: Why, for logs and metrics.
            lane: How urgent. A key that waits in a lower lane moves up, never down.
        """
        if self._closed:
            return
        self._enqueue(key, {trigger}, lane, self._clock())

    def add_after(self, key: Key, seconds: float, trigger: str, lane: Lane = Lane.REMOTE) -> None:
        """Ask for a look at a resource later. Of several requests the earliest counts.

        A key that is to be looked at anyway, as urgently, needs no appointment: whoever looks
        decides anew when to look again.

        Args:
            key: The resource.
            seconds: When, from now; zero or less is now.
            trigger: Why, for logs and metrics.
            lane: How urgent it will be.
        """
        if self._closed:
            return
        if seconds <= 0:
            self.add(key, trigger, lane)
            return
        coming = self._working.get(key) or self._waiting.get(key)
        if coming is not None and coming.lane <= lane:
            return
        due = self._clock() + seconds
        booked = self._later.get(key)
        if booked is not None and booked[0] <= due:
            return
        self._later[key] = (due, trigger, lane)
        heapq.heappush(self._due, (due, key))
        if len(self._due) > 64 + 2 * len(self._later):
            self._due = [(booked[0], key) for key, booked in self._later.items()]
            heapq.heapify(self._due)
        self._set_alarm()

    def retry(
        self,
        key: Key,
        trigger: str = "retry",
        lane: Lane = Lane.REMOTE,
        *,
        at_least: float = 0.0,
    ) -> float:
        """Ask for another look after a failure, later with each failure in a row.

        Args:
            key: The resource.
            trigger: Why, for logs and metrics.
            lane: How urgent it will be.
            at_least: Lower bound in seconds, e.g. a server's `Retry-After`.

        Returns:
            The delay in seconds.
        """
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(self._base_delay * 2.0 ** min(failures, 32), self._max_delay)
        delay = max(delay * (1.0 - 0.2 * self._jitter()), at_least)
        self.add_after(key, delay, trigger, lane)
        return delay

    def forget(self, key: Key) -> None:
        """Forget the failures of a key: it succeeded, or its resource is gone."""
        self._failures.pop(key, None)

    def failures(self, key: Key) -> int:
        """How often in a row a key failed."""
        return self._failures.get(key, 0)

    async def get(self) -> Work:
        """Wait for work. The key belongs to the caller until `done`.

        Raises:
            ShutDown: The queue was shut down.
        """
        while True:
            work = self.get_nowait()
            if work is not None:
                return work
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            self._set_alarm()
            try:
                await getter
            except asyncio.CancelledError:
                if getter.done() and not getter.cancelled():
                    self._wake()
                else:
                    self._getters.remove(getter)
                raise

    def get_nowait(self) -> Work | None:
        """Take work if there is some.

        Raises:
            ShutDown: The queue was shut down.
        """
        if self._closed:
            raise ShutDown
        self._release()
        lane = self._next_lane()
        if lane is None:
            return None
        key = self._lanes[lane].pop()
        hint = self._waiting.pop(key)
        self._later.pop(key, None)
        self._working[key] = None
        return Work(key, frozenset(hint.triggers), hint.lane, self._clock() - hint.since)

    def done(self, key: Key) -> None:
        """Give a key back. If somebody asked for it meanwhile, it waits for its turn again.

        Raises:
            KeyError: The key was not handed out.
        """
        again = self._working.pop(key)
        if again is not None and not self._closed:
            self._enqueue(key, again.triggers, again.lane, again.since)

    def shutdown(self) -> None:
        """Hand out nothing more: every `get`, waiting or coming, raises `ShutDown`."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        while self._getters:
            self._wake()

    def depth(self, lane: Lane) -> int:
        """How many keys wait for a worker in a lane."""
        return len(self._lanes[lane])

    @property
    def delayed(self) -> int:
        """How many keys have an appointment."""
        return len(self._later)

    @property
    def working(self) -> int:
        """How many keys are handed out."""
        return len(self._working)

    def _enqueue(self, key: Key, triggers: set[str], lane: Lane, since: float) -> None:
        if key in self._working:
            dirty = self._working[key]
            if dirty is None:
                self._working[key] = _Hint(triggers, lane, since)
            else:
                dirty.merge(triggers, lane, since)
            return
        hint = self._waiting.get(key)
        if hint is None:
            self._waiting[key] = _Hint(triggers, lane, since)
            self._lanes[lane].push(key)
            self._wake()
            return
        if lane < hint.lane:
            self._lanes[hint.lane].remove(key)
            self._lanes[lane].push(key)
        hint.merge(triggers, lane, since)

    def _next_lane(self) -> Lane | None:
        occupied = [lane for lane, keys in self._lanes.items() if keys]
        if not occupied:
            return None
        if len(occupied) == 1:
            self._passed_over = 0
            return occupied[0]
        self._passed_over += 1
        if self._passed_over <= LOWER_LANE_TURN:
            return occupied[0]
        self._passed_over = 0
        self._lower_turns += 1
        return occupied[1 + self._lower_turns % (len(occupied) - 1)]

    def _release(self) -> None:
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            due, key = heapq.heappop(self._due)
            booked = self._later.get(key)
            if booked is not None and booked[0] == due:
                del self._later[key]
                self._enqueue(key, {booked[1]}, booked[2], due)

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    def _set_alarm(self) -> None:
        while self._due and self._stale(*self._due[0]):
            heapq.heappop(self._due)
        if not self._due or not self._getters:
            return
        loop = asyncio.get_running_loop()
        when = loop.time() + max(0.0, self._due[0][0] - self._clock())
        if self._alarm is not None:
            if self._alarm.when() <= when:
                return
            self._alarm.cancel()
        self._alarm = loop.call_at(when, self._on_alarm)

    def _stale(self, due: float, key: Key) -> bool:
        booked = self._later.get(key)
        return booked is None or booked[0] != due

    def _on_alarm(self) -> None:
        self._alarm = None
        self._release()
        self._set_alarm()
