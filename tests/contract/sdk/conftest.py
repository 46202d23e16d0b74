"""One simulator for each speed, and the official clients pointed at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.sdk.clients import Cli, Library, environment
from tests.support.venvs import Venv, ensure_venv
from together_local.simulator import Options, SimulatorProcess, start_simulator
from together_local.simulator.accounts import DEFAULT_PROJECT
from together_local.simulator.v2.projects import project_id

KEY = "key-of-team-a"
PROJECT = project_id(DEFAULT_PROJECT)
MODEL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
HARDWARE = "2x_nvidia_h100_80gb_sxm"


@pytest.fixture(scope="session")
def together_v1() -> Venv:
    """The last release that speaks API v1: together 2.42.0."""
    return ensure_venv("together-v1")


@pytest.fixture(scope="session")
def together_legacy() -> Venv:
    """The last release of the first generation: together 1.5.35."""
    return ensure_venv("together-legacy")


@pytest.fixture(scope="session")
def together_v2() -> Venv:
    """The client of API v2: together 3.1.1."""
    return ensure_venv("together-v2")


@pytest.fixture(scope="session")
def _still() -> Iterator[SimulatorProcess]:
    with start_simulator(Options(speed=0, seed=1, denied_keys=("denied",))) as process:
        yield process


@pytest.fixture(scope="session")
def _fast() -> Iterator[SimulatorProcess]:
    with start_simulator(Options(speed=600, seed=1)) as process:
        yield process


@pytest.fixture
def still(_still: SimulatorProcess) -> SimulatorProcess:
    """A fresh simulator whose clock only moves when it is told to."""
    _still.admin.reset()
    return _still


@pytest.fixture
def fast(_fast: SimulatorProcess) -> SimulatorProcess:
    """A fresh simulator in which ten minutes last a second, for commands that wait."""
    _fast.admin.reset()
    return _fast


@pytest.fixture(params=["sync", "async"])
def library(
    request: pytest.FixtureRequest, together_v1: Venv, still: SimulatorProcess, tmp_path: Path
) -> Iterator[Library]:
    """The library of together 2.42.0, once as Together and once as AsyncTogether."""
    env = environment(still.base_url, KEY, tmp_path)
    with Library(together_v1, env, request.param) as opened:
        yield opened


@pytest.fixture
def legacy_library(
    together_legacy: Venv, still: SimulatorProcess, tmp_path: Path
) -> Iterator[Library]:
    """The library of together 1.5.35."""
    with Library(together_legacy, environment(still.base_url, KEY, tmp_path)) as opened:
        yield opened


@pytest.fixture
def cli(together_v1: Venv, fast: SimulatorProcess, tmp_path: Path) -> Cli:
    """The command line of together 2.42.0."""
    return Cli(together_v1, environment(fast.base_url, KEY, tmp_path))


@pytest.fixture
def legacy_cli(together_legacy: Venv, fast: SimulatorProcess, tmp_path: Path) -> Cli:
    """The command line of together 1.5.35."""
    return Cli(together_legacy, environment(fast.base_url, KEY, tmp_path))


def environment_v2(together: SimulatorProcess, home: Path, **more: str) -> dict[str, str]:
    """Return the whole environment of together 3.1.1: its base URL has no /v1."""
    return {**environment(together.url, KEY, home), "TOGETHER_PROJECT_ID": PROJECT, **more}


@pytest.fixture(scope="session", params=["sync", "async"])
def _library_v2(
    request: pytest.FixtureRequest,
    together_v2: Venv,
    _still: SimulatorProcess,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Library]:
    env = environment_v2(_still, tmp_path_factory.mktemp("home"))
    with Library(together_v2, env, request.param) as opened:
        yield opened


@pytest.fixture
def library_v2(_library_v2: Library, still: SimulatorProcess) -> Library:
    """The library of together 3.1.1, with a client of either kind, and a fresh simulator."""
    del still
    return _library_v2


@pytest.fixture
def cli_v2(together_v2: Venv, still: SimulatorProcess, tmp_path: Path) -> Cli:
    """The command line of together 3.1.1."""
    return Cli(together_v2, environment_v2(still, tmp_path))
