"""Every link of every document leads somewhere, and every file that one names is there."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.docs.conftest import DOCUMENTS
from tests.docs.markdown import PROJECT, Document, tracked

PRODUCT = PROJECT / "operator" / "together_operator"
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
    """In back-quotes: a path from the top, in the product, or beside the document."""
    for code in Document.read(path).code:
        first = code.split("/", 1)[0]
        is_path = "/" in code and first in _TOP_LEVEL and re.fullmatch(r"[\w./-]+", code)
        is_file = re.fullmatch(r"[\w./-]+\.(md|py|yaml|lua|toml|lock)", code)
        if is_path or is_file:
            found = [(folder / code).exists() for folder in (PROJECT, PRODUCT, path.parent)]
            assert any(found) or list(path.parent.rglob(code)), code


@pytest.mark.parametrize("path", _documents())
def test_code_that_is_named_is_there(path: Path) -> None:
    """In back-quotes: a dotted name inside the product."""
    for code in Document.read(path).code:
        if re.fullmatch(r"(core|controller|drivers|resource|together)(\.\w+)+", code):
            assert pkgutil.resolve_name(f"together_operator.{code}"), code


def test_the_house_is_as_it_is_drawn() -> None:
    """Every folder and file in the drawing of ARCHITECTURE.md exists, and no part is missing."""
    drawing = Document.read(PROJECT / "ARCHITECTURE.md").blocks[0].text
    drawn = set(re.findall(r"\b[a-z_]+(?:/|\.py)(?!\S)", drawing.replace(")", " ")))
    there = {f"{path.name}/" for path in PRODUCT.parent.rglob("*") if path.is_dir()}
    there |= {path.name for path in PRODUCT.rglob("*.py")} | {"operator/"}
    assert drawn <= there
    parts = {path.relative_to(PRODUCT).parts[0] for path in tracked("operator/together_operator")}
    packages = {f"{part}/" for part in parts if (PRODUCT / part).is_dir()}
    modules = {part for part in parts if part.endswith(".py")} - {"__init__.py", "__main__.py"}
    assert packages | modules <= drawn


def test_a_dead_anchor_is_noticed() -> None:
    document = Document(
        PROJECT / "x.md", "# Limits, before anything else\n\n## A `b` c\n\n## A b c\n"
    )
    assert document.anchors == {"limits-before-anything-else", "a-b-c", "a-b-c-1"}
