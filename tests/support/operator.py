"""The operator as tests meet it: a process of its own, with the chart's rights and no others.

It talks to a real API server as its ServiceAccount, by token, and to a simulated Together over
HTTP. Tests drive it with kubectl and judge it by what kubectl shows and by the simulator's ledger.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.awaiting import NotInTime, eventually
from tests.support.leaks import assert_no_key
from tests.support.manifests import HARDWARE, KEY, KEYS, MODEL, SECRET, Object, manifest, reason_of
from tests.support.space import Namespace
from together_local.cluster.cluster import Cluster
from together_local.cluster.supervision import Supervisor
from together_local.simulator.process import SimulatorProcess

__all__ = [
    "HARDWARE", "KEY", "KEYS", "MODEL", "SCALE", "SECRET", "SPEED", "Namespace", "NotInTime",
    "Object", "OperatorProcess", "eventually", "manifest", "reason_of",
]  # fmt: skip
"""What a test that drives the operator needs, from one place."""

SCALE = 30.0
"""All waits of the protocol at a thirtieth."""

SPEED = 60.0
"""A minute of an endpoint's life lasts a second."""


class OperatorProcess:
    """An operator, the simulated Together that it talks to, and its namespaces.

    Attributes:
        cluster: The cluster.
        simulator: The simulated Together.
        namespace: The operator's own namespace.
        spaces: The namespaces that it serves.
        log: The file with what it logged.
    """

    def __init__(
        self,
        cluster: Cluster,
        simulator: SimulatorProcess,
        namespace: str,
        spaces: Sequence[Namespace],
        kubeconfig: Path,
        folder: Path,
        supervisor: Supervisor,
        flags: Sequence[str],
        environment: Mapping[str, str],
        *,
        clusterwide: bool,
    ) -> None:
        self.cluster = cluster
        self.simulator = simulator
        self.namespace = namespace
        self.spaces = spaces
        self.log = folder / "operator.log"
        self._kubeconfig = kubeconfig
        self._folder = folder
        self._supervisor = supervisor
        self._flags = list(flags)
        self._scope = (
            [] if clusterwide else [part for s in spaces for part in ("--namespace", s.name)]
        )
        self._environment = dict(environment)
        self.pid = 0
        self.health = ""
        self._metrics = ""

    @property
    def space(self) -> Namespace:
        """The first namespace that it serves."""
        return self.spaces[0]

    def command(self) -> list[str]:
        """The command line that it is run with."""
        return [
            sys.executable, "-m", "together_operator", "run",
            "--kubeconfig", str(self._kubeconfig),
            "--base-url", self.simulator.base_url,
            "--operator-namespace", self.namespace,
            "--cluster-id", self.namespace,
            "--time-scale", str(SCALE),
            "--poll-interval", "1",
            "--poll-interval-transition", "0.3",
            "--drift-interval", "3600",
            "--health-port", "0",
            "--metrics-port", "0",
            "--log-level", "debug",
            "--log-format", "json",
            # At this scale a Lease lasts four seconds, and a process that loses it ends. A machine
            # under load can be late by as much, and here no kubelet would start it again.
            "--no-leader-elect",
            *self._scope,
            *self._flags,
        ]  # fmt: skip

    def launch(self, *flags: str) -> None:
        """Start it, without waiting for anything."""
        process = self._supervisor.start(
            "operator",
            [*self.command(), *flags],
            env={**os.environ, **self._environment},
            cwd=self._folder,
            log=self.log,
        )
        self.pid = process.pid

    def start(self, *flags: str) -> None:
        """Start it, and wait until it is ready."""
        before = self.log.stat().st_size if self.log.exists() else 0
        self.launch(*flags)
        self.health = self._port("health", before)
        self._metrics = self._port("metrics", before)
        eventually("the operator is ready", self.ready, within=60)

    def _port(self, what: str, before: int) -> str:
        told = re.compile(rf"\b{what} on port (\d+)", re.IGNORECASE)

        def look() -> str | None:
            self._alive()
            for line in self.lines(before):
                found = told.search(str(line.get("message", "")))
                if found:
                    return f"http://127.0.0.1:{found[1]}"
            return None

        return str(eventually(f"the operator tells its {what} port", look, within=60))

    def _alive(self) -> None:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            raise AssertionError(f"the operator ended: {self.log.read_text()[-4000:]}") from None

    def lines(self, after: int = 0) -> list[Object]:
        """What it logged, line by line."""
        if not self.log.exists():
            return []
        with self.log.open() as file:
            file.seek(after)
            found = []
            for line in file:
                with contextlib.suppress(ValueError):
                    found.append(json.loads(line))
            return found

    def ready(self) -> bool:
        """Whether /readyz says so."""
        self._alive()
        try:
            with urllib.request.urlopen(f"{self.health}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def metrics(self) -> str:
        """What /metrics says."""
        with urllib.request.urlopen(f"{self._metrics}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        return text

    def told(self) -> dict[str, str]:
        """Everything that it ever told anybody and that is still there to read, by where."""
        names = {self.namespace, *(space.name for space in self.spaces)}
        text = self.cluster.kubectl("get", "events,configmaps", "-A", "-o", "json").stdout
        objects = [o for o in json.loads(text)["items"] if o["metadata"]["namespace"] in names]
        told = {
            "the log": self.log.read_text() if self.log.exists() else "",
            "what Together was asked": json.dumps(self.simulator.admin.ledger()),
            "a resource": json.dumps(self.spaces[0].stream.all_versions()) if self.spaces else "",
            "events and ConfigMaps": json.dumps(objects),
        }
        with contextlib.suppress(OSError, ValueError):  # it may have ended
            told["the metrics"] = self.metrics()
        return told

    def assert_discreet(self) -> None:
        """Fail if any key that its namespaces were ever given is found in what it told (I6)."""
        assert_no_key(self.told(), {KEYS}.union(*(space.keys for space in self.spaces)))

    def kill(self) -> None:
        """End it as a crash would: at once, by SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)
        self._supervisor.stop("operator")

    def kill_within(self, most: float, chance: random.Random, *, least: float = 0) -> None:
        """End it as a crash would, at a drawn moment: that is what is tried, not what is awaited.

        Args:
            most: Seconds until then, at most.
            chance: What draws them.
            least: Seconds until then, at least.
        """
        time.sleep(chance.uniform(least, most))
        self.kill()

    def kill_at(self, step: str, name: str, within: float = 30, *, since: int = 0) -> None:
        """End it as a crash would, at the beginning of a step for a resource.

        Args:
            step: The step's name, as the log at debug tells it.
            name: The resource.
            within: Seconds until that is given up.
            since: How many bytes of the log count as seen: only a later step counts.
        """
        seen = since

        def begun() -> bool:
            nonlocal seen
            lines = self.log.read_bytes()[seen:].splitlines(keepends=True)
            for line in lines:
                if not line.endswith(b"\n"):
                    return False
                seen += len(line)
                if f'"message": "{step}: '.encode() in line and f'"{name}"'.encode() in line:
                    return True
            return False

        eventually(f"the step {step} for {name}", begun, within=within, every=0.001)
        self.kill()

    def stop(self) -> int | None:
        """End it as Kubernetes would: by SIGTERM; its exit code."""
        self._supervisor.stop("operator", grace=90)
        return self._supervisor.exit_code("operator")

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._supervisor.exit_code("operator") is None

    # -- the ledger ------------------------------------------------------------------------------

    def live(self) -> list[Object]:
        """The endpoints that exist at Together."""
        return [e for e in self.simulator.admin.ledger()["endpoints"] if e["deleted_at"] is None]

    def posts(self) -> list[Object]:
        """The create requests that reached Together."""
        return self.writes("POST", "/v1/endpoints")

    def writes(self, method: str, path: str = "/v1/endpoints") -> list[Object]:
        """The requests of a kind that reached Together, by the beginning of their path."""
        return [
            request
            for request in self.simulator.admin.ledger()["requests"]
            if request["method"] == method and request["path"].startswith(path)
        ]
