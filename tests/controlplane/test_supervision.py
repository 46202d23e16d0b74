"""What a supervisor started ends in order, however its owner dies."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from tests.controlplane.machine import Background, eventually, nothing_left, processes_about
from together_local.cluster.errors import StartError
from together_local.cluster.processes import recorded
from together_local.cluster.supervision import Supervisor

# Each writes its end into a common file, so that the order can be read.
_PART = """
import signal, sys
name, folder = sys.argv[1:]
def end(*_):
    with open(folder + "/ends", "a") as ends:
        ends.write(name + "\\n")
    raise SystemExit
signal.signal(signal.SIGTERM, end)
with open(folder + "/starts", "a") as starts:
    starts.write(name + "\\n")
while True:
    signal.pause()
"""

_OWNER = """
import os, signal, sys, time
from pathlib import Path
from together_local.cluster.supervision import Supervisor
folder = Path(sys.argv[1])
supervisor = Supervisor(folder / "processes.json", folder / "supervisor.log")
for name in ("first", "second", "third"):
    supervisor.start(name, [sys.executable, str(folder / "part.py"), name, str(folder)],
                     env=dict(os.environ), cwd=folder, log=folder / "log")
{then}
signal.pause()
"""


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def _owner(folder: Path, then: str = "") -> Background:
    (folder / "part.py").write_text(textwrap.dedent(_PART))
    (folder / "owner.py").write_text(textwrap.dedent(_OWNER).format(then=then))
    return Background([str(folder / "owner.py"), str(folder)], folder / "owner.log")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_all_end_in_reverse_order_when_the_owner_dies(
    tmp_path: Path, number: signal.Signals
) -> None:
    with _owner(tmp_path) as owner:
        eventually(lambda: len(_lines(tmp_path / "starts")) == 3, "all three started")
        owner.signal(number)
        nothing_left(tmp_path)
    assert _lines(tmp_path / "ends") == ["third", "second", "first"]


def test_a_forked_child_that_holds_the_pipe_saves_nobody(tmp_path: Path) -> None:
    fork = "if os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\n    os._exit(0)"
    with _owner(tmp_path, fork) as owner:
        eventually(lambda: len(_lines(tmp_path / "starts")) == 3, "all three started")
        owner.signal(signal.SIGKILL)
        eventually(lambda: len(_lines(tmp_path / "ends")) == 3, "all three ended", seconds=30)
        for line in processes_about(tmp_path / "owner.py"):
            os.kill(int(line.split()[0]), signal.SIGKILL)


def test_detached_ones_stay(tmp_path: Path) -> None:
    with _owner(tmp_path, "supervisor.detach(); raise SystemExit") as owner:
        assert owner.popen.wait(60) == 0
        eventually(lambda: len(_lines(tmp_path / "starts")) == 3, "all three started")
        left = recorded(tmp_path / "processes.json")
        assert list(left) == ["first", "second", "third"]
        assert all(process.alive for process in left.values())
        assert len(processes_about(tmp_path)) == 3, "the supervisor itself is gone"
        for process in left.values():
            process.stop()
    nothing_left(tmp_path)


def test_a_killed_supervisor_is_noticed_and_its_processes_are_ended(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "processes.json", tmp_path / "log") as supervisor:
        process = supervisor.start(
            "sleeper", ["sleep", "600"], env=dict(os.environ), cwd=tmp_path, log=tmp_path / "log"
        )
        os.kill(supervisor.pid, signal.SIGKILL)
        with pytest.raises(StartError, match="is gone"):
            supervisor.stop("sleeper")
        assert process.alive
    assert not process.alive


def test_a_stopped_one_keeps_its_place_when_started_again(tmp_path: Path) -> None:
    part = tmp_path / "part.py"
    part.write_text(textwrap.dedent(_PART))
    with Supervisor(tmp_path / "processes.json", tmp_path / "log") as supervisor:

        def start(name: str, starts: int) -> None:
            argv = [sys.executable, str(part), name, str(tmp_path)]
            log = tmp_path / "log"
            supervisor.start(name, argv, env=dict(os.environ), cwd=tmp_path, log=log)
            eventually(lambda: len(_lines(tmp_path / "starts")) == starts, f"{name} started")

        start("first", 1)
        start("second", 2)
        assert supervisor.stop("first")
        start("first", 3)
    assert _lines(tmp_path / "ends") == ["first", "second", "first"]


def test_what_cannot_be_started_is_named(tmp_path: Path) -> None:
    with Supervisor(tmp_path / "processes.json", tmp_path / "log") as supervisor:
        with pytest.raises(StartError, match="/nowhere/etcd could not be started"):
            supervisor.start("etcd", ["/nowhere/etcd"], env={}, cwd=tmp_path, log=tmp_path / "log")
        supervisor.start(
            "one", ["sleep", "600"], env=dict(os.environ), cwd=tmp_path, log=tmp_path / "log"
        )
        with pytest.raises(StartError, match="one is running already"):
            supervisor.start(
                "one", ["sleep", "600"], env=dict(os.environ), cwd=tmp_path, log=tmp_path / "log"
            )


def test_a_removed_folder_saves_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    supervisor = Supervisor(folder / "processes.json", tmp_path / "supervisor.log")
    started = [
        supervisor.start(name, command, env=dict(os.environ), cwd=tmp_path, log=tmp_path / "log")
        for name in ("first", "second")
    ]
    shutil.rmtree(folder)
    supervisor.close()
    assert not [process for process in started if process.alive]
