"""Many runs on one control plane, several at a time."""

from __future__ import annotations

import contextlib
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.chaos.faults import FAULTS
from tests.chaos.perform import perform
from tests.chaos.plan import Plan
from tests.chaos.proxy import Loop
from tests.chaos.stage import Stage, staged
from tests.chaos.verdict import Verdict
from tests.support.definition import define
from together_local.cluster.binaries import BinaryCache
from together_local.cluster.cluster import Cluster
from together_local.cluster.control_plane import ControlPlane
from together_local.cluster.progress import ConsoleProgress
from together_local.cluster.recipes import CONTROL_PLANE

Ahead = queue.SimpleQueue[tuple[int, Plan]]

RUNS_OF_A_STAGE = 60
"""Runs after which a stage is built anew, so that its files and memories stay small."""

_AGAIN = 2
"""How often a run is played once more whose crash did not take place."""

_PLANES = 20
"""Control planes that runs may spoil, until it is not they that spoil them."""


@dataclass(slots=True)
class Campaign:
    """Runs, on stages of a cluster.

    Attributes:
        cluster: The cluster, with the CRD installed.
        helm: The helm command.
        folder: Where everything goes.
        environment: More of the operator's environment.
        told: Called with each verdict as it comes, from any thread, one at a time.
    """

    cluster: Cluster
    helm: Path
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    told: Callable[[Verdict], None] = lambda _: None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def changed(self, environment: Mapping[str, str]) -> Campaign:
        """The same for an operator that runs in another environment."""
        return replace(self._anew(), environment=environment)

    def _anew(self) -> Campaign:
        """The same in a folder in which nothing is left of other runs."""
        return replace(self, folder=Path(tempfile.mkdtemp(dir=self.folder)))

    def go(self, plans: Sequence[Plan], jobs: int) -> list[Verdict]:
        """Have all runs.

        Args:
            plans: What they are.
            jobs: How many take place at the same time.

        Returns:
            What became of each, in the order of the plans.
        """
        shared = {elected: Ahead() for elected in (False, True)}
        alone = {elected: Ahead() for elected in (False, True)}
        for number, plan in enumerate(plans):
            exclusive = FAULTS[plan.fault].exclusive
            (alone if exclusive else shared)[plan.elected].put((number, plan))
        verdicts: dict[int, Verdict] = {}
        count = sum(ahead.qsize() for ahead in shared.values())
        threads = [
            threading.Thread(target=self._job, args=(n, shared, verdicts), daemon=True)
            for n in range(min(jobs, count))
        ]
        if any(not ahead.empty() for ahead in alone.values()):
            args = (len(threads), alone, verdicts)
            threads.append(threading.Thread(target=self._job_alone, args=args, daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number, plan in enumerate(plans):
            if number not in verdicts:
                lost = Verdict(plan.seed, plan.scenario, plan.fault, plan.api)
                lost.others.append("the run did not take place: its job ended")
                verdicts[number] = lost
                self.told(lost)
        return [verdicts[number] for number in range(len(plans))]

    def again(self, plans: Sequence[Plan], verdicts: Sequence[Verdict], jobs: int) -> list[Verdict]:
        """Have those runs once more in which the operator was not where it was to end.

        What it sends by the clock comes in one run and not in the next.

        Args:
            plans: Runs with a crash each.
            verdicts: What became of each.
            jobs: How many take place at the same time.

        Returns:
            What became of those that were played again.
        """
        played: list[Verdict] = []
        for _ in range(_AGAIN):
            both = zip(plans, verdicts, strict=True)
            plans = [plan for plan, verdict in both if verdict.passed and not verdict.reached]
            verdicts = self._anew().go(plans, jobs)
            played += verdicts
        return played

    def _job(self, number: int, ahead: Mapping[bool, Ahead], verdicts: dict[int, Verdict]) -> None:
        # Not all begin with the same kind, so that no kind is left for the last of them.
        for elected in sorted(ahead, reverse=number % 3 == 0):
            self._stages(number, self.cluster, elected, ahead[elected], verdicts)

    def _job_alone(
        self, number: int, ahead: Mapping[bool, Ahead], verdicts: dict[int, Verdict]
    ) -> None:
        """Runs of which each would disturb all others.

        One that goes wrong may leave a control plane on which no other can take place, so there is
        another one for those.
        """
        for attempt in range(_PLANES):
            if all(queued.empty() for queued in ahead.values()):
                return
            folder = self.folder / f"alone-{attempt}"
            try:
                with ControlPlane.start(folder, self.cluster.binaries) as plane:
                    define(plane.kubectl)
                    for elected in ahead:
                        self._stages(number, plane, elected, ahead[elected], verdicts)
            except Exception as error:  # noqa: BLE001 (what did not take place is told as that)
                self._complain(error)

    def _stages(
        self,
        number: int,
        cluster: Cluster,
        elected: bool,
        ahead: Ahead,
        verdicts: dict[int, Verdict],
    ) -> None:
        flags = ("--leader-elect",) if elected else ("--no-leader-elect",)
        loop = Loop()
        failures = 0
        try:
            while not ahead.empty() and failures < 3:
                folder = self.folder / f"job-{number}-{len(verdicts)}"
                try:
                    with staged(
                        cluster, self.helm, folder, loop,
                        flags=flags, environment=self.environment,
                    ) as stage:  # fmt: skip
                        failures = 0
                        self._runs(stage, ahead, verdicts)
                except Exception as error:  # noqa: BLE001 (told, and tried anew)
                    failures += 1
                    self._complain(error)
        finally:
            loop.close()

    def _runs(
        self,
        stage: Stage,
        ahead: Ahead,
        verdicts: dict[int, Verdict],
    ) -> None:
        for _ in range(RUNS_OF_A_STAGE):
            try:
                number, plan = ahead.get_nowait()
            except queue.Empty:
                return
            verdict = perform(stage, plan)
            with self._lock:
                verdicts[number] = verdict
                self.told(verdict)
            if not verdict.passed:
                return

    def _complain(self, error: Exception) -> None:
        with self._lock:
            print(f"a stage could not be had: {type(error).__name__}: {error}", flush=True)


@contextlib.contextmanager
def on_a_control_plane(
    *, environment: Mapping[str, str] | None = None, told: Callable[[Verdict], None]
) -> Iterator[Campaign]:
    """Have a campaign on a control plane of its own, for the length of a block.

    Args:
        environment: More of the operator's environment.
        told: Called with each verdict as it comes.
    """
    progress = ConsoleProgress()
    binaries = BinaryCache().ensure((*CONTROL_PLANE, "helm"), progress)
    with (
        tempfile.TemporaryDirectory() as name,
        ControlPlane.start(Path(name) / "control-plane", binaries, progress=progress) as plane,
    ):
        define(plane.kubectl)
        yield Campaign(plane, binaries["helm"], Path(name), environment or {}, told)
