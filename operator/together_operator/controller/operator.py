"""The operator as a whole: everything made, connected, run and shut down.

Work is done in this event loop and watching in another one, so that nothing the watch goes through
can cut a request to Together from its record. A shutdown takes no new step, but waits for the one
that is under way to be written down.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field

from together_operator.controller.kube_errors import KubeError, KubeUnavailable
from together_operator.controller.poller import Poller
from together_operator.controller.queue import Key, Lane, Queue, ShutDown, Work
from together_operator.controller.reconciler import Reconciler, Unsettled
from together_operator.controller.resync import Resync
from together_operator.controller.watcher import Watcher
from together_operator.logs import scope
from together_operator.metrics import Metrics
from together_operator.settings import Settings
from together_operator.together import Timeouts

log = logging.getLogger(__name__)

_RECORD_SECONDS = 30.0
"""What a shutdown allows for writing down Together's answer, beyond the request itself."""
_OWED_PAUSE = 1.0
"""Seconds between the tries to do so."""
_LONGEST_ASKED = 300.0
"""Seconds that the API server may ask to wait; a slip of its must not silence a resource."""
_SHORTEST_PAUSE = 0.05
"""Seconds between two looks at a resource at which nothing happens."""

LANES = {
    "poll": Lane.REMOTE,
    "extra": Lane.REMOTE,
    "rival": Lane.REMOTE,
    "reachable": Lane.REMOTE,
    "unreachable": Lane.REMOTE,
    "resync": Lane.RESYNC,
    "resume": Lane.RESYNC,
}
"""What a person did overtakes what a poll found, and that overtakes a comparison."""


@dataclass(slots=True)
class Operator:
    """The running operator.

    Attributes:
        settings: What it was told.
        queue: What is to be worked on.
        reconciler: Works on it.
        poller: Looks at Together.
        resync: Looks for what a watch lost.
        metrics: Counts.
    """

    settings: Settings
    queue: Queue
    reconciler: Reconciler
    poller: Poller
    resync: Resync
    metrics: Metrics
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _timers: list[asyncio.Task[None]] = field(default_factory=list)
    _workers: list[asyncio.Task[None]] = field(default_factory=list)

    # -- what the watch asks for -----------------------------------------------------------------

    def enqueue(self, key: Key, trigger: str) -> None:
        """Have a resource worked on."""
        self.queue.add(key, trigger, LANES.get(trigger, Lane.PERSON))

    def start_timer(self) -> None:
        """Begin the periodic work; the watch is up."""
        if not self._timers and not self._stopping.is_set():
            self._timers = [
                asyncio.create_task(self.poller.run(), name="poller"),
                asyncio.create_task(self.resync.run(), name="resync"),
            ]

    # -- working ---------------------------------------------------------------------------------

    async def work(self) -> None:
        """Take resources off the queue and work on them, until it is shut down."""
        while True:
            try:
                work = await self.queue.get()
            except ShutDown:
                return
            try:
                with scope(
                    namespace=work.key.namespace,
                    name=work.key.name,
                    trigger=",".join(sorted(work.triggers)),
                ):
                    await self._reconcile(work)
            finally:
                self.queue.done(work.key)

    async def _reconcile(self, work: Work) -> None:
        self.metrics.waited(work.lane.name.lower(), work.waited)
        done = await self._settle(work)
        while not done and self.stopping and self.reconciler.owes(work.key):
            # Nobody will come back to it, and Together's answer is not on record yet.
            await asyncio.sleep(_OWED_PAUSE)
            done = await self._settle(work)

    async def _settle(self, work: Work) -> bool:
        """Work on a resource once; whether that came to an end."""
        began = time.monotonic()
        result = "ok"
        try:
            after = await self.reconciler.reconcile(work.key, work.triggers)
        except KubeError as error:
            result = "kubernetes"
            asked = error.retry_after if isinstance(error, KubeUnavailable) else 0.0
            pause = self.queue.retry(work.key, at_least=min(asked, _LONGEST_ASKED))
            log.warning("%s; trying again in %.0f s", error, pause)
        except Unsettled as error:
            result = "unsettled"
            log.warning("%s; going on in %.0f s", error, self.queue.retry(work.key))
        except Exception:
            result = "error"
            pause = self.queue.retry(work.key)
            log.exception("Working on the resource failed; trying again in %.0f s", pause)
        else:
            self.queue.forget(work.key)
            if after is not None:
                self.queue.add_after(work.key, max(after, _SHORTEST_PAUSE), "wait")
        self.metrics.reconciled(work.triggers, result, time.monotonic() - began)
        return result == "ok"

    # -- living ----------------------------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        """Whether a shutdown has begun."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Begin the shutdown."""
        self._stopping.set()

    async def serve(self, watcher: Watcher) -> None:
        """Run until told to stop, then shut down without losing anything.

        Args:
            watcher: Tells what changes in the cluster.
        """
        self._workers = [
            asyncio.create_task(self.work(), name=f"worker-{number}")
            for number in range(self.settings.workers)
        ]
        watcher.start()
        log.info("The operator is running")
        await self._stopping.wait()
        log.info("Shutting down; waiting for what is under way to be written down")
        self.queue.shutdown()
        finishing = asyncio.create_task(self._finish())
        await asyncio.wait({finishing}, timeout=Timeouts().create + _RECORD_SECONDS)
        ending = (finishing, *self._timers, *self._workers)
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await watcher.stop()
        log.info("Stopped")

    async def _finish(self) -> None:
        """Wait for the workers, then write down what waited for its turn to be written down."""
        await asyncio.gather(*self._workers, return_exceptions=True)
        work = [Work(key, frozenset({"shutdown"}), Lane.PERSON, 0.0) for key in self._owed()]
        await asyncio.gather(*map(self._reconcile, work), return_exceptions=True)

    def _owed(self) -> list[Key]:
        owed = self.reconciler.owed()
        if owed:
            log.info("Together's answer is not written down yet for %d resources", len(owed))
        return owed

    @property
    def ended(self) -> str | None:
        """What has ended though it never should, by name."""
        if self.stopping:
            return None
        names = [task.get_name() for task in (*self._timers, *self._workers) if task.done()]
        return ", ".join(names) or None
