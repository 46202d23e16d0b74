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
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.chart import installed_rbac
from tests.support.contract import assert_contract, conditions
from tests.support.leaks import assert_no_key
from tests.support.stream import Stream, version_of
from together_local.cluster.cluster import Cluster
from together_local.cluster.supervision import Supervisor
from together_local.simulator import Options, start_simulator
from together_local.simulator.process import SimulatorProcess
from together_operator.resource.names import FINALIZER

SCALE = 30.0
"""All waits of the protocol at a thirtieth."""

SPEED = 60.0
"""A minute of an endpoint's life lasts a second."""

KEYS = "simulated-key-of-"
"""How every key of the tests begins, so that one that leaks is found."""

KEY = f"{KEYS}team-a"
SECRET = "together"
MODEL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
HARDWARE = "2x_nvidia_h100_80gb_sxm"

Object = dict[str, Any]


class NotInTime(AssertionError):  # noqa: N818 (it tells what happened)
    """Something did not become true before its deadline; the text says what was there instead."""


def eventually(
    what: str, look: Callable[[], Any], *, within: float = 60.0, every: float = 0.1
) -> Any:
    """Wait until a look returns something true, and return that.

    Args:
        what: What is waited for, in words.
        look: Returns something true, or not.
        within: Seconds until that is given up.
        every: Seconds between two looks.

    Raises:
        NotInTime: It did not become true.
    """
    deadline = time.monotonic() + within
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {within:.0f} s: {what}; last seen: {seen!r}")
        time.sleep(every)


def manifest(name: str = "mixtral", /, *, annotations: Any = None, **spec: Any) -> Object:
    """A TogetherEndpoint with a key, and what else is given for the spec."""
    metadata: Object = {"name": name}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "together-operator.io/v1alpha1",
        "kind": "TogetherEndpoint",
        "metadata": metadata,
        "spec": {
            "model": MODEL,
            "hardware": HARDWARE,
            "apiKeySecretRef": {"name": SECRET},
            **spec,
        },
    }


def reason_of(found: Object) -> str | None:
    """The reason of a resource's Ready condition, once this generation has been observed."""
    ready = conditions(found).get("Ready")
    if ready is None or ready["observedGeneration"] != found["metadata"]["generation"]:
        return None
    return str(ready["reason"])


class Namespace:
    """One namespace with TogetherEndpoints in it, as a person with kubectl sees it.

    Attributes:
        cluster: The cluster.
        name: The namespace.
        stream: What a watch shows of it.
        keys: The keys that it was ever given.
    """

    def __init__(self, cluster: Cluster, name: str, stream: Stream) -> None:
        self.cluster = cluster
        self.name = name
        self.stream = stream
        self.keys: set[str] = set()

    def kubectl(self, *args: str, document: Any = None, check: bool = True) -> str:
        """Run kubectl in the namespace; what it printed."""
        text = None if document is None else json.dumps(document)
        done = self.cluster.kubectl("-n", self.name, *args, input=text, check=check)
        return done.stdout if check else done.stdout + done.stderr

    def apply(self, document: Object) -> None:
        """Apply a manifest."""
        self.kubectl("apply", "-f", "-", document=document)

    def secret(self, key: str = KEY, name: str = SECRET) -> None:
        """Give the namespace a key."""
        self.keys.add(key)
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name},
                "stringData": {"api-key": key},
            }
        )

    def patch(self, name: str, patch: Object, *flags: str) -> None:
        """Merge something into a resource."""
        self.kubectl(
            "patch", "tep", name, "--type=merge", "--patch-file=/dev/stdin", *flags, document=patch
        )

    def spec(self, name: str, **spec: Any) -> None:
        """Change fields of a resource's spec."""
        self.patch(name, {"spec": spec})

    def annotate(self, name: str, word: str, value: str | None) -> None:
        """Set or remove one of our annotations."""
        note = f"together-operator.io/{word}"
        self.kubectl(
            "annotate",
            "tep",
            name,
            "--overwrite",
            f"{note}-" if value is None else f"{note}={value}",
        )

    def read(self, name: str = "mixtral") -> Object | None:
        """A resource, or `None` if there is none."""
        text = self.kubectl("get", "tep", name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def status(self, name: str = "mixtral") -> Object:
        """The status of a resource; empty if there is none."""
        found = self.read(name)
        return found.get("status", {}) if found else {}

    def reason(self, name: str = "mixtral") -> str | None:
        """The reason of its Ready condition, once this generation has been observed."""
        found = self.read(name)
        return None if found is None else reason_of(found)

    def until(self, name: str, *reasons: str, within: float = 60.0) -> Object:
        """Wait until Ready has one of these reasons for this generation; the resource then."""
        return self.awaits(name, "|".join(reasons), lambda it: reason_of(it) in reasons, within)

    def awaits(
        self, name: str, what: str, test: Callable[[Object], Any], within: float = 60.0
    ) -> Object:
        """Wait until a resource passes a test; the resource then.

        Args:
            name: The resource.
            what: What is waited for, in words.
            test: Whether it is so.
            within: Seconds until that is given up.
        """
        now = self.read(name)
        assert now is not None, f"there is no {name}"
        self.stream.shows(now)

        def look() -> Object | None:
            found = self.stream.latest(self.name, name)
            return found if found is not None and test(found) else None

        try:
            found: Object = eventually(f"{name}: {what}", look, within=within, every=0.03)
        except NotInTime as error:
            raise NotInTime(f"{error}; {json.dumps(self.status(name), indent=1)}") from None
        return found

    def history(self, name: str = "mixtral", *, after: Object | None = None) -> list[Object]:
        """The versions of a resource, the oldest first.

        Args:
            name: The resource.
            after: Only those that are newer than this one.
        """
        return self.stream.history(self.name, name, after=0 if after is None else version_of(after))

    def reasons(self, name: str = "mixtral", *, after: Object | None = None) -> list[str]:
        """The reasons that Ready had one after the other, each once in a row."""
        seen: list[str] = []
        for version in self.history(name, after=after):
            ready = conditions(version).get("Ready")
            if ready is not None and seen[-1:] != [ready["reason"]]:
                seen.append(ready["reason"])
        return seen

    def delete(self, name: str = "mixtral") -> None:
        """Ask for a resource to be deleted, without waiting for it."""
        self.kubectl("delete", "tep", name, "--wait=false", "--ignore-not-found")

    def gone(self, name: str = "mixtral", within: float = 60.0) -> None:
        """Wait until a resource is gone."""
        try:
            eventually(
                f"{name} is gone", lambda: self.read(name) is None, within=within, every=0.25
            )
        except NotInTime as error:
            raise NotInTime(f"{error}; {json.dumps(self.status(name), indent=1)}") from None

    def events(self, name: str = "mixtral") -> list[str]:
        """The reasons of the events of a resource, in no order."""
        text = self.kubectl(
            "get", "events", "-o", "json", f"--field-selector=involvedObject.name={name}"
        )
        return [item["reason"] for item in json.loads(text)["items"]]


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


@contextlib.contextmanager
def running_operator(
    cluster: Cluster,
    helm: Path,
    folder: Path,
    *,
    spaces: int = 1,
    options: Options | None = None,
    flags: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    secret: bool = True,
    start: bool = True,
    clusterwide: bool = False,
    shared: SimulatorProcess | None = None,
    judged: bool = True,
) -> Iterator[OperatorProcess]:
    """Run an operator for the length of a block, with namespaces and a Together of its own.

    Args:
        cluster: The cluster, with the CRD installed, to which we are administrator.
        helm: The helm command, for the chart's rights.
        folder: Where logs and files go.
        spaces: How many namespaces it serves.
        options: The simulator's.
        flags: More of the operator's flags.
        environment: More of the operator's environment.
        secret: Whether each namespace gets a Secret with a key.
        start: Whether to start it at once.
        clusterwide: Whether it serves every namespace, with rights on the whole cluster.
        shared: Another one's Together, in place of one of its own.
        judged: Whether every version of every resource is held against the contract at the end;
            not where a test writes what breaks it.
    """
    mark = uuid.uuid4().hex[:8]
    names = [f"team-{mark}-{number}" for number in range(spaces)]
    own = f"operator-{mark}"
    _make_namespaces(cluster, own, *names)
    scope = [] if clusterwide else names
    values = {"scope": {"namespaces": scope}, "settings": {"clusterID": own}}
    folder.mkdir(parents=True, exist_ok=True)
    with (
        _together(shared, options) as simulator,
        installed_rbac(cluster, helm, own, values) as account,
        Supervisor(folder / "processes.json", folder / "supervisor.log") as supervisor,
    ):
        stream = Stream(cluster, supervisor, folder, names)
        served = [Namespace(cluster, name, stream) for name in names]
        kubeconfig = cluster.service_account_kubeconfig(own, account, folder / "kubeconfig")
        operator = OperatorProcess(
            cluster, simulator, own, served, kubeconfig, folder, supervisor, flags,
            environment or {}, clusterwide=clusterwide,
        )  # fmt: skip
        try:
            for space in served:
                if secret:
                    space.secret()
            if start:
                operator.start()
            yield operator
            if judged:
                assert_contract(stream.all_versions())
            operator.assert_discreet()
        except BaseException:
            _explain(operator)
            raise
        finally:
            if operator.pid:
                supervisor.stop("operator", grace=5)
            for space in served:
                _let_go(space)
            cluster.kubectl(
                "delete", "namespace", own, *names, "--wait=false", "--ignore-not-found"
            )


@contextlib.contextmanager
def _together(
    shared: SimulatorProcess | None, options: Options | None
) -> Iterator[SimulatorProcess]:
    if shared is not None:
        yield shared
        return
    with start_simulator(options or Options(speed=SPEED, seed=1), port=0) as simulator:
        yield simulator


def _make_namespaces(cluster: Cluster, *names: str) -> None:
    items = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}} for n in names]
    document = {"apiVersion": "v1", "kind": "List", "items": items}
    cluster.kubectl("create", "-f", "-", input=json.dumps(document))


def _let_go(space: Namespace) -> None:
    """Free what is left in a namespace, whose operator is gone."""
    found = json.loads(space.kubectl("get", "tep", "-o", "json"))
    held = [
        item["metadata"]["name"]
        for item in found["items"]
        if FINALIZER in item["metadata"].get("finalizers", [])
    ]
    if held:
        patch = json.dumps({"metadata": {"finalizers": []}})
        space.kubectl("patch", "tep", *held, "--type=merge", "-p", patch, check=False)


def _explain(operator: OperatorProcess) -> None:
    """Print what a person would want to see after a failure."""
    print("=== the operator's log, the end of it")
    if operator.log.exists():
        print(operator.log.read_text()[-12000:])
    print("=== the ledger")
    ledger = operator.simulator.admin.ledger()
    for request in ledger["requests"][-60:]:
        if request["path"].startswith("/v"):
            print(request["at"], request["method"], request["path"], request["status"])
    print(json.dumps(ledger["endpoints"], indent=1)[-4000:])


def run_command(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run together-operator, as a person would; never raises for its exit code."""
    return subprocess.run(
        [sys.executable, "-m", "together_operator", *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )
