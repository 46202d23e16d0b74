"""The operator as a whole: everything made, connected, run and shut down.

Work is done in this event loop and watching in another one, so that nothing the watch goes through
can cut a request to Together from its record. A shutdown takes no new step, but waits for the one
that is under way to be written down.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from together_operator.controller.accounts import Accounts
from together_operator.controller.clocks import Clocks
from together_operator.controller.effects import Effects
from together_operator.controller.events import Recorder
from together_operator.controller.guards import Guards
from together_operator.controller.health import HealthServer
from together_operator.controller.identity import establish
from together_operator.controller.keys import HeldKey, KeyRing
from together_operator.controller.kube import Kube
from together_operator.controller.kube_errors import KubeError, KubeUnavailable
from together_operator.controller.observer import Observer
from together_operator.controller.poller import Poller
from together_operator.controller.queue import Key, Lane, Queue, ShutDown, Work
from together_operator.controller.reconciler import Reconciler
from together_operator.controller.resync import Resync
from together_operator.controller.roster import Roster
from together_operator.controller.watcher import Watcher, WatchFunction
from together_operator.core.timing import Timing
from together_operator.drivers import V1Driver
from together_operator.drivers.driver import Driver
from together_operator.logs import scope
from together_operator.metrics import Metrics
from together_operator.settings import Probe, Settings
from together_operator.together import Timeouts, V1Client, Wire

log = logging.getLogger(__name__)

RESYNC_SECONDS = 600.0
KEY_PAUSE_SECONDS = 60.0
_RECORD_SECONDS = 30.0
"""What a shutdown allows for writing down Together's answer, beyond the request itself."""
_EVENT_SECONDS = 5.0
"""What a shutdown allows for telling the last events."""
_DEAF_SECONDS = 300.0
"""Without a sign of life from the watch or the poller for so long, the operator is not alive."""

_LANES = {
    "poll": Lane.REMOTE,
    "extra": Lane.REMOTE,
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

    # -- what the watch asks for -----------------------------------------------------------------

    def enqueue(self, key: Key, trigger: str) -> None:
        """Have a resource worked on."""
        self.queue.add(key, trigger, _LANES.get(trigger, Lane.PERSON))

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
        began = time.monotonic()
        result = "ok"
        self.metrics.waited(work.lane.name.lower(), work.waited)
        try:
            after = await self.reconciler.reconcile(work.key, work.triggers)
        except KubeError as error:
            result = "kubernetes"
            wait = error.retry_after if isinstance(error, KubeUnavailable) else None
            pause = self.queue.retry(work.key, at_least=wait or 0.0)
            log.warning("%s; trying again in %.0f s", error, pause)
        except Exception:
            result = "error"
            pause = self.queue.retry(work.key)
            log.exception("Working on the resource failed; trying again in %.0f s", pause)
        else:
            self.queue.forget(work.key)
            if after is not None and not self._stopping.is_set():
                self.queue.add_after(work.key, after, "wait")
        self.metrics.reconciled(work.triggers, result, time.monotonic() - began)

    # -- living ----------------------------------------------------------------------------------

    @property
    def stopping(self) -> bool:
        """Whether a shutdown has begun."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Begin the shutdown."""
        self._stopping.set()

    async def serve(self, watcher: Watcher, health: HealthServer) -> None:
        """Run until told to stop, then shut down without losing anything.

        Args:
            watcher: Tells what changes in the cluster.
            health: Answers the probes.
        """
        workers = [
            asyncio.create_task(self.work(), name=f"worker-{number}")
            for number in range(self.settings.workers)
        ]
        async with health:
            watcher.start()
            log.info("The operator is running")
            await self._stopping.wait()
            log.info("Shutting down; waiting for what is under way to be written down")
            self.queue.shutdown()
            limit = Timeouts().create + _RECORD_SECONDS
            _, late = await asyncio.wait(workers, timeout=limit)
            for task in (*self._timers, *late):
                task.cancel()
            await asyncio.gather(*self._timers, *late, return_exceptions=True)
            await watcher.stop()
        log.info("Stopped")


async def run(settings: Settings, watch: WatchFunction) -> None:
    """Run the operator until SIGTERM or SIGINT.

    Args:
        settings: What it is told.
        watch: Watches the cluster (the handlers).

    Raises:
        KubeError: There is no way to the cluster, or the cluster's identity is refused.
    """
    metrics = Metrics()
    async with (
        await Kube.connect(settings.kubeconfig, observer=metrics.kube_call) as kube,
        _operator(settings, kube, metrics) as operator,
    ):
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, operator.stop)
        watcher = Watcher(
            watch,
            operator,
            kubeconfig=settings.kubeconfig,
            namespaces=settings.namespaces,
            on_restart=metrics.watch_restarted,
        )

        health = HealthServer(
            health_port=settings.health_port,
            metrics_port=settings.metrics_port,
            metrics=metrics,
            alive={
                "watch": lambda: _silent(watcher.silent_for),
                "poller": lambda: _silent(operator.poller.silent_for),
            },
            ready={"watch": lambda: None if watcher.watching else "not all resources are listed"},
        )
        await operator.serve(watcher, health)


def _silent(seconds: float) -> str | None:
    return f"silent for {seconds:.0f} s" if seconds > _DEAF_SECONDS else None


@contextlib.asynccontextmanager
async def _operator(settings: Settings, kube: Kube, metrics: Metrics) -> AsyncIterator[Operator]:
    await kube.wait_for_discovery()
    cluster = await establish(kube, settings.operator_namespace, settings.cluster_id)
    clocks = Clocks.real()
    scale = settings.time_scale
    timing = Timing.scaled(scale, settings.drift_interval)
    wire = Wire(
        settings.base_url,
        timeouts=Timeouts(create=timing.post_timeout),
        ca_file=settings.ca_file,
        observer=metrics.remote_call,
    )

    def driver(key: HeldKey) -> Driver:
        return V1Driver(V1Client(wire, key.credential))

    def operator_key() -> str | None:
        secret = settings.operator_key
        return secret.get_secret_value() if secret is not None else None

    accounts = Accounts(cluster, clocks.steady)
    roster = Roster()
    keys = KeyRing(
        kube,
        cluster,
        settings.operator_namespace,
        clocks.steady,
        operator_key,
        frozenset(settings.default_key_namespaces),
        KEY_PAUSE_SECONDS / scale,
    )
    guards = Guards(settings.allowed_hardware, settings.max_replicas, settings.max_price_per_hour)
    observer = Observer(
        kube, cluster, accounts, keys, roster, guards, timing, clocks, driver,
        probes=settings.probe is Probe.REQUEST,
    )  # fmt: skip
    queue = Queue()
    for lane in Lane:
        metrics.queue_depth(lane.name.lower(), functools.partial(queue.depth, lane))

    def enqueue(key: Key, trigger: str) -> None:
        queue.add(key, trigger, _LANES[trigger])

    effects = Effects(kube, cluster, accounts, keys, roster, clocks, settings.namespaces)
    poller = Poller(
        accounts, keys, roster, metrics, clocks, enqueue,
        settings.poll_interval, settings.poll_interval_transition,
    )  # fmt: skip
    resync = Resync(
        kube, settings.namespaces, roster, keys, accounts, clocks, enqueue,
        RESYNC_SECONDS / scale,
    )  # fmt: skip
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(wire.aclose)
        recorder = Recorder(kube)
        telling = asyncio.create_task(recorder.run(), name="events")
        stack.callback(telling.cancel)
        stack.push_async_callback(recorder.drain, _EVENT_SECONDS)
        stopping = asyncio.Event()
        reconciler = Reconciler(
            effects, observer, roster, recorder, metrics,
            KEY_PAUSE_SECONDS / scale, stopping.is_set,
        )  # fmt: skip
        await resync.fill()
        for copy in keys:
            if copy.key is not None:
                accounts.add(copy.key.identity, functools.partial(driver, copy.key))
        log.info(
            "Cluster %s, %d resources, Together at %s", cluster, len(roster), settings.base_url
        )
        yield Operator(settings, queue, reconciler, poller, resync, metrics, stopping)
