"""What all cluster tests need: the resource definition, installed as people install it."""

from __future__ import annotations

import pytest

from tests.cluster.resources import PROJECT, Resources
from tests.support.cluster import Run
from together_operator.resource.names import GROUP, PLURAL


@pytest.fixture(scope="session")
def crd(kubectl: Run) -> str:
    """The CRD of `crds/`, served; its name."""
    name = f"{PLURAL}.{GROUP}"
    kubectl("apply", "--server-side", "--force-conflicts", "-k", str(PROJECT / "crds"))
    kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=60s")
    return name


@pytest.fixture
def resources(kubectl: Run, namespace: str, crd: str) -> Resources:
    """The TogetherEndpoints of a fresh namespace."""
    return Resources(kubectl, namespace)
