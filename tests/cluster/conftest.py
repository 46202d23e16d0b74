"""What all cluster tests need: the resource definition, installed as people install it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import pytest

from tests.cluster.resources import Resources
from tests.support.cluster import Run
from tests.support.definition import define
from tests.support.operator import OperatorProcess
from tests.support.running import running_operator
from tests.support.team import Team
from together_local.cluster.cluster import Cluster
from together_operator.resource.names import DEFINITION

_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember whether a test failed, for whoever can explain it."""
    report = yield
    if report.when == "call":
        item.stash[_FAILED] = report.failed
    return report


@pytest.fixture(scope="session")
def crd(kubectl: Run) -> str:
    """The CRD of `crds/`, served; its name."""
    define(kubectl)
    return DEFINITION


@pytest.fixture
def resources(kubectl: Run, namespace: str, crd: str) -> Resources:
    """The TogetherEndpoints of a fresh namespace."""
    return Resources(kubectl, namespace)


@pytest.fixture(scope="module")
def flags() -> Sequence[str]:
    """Flags of the module's operator; a module that wants some overrides this."""
    return ()


@pytest.fixture(scope="module")
def operator(
    request: pytest.FixtureRequest,
    control_plane: Cluster,
    helm_binary: Path,
    crd: str,
    flags: Sequence[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OperatorProcess]:
    """The operator that the tests of a module share, with a namespace for each of them."""
    module = request.node.path
    tests = [item for item in request.session.items if item.path == module]
    wanted = [getattr(item, "fixturenames", ()) for item in tests]
    teams = sum(("team" in names) + ("neighbour" in names) for names in wanted)
    with running_operator(
        control_plane,
        helm_binary,
        tmp_path_factory.mktemp("operator"),
        spaces=teams,
        flags=flags,
        secret=False,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def _free(operator: OperatorProcess) -> list[Team]:
    return [Team(operator, space) for space in operator.spaces]


@pytest.fixture
def team(
    request: pytest.FixtureRequest, operator: OperatorProcess, _free: list[Team]
) -> Iterator[Team]:
    """A namespace with a key of its own, on the module's operator; Together as it was."""
    mine = _free.pop()
    mine.secret(mine.key)
    before = mine.together.assumptions()
    yield mine
    if request.node.stash.get(_FAILED, False):
        mine.explain()
    mine.together.profile("classic")
    mine.together.assume(**before)
    mine.cleared()


@pytest.fixture
def neighbour(team: Team, _free: list[Team]) -> Iterator[Team]:
    """Another namespace of the same operator, with a key of the team's own project."""
    beside = _free.pop()
    beside.secret(team.key)
    yield beside
    beside.cleared()
