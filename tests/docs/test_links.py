"""Every link of every document leads somewhere, and every file that one names is there."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.conftest import DOCUMENTS
from tests.docs.markdown import PROJECT, Document, tracked

_TOP_LEVEL = {path.relative_to(PROJECT).parts[0] for path in tracked()}


def _documents() -> list[object]:
    return [pytest.param(path, id=str(path.relative_to(PROJECT))) for path in DOCUMENTS]


def test_there_are_documents() -> None:
    names = {str(path.relative_to(PROJECT)) for path in DOCUMENTS}
    assert {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"} <= names


@pytest.mark.parametrize("path", _documents())
def test_links_lead_somewhere(path: Path) -> None:
    for link in Document.read(path).links:
        if "://" in link:
            # What others publish is not ours to try; it is not fetched in the clear, though.
            assert link.startswith("https://"), link
            continue
        name, _, anchor = unquote(link).partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), f"{link}: no such file"
        assert target.is_relative_to(PROJECT), f"{link} leads out of the project"
        if anchor:
            assert anchor in Document.read(target).anchors, f"{link}: no such heading"


@pytest.mark.parametrize("path", _documents())
def test_files_that_are_named_are_there(path: Path) -> None:
    """In back-quotes: a path from the top of the project, or beside the document."""
    for code in Document.read(path).code:
        first = code.split("/", 1)[0]
        if "/" in code and first in _TOP_LEVEL and re.fullmatch(r"[\w./-]+", code):
            assert (PROJECT / code).exists() or (path.parent / code).exists(), code
        elif re.fullmatch(r"[\w-]+\.(md|yaml|lua|toml|lock)", code):
            found = [*path.parent.rglob(code), PROJECT / code]
            assert any(candidate.exists() for candidate in found), code


def test_a_dead_anchor_is_noticed() -> None:
    document = Document(
        PROJECT / "x.md", "# Limits, before anything else\n\n## A `b` c\n\n## A b c\n"
    )
    assert document.anchors == {"limits-before-anything-else", "a-b-c", "a-b-c-1"}
