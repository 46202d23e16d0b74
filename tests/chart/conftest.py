"""The check of recorded statuses comes last, because the cluster tests record them."""

from __future__ import annotations

from pathlib import Path

import pytest

from together_local.cluster.binaries import Binaries

_LAST = "test_recorded_statuses.py"
_CLUSTER_FOLDER = "cluster"
_LEFT_OUT = pytest.StashKey[bool]()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Move the check to the end, or leave it out of a run that has no cluster tests."""
    last = [item for item in items if item.path.name == _LAST]
    others = [item for item in items if item.path.name != _LAST]
    if any(_CLUSTER_FOLDER in item.path.parts for item in others):
        items[:] = others + last
    elif last:
        items[:] = others
        config.hook.pytest_deselected(items=last)
        config.stash[_LEFT_OUT] = True


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say that the check did not run, and when it does."""
    if config.stash.get(_LEFT_OUT, False):
        terminalreporter.write_line(
            "The check of recorded statuses did not run: it needs the cluster tests beside it."
        )


@pytest.fixture(scope="session")
def kubectl_binary(binaries: Binaries) -> Path:
    """The kubectl command, for tests without a cluster."""
    return binaries["kubectl"]
