"""The Dockerfile's steps, replayed in a plain folder on any machine."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.image.dockerfile import parse, replay
from tests.image.inspection import SCRIPT, check
from tests.image.wheels import ROOT, ensure_wheels
from together_operator import __version__


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the build stage leaves in /opt/together-operator."""
    root = tmp_path_factory.mktemp("image")
    build, _final = parse((ROOT / "Dockerfile").read_text())
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(ensure_wheels())}
    replay(build, ROOT, root, offline)
    return root / "opt" / "together-operator"


def test_exactly_the_locked_packages_and_the_operator(installation: Path) -> None:
    site = next((installation / "lib").glob("python*/site-packages"))
    done = subprocess.run(
        # -I: nothing of the environment of this test takes part.
        [str(installation / "bin/python"), "-I", "-c", SCRIPT, str(site), "."],
        cwd=installation,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    check(json.loads(done.stdout), __version__)


@pytest.mark.parametrize(("argument", "expected"), [("version", __version__), ("--help", "run")])
def test_the_command_runs(installation: Path, argument: str, expected: str) -> None:
    done = subprocess.run(
        [str(installation / "bin/together-operator"), argument],
        cwd=installation,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
