"""The tests of a really built image need buildah: they run, fail, or say that they did not run."""

from __future__ import annotations

import os

import pytest

from tests.image.buildah import find_buildah

_NEEDS_BUILDAH = "test_build.py"
_HOW = "`apt-get install buildah` (Linux) makes them run"
_LEFT_OUT = pytest.StashKey[int]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the image out where nothing can build one, but never in CI."""
    if find_buildah() or os.environ.get("CI"):
        return
    left_out = [item for item in items if item.path.name == _NEEDS_BUILDAH]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)
        config.stash[_LEFT_OUT] = len(left_out)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say in the summary what did not run."""
    count = config.stash.get(_LEFT_OUT, 0)
    if count:
        terminalreporter.write_line(f"{count} tests of the built image did not run: {_HOW}.")


@pytest.fixture(scope="session")
def buildah_command() -> str:
    """The buildah command; in CI its absence is a failure."""
    found = find_buildah()
    if found is None:
        pytest.fail(f"buildah is missing, and CI must build the image: {_HOW}")
    return found
