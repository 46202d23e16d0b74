"""What pytest's options do, and that a test session leaves nothing behind however it ends.

Each test here runs a pytest of its own over a file of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.controlplane.machine import Background, eventually, nothing_left
from together_local.cluster.binaries import Binaries
from together_local.cluster.control_plane import ControlPlane
from together_local.cluster.processes import recorded

_ROOT = Path(__file__).parents[2]
_USES_BOTH = """
import time

def test_it(control_plane, private_control_plane, namespace):
    print("names", control_plane.server, namespace)
    {then}
"""


def _session(folder: Path, content: str, *options: str, name: str = "test_it.py") -> list[str]:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return [
        *("-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"),
        *("-c", str(folder / "pytest.ini"), "--rootdir", str(folder)),
        *("--basetemp", str(folder / "base"), *options, str(folder)),
    ]


def _environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(_ROOT), **changes}


def _run(
    argv: list[str], environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *argv],
        env=environment or _environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_failed_test_leaves_no_process(binaries: Binaries, tmp_path: Path) -> None:
    done = _run(_session(tmp_path, _USES_BOTH.format(then="assert namespace == 'no'")))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "assert 'test-" in done.stdout
    nothing_left(tmp_path, seconds=0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_session_that_is_ended_leaves_no_process(
    binaries: Binaries, tmp_path: Path, number: signal.Signals
) -> None:
    argv = _session(tmp_path, _USES_BOTH.format(then="time.sleep(600)"))
    with Background(argv, tmp_path / "log", _environment()) as session:
        planes = tmp_path / "base"
        eventually(
            lambda: sum(len(recorded(path)) for path in planes.rglob("processes.json")) == 6,
            "two control planes run",
        )
        assert session.signal(number) != 0
        nothing_left(planes)


def test_an_existing_cluster_is_used_when_it_is_chosen_and_left_running(
    binaries: Binaries, tmp_path: Path
) -> None:
    with ControlPlane.start(tmp_path / "existing", binaries) as plane:
        content = "def test_it(control_plane, namespace):\n    print(control_plane.server)\n"
        argv = _session(tmp_path / "session", content, "--cluster=existing", "-rP")
        done = _run(argv, _environment(KUBECONFIG=str(plane.kubeconfig)))
        assert done.returncode == 0, done.stdout + done.stderr
        assert plane.server in done.stdout
        left = plane.kubectl("get", "namespaces", "-o", "name").stdout
        assert "namespace/test-" not in left, "the test's namespace is gone for good"


def test_an_existing_cluster_that_is_none_is_named(binaries: Binaries, tmp_path: Path) -> None:
    content = "def test_it(control_plane):\n    pass\n"
    missing = tmp_path / "no-such-kubeconfig"
    done = _run(
        _session(tmp_path, content, "--cluster=existing"), _environment(KUBECONFIG=str(missing))
    )
    assert done.returncode == 1
    assert f"KUBECONFIG={missing} has no usable current context" in done.stdout


def test_kind_without_a_container_engine_says_what_is_missing(tmp_path: Path) -> None:
    content = "def test_it(control_plane):\n    pass\n"
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    done = _run(_session(tmp_path, content, "--cluster=kind"), _environment(PATH=str(nothing)))
    assert done.returncode == 3
    said = done.stdout + done.stderr
    assert "kind needs a container engine that runs (Docker, Podman or nerdctl)" in said
    assert "docker: not on PATH" in said
    assert "passed" not in said


def test_argo_cd_tests_run_only_when_asked_for_and_it_is_said(tmp_path: Path) -> None:
    content = "def test_it():\n    pass\n"
    name = "tests/argocd/test_it.py"
    done = _run(_session(tmp_path, content, name=name))
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "1 Argo CD tests did not run: `make test-argocd` runs them." in done.stdout
    assert "skipped" not in done.stdout
    assert _run(_session(tmp_path, content, "--argocd", name=name)).returncode == 0
