"""Fixtures for tests against a real API server.

    def test_it(control_plane, kubectl, namespace): ...

`control_plane` is shared by the whole session: be gone from it when the test is
over (`namespace` is a fresh one). A test that breaks the control plane itself
takes `private_control_plane`. Which cluster it is, `--cluster` says.
"""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.left_out import leave_out
from together_local.cluster.binaries import Binaries, BinaryCache
from together_local.cluster.cluster import Cluster
from together_local.cluster.control_plane import ControlPlane
from together_local.cluster.errors import ClusterError
from together_local.cluster.existing import ExistingCluster
from together_local.cluster.kind import KindCluster, container_engine, find_kind
from together_local.cluster.progress import ConsoleProgress
from together_local.cluster.recipes import CONTROL_PLANE

_ARGOCD_FOLDER = "tests/argocd"
_CANNOT_START = 3


class Run(Protocol):
    """How `Cluster.kubectl` and `Cluster.helm` are called."""

    def __call__(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002
        check: bool = True,
        kubeconfig: Path | None = None,
        timeout: float = ...,
    ) -> subprocess.CompletedProcess[str]: ...


def add_options(parser: pytest.Parser) -> None:
    """Add --cluster and --argocd."""
    group = parser.getgroup("together-operator")
    group.addoption(
        "--cluster",
        choices=("local", "kind", "existing"),
        default="local",
        help="the cluster of the cluster tests: a control plane of one's own (default), kind "
        "(needs a container engine), or the current context of KUBECONFIG",
    )
    group.addoption(
        "--argocd", action="store_true", help="run the tests that need a real Argo CD (built once)"
    )


@contextmanager
def visible(config: pytest.Config) -> Iterator[ConsoleProgress]:
    """Progress that is seen although pytest captures output."""
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        yield ConsoleProgress()


def deselect_argocd(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the Argo CD tests out unless they were asked for."""
    if config.getoption("argocd"):
        return
    folder = config.rootpath / _ARGOCD_FOLDER
    real = (item for item in items if item.path.is_relative_to(folder))
    why = "{count} Argo CD tests did not run: `make test-argocd` runs them."
    leave_out(config, items, real, why)


def needed_binaries(choice: str, fixtures: Iterable[str]) -> list[str]:
    """The binaries that tests need by the fixtures they use."""
    used = set(fixtures)
    names: list[str] = []
    if "private_control_plane" in used or ("binaries" in used and choice == "local"):
        names += CONTROL_PLANE
    elif "binaries" in used:
        names.append("kubectl")
    if used & {"helm", "helm_binary"}:
        names.append("helm")
    if "argocd" in used:
        names.append("argocd")
    return names


def prepare(session: pytest.Session) -> None:
    """Build what the selected tests need before the first runs, outside of any timeout."""
    if session.config.option.collectonly:
        return
    choice = session.config.getoption("cluster")
    used = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    names = needed_binaries(choice, used)
    with visible(session.config) as progress:
        try:
            if "control_plane" in used and choice == "kind":
                container_engine()
                find_kind(progress)
            if names:
                BinaryCache().ensure(names, progress)
        except ClusterError as error:
            pytest.exit(str(error), returncode=_CANNOT_START)


@pytest.fixture(scope="session")
def binaries(request: pytest.FixtureRequest) -> Binaries:
    """All binaries that the selected tests need, and those of a control plane."""
    used = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    choice = request.config.getoption("cluster")
    names = needed_binaries(choice, {*used, "binaries"})
    with visible(request.config) as progress:
        return BinaryCache().ensure(names, progress)


@pytest.fixture(scope="session")
def control_plane(
    request: pytest.FixtureRequest, binaries: Binaries, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """The cluster that the session's tests share; we are its administrator."""
    folder = tmp_path_factory.mktemp("control-plane")
    choice = request.config.getoption("cluster")
    cluster: Cluster
    if choice == "local":
        cluster = ControlPlane.start(folder, binaries)
    elif choice == "kind":
        with visible(request.config) as progress:
            cluster = KindCluster(folder, binaries, progress)
    else:
        cluster = ExistingCluster(folder, binaries)
    try:
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def private_control_plane(binaries: Binaries, tmp_path: Path) -> Iterator[ControlPlane]:
    """A control plane for one test, which may stop, freeze and kill its parts."""
    with ControlPlane.start(tmp_path / "control-plane", binaries) as plane:
        yield plane


@pytest.fixture(scope="session")
def kubectl(control_plane: Cluster) -> Run:
    """Run kubectl as administrator of `control_plane`."""
    return control_plane.kubectl


@pytest.fixture(scope="session")
def helm(control_plane: Cluster, helm_binary: Path) -> Run:
    """Run helm as administrator of `control_plane`."""
    return control_plane.helm


@pytest.fixture(scope="session")
def helm_binary(request: pytest.FixtureRequest) -> Path:
    """The helm command, for tests without a cluster."""
    with visible(request.config) as progress:
        return BinaryCache().ensure(["helm"], progress)["helm"]


@pytest.fixture
def namespace(request: pytest.FixtureRequest, control_plane: Cluster) -> Iterator[str]:
    """A fresh namespace, deleted after the test.

    A cluster of our own ends anyway, so its deletion is not waited for. In an
    existing cluster what cannot be deleted is an error: it would stay for ever.
    """
    name = f"test-{uuid.uuid4().hex[:10]}"
    control_plane.kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        wait = request.config.getoption("cluster") == "existing"
        control_plane.kubectl("delete", "namespace", name, f"--wait={str(wait).lower()}")
