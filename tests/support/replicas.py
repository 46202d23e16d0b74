"""Several operators for the same resources, as a Deployment with replicas runs them.

Each is a process with a proxy of its own before everything that it talks to, outside of its code.
So a test knows what each of them sent, and can freeze one in the instant between an answer and
what it would do with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos.boundary import Side, Tracker
from tests.chaos.kube_faults import refusal
from tests.chaos.proxy import Answer, Exchange, Forward, Loop, Proxy
from tests.support.operator import OperatorProcess, eventually
from together_local.cluster.supervision import Supervisor

Object = dict[str, Any]
Moment = Callable[[Exchange, Answer], bool]
"""Tells the exchange after whose effect, and before whose answer, a process is frozen."""

LEASE = "together-operator"
_PORT = re.compile(r"\b(health|metrics) on port (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sent:
    """One request of a process.

    Attributes:
        at: When it came to the proxy, in unix seconds.
        side: Whom it was for.
        method: Its verb.
        path: Its path.
        body: What it said; `None` if nothing that is JSON.
    """

    at: float
    side: Side
    method: str
    path: str
    body: Any


class Replica:
    """One operator of several.

    Attributes:
        name: What it is called here.
        pid: Its process.
        sent: What it has sent, in order.
        refused: What the API server has refused it as if it had just started; `None` if it is as
            ever.
        kept: Whether it is started again when it ends, as a kubelet does: on a machine under load
            a Lease of four seconds may be lost for no other reason.
        endings: What it had logged each time it ended and was started again.
    """

    def __init__(self, name: str, fleet: Fleet, proxy: Proxy) -> None:
        self.name = name
        self.pid = 0
        self.sent: list[Sent] = []
        self.refused: set[tuple[str, str]] | None = None
        self.kept = False
        self.endings: list[str] = []
        self.frozen = threading.Event()
        self._flags: tuple[str, ...] = ()
        self._fleet = fleet
        self._door = proxy.door()
        self._log = fleet.folder / f"{name}.log"
        self._from = 0
        self._moment: Moment | None = None
        self._lives = 0
        self._kubeconfig = self._door.kubeconfig(fleet.folder, name)
        proxy.meddlers = (self._meddle,)

    async def _meddle(self, exchange: Exchange, forward: Forward) -> Answer:
        body = None
        with contextlib.suppress(ValueError):
            body = json.loads(exchange.body)
        self.sent.append(Sent(time.time(), exchange.side, exchange.method, exchange.path, body))
        if self._untaught(exchange):
            return refusal(403, "Forbidden", "the operator cannot do that yet")
        answer = await forward(exchange)
        if self._moment is not None and self._moment(exchange, answer):
            self._moment = None
            self.freeze()
        return answer

    def _untaught(self, exchange: Exchange) -> bool:
        """Whether the API server does not know yet that this is allowed: each thing once."""
        asked = exchange.method, exchange.path
        if self.refused is None or exchange.side is Side.TOGETHER or asked in self.refused:
            return False
        self.refused.add(asked)
        return True

    # -- its life --------------------------------------------------------------------------------

    @property
    def _process(self) -> str:
        return f"{self.name}-{self._lives}"

    def launch(self, *flags: str) -> None:
        """Start it, without waiting for anything."""
        self._lives += 1
        self._flags = flags
        self._from = self._log.stat().st_size if self._log.exists() else 0
        self.frozen.clear()
        process = self._fleet.supervisor.start(
            self._process,
            [
                *self._fleet.operator.command(),
                *("--kubeconfig", str(self._kubeconfig)),
                *("--base-url", self._door.together_url),
                "--leader-elect",
                *flags,
            ],
            env=dict(os.environ),
            cwd=self._fleet.folder,
            log=self._log,
        )
        self.pid = process.pid

    def start(self, *flags: str) -> None:
        """Start it, and wait until it is ready."""
        self.launch(*flags)
        self.until_ready()

    def until_ready(self) -> None:
        """Wait until it says that it is ready."""

        def look() -> bool:
            assert self.kept or self.exit_code is None, f"it ended: {self.log()[-4000:]}"
            return self.asked("health", "/readyz") is not None

        eventually(f"{self.name} is ready", look, within=120)

    def freeze(self) -> None:
        """Stop it in mid-air, as a paused virtual machine would be."""
        os.kill(self.pid, signal.SIGSTOP)
        while Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.0005)
        self.frozen.set()

    def freeze_at(self, moment: Moment) -> None:
        """Freeze it before it has an answer."""
        self._moment = moment

    def until_frozen(self) -> None:
        """Wait until it has been frozen."""
        assert self.frozen.wait(120), f"{self.name} never came there: {self.log()[-4000:]}"

    def wake(self) -> None:
        """Let it go on as if nothing had happened."""
        self._moment = None
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash would."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._fleet.supervisor.stop(self._process)

    def tend(self) -> None:
        """Start it again if it has ended and is kept."""
        if self.kept and self.exit_code is not None:
            self.endings.append(self.log())
            self.launch(*self._flags)

    def terminate(self) -> None:
        """Tell it to end, without waiting."""
        self.kept = False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def ended_well(self) -> None:
        """Wait until it has ended as it was told to, or for want of its Lease."""
        code = self.ended()
        assert code == 0 or "is lost: it could not be renewed" in self.log(), self.log()[-4000:]

    def ended(self) -> int:
        """Wait until it has ended by itself; its exit code."""
        eventually(f"{self.name} ends", lambda: self.exit_code is not None, within=120)
        code = self.exit_code
        assert code is not None
        return code

    @property
    def exit_code(self) -> int | None:
        """How it ended; `None` while it runs."""
        return self._fleet.supervisor.exit_code(self._process)

    def end(self) -> None:
        """Have it gone, in whatever state it is."""
        self.kept = False
        if self.pid and self.exit_code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)
            self.kill()

    # -- what it says ----------------------------------------------------------------------------

    def log(self) -> str:
        """What it has logged since it was started the last time."""
        if not self._log.exists():
            return ""
        with self._log.open("rb") as file:
            file.seek(self._from)
            return file.read().decode(errors="replace")

    def asked(self, server: str, path: str) -> str | None:
        """What it answers over HTTP; `None` if that is no success."""
        ports = {kind.lower(): port for kind, port in _PORT.findall(self.log())}
        if server not in ports:
            return None
        try:
            url = f"http://127.0.0.1:{ports[server]}{path}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                text: str = answer.read().decode()
        except OSError:
            return None
        return text

    @property
    def leading(self) -> float | None:
        """Its metric of that name."""
        told = self.asked("metrics", "/metrics") or ""
        found = re.search(r"^together_operator_leading (\S+)$", told, re.MULTILINE)
        return float(found[1]) if found else None

    @property
    def identity(self) -> str | None:
        """What it calls itself in the Lease, once it has led."""
        found = re.search(r"Leading as (\S+) \(Lease", self.log())
        return found[1] if found else None

    def changes(self, since: float = 0.0) -> list[Sent]:
        """What it sent to Together that changes something, a create included.

        Args:
            since: Unix seconds.
        """
        return [
            one
            for one in self.sent
            if one.side is Side.TOGETHER
            and one.at >= since
            and (
                one.method in ("PATCH", "DELETE")
                or (one.method, one.path) == ("POST", "/v1/endpoints")
            )
        ]


class Fleet:
    """The replicas of one operator.

    Attributes:
        operator: Its place: its namespaces and its simulated Together. No process runs there.
        supervisor: Ends whatever runs.
        folder: Where files go.
        all: Its replicas.
    """

    def __init__(
        self, operator: OperatorProcess, supervisor: Supervisor, loop: Loop, folder: Path
    ) -> None:
        self.operator = operator
        self.supervisor = supervisor
        self.folder = folder
        self._loop = loop
        self.all: list[Replica] = []
        self._stack = contextlib.ExitStack()
        self._over = threading.Event()
        self._kubelet = threading.Thread(target=self._tend, name="kubelet", daemon=True)
        self._kubelet.start()

    def _tend(self) -> None:
        while not self._over.wait(0.2):
            for replica in tuple(self.all):
                replica.tend()

    def replica(self) -> Replica:
        """One more, which does not run yet."""
        operator = self.operator
        proxy = self._stack.enter_context(
            Proxy(
                self._loop, Tracker(), kube=operator.cluster.server, ca=str(operator.cluster.ca),
                together=operator.simulator.url, own=operator.namespace,
            )
        )  # fmt: skip
        made = Replica(f"replica-{len(self.all)}", self, proxy)
        self.all.append(made)
        return made

    def lease(self) -> Object:
        """The spec of the Lease; empty if there is none."""
        text = self.operator.cluster.kubectl(
            *("-n", self.operator.namespace, "get", "lease", LEASE, "-o", "json"),
            "--ignore-not-found",
        ).stdout
        spec: Object = json.loads(text)["spec"] if text.strip() else {}
        return spec

    def until_leads(self, replica: Replica) -> Object:
        """Wait until one leads, by the Lease; its spec then."""

        def look() -> Object | None:
            spec = self.lease()
            holder = spec.get("holderIdentity")
            return spec if holder and holder == replica.identity else None

        found: Object = eventually(f"{replica.name} leads", look, within=120)
        return found

    def until_any_leads(self) -> Replica:
        """Wait until one leads, by the Lease; which."""

        def look() -> Replica | None:
            holder = self.lease().get("holderIdentity")
            return next((one for one in self.all if holder and one.identity == holder), None)

        found: Replica = eventually("one of them leads", look, within=120)
        return found

    def clear(self) -> None:
        """End every replica, and free the Lease that it may have held."""
        self._over.set()
        self._kubelet.join()
        for replica in self.all:
            replica.end()
        self.all.clear()
        self._stack.close()
        self.operator.cluster.kubectl(
            *("-n", self.operator.namespace, "delete", "lease", LEASE, "--ignore-not-found")
        )

    def explain(self) -> None:
        """Print what each of them logged."""
        for replica in self.all:
            print(f"=== {replica.name}, the end of its log")
            print(replica.log()[-8000:])


@contextlib.contextmanager
def fleet_of(operator: OperatorProcess, folder: Path) -> Iterator[Fleet]:
    """Have a fleet in an operator's place for the length of a block.

    Args:
        operator: The place, where nothing was started.
        folder: Where files go; the operator's.
    """
    loop = Loop()
    with Supervisor(folder / "replicas.json", folder / "replicas.log") as supervisor:
        fleet = Fleet(operator, supervisor, loop, folder)
        try:
            yield fleet
        finally:
            fleet.clear()
            loop.close()
