"""Set the stage: an API server, a simulated Together and the operator, all on this machine."""

from __future__ import annotations

import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import httpx

from together_local.cluster.binaries import BinaryCache
from together_local.cluster.component import log_tail
from together_local.cluster.control_plane import ControlPlane
from together_local.cluster.ports import free_ports
from together_local.cluster.processes import Process
from together_local.cluster.recipes import CONTROL_PLANE, RECIPES
from together_local.cluster.supervision import Supervisor
from together_local.demo.errors import DemoError
from together_local.demo.screen import Screen
from together_local.demo.shell import Shell, environment, write_command
from together_local.simulator import Options, SimulatorProcess, start_simulator

NAMESPACE = "ml"
_OPERATOR_NAMESPACE = "together-operator"
_READY_SECONDS = 60.0
_LOOK_SECONDS = 0.1


def own_file(name: str) -> Path:
    """A manifest that comes with the demo, at its place in the checkout if there is one.

    In the checkout it is a link to the one manifest that people use; an installed package carries
    a copy made by the build.

    Args:
        name: The file's name.
    """
    return Path(__file__).with_name(name).resolve()


def spelled(path: Path) -> str:
    """A path as a person in the current folder would type it."""
    here = Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


@dataclass(frozen=True)
class Stage:
    """Everything that runs.

    Attributes:
        plane: The control plane.
        simulator: The simulated Together.
        shell: Where commands are typed.
        operator: The operator's process.
        log: What the operator logged.
        health: The URL of the operator's health routes.
        metrics: The URL of the operator's metrics.
    """

    plane: ControlPlane
    simulator: SimulatorProcess
    shell: Shell
    operator: Process
    log: Path
    health: str
    metrics: str

    def check(self) -> None:
        """Make sure that the operator still runs.

        Raises:
            DemoError: It ended.
        """
        if not self.operator.alive:
            raise DemoError("The operator ended by itself")

    def tail(self) -> str:
        """The end of the operator's log."""
        return log_tail(self.log)

    def wait_ready(self) -> None:
        """Wait until the operator says that it is ready.

        Raises:
            DemoError: It ended, or took too long.
        """
        deadline = time.monotonic() + _READY_SECONDS
        with httpx.Client(trust_env=False, timeout=5) as http:
            while True:
                self.check()
                try:
                    if http.get(f"{self.health}/readyz").is_success:
                        return
                except httpx.TransportError:
                    pass
                if time.monotonic() > deadline:
                    raise DemoError(f"The operator was not ready within {_READY_SECONDS:.0f} s")
                time.sleep(_LOOK_SECONDS)


class Api(StrEnum):
    """A generation of Together's API, as the operator's flag takes it."""

    V1 = "V1"
    V2 = "V2"


@contextmanager
def _folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="together-demo-"))
    try:
        yield path
    finally:
        # A process that a second Ctrl-C kept from being waited for may still write.
        shutil.rmtree(path, ignore_errors=True)


def _install(shell: Shell, plane: ControlPlane, target: Path) -> None:
    """Install what the Helm chart would: the CRD, and an operator account with its rights."""
    shell.run("together-operator crd | kubectl apply --server-side -f -")
    shell.run(f"kubectl create namespace {_OPERATOR_NAMESPACE}")
    shell.run(f"kubectl apply -n {_OPERATOR_NAMESPACE} -f {spelled(own_file('rbac.yaml'))}")
    plane.service_account_kubeconfig(_OPERATOR_NAMESPACE, "together-operator", target)


def _start_operator(
    screen: Screen,
    supervisor: Supervisor,
    env: dict[str, str],
    folder: Path,
    flags: list[str],
) -> tuple[Process, Path]:
    command = ["together-operator", "run", *flags]
    screen.command(f"{shlex.join(command)} &")
    log = folder / "operator.log"
    command[0] = str(folder / "bin" / command[0])
    # Killed, it could not remove its own temporary files.
    env = {**env, "TMPDIR": str(folder)}
    process = supervisor.start("operator", command, env=env, cwd=folder, log=log)
    return process, log


@contextmanager
def staged(screen: Screen, options: Options, api: Api) -> Iterator[Stage]:
    """Bring everything up for the length of a block, and take it all down.

    Whatever was started ends with this process, too, even by SIGKILL.

    Args:
        screen: Where to show it.
        options: The simulated Together's.
        api: Which API the operator tries first.

    Raises:
        ClusterError: The control plane cannot be built or started here.
        SimulatorStartError: The simulator cannot be started.
        DemoError: The operator did not become ready.
    """
    screen.chapter("The stage: Kubernetes, Together and the operator on this machine")
    binaries = BinaryCache().ensure(CONTROL_PLANE, screen.progress)
    with _folder() as folder:
        write_command(folder / "bin")
        with (
            ControlPlane.start(folder / "cluster", binaries, progress=screen.progress) as plane,
            start_simulator(options) as simulator,
            Supervisor(folder / "processes.json", folder / "supervisor.log") as supervisor,
        ):
            env = environment(plane, folder / "bin")
            shell = Shell(screen, env)
            screen.say(f"Kubernetes {RECIPES['kube-apiserver'].version} at {plane.server}")
            screen.say(
                f"A simulated Together at {simulator.base_url}: nothing is bought, and a minute "
                f"there takes {60 / options.speed:.3g} s here"
            )
            kubeconfig = folder / "operator.kubeconfig"
            _install(shell, plane, kubeconfig)
            ports = free_ports(("health", "metrics"))
            process, log = _start_operator(
                screen, supervisor, env, folder,
                [
                    "--kubeconfig", str(kubeconfig), "--base-url", simulator.base_url,
                    "--no-leader-elect", "--time-scale", "30", "--poll-interval", "1",
                    "--poll-interval-transition", "0.3", "--first-api", api.value,
                    "--health-port", str(ports["health"]),
                    "--metrics-port", str(ports["metrics"]),
                ],
            )  # fmt: skip
            stage = Stage(
                plane, simulator, shell, process, log,
                f"http://127.0.0.1:{ports['health']}", f"http://127.0.0.1:{ports['metrics']}",
            )  # fmt: skip
            try:
                with screen.waiting("The operator starts"):
                    stage.wait_ready()
                screen.say("The operator is ready. It has the rights of its ServiceAccount only.")
                yield stage
            except DemoError:
                screen.chapter("The end of the operator's log")
                screen.output(stage.tail())
                raise
