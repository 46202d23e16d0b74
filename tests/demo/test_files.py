"""The demo applies the very files that people use, in a checkout and when installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NoReturn

import pytest
import typer
from typer.testing import CliRunner

from together_local.demo import command
from together_local.demo.errors import DemoError
from together_local.demo.screen import Screen
from together_local.demo.stage import Api, own_file, spelled
from together_local.simulator import Options

ROOT = Path(__file__).resolve().parents[2]
FILES = {"quickstart.yaml": "examples", "rbac.yaml": "deploy/kustomize/base"}


@pytest.mark.parametrize(("name", "folder"), FILES.items())
def test_in_a_checkout_it_is_the_file_that_people_use(
    name: str, folder: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    assert spelled(own_file(name)) == f"{folder}/{name}"
    monkeypatch.chdir(tmp_path)
    assert spelled(own_file(name)) == str(ROOT / folder / name)


def test_an_installed_package_carries_the_same(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in ("operator", "examples", "deploy"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=left_out)
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(source)),
        ],
        check=True,
        timeout=300,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        for name, folder in FILES.items():
            packed = archive.read(f"together_local/demo/{name}")
            assert packed == (ROOT / folder / name).read_bytes()


@pytest.mark.parametrize(
    ("given", "flags"),
    [
        ((), "--api V1 --profile classic"),
        (("API=v2",), "--api v2 --profile classic"),
        (("PROFILE=retired",), "--api V1 --profile retired"),
    ],
)
def test_make_demo_runs_it(given: tuple[str, ...], flags: str) -> None:
    shown = subprocess.run(
        ["make", "-n", "demo", *given],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert shown.stdout.splitlines()[-1] == f".venv/bin/together-operator demo {flags}"


@pytest.mark.parametrize(
    ("typed", "first"), [((), Api.V1), (("--api", "V2"), Api.V2), (("--api", "v2"), Api.V2)]
)
def test_the_api_is_taken_in_either_case(
    typed: tuple[str, ...], first: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Api] = []

    def set_up(screen: Screen, options: Options, api: Api) -> NoReturn:
        del screen, options
        asked.append(api)
        raise DemoError("that was all")

    monkeypatch.setattr(command, "staged", set_up)
    app = typer.Typer()
    app.command()(command.demo)
    said = CliRunner().invoke(app, list(typed))
    assert (said.exit_code, asked) == (1, [first]), said.output
