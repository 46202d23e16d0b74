"""The tests of a really built image need buildah: they run, fail, or say that they did not run."""

from __future__ import annotations

import os

import pytest

from tests.image.buildah import find_buildah
from tests.support.left_out import leave_out

_NEEDS_BUILDAH = "test_build.py"
_HOW = "`apt-get install buildah` (Linux) makes them run"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the image out where nothing can build one, but never in CI."""
    if find_buildah() or os.environ.get("CI"):
        return
    built = (item for item in items if item.path.name == _NEEDS_BUILDAH)
    leave_out(config, items, built, f"{{count}} tests of the built image did not run: {_HOW}.")


@pytest.fixture(scope="session")
def buildah_command() -> str:
    """The buildah command; in CI its absence is a failure."""
    found = find_buildah()
    if found is None:
        pytest.fail(f"buildah is missing, and CI must build the image: {_HOW}")
    return found
