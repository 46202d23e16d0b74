"""The whole controller but kopf, on a cluster, a Together and a clock in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, cast

from prometheus_client.parser import text_string_to_metric_families

from tests.controller.fake_deployer import FakeDeployer
from tests.controller.fake_driver import FakeDriver
from tests.controller.fake_kube import FakeKube
from tests.controller.virtual import steady, wall
from together_operator.controller.accounts import Accounts
from together_operator.controller.clocks import Clocks
from together_operator.controller.effects import Effects
from together_operator.controller.events import Recorder
from together_operator.controller.guards import Guards
from together_operator.controller.keys import HeldKey, KeyRing
from together_operator.controller.leadership import Mandate, Unelected
from together_operator.controller.observer import Observer
from together_operator.controller.operator import LANES, Operator
from together_operator.controller.orphans import Orphans
from together_operator.controller.poller import Poller
from together_operator.controller.queue import Key, Queue
from together_operator.controller.reconciler import Reconciler
from together_operator.controller.released import Released
from together_operator.controller.resync import Resync
from together_operator.controller.roster import Roster
from together_operator.controller.teller import Teller
from together_operator.controller.watcher import Watcher
from together_operator.core.memory import Memory
from together_operator.core.timing import Timing
from together_operator.drivers.driver import Driver
from together_operator.metrics import Metrics
from together_operator.resource.spec import Api
from together_operator.settings import Settings

ML = Key("ml", "one")


class Told:
    """Takes events in."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []

    def normal(self, about: Mapping[str, Any], reason: str, message: str) -> None:
        """It went as it should."""
        self.events.append((about["metadata"]["name"], reason, message))

    def warning(self, about: Mapping[str, Any], reason: str, message: str) -> None:
        """It did not."""
        self.events.append((about["metadata"]["name"], reason, message))

    def reasons(self) -> list[str]:
        """What was told, in one word each."""
        return [reason for _, reason, _ in self.events]


class NoWatch:
    """A watch that sees nothing; tests tell the queue themselves."""

    def start(self) -> None:
        """Begin."""

    async def stop(self) -> bool:
        """End."""
        return True


class Stage:
    """An operator without kopf.

    Attributes:
        kube: The cluster.
        drivers: Together's first generation, by key text.
        deployers: Its second, likewise.
        told: The events.
        stopping: Set when the operator is to stop.
    """

    def __init__(
        self,
        *,
        guards: Guards | None = None,
        workers: int = 4,
        mandate: Mandate | None = None,
        first: Api = Api.V1,
    ) -> None:
        self.mandate = mandate or Unelected()
        self.kube = FakeKube()
        self.kube.give_key("key-one")
        self.drivers: dict[str, FakeDriver] = {"key-one": FakeDriver()}
        self.deployers: dict[str, FakeDeployer] = {"key-one": FakeDeployer()}
        self.told = Told()
        self.metrics = Metrics()
        self.stopping = asyncio.Event()
        self.timing = Timing()
        self.clocks = Clocks(steady, wall)
        kube = self.kube.kube
        self.accounts = Accounts("cluster", steady, 60.0, first)
        self.metrics.v1_closed(self.accounts.closed_keys)
        self.roster = Roster()
        self.queue = Queue(clock=steady, jitter=lambda: 0.0)
        self.keys = KeyRing(kube, "cluster", "system", steady, lambda: None, frozenset(), 60.0)
        self.observer = Observer(
            kube,
            "cluster",
            self.accounts,
            self.keys,
            self.roster,
            guards or Guards(),
            self.timing,
            self.clocks,
            self._driver,
            probes=True,
        )
        self.released = Released(kube, "system")
        self.orphans = Orphans(
            self.accounts,
            self.keys,
            self.roster,
            self.released,
            self.metrics,
            Teller(kube, "system", cast("Recorder", self.told)),
            self.clocks,
            self.timing.lag,
            everywhere=True,
        )
        self.effects = Effects(
            kube,
            "cluster",
            self.accounts,
            self.keys,
            self.roster,
            self.clocks,
            (),
            self.released,
            self.mandate,
        )
        self.reconciler = Reconciler(
            self.effects,
            self.observer,
            self.roster,
            cast("Recorder", self.told),
            self.metrics,
            self._enqueue,
            60.0,
            self.stopping.is_set,
        )
        self.poller = Poller(
            self.accounts,
            self.keys,
            self.roster,
            self.metrics,
            self.clocks,
            self._enqueue,
            30.0,
            5.0,
            self.orphans,
        )
        self.resync = Resync(
            kube,
            (),
            self.roster,
            self.keys,
            self.accounts,
            self.clocks,
            self._enqueue,
            600.0,
            self.orphans,
            self.mandate,
        )
        self.enqueued: list[tuple[Key, str]] = []
        settings = Settings(workers=workers)
        self.operator = Operator(
            settings,
            self.queue,
            self.reconciler,
            self.poller,
            self.resync,
            self.metrics,
            self.stopping,
        )

    def _driver(self, key: HeldKey, api: Api) -> Driver:
        text = key.secret.get_secret_value()
        return self.deployers[text] if api is Api.V2 else self.drivers[text]

    def _enqueue(self, key: Key, trigger: str) -> None:
        self.enqueued.append((key, trigger))
        self.queue.add(key, trigger, LANES[trigger])

    @property
    def together(self) -> FakeDriver:
        """Together, as the first key sees it."""
        return self.drivers["key-one"]

    @property
    def together_v2(self) -> FakeDeployer:
        """Its second generation, likewise."""
        return self.deployers["key-one"]

    @property
    def ready(self) -> str:
        """The word of the first resource's Ready condition."""
        return str(self.kube.condition(ML)["reason"])

    @property
    def message(self) -> str:
        """Its message."""
        return str(self.kube.condition(ML)["message"])

    def restarted(self) -> Stage:
        """Another process in the same world."""
        again = Stage(first=self.accounts.first)
        again.kube.endpoints, again.kube.secrets = self.kube.endpoints, self.kube.secrets
        again.kube._version = self.kube._version
        again.drivers, again.deployers = self.drivers, self.deployers
        return again

    async def fill(self) -> None:
        """Learn what there is, as a process does at its start."""
        await self.resync.fill()
        self.resync.open_accounts(self._driver)

    async def reconcile(self, key: Key = ML, *triggers: str) -> float | None:
        """Work on a resource once."""
        return await self.reconciler.reconcile(key, triggers or ("update",))

    def memory(self, key: Key = ML) -> Memory:
        """What is remembered of a resource."""
        return self.reconciler._known[key].memory

    async def serving(self, name: str = "one", **spec: Any) -> Key:
        """Have a resource that serves."""
        key = self.kube.apply(name, **spec)
        await self.reconcile(key)
        assert self.kube.condition(key)["reason"] == "Serving", self.kube.condition(key)
        return key

    @asynccontextmanager
    async def running(self, *, timers: bool = False) -> AsyncIterator[asyncio.Task[None]]:
        """Have it run for the length of a block, or until it is told to stop."""
        task = asyncio.create_task(self.operator.serve(cast("Watcher", NoWatch())))
        if timers:
            self.operator.start_timer()
        try:
            yield task
        finally:
            self.operator.stop()
            await task

    async def until(self, reason: str, key: Key = ML, within: float = 600.0) -> None:
        """Wait until a resource is said to be so."""

        def so() -> bool:
            told = self.kube.status(key).get("conditions")
            return bool(told) and self.kube.condition(key)["reason"] == reason

        await until(so, within)

    async def until_gone(self, key: Key = ML, within: float = 600.0) -> None:
        """Wait until a resource is gone."""
        await until(lambda: key not in self.kube.endpoints, within)


async def until(so: Callable[[], bool], within: float = 600.0) -> None:
    """Wait until something is so, on the loop's own clock."""
    async with asyncio.timeout(within):
        while not so():  # noqa: ASYNC110 - what is waited for sends no word
            await asyncio.sleep(0.05)


def metric(stage: Stage, name: str, **labels: str) -> list[float]:
    """The values of one of the operator's metrics, of those samples that have these labels."""
    text = stage.metrics.exposition("")[0].decode()
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"together_operator_{name}" and labels.items() <= sample.labels.items()
    ]


def dollars(amount: int) -> Guards:
    """A limit on the price."""
    return Guards(max_price_per_hour=Decimal(amount))
