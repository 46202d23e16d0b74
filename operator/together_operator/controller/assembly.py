"""Everything that the operator is made of, made and connected in one place."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator

from together_operator.controller.accounts import Accounts
from together_operator.controller.beginning import doubted_for, insist, unless
from together_operator.controller.clocks import Clocks
from together_operator.controller.effects import Effects
from together_operator.controller.events import WRITE_EVERY, Recorder
from together_operator.controller.guards import Guards
from together_operator.controller.keys import KeyRing
from together_operator.controller.kube import Kube
from together_operator.controller.leadership import Mandate, Term
from together_operator.controller.observer import Observer
from together_operator.controller.operator import LANES, Operator
from together_operator.controller.orphans import Orphans
from together_operator.controller.poller import Poller
from together_operator.controller.queue import Key, Lane, Queue
from together_operator.controller.reconciler import Reconciler
from together_operator.controller.released import Released
from together_operator.controller.resync import Resync
from together_operator.controller.roster import Roster
from together_operator.controller.teller import Teller
from together_operator.controller.wires import Wires
from together_operator.core.timing import Timing
from together_operator.metrics import Metrics
from together_operator.setting_kinds import OrphanPolicy, Probe
from together_operator.settings import Settings
from together_operator.together import Timeouts

log = logging.getLogger(__name__)

RESYNC_SECONDS = 600.0
KEY_PAUSE_SECONDS = 60.0
_EVENT_SECONDS = 5.0
"""What a shutdown allows for telling the last events."""


@contextlib.asynccontextmanager
async def assembled(
    settings: Settings,
    kube: Kube,
    cluster: str,
    metrics: Metrics,
    clocks: Clocks,
    mandate: Mandate,
    stopping: asyncio.Event,
) -> AsyncIterator[Operator | None]:
    """Have an operator that knows every resource and every key, ready to work.

    There is none if the shutdown begins before it does.

    Args:
        settings: What it is told.
        kube: The cluster.
        cluster: The cluster id.
        metrics: What is counted.
        clocks: The clocks.
        mandate: What allows this process to work.
        stopping: Set when a shutdown begins.

    Raises:
        KubeError: The cluster refuses what has to be known.
    """
    scale = settings.time_scale
    timing = Timing.scaled(scale, settings.drift_interval)
    wires = Wires(
        settings,
        timeouts=Timeouts(
            create=timing.post_timeout,
            change=Term.scaled(scale).change if settings.leader_elect else Timeouts().change,
        ),
        observer=metrics.remote_call,
        may_change=mandate.may_change,
    )

    accounts = Accounts(cluster, clocks.steady, timing.repeat, settings.first_api)
    metrics.v1_closed(accounts.closed_keys)
    roster = Roster()
    keys = KeyRing(
        kube,
        cluster,
        settings.operator_namespace,
        clocks.steady,
        settings.read_operator_key,
        frozenset(settings.default_key_namespaces),
        KEY_PAUSE_SECONDS / scale,
    )
    guards = Guards(settings.allowed_hardware, settings.max_replicas, settings.max_price_per_hour)
    observer = Observer(
        kube, cluster, accounts, keys, roster, guards, timing, clocks, wires.driver,
        probes=settings.probe is Probe.REQUEST,
    )  # fmt: skip
    queue = Queue()
    for lane in Lane:
        metrics.queue_depth(lane.name.lower(), functools.partial(queue.depth, lane))

    def enqueue(key: Key, trigger: str) -> None:
        queue.add(key, trigger, LANES[trigger])

    released = Released(kube, settings.operator_namespace)
    recorder = Recorder(kube, write_every=WRITE_EVERY / scale)
    orphans = Orphans(
        accounts, keys, roster, released, metrics,
        Teller(kube, settings.operator_namespace, recorder), clocks, timing.lag,
        everywhere=not settings.namespaces,
        stop_after=_patience(settings),
    )  # fmt: skip

    def ending() -> bool:
        return stopping.is_set() or not mandate.valid

    effects = Effects(
        kube, cluster, accounts, keys, roster, clocks, settings.namespaces, released, mandate
    )
    poller = Poller(
        accounts, keys, roster, metrics, clocks, enqueue,
        settings.poll_interval, settings.poll_interval_transition, orphans,
    )  # fmt: skip
    resync = Resync(
        kube, settings.namespaces, roster, keys, accounts, clocks, enqueue,
        RESYNC_SECONDS / scale, orphans, mandate,
    )  # fmt: skip
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(wires.aclose)
        telling = asyncio.create_task(recorder.run(), name="events")
        stack.callback(telling.cancel)
        stack.push_async_callback(recorder.drain, _EVENT_SECONDS)
        reconciler = Reconciler(
            effects, observer, roster, recorder, metrics, enqueue,
            KEY_PAUSE_SECONDS / scale, ending,
        )  # fmt: skip

        async def learn() -> bool:
            await resync.fill()
            await released.load()
            return True

        if await unless(stopping, insist(learn, doubted_for(scale))) is None:
            yield None
            return
        resync.open_accounts(wires.driver)
        log.info(
            "Cluster %s, %d resources, Together at %s", cluster, len(roster), settings.base_url
        )
        yield Operator(settings, queue, reconciler, poller, resync, metrics, stopping)


def _patience(settings: Settings) -> float | None:
    """Seconds without an owner after which an endpoint of ours is stopped; `None` for never."""
    if settings.orphan_policy is not OrphanPolicy.STOP:
        return None
    return settings.orphan_wait / settings.time_scale
