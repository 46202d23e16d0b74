"""The process: its signals, its health, and the order in which it comes up and goes down.

It answers probes and signals from the first moment, also while it waits for the CRD to be
installed: as the first process of a container nobody else would.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass

from together_operator.controller.assembly import assembled
from together_operator.controller.beginning import doubted_for, insist, unless
from together_operator.controller.clocks import Clocks
from together_operator.controller.health import HealthServer
from together_operator.controller.identity import establish
from together_operator.controller.kube import Kube
from together_operator.controller.leadership import Leadership, Mandate, Term, Unelected
from together_operator.controller.lease import Leases
from together_operator.controller.operator import Operator
from together_operator.controller.watcher import Watcher, WatchFunction
from together_operator.metrics import Metrics
from together_operator.settings import Settings

log = logging.getLogger(__name__)

_DEAF_SECONDS = 300.0
"""Without a sign of life from the watch or the poller for so long, the operator is not alive."""


@dataclass(slots=True)
class _Vitals:
    """What the probes look at; nothing of it is there at first."""

    leadership: Leadership | None = None
    watcher: Watcher | None = None
    operator: Operator | None = None

    def watch_alive(self) -> str | None:
        return None if self.watcher is None else _silent(self.watcher.silent_for)

    def poller_alive(self) -> str | None:
        return None if self.operator is None else _silent(self.operator.poller.silent_for)

    def tasks_alive(self) -> str | None:
        ended = None if self.operator is None else self.operator.ended
        return None if ended is None else f"ended: {ended}"

    def watch_ready(self) -> str | None:
        if self.leadership is not None and self.leadership.standing_by:
            return None  # ready to take over; what it would watch is another one's to do
        if self.watcher is None:
            return "waiting for the API server to serve TogetherEndpoints; is the CRD installed?"
        return None if self.watcher.watching else "not all resources are listed"


def _silent(seconds: float) -> str | None:
    return f"silent for {seconds:.0f} s" if seconds > _DEAF_SECONDS else None


async def run(settings: Settings, watch: WatchFunction) -> None:
    """Run the operator until SIGTERM or SIGINT.

    Args:
        settings: What it is told.
        watch: Watches the cluster (the handlers).

    Raises:
        KubeError: There is no way to the cluster, or the cluster's identity or the Lease is
            refused.
        LeaseLost: Another operator may lead now.
        PortTakenError: A port is taken by somebody else.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    metrics, vitals = Metrics(), _Vitals()
    health = HealthServer(
        health_port=settings.health_port,
        metrics_port=settings.metrics_port,
        metrics=metrics,
        alive={
            "watch": vitals.watch_alive,
            "poller": vitals.poller_alive,
            "tasks": vitals.tasks_alive,
        },
        ready={"watch": vitals.watch_ready},
    )
    kube = await Kube.connect(settings.kubeconfig, observer=metrics.kube_call)
    async with kube, health:
        cluster = await unless(stopping, _identity(kube, settings))
        if cluster is None:
            return
        clocks = Clocks.real()
        async with _mandated(settings, clocks, metrics, vitals, stopping) as mandate:
            if mandate is None:
                return
            async with assembled(
                settings, kube, cluster, metrics, clocks, mandate, stopping
            ) as operator:
                if operator is None:
                    return
                vitals.operator = operator
                vitals.watcher = Watcher(
                    watch,
                    operator,
                    kubeconfig=settings.kubeconfig,
                    namespaces=settings.namespaces,
                    on_restart=metrics.watch_restarted,
                )
                await operator.serve(vitals.watcher)


@contextlib.asynccontextmanager
async def _mandated(
    settings: Settings, clocks: Clocks, metrics: Metrics, vitals: _Vitals, stopping: asyncio.Event
) -> AsyncIterator[Mandate | None]:
    """Stand by until this process may work; None if it is told to stop before that."""
    if not settings.leader_elect:
        metrics.leading(lambda: True)
        yield Unelected()
        return
    term = Term.scaled(settings.time_scale)
    leases = await Leases.connect(
        settings.kubeconfig, call_limit=term.call, observer=metrics.kube_call
    )
    async with leases:
        leadership = Leadership(
            leases, settings.operator_namespace, term, clocks.steady, stopping.set
        )
        vitals.leadership = leadership
        metrics.leading(lambda: leadership.leads)
        if await unless(stopping, _leads(leadership)) is None:
            yield None
            return
        async with leadership.held():
            yield leadership


async def _leads(leadership: Leadership) -> bool:
    await leadership.campaign()
    return True


async def _identity(kube: Kube, settings: Settings) -> str:
    await kube.wait_for_discovery()

    def ask() -> Awaitable[str]:
        return establish(kube, settings.operator_namespace, settings.cluster_id)

    return await insist(ask, doubted_for(settings.time_scale))
