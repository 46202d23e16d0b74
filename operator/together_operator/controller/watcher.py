"""Keeps the watch of the cluster running, in a thread and event loop of its own.

The library that watches cancels every task born in its loop when it stops, and it stops on any
watch error that it does not know and when the CRD goes. Here nothing else can be hurt by that: it
is started again, as often as needed, once the API server serves the resource.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from together_operator.controller.kube import Kube
from together_operator.controller.kube_errors import KubeError
from together_operator.controller.queue import Key
from together_operator.controller.triggers import Trigger, Triggers
from together_operator.controller.watch_session import SignsOfLife

logger = logging.getLogger(__name__)

SILENCE_LIMIT: Final = 240.0
"""Seconds without any sign of life after which the watch is started again: twice the time between
two signs on a quiet cluster."""

START_LIMIT: Final = 30.0
"""The same before the streams stand; the longest pause between two attempts is 21 s."""

LONGEST_PAUSE: Final = 60.0
"""Longest time in seconds between two starts."""


@dataclass(frozen=True)
class Session:
    """One run of the watch.

    Attributes:
        tell: Takes to the controller what was seen.
        start_timer: Tells the controller that the watch is up.
        stop: Set when the run is to end.
        signs: Where it notes that it lives.
        kubeconfig: The cluster.
        namespaces: Where to watch; empty is the whole cluster.
    """

    tell: Callable[[Key, Trigger], None]
    start_timer: Callable[[], None]
    stop: asyncio.Event
    signs: SignsOfLife
    kubeconfig: Path | None
    namespaces: tuple[str, ...]


WatchFunction = Callable[[Session], Awaitable[None]]


class Watcher:
    """Runs the watch and starts it again whenever it ends. To be made in the controller's loop.

    Args:
        watch: Watches until told to stop, or until it fails.
        triggers: The controller; called in its own loop.
        kubeconfig: The cluster; None as in `kube_config.load_configuration`.
        namespaces: Where to watch; empty is the whole cluster.
        on_restart: Called in the controller's loop when the watch ended and is started again.
    """

    def __init__(
        self,
        watch: WatchFunction,
        triggers: Triggers,
        *,
        kubeconfig: Path | None,
        namespaces: Sequence[str] = (),
        on_restart: Callable[[], None] = lambda: None,
    ) -> None:
        self._watch = watch
        self._triggers = triggers
        self._kubeconfig = kubeconfig
        self._namespaces = tuple(namespaces)
        self._on_restart = on_restart
        self._controller = asyncio.get_running_loop()
        self._signs = SignsOfLife()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._timer_started = False
        self._stopping = threading.Event()
        self._end_session: Callable[[], None] = lambda: None

    @property
    def watching(self) -> bool:
        """Whether every resource was listed and changes are being streamed."""
        return self._signs.streams >= max(1, len(self._namespaces))

    @property
    def silent_for(self) -> float:
        """Seconds since the watch last did or heard anything, be it a refused connection."""
        return self._signs.silent_for

    @property
    def _patience(self) -> float:
        return SILENCE_LIMIT if self.watching else START_LIMIT

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    async def stop(self, within: float = 10.0) -> bool:
        """End the watch.

        Args:
            within: Longest time to wait, in seconds. The thread keeps no process alive.

        Returns:
            Whether it ended in time.
        """
        self._stopping.set()
        self._end_session()
        await asyncio.to_thread(self._thread.join, within)
        return not self._thread.is_alive()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopping.is_set():
            began = time.monotonic()
            reason = "it went silent"
            try:
                asyncio.run(self._run_session())
            except KubeError as error:
                reason = str(error)
            except Exception as error:
                # Whatever ended it, the operator stays alive and watches again.
                reason = f"{type(error).__name__}: {error}"
                logger.debug("The watch ended.", exc_info=True)
            self._signs.reset()
            if self._stopping.is_set():
                return
            lasted = time.monotonic() - began
            pause = 1.0 if lasted > LONGEST_PAUSE else min(max(1.0, 2 * pause), LONGEST_PAUSE)
            logger.warning("The watch ended and starts again in %.0f s: %s", pause, reason)
            self._call(self._controller, self._on_restart)
            self._stopping.wait(pause * random.uniform(0.8, 1.0))

    async def _run_session(self) -> None:
        stop = asyncio.Event()
        self._end_session = functools.partial(self._call, asyncio.get_running_loop(), stop.set)
        if self._stopping.is_set():
            return
        self._signs.reset()
        await self._wait_for_discovery(stop)
        if stop.is_set():
            return
        session = Session(
            self._tell,
            self._start_timer,
            stop,
            self._signs,
            self._kubeconfig,
            self._namespaces,
        )
        guard = asyncio.create_task(self._end_when_silent(stop))
        try:
            await self._watch(session)
        finally:
            guard.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await guard

    async def _wait_for_discovery(self, stop: asyncio.Event) -> None:
        def note(*_: str) -> None:
            self._signs.note()

        async with await Kube.connect(self._kubeconfig, observer=note) as kube:
            served = asyncio.create_task(kube.wait_for_discovery())
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait((served, stopped), return_when=asyncio.FIRST_COMPLETED)
            for task in (served, stopped):
                task.cancel()
            await asyncio.gather(served, stopped, return_exceptions=True)

    async def _end_when_silent(self, stop: asyncio.Event) -> None:
        while (left := self._patience - self.silent_for) > 0:  # noqa: ASYNC110 - silence has no event
            await asyncio.sleep(left)
        logger.warning("The watch has been silent for %.0f s.", self.silent_for)
        stop.set()

    def _tell(self, key: Key, trigger: Trigger) -> None:
        self._signs.note()
        self._call(self._controller, functools.partial(self._triggers.enqueue, key, trigger))

    def _start_timer(self) -> None:
        if not self._timer_started:
            self._timer_started = True
            self._call(self._controller, self._triggers.start_timer)

    def _call(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
        # Whoever stops may have closed its loop before this thread noticed.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(callback)
