"""Options and fixtures that all tests may use; what they do is in `tests.support`."""

from __future__ import annotations

import pytest

from tests.support import cluster
from tests.support.argocd import argocd, argocd_config
from tests.support.cluster import (
    binaries,
    control_plane,
    helm,
    helm_binary,
    kubectl,
    namespace,
    private_control_plane,
)
from tests.support.left_out import tell_left_out

__all__ = [
    "argocd",
    "argocd_config",
    "binaries",
    "control_plane",
    "helm",
    "helm_binary",
    "kubectl",
    "namespace",
    "private_control_plane",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    cluster.add_options(parser)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    cluster.deselect_argocd(config, items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    cluster.prepare(session)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    tell_left_out(terminalreporter, config)
