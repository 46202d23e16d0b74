"""Argo CD as a user has it after reading deploy/argocd/README.md."""

from __future__ import annotations

import pytest
import yaml

from tests.support.chart import ROOT


@pytest.fixture(scope="session")
def argocd_config() -> dict[str, str]:
    """What `kubectl apply` of deploy/argocd/argocd-cm.yaml adds."""
    fragment = yaml.safe_load((ROOT / "deploy/argocd/argocd-cm.yaml").read_text())
    data: dict[str, str] = fragment["data"]
    return data
