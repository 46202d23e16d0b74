"""Every command that a document gives exists, with every flag that it names."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

from tests.docs.conftest import DOCUMENTS
from tests.docs.markdown import PROJECT, Block, Document
from tests.support.chart import CHART, HelmError, run_helm
from together_operator.settings import table

BIN = Path(sys.executable).parent
_OURS = re.compile(r"(?:\.venv/bin/)?together-operator")


def _typed(document: Document) -> list[list[str]]:
    """All commands of a document, as words: in its blocks and in back-quotes."""
    lines = [command for block in document.blocks for command in block.commands]
    lines += [code for code in document.code if " " in code]
    found: list[list[str]] = []
    for line in lines:
        for part in re.split(r"\s(?:\||&&|&)(?:\s|$)", line.split("<<", 1)[0]):
            try:
                words = shlex.split(part, comments=True)
            except ValueError:  # prose with an apostrophe, or half a command
                continue
            if words:
                found.append(words)
    return found


EVERYWHERE = [words for path in DOCUMENTS for words in _typed(Document.read(path))]


def test_files_in_commands_exist() -> None:
    folders = ("examples/", "deploy/", "crds/", "operator/", "tests/")
    named = [word for words in EVERYWHERE for word in words if word.startswith(folders)]
    assert named
    for word in named:
        assert (PROJECT / word).exists(), word


@cache
def _targets() -> frozenset[str]:
    shown = subprocess.run(
        ["make", "help"], cwd=PROJECT, check=True, capture_output=True, text=True
    ).stdout
    return frozenset(re.findall(r"^ *make ([a-z-]+)", shown, re.MULTILINE))


def _made() -> set[str]:
    texts = (Document.read(path) for path in DOCUMENTS)
    codes = (code for document in texts for code in document.code)
    spelled = {words[1] for words in EVERYWHERE if words[0] == "make" and len(words) > 1}
    return spelled | {m[1] for code in codes if (m := re.fullmatch(r"make ([a-z-]+).*", code))}


def test_make_targets_exist() -> None:
    assert {"demo", "test", "check"} <= _made()
    assert _made() <= _targets()


def test_every_target_is_documented() -> None:
    """Somewhere a person learns what each is for: README or CONTRIBUTING."""
    assert _targets() <= _made()


@cache
def _help(*words: str) -> str:
    done = subprocess.run(
        [str(BIN / "together-operator"), *words, "--help"],
        env={**os.environ, "COLUMNS": "250", "NO_COLOR": "1", "TERM": "dumb"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"together-operator {' '.join(words)}: {done.stderr}"
    return done.stdout


def _ours() -> list[list[str]]:
    return [words[1:] for words in EVERYWHERE if _OURS.fullmatch(words[0]) and len(words) > 1]


def test_commands_of_ours_exist_with_their_flags() -> None:
    assert ["simulate", "--list-assumptions"] in _ours()
    for words in _ours():
        path = [word for word in words if re.fullmatch(r"[a-z]+", word)][:2]
        known = _help(*(path if path[:1] == ["local"] else path[:1]))
        for flag in words:
            if flag.startswith("--"):
                name = flag.split("=", 1)[0]
                assert re.search(rf"{name}\b", known), f"{' '.join(words)}: no {name}"


def test_every_flag_of_run_is_in_the_table_and_the_reverse() -> None:
    shown = _help("run")
    listed = [row.flag.split()[0] for row in table() if row.flag]
    for flag in listed:
        assert re.search(rf"{flag}\b", shown), flag
    given = set(re.findall(r"(--[a-z][a-z-]+)", shown)) - {"--help", "--no-leader-elect"}
    assert given == set(listed)


def test_flags_that_are_named_alone_exist() -> None:
    """A flag in a sentence is one of a command of ours, or of helm's or a script's."""
    commands = ("run", "orphans", "release", "simulate", "demo", "crd", "local")
    known = "".join(_help(name) for name in commands)
    theirs = {"--wait", "--timeout", "--take-ownership", "--set", "--cluster", "--check"}
    for path in DOCUMENTS:
        for code in Document.read(path).code:
            if match := re.match(r"(--[a-z][a-z-]+)", code):
                assert match[1] in theirs or match[1] in known, f"{path.name}: {match[1]}"


def _helm_lines(path: Path) -> list[str]:
    return [
        command
        for block in Document.read(path).blocks
        for command in block.commands
        if command.startswith("helm install together-operator deploy/")
    ]


@pytest.mark.parametrize("name", ["README.md", "deploy/helm/together-operator/README.md"])
def test_the_chart_takes_what_the_document_gives_it(helm_binary: Path, name: str) -> None:
    (line,) = _helm_lines(PROJECT / name)
    _, _, release, chart, *flags = shlex.split(line)
    rendered = run_helm(helm_binary, "template", release, str(PROJECT / chart), *flags)
    images = re.findall(r"^ *image: (.*)$", rendered, re.MULTILINE)
    assert images == ['"registry.example.com/you/together-operator:0.1.0"']
    assert {item["kind"] for item in yaml.safe_load_all(rendered)} >= {"Deployment", "ClusterRole"}


def test_the_chart_says_plainly_that_it_needs_an_image(helm_binary: Path) -> None:
    with pytest.raises(HelmError, match=r"image\.repository"):
        run_helm(helm_binary, "template", "together-operator", str(CHART))


def _performs(block: Block) -> bool:
    return any(command.startswith("make demo") for command in block.commands[:1])


def test_the_demo_tells_the_chapters_that_are_shown(readme: Document) -> None:
    """The output in the README is of this demo: its chapters are."""
    shown = {block.commands[0]: block.text for block in readme.blocks if _performs(block)}
    told = {name: re.findall(r"^── (.*) ──$", text, re.MULTILINE) for name, text in shown.items()}
    assert {name: len(chapters) for name, chapters in told.items()} == {
        "make demo": 11,
        "make demo PROFILE=retired": 5,
    }
    chapters = [chapter for each in told.values() for chapter in each]
    source = "".join(
        (PROJECT / "operator/together_local/demo" / name).read_text(encoding="utf-8")
        for name in ("stage.py", "tour.py")
    )
    positions = [source.find(f'"{chapter}"') for chapter in chapters]
    assert -1 not in positions, chapters[positions.index(-1)]


def test_the_image_is_built_from_a_file_that_is_there(readme: Document) -> None:
    built = [words for words in _typed(readme) if words[:2] == ["docker", "build"]]
    assert [words[-1] for words in built] == ["."]
    assert (PROJECT / "Dockerfile").is_file()
    pushed = [words[-1] for words in _typed(readme) if words[:2] == ["docker", "push"]]
    assert pushed == [built[0][built[0].index("-t") + 1]]
