"""What one job of a campaign has for itself: a namespace, an operator, a Together, and a proxy.

The control plane is shared. Runs take place on a stage one after the other; one that failed is torn
down, so that it cannot spoil the next.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.chaos.boundary import Tracker
from tests.chaos.kube import Kube
from tests.chaos.proxy import Door, Loop, Proxy
from tests.chaos.watches import Watches
from tests.support.key_copies import KeyCopies
from tests.support.operator import SPEED, OperatorProcess
from tests.support.running import running_operator
from together_local.cluster.cluster import Cluster
from together_local.cluster.supervision import Supervisor
from together_local.simulator import Options

_BRISK: Final = {"starting_seconds": 30.0}
"""Simulated seconds; as long as a poll can see, and no longer."""

READY_SECONDS: Final = 120.0
"""Within these an operator is ready, on however slow a machine."""
_PORT = re.compile(r"\b(health|metrics) on port (\d+)", re.IGNORECASE)


@dataclass(slots=True)
class Life:
    """One process of the operator.

    Attributes:
        name: What it was started as.
        pid: Its process id.
        log: What it logs; a file of its own, since two may tell their ports at the same moment.
        began: When it was started, in unix seconds.
        door: Where it enters the proxy.
        ended: When we ended it; `None` if we did not.
        killed: Whether by a crash.
        ready: Whether it has said that it is ready.
        struck: Whether that was at one of its requests.
        ports: Where it serves health and metrics, as far as it has told.
    """

    name: str
    pid: int
    log: Path
    began: float
    door: Door
    ended: float | None = None
    killed: bool = False
    struck: bool = False
    ready: bool = False
    ports: dict[str, str] = field(default_factory=dict)

    def logged(self, since: int = 0) -> str:
        """What it has logged, after so many bytes."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(since)
            return file.read().decode(errors="replace")

    def kill(self) -> None:
        """End it as a crash would, at once."""
        self.ended, self.killed = time.time(), True
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def strike(self) -> None:
        """End it in the middle of a request."""
        self.struck = True
        self.kill()

    def terminate(self) -> None:
        """End it as Kubernetes would, by SIGTERM, without waiting."""
        self.ended = time.time()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)


class Stage:
    """One operator with everything around it.

    Attributes:
        cluster: The control plane, shared with other stages.
        operator: The operator's place: its simulated Together and its namespaces.
        kube: The namespace that it serves.
        proxy: What stands between the operator and everything else.
        tracker: Counts boundaries.
        copies: The key copies of its operator.
        watches: The watches that pass through the proxy.
        folder: Where its files are.
        lives: The processes that the operator had, the newest last.
    """

    def __init__(
        self,
        operator: OperatorProcess,
        kube: Kube,
        proxy: Proxy,
        tracker: Tracker,
        supervisor: Supervisor,
        folder: Path,
        flags: Sequence[str],
        environment: Mapping[str, str],
    ) -> None:
        self.cluster = operator.cluster
        self.operator = operator
        self.kube = kube
        self.proxy = proxy
        self.tracker = tracker
        self.copies = KeyCopies(self.cluster, supervisor, folder, operator.namespace)
        self.watches = Watches()
        proxy.meddlers = (self.watches,)
        self.folder = folder
        self.lives: list[Life] = []
        self._supervisor = supervisor
        self._environment = dict(environment)
        self._flags = tuple(flags)

    # -- processes -------------------------------------------------------------------------------

    def launch(self) -> Life:
        """Start a process of the operator, without waiting for anything."""
        name = f"operator-{len(self.lives)}"
        log = self.folder / f"{name}.log"
        door = self.proxy.door()
        process = self._supervisor.start(
            name,
            [
                *self.operator.command(),
                *("--kubeconfig", str(door.kubeconfig(self.folder, name))),
                *("--base-url", door.together_url),
                *("--namespace", self.kube.namespace),
                *self._flags,
            ],
            env={**os.environ, **self._environment},
            cwd=self.folder,
            log=log,
        )
        life = Life(name, process.pid, log, time.time(), door)
        self.lives.append(life)
        door.strike = life.strike
        return life

    def start(self) -> Life:
        """Start a process of the operator, and wait until it is ready."""
        life = self.launch()
        deadline = time.monotonic() + READY_SECONDS
        while not self.ready(life):
            if self.exit_code(life) is not None:
                raise AssertionError(f"the operator ended: {life.logged()[-4000:]}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not ready: {life.logged()[-4000:]}")
            time.sleep(0.1)
        return life

    @property
    def life(self) -> Life:
        """The newest process."""
        return self.lives[-1]

    def bury(self, life: Life) -> None:
        """Let go of what a process that has ended left behind."""
        self.proxy.shut(life.door)

    def exit_code(self, life: Life) -> int | None:
        """How a process ended; `None` while it runs."""
        return self._supervisor.exit_code(life.name)

    def ready(self, life: Life) -> bool:
        """Whether a process has said that it is ready, and has not been ended since."""
        if life.ended is not None:
            return False
        life.ready = life.ready or self._get(life, "health", "/readyz") is not None
        return life.ready

    def metrics(self) -> str:
        """What the newest process says on /metrics; nothing if it does not."""
        return self._get(self.life, "metrics", "/metrics") or ""

    def _get(self, life: Life, what: str, path: str) -> str | None:
        if what not in life.ports:
            told = _PORT.findall(life.logged())
            life.ports = {kind.lower(): port for kind, port in told}
        if what not in life.ports:
            return None
        try:
            url = f"http://127.0.0.1:{life.ports[what]}{path}"
            with urllib.request.urlopen(url, timeout=5) as got:
                text: str = got.read().decode()
        except OSError:
            return None
        return text

    # -- the log ---------------------------------------------------------------------------------

    def log_sizes(self) -> dict[str, int]:
        """How much each process has logged so far, in bytes, by its name."""
        return {life.name: life.log.stat().st_size for life in self.lives if life.log.exists()}

    def log_since(self, sizes: Mapping[str, int]) -> str:
        """What the processes logged after they had logged so much, one after the other."""
        return "".join(life.logged(sizes.get(life.name, 0)) for life in self.lives)


@contextlib.contextmanager
def staged(
    cluster: Cluster,
    helm: Path,
    folder: Path,
    loop: Loop,
    *,
    flags: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Stage]:
    """Have a stage for the length of a block, with its operator running.

    Args:
        cluster: The control plane, with the CRD installed.
        helm: The helm command, for the chart's rights.
        folder: Where its files go.
        loop: Where its proxy runs.
        flags: More of the operator's flags.
        environment: More of the operator's environment.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tracker = Tracker()
    with contextlib.ExitStack() as stack:
        # The rights are on the whole cluster: those in a namespace would go with it.
        operator = stack.enter_context(
            running_operator(
                cluster, helm, folder, secret=False, start=False, clusterwide=True,
                options=Options(speed=SPEED, seed=1, assumptions=_BRISK),
            )
        )  # fmt: skip
        supervisor = stack.enter_context(
            Supervisor(folder / "operators.json", folder / "operators.log")
        )
        kube = stack.enter_context(Kube(cluster, operator.space.name))
        proxy = stack.enter_context(
            Proxy(
                loop, tracker, kube=cluster.server, ca=str(cluster.ca),
                together=operator.simulator.url, own=operator.namespace,
            )
        )  # fmt: skip
        stage = Stage(operator, kube, proxy, tracker, supervisor, folder, flags, environment or {})
        stage.start()
        yield stage
