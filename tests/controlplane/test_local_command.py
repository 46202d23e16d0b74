"""`together-operator local`: up, down, status, and what happens when they are interrupted."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controlplane.machine import (
    Background,
    eventually,
    nothing_left,
    processes_about,
)
from together_local.cluster.binaries import Binaries
from together_local.cluster.control_plane import ControlPlane
from together_local.cluster.processes import recorded

_LOCAL = ("-m", "together_local.cluster")


@pytest.fixture
def folder(tmp_path: Path, helm_binary: Path, binaries: Binaries) -> Iterator[Path]:
    """A state folder; what still runs in it after a failed test is ended."""
    path = tmp_path / "with a space"
    yield path
    _local("down", path)
    nothing_left(path)


def _local(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *_LOCAL, command, "--dir", str(folder)],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def _up(folder: Path) -> str:
    done = _local("up", folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _pids(folder: Path) -> dict[str, int]:
    return {name: process.pid for name, process in recorded(folder / "processes.json").items()}


def test_up_twice_down_and_up_again_with_the_same_state(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _local("status", folder)
    assert before.returncode == 3
    assert re.search(r"^state: +stopped$", before.stdout, re.MULTILINE)

    export = _up(folder)
    assert export == f"export KUBECONFIG='{folder}/kubeconfig'\n", "made for eval, nothing else"
    assert (folder / "kubeconfig").stat().st_mode & 0o777 == 0o600

    status = _local("status", folder)
    assert status.returncode == 0
    shown = dict(re.findall(r"^(\S+): +(.*)$", status.stdout, re.MULTILINE))
    assert shown["state"] == "running"
    pids = _pids(folder)
    for name in ("etcd", "kube-apiserver", "kube-controller-manager"):
        assert re.fullmatch(rf"v\d+\.\d+\.\d+  pid {pids[name]}  port \d+  ready", shown[name])
    # What a person would type next, with the commands that status names.
    monkeypatch.setenv("PATH", f"{shown['bin']}:{os.environ['PATH']}")
    script = f"{export}\nkubectl create configmap kept && helm list && kubectl version -o json"
    typed = subprocess.run(
        ["bash", "-ec", script], capture_output=True, text=True, timeout=60, check=True
    )
    versions = json.loads(typed.stdout[typed.stdout.index("{") :])
    assert versions["clientVersion"]["gitVersion"] == versions["serverVersion"]["gitVersion"]

    again = _local("up", folder)
    assert again.stdout == export
    assert "is running already" in again.stderr
    assert _pids(folder) == pids

    down = _local("down", folder)
    assert down.returncode == 0
    assert "Stopping the control plane" in down.stderr
    nothing_left(folder, seconds=0)
    assert "Nothing runs" in _local("down", folder).stderr
    assert _local("status", folder).returncode == 3

    assert _up(folder) == export
    kept = f"{export}\nkubectl get configmap kept"
    subprocess.run(["bash", "-ec", kept], check=True, timeout=60, capture_output=True)


def test_up_repairs_what_lost_a_part(folder: Path) -> None:
    _up(folder)
    recorded(folder / "processes.json")["kube-apiserver"].signal(signal.SIGKILL)
    status = _local("status", folder)
    assert status.returncode == 3
    assert re.search(r"^state: +not ready$", status.stdout, re.MULTILINE)
    assert re.search(r"^kube-apiserver: +\S+  stopped$", status.stdout, re.MULTILINE)
    _up(folder)
    assert _local("status", folder).returncode == 0
    assert len(processes_about(folder)) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("reached", ["etcd", "kube-apiserver"])
def test_an_interrupted_up_leaves_nothing(
    folder: Path, tmp_path: Path, number: signal.Signals, reached: str
) -> None:
    with Background([*_LOCAL, "up", "--dir", str(folder)], tmp_path / "up.log") as up:
        eventually(lambda: reached in _pids(folder), f"{reached} was started")
        assert up.signal(number) != 0, "too late to interrupt"
        nothing_left(folder)
    assert _local("status", folder).returncode == 3


def test_two_ups_at_once_start_one(folder: Path, tmp_path: Path) -> None:
    argv = [*_LOCAL, "up", "--dir", str(folder)]
    with Background(argv, tmp_path / "1.log") as one, Background(argv, tmp_path / "2.log") as two:
        assert one.popen.wait(120) == 0, one.said
        assert two.popen.wait(120) == 0, two.said
    assert (one.said + two.said).count("is running already") == 1
    assert len(processes_about(folder)) == 3


def test_a_recycled_pid_is_not_mistaken_for_ours(folder: Path) -> None:
    _up(folder)
    _local("down", folder)
    with subprocess.Popen(["sleep", "600"]) as stranger:
        record = {"kube-apiserver": {"pid": stranger.pid, "born": "before the reboot"}}
        (folder / "processes.json").write_text(json.dumps(record))
        assert _local("status", folder).returncode == 3
        assert "Nothing runs" in _local("down", folder).stderr
        assert stranger.poll() is None
        stranger.kill()


def test_one_that_somebody_owns_is_not_taken_away(folder: Path, binaries: Binaries) -> None:
    with ControlPlane.start(folder, binaries) as plane:
        plane.apiserver.kill()
        refused = _local("up", folder)
        assert refused.returncode == 1
        assert f"Waiting for process {os.getpid()}" in refused.stderr
        assert f"is in use by process {os.getpid()}" in refused.stderr
        assert "--dir" in refused.stderr
        assert plane.etcd.running


def test_a_missing_prerequisite_is_an_error_and_not_a_traceback(
    folder: Path, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "PATH": str(tmp_path),
        "TOGETHER_OPERATOR_CACHE": str(tmp_path / "empty"),
    }
    environment.pop("KUBEBUILDER_ASSETS", None)
    failed = subprocess.run(
        [sys.executable, *_LOCAL, "up", "--dir", str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert failed.returncode == 1
    assert "Error: Go is needed to build etcd, and is not on PATH. Install Go" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert failed.stdout == ""
