"""Only Linux shows a process by its first thread: elsewhere it is said that this did not run."""

from __future__ import annotations

import sys

import pytest

from tests.support.left_out import leave_out

_NEEDS_PROC = "test_threads.py"
_WHY = "{count} test of a process's first thread did not run: it needs Linux, with /proc."


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs /proc where there is none."""
    if sys.platform != "linux":
        leave_out(config, items, [i for i in items if i.path.name == _NEEDS_PROC], _WHY)
