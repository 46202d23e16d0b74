"""The checkout is laid out as the documents say, and names nothing that belongs to one machine."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from tests.docs.markdown import PROJECT, tracked

TOP_LEVEL = {
    *("pyproject.toml", "operator", "crds", "deploy", "tests", "Dockerfile", "README.md"),
    "docs",
    *("ARCHITECTURE.md", "Makefile", "examples", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md"),
    "SECURITY.md",
}
DOT_FILES = {
    *(".ci", ".gitignore", ".dockerignore", ".editorconfig", ".pre-commit-config.yaml"),
}
PACKAGES = {"together_operator", "together_local"}
MAX_LINES = 400

# Put together here, so that this file does not name what it looks for.
_MACHINE = re.compile(
    r"(?<![\w.$}*~-])/(?:" + "|".join(("work", "root", "home", "Users", "mnt")) + r")/"
)
_REGISTRIES = frozenset(
    {
        "00a7dc5a0cc38858",
        "0fd460f0568e29c1",
        "24f81de5fc499525",
        "271dacc9f4d0caf8",
        "3530c4415dd857fb",
        "3b2ddc6f174c6c4e",
        "69c79fd1b6da7d31",
        "70cca582c4895337",
        "789e46d79514e280",
        "8743857e3ea00fd1",
        "8b5bb5eb9d758455",
        "9da5f32d96412512",
        "a4aa2ac280bb8d1a",
        "bd048f6f965d0e9c",
        "ee29e12a4f7b3399",
    }
)
"""Hosts of package registries, by the beginning of their SHA-256: named, they would be found here.

One that does not exist is among them, so that a test can plant it.
"""

_HOST = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)+")


def _registry(text: str) -> str | None:
    """The first registry that a text names, or a host below one."""
    for host in sorted(set(_HOST.findall(text.lower()))):
        parts = host.split(".")
        for start in range(len(parts) - 1):
            name = ".".join(parts[start:])
            if hashlib.sha256(name.encode()).hexdigest()[:16] in _REGISTRIES:
                return name
    return None


def _texts() -> list[tuple[Path, str]]:
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" not in content:
            found.append((path, content.decode("utf-8")))
    return found


def test_the_top_level_is_what_the_documents_say() -> None:
    there = {path.relative_to(PROJECT).parts[0] for path in tracked()}
    assert {name for name in there if not name.startswith(".")} == TOP_LEVEL
    assert {name for name in there if name.startswith(".")} == DOT_FILES


def test_no_package_is_called_operator() -> None:
    assert not (PROJECT / "operator" / "__init__.py").exists()
    inside = {path.parent for path in tracked("operator/*") if path.name == "__init__.py"}
    assert {path.name for path in inside if path.parent == PROJECT / "operator"} == PACKAGES
    assert "operator" not in {path.name for path in inside}


@pytest.mark.parametrize("folder", [".", "operator", "operator/together_operator"])
def test_operator_is_the_standard_library(folder: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", "import operator; print(operator.__file__); operator.itemgetter"],
        cwd=PROJECT / folder,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert Path(said.strip()).parent == Path(sysconfig.get_paths()["stdlib"])


def test_only_our_packages_are_installed() -> None:
    owners = metadata.packages_distributions()
    ours = {name for name, owner in owners.items() if "together-operator" in owner}
    assert {name for name in ours if not name.startswith("__editable__")} == PACKAGES


def test_no_machine_is_named() -> None:
    for path, text in _texts():
        found = _MACHINE.search(text)
        assert not found, f"{path.relative_to(PROJECT)}: {text[found.start() :][:60]!r}"


def test_a_machines_path_is_noticed() -> None:
    assert _MACHINE.search('cache = "' + "/".join(("", "home", "me", ".cache")) + '"')
    assert not _MACHINE.search("the folder tests/home/page, $HOME/x, ~/work/x")


def test_no_registry_is_named() -> None:
    for path, text in _texts():
        if path.name == "go.sum":
            continue
        found = _registry(text)
        assert found is None, f"{path.relative_to(PROJECT)} names {found}"


def test_a_registry_is_noticed() -> None:
    planted = ".".join(("registry", "example", "test"))
    assert _registry(f"pull https://eu.{planted}/v2/image:1") == planted
    assert _registry("docs.example.test and together.ai") is None


def test_locks_have_hashes_and_no_index() -> None:
    locks = tracked("*/locks/*.txt")
    assert len(locks) >= 5
    for lock in locks:
        text = lock.read_text(encoding="utf-8")
        assert "://" not in text
        assert not re.search(r"^\s*(-i|-f|--(extra-)?index-url|--find-links)", text, re.MULTILINE)
        pinned = re.findall(r"^[A-Za-z0-9_.-]+(?:\[.*?\])?==\S+", text, re.MULTILINE)
        assert pinned
        assert len(re.findall(r"^\S.*\\$", text, re.MULTILINE)) == len(pinned), lock
    names = {path.name for path in tracked()}
    assert not names & {"uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock"}


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_files_stay_small(package: str) -> None:
    for path in tracked(f"operator/{package}/*.py"):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= MAX_LINES, f"{path.relative_to(PROJECT)} has {lines} lines"


def test_every_commit_hook_is_a_part_of_make_check() -> None:
    config = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repository["repo"] for repository in config["repos"]} == {"local"}
    hooks = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    # Not with the flags of the make that these tests may run under.
    environment = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS")}
    said = subprocess.run(
        ["make", "--dry-run", "--always-make", "check"],
        cwd=PROJECT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    checks = [
        line
        for line in said.splitlines()
        # The audit asks the network, for which no commit waits.
        if line.startswith(".venv/bin/") and not re.search(r" -m (pip|tests\.audit)\b", line)
    ]
    assert hooks == checks


def test_ci_checks_and_then_tests() -> None:
    script = PROJECT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    steps = re.search(r"^for step in (.*); do$", script.read_text(encoding="utf-8"), re.MULTILINE)
    assert steps is not None
    assert steps[1].split() == ["check", "test", "test-argocd", "chaos"]
