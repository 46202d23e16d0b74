"""An operator with a Together of its own is started for tests, and what it leaves is judged."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.chart import installed_rbac
from tests.support.contract import assert_contract
from tests.support.operator import SPEED, OperatorProcess
from tests.support.space import Namespace
from tests.support.stream import Stream
from together_local.cluster.cluster import Cluster
from together_local.cluster.supervision import Supervisor
from together_local.simulator import Options, start_simulator
from together_local.simulator.process import SimulatorProcess
from together_operator.resource.names import FINALIZER


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
