"""The check of recorded statuses comes last, because the cluster tests record them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.left_out import leave_out
from together_local.cluster.binaries import Binaries

_LAST = "test_recorded_statuses.py"
_CLUSTER_FOLDER = "cluster"
_WHY = "The check of recorded statuses did not run: it needs the cluster tests beside it."


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Move the check to the end, or leave it out of a run that has no cluster tests."""
    last = [item for item in items if item.path.name == _LAST]
    others = [item for item in items if item.path.name != _LAST]
    if any(_CLUSTER_FOLDER in item.path.parts for item in others):
        items[:] = others + last
    else:
        leave_out(config, items, last, _WHY)


@pytest.fixture(scope="session")
def kubectl_binary(binaries: Binaries) -> Path:
    """The kubectl command, for tests without a cluster."""
    return binaries["kubectl"]
