"""The command line as a person or a script meets it: a process, its output and its exit code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from together_operator import __version__
from together_operator.flags import env_name, flag_name, flags
from together_operator.resource import crd
from together_operator.settings import Settings, table

PROJECT = Path(__file__).resolve().parents[2]
WITHOUT_EXTRA = "import sys; sys.modules['platformdirs'] = None; sys.modules['aiohttp.web'] = None;"


def run(
    *args: str, program: str = "", width: int = 200, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line in an environment that sets nothing of ours."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TOGETHER_", "KUBE"))
    }
    start = ["-m", "together_operator"]
    if program:
        start = ["-c", f"{program} from together_operator.cli import main; main()"]
    return subprocess.run(
        [sys.executable, *start, *args],
        env={**clean, "COLUMNS": str(width), "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def words(text: str) -> str:
    """The text without the frames and line breaks of a help screen."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", text).split())


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in ("run", "crd", "version", "orphans", "release", "simulate", "local", "demo"):
        assert re.search(rf"^│ {command} ", done.stdout, re.MULTILINE), command


def test_nothing_at_all_shows_the_help() -> None:
    assert re.search(r"Usage: .* COMMAND .* Commands run ", words(run().stdout))


@pytest.mark.parametrize("width", [80, 200])
def test_the_help_of_run_has_every_setting_whole(width: int) -> None:
    done = run("run", "--help", width=width)
    assert done.returncode == 0
    assert "…" not in done.stdout.replace("…/v1", ""), "a flag is cut"
    for field in flags(Settings):
        assert re.search(rf"^│ {flag_name(Settings, field)}\b", done.stdout, re.MULTILINE), field
    assert "TOGETHER_API_KEY" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= width


def test_the_help_of_run_has_every_meaning_and_default() -> None:
    shown = words(run("run", "--help", width=1000).stdout)
    for row in table()[:-1]:
        assert f"{words(row.meaning)} (default: {row.default})" in shown


def test_version() -> None:
    done = run("version")
    assert (done.returncode, done.stdout) == (0, f"{__version__}\n")


def test_bad_settings_are_told_in_one_line_each_and_exit_2() -> None:
    done = run(
        "run", "--workers", "0", "--probe", "maybe",
        TOGETHER_OPERATOR_POLL_INTERVAL="soon", TOGETHER_OPERATOR_NAMESPACE="A,b",
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    assert any(line.startswith("--workers (TOGETHER_OPERATOR_WORKERS): must be") for line in lines)
    assert any("'A' is not a namespace" in line for line in lines)


def test_each_flag_reaches_its_setting() -> None:
    """A wrong value of each flag is refused by the name of that flag, so it got there."""
    wrong = {"cluster_id": ["x" * 300]}
    never_wrong = ("allowed_hardware", "leader_elect")
    fields = [field for field in flags(Settings) if field not in never_wrong]
    args = [
        part
        for field in fields
        for part in (flag_name(Settings, field), *wrong.get(field, ["/wrong/ value"]))
    ]
    done = run("run", "--allowed-hardware", "a", "--allowed-hardware", "b", *args)
    assert done.returncode == 2
    told = {line.split(":")[0] for line in done.stderr.splitlines()}
    assert told == {
        f"{flag_name(Settings, field)} ({env_name(Settings, field)})" for field in fields
    }


def test_an_unknown_flag_is_refused() -> None:
    done = run("run", "--pol-interval", "3")
    assert done.returncode == 2
    assert "No such option: --pol-interval" in words(done.stderr)


def test_a_cluster_that_cannot_be_found_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text("not: a kubeconfig")
    done = run("run", "--kubeconfig", str(file), "--health-port", "0", "--metrics-port", "0")
    assert done.returncode == 1
    assert f"No way to a cluster from {file}" in done.stderr
    assert "Set --kubeconfig" in done.stderr
    assert "Traceback" not in done.stderr


def test_crd_prints_writes_and_checks(tmp_path: Path) -> None:
    done = run("crd")
    assert (done.returncode, done.stdout) == (0, crd.crd_yaml())
    done = run("crd", "--output", str(tmp_path))
    assert done.returncode == 0
    assert sorted(done.stdout.split()) == sorted(str(tmp_path / name) for name in crd.files())
    assert run("crd", "--check", str(tmp_path)).returncode == 0
    (tmp_path / crd.FILE).write_text("old")
    done = run("crd", "--check", str(tmp_path))
    assert done.returncode == 1
    assert crd.FILE in done.stderr
    assert "make crd" in done.stderr


def test_without_the_extra_its_commands_say_what_to_install() -> None:
    for command in (["local", "up", "--dir", "x"], ["simulate", "--port", "1"], ["demo"]):
        done = run(*command, program=WITHOUT_EXTRA)
        assert done.returncode == 2, command
        assert "pip install 'together-operator[local]'" in done.stderr
        assert "Traceback" not in done.stderr
    done = run("--help", program=WITHOUT_EXTRA)
    assert done.returncode == 0
    assert "it comes with the extra `local`" in words(done.stdout)
    assert run("version", program=WITHOUT_EXTRA).returncode == 0


def test_the_product_starts_without_what_only_a_developer_has() -> None:
    program = (
        "import sys, atexit;"
        "atexit.register(lambda: print(*sorted(m for m in sys.modules if 'together_local' in m)));"
    )
    done = run("version", program=program)
    assert done.stdout.split() == [__version__]
