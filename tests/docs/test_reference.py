"""What the README says of fields, reasons, settings, metrics and events is what the code says."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs import reference
from tests.docs.markdown import PROJECT, README, Document
from together_local.simulator import assumptions
from together_operator.resource import names
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.spec import Spec
from together_operator.settings import Settings, table

PACKAGE = PROJECT / "operator" / "together_operator"


def test_what_is_made_from_the_code_is_current(readme: Document) -> None:
    assert reference.document(readme.text) == readme.text, "run `make docs`"


def test_a_stale_block_is_noticed(readme: Document) -> None:
    stale = readme.text.replace("| `Serving` |", "| `Serves` |", 1)
    assert stale != readme.text
    assert reference.document(stale) == reference.document(readme.text)


def test_a_lost_block_is_an_error(readme: Document) -> None:
    with pytest.raises(ValueError, match="expected each of"):
        reference.document(readme.text.replace("<!-- /reasons -->", ""))


def test_the_command_renews_that_and_nothing_else(readme: Document, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "tests.docs.reference", "--output", str(tmp_path / "README.md")],
        cwd=PROJECT,
        check=True,
    )
    written = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert written == reference.document(readme.text)


def _column(readme: Document, heading: str, column: int = 0) -> list[str]:
    """A column of the tables under a heading, up to the next heading."""
    after = readme.text.split(f" {heading}\n", 1)[1]
    section = re.split(r"^#+ ", after, maxsplit=1, flags=re.MULTILINE)[0]
    rows = [line[2:-2].split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [row[column] for row in rows if row[0] != "---"]


def test_every_reason_is_there_once(readme: Document) -> None:
    listed = re.findall(r"^`(\w+)`", "\n".join(_column(readme, "Reasons")), re.MULTILINE)
    assert sorted(listed) == sorted(Reason)


def test_every_condition_is_there(readme: Document) -> None:
    listed = _column(readme, "What the status says")
    assert [name.strip("`") for name in listed if name.startswith("`")] == [
        *(ConditionType.READY, ConditionType.AVAILABLE, ConditionType.RECONCILING),
        *(ConditionType.STALLED, ConditionType.SYNCED),
    ]


def test_every_field_is_there(readme: Document) -> None:
    listed = {name.strip("`").split(".")[0] for name in _column(readme, "The resource by example")}
    assert {field.alias for field in Spec.model_fields.values()} <= listed


def test_every_setting_is_there(readme: Document) -> None:
    listed = " ".join(_column(readme, "Settings", 1))
    for row in table():
        assert f"`{row.env}`" in listed
    assert len(table()) == len(Settings.model_fields)


def test_every_annotation_is_there(readme: Document) -> None:
    ours = {
        *(names.RESTART_REQUESTED_AT, names.RECONCILE_REQUESTED_AT, names.CLAIM),
        *(names.RESTORED_COPY, names.RELEASE, names.OWNER_UID),
    }
    listed = {name.strip("`") for name in _column(readme, "Annotations")} - {"Annotation"}
    assert listed == ours


def test_every_name_with_our_prefix_is_one_of_ours() -> None:
    known = {value for value in vars(names).values() if isinstance(value, str)}
    for document in (README, *(PROJECT / "deploy").rglob("*.md"), *PROJECT.glob("*.md")):
        text = document.read_text(encoding="utf-8")
        for name in re.findall(rf"`{re.escape(names.GROUP)}/[a-z0-9-]+", text):
            assert name[1:] in known, f"{document.name} names {name}"


def _stories() -> set[str]:
    """The reasons of events that the code spells out."""
    found = set()
    for path in (PACKAGE / "controller").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name(id="Story"), args=[ast.Constant(value=reason), *_]):
                    found.add(str(reason))
    return found


def test_every_event_is_there(readme: Document) -> None:
    listed = re.findall(r"`(\w+)`", " ".join(_column(readme, "Events")))
    assert sorted(listed) == sorted(_stories())


def _assumptions_of_v2() -> set[str]:
    """What the simulator assumes of API v2 alone, by the headings in its source."""
    _, *parts = re.split(r"^    # (.*)$", inspect.getsource(assumptions), flags=re.MULTILINE)
    sections = zip(parts[::2], parts[1::2], strict=True)
    of_v2 = [text for title, text in sections if title.startswith("API v2")]
    return set(re.findall(r"^    (\w+): ", "".join(of_v2), re.MULTILINE))


def test_every_assumption_of_v2_has_its_consequence() -> None:
    document = Document.read(PROJECT / "docs" / "api-v2.md")
    rows = list(zip(*(_column(document, "What is assumed", n) for n in range(4)), strict=True))[1:]
    assert all(cell.strip() for _, known, otherwise, _ in rows for cell in (known, otherwise))
    named = {name for *_, switch in rows for name in re.findall(r"`(\w+)`", switch)}
    assert len(_assumptions_of_v2()) > 20
    assert _assumptions_of_v2() <= named <= set(assumptions.Assumptions.model_fields)


def test_the_protocols_waits_are_the_architectures() -> None:
    from together_operator.core.timing import Timing

    text = (PROJECT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    timing = Timing()
    for symbol, seconds in (
        *(("A", timing.fence), ("T", timing.post_timeout), ("L", timing.late)),
        *(("G", timing.lag), ("W", timing.settle)),
    ):
        assert re.search(rf"^\| {symbol} \|.*\| {seconds:g} s \|$", text, re.MULTILINE), symbol
