"""What the tests of the documents share."""

from __future__ import annotations

import pytest

from tests.docs.markdown import README, Document, tracked
from tests.support.cluster import Run
from tests.support.definition import define
from together_operator.resource.names import DEFINITION

DOCUMENTS = tracked("*.md")


@pytest.fixture(scope="session")
def readme() -> Document:
    """README.md."""
    return Document.read(README)


@pytest.fixture(scope="session")
def crd(kubectl: Run) -> str:
    """The CRD of `crds/`, served; its name."""
    define(kubectl)
    return DEFINITION
