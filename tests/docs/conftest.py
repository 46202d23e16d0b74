"""What the tests of the documents share."""

from __future__ import annotations

import pytest

from tests.docs.markdown import PROJECT, README, Document, tracked
from tests.support.cluster import Run
from together_operator.resource.names import GROUP, PLURAL

DOCUMENTS = tracked("*.md")


@pytest.fixture(scope="session")
def readme() -> Document:
    """README.md."""
    return Document.read(README)


@pytest.fixture(scope="session")
def crd(kubectl: Run) -> str:
    """The CRD of `crds/`, served; its name."""
    name = f"{PLURAL}.{GROUP}"
    kubectl("apply", "--server-side", "--force-conflicts", "-k", str(PROJECT / "crds"))
    kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=60s")
    return name
