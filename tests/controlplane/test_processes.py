"""A process is known for certain, and ends for certain."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from together_local.cluster.processes import Process, born, stop_recorded

_IGNORES_SIGTERM = """
import signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
signal.pause()
"""


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as child:
        yield child
        child.kill()


def test_a_process_is_alive_until_it_ended(sleeper: subprocess.Popen[bytes]) -> None:
    process = Process.of(sleeper.pid)
    assert process.alive
    sleeper.kill()
    assert process.wait(10), "an unreaped process counts as ended"
    sleeper.wait()
    assert born(sleeper.pid) is None


def test_a_recycled_pid_is_never_signalled(
    sleeper: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    stranger = Process(sleeper.pid, "an earlier start")
    assert not stranger.alive
    stranger.signal(signal.SIGKILL)
    assert stranger.stop(grace=1)
    record = tmp_path / "processes.json"
    record.write_text(json.dumps({"etcd": {"pid": sleeper.pid, "born": "an earlier start"}}))
    assert stop_recorded(record) == []
    assert sleeper.poll() is None


def test_one_that_ignores_sigterm_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _IGNORES_SIGTERM], stdout=subprocess.PIPE, start_new_session=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"deaf\n"
        assert Process.of(child.pid).stop(grace=0.2) is False
        assert child.wait(10) == -signal.SIGKILL


def test_a_paused_one_is_ended_politely(sleeper: subprocess.Popen[bytes]) -> None:
    process = Process.of(sleeper.pid)
    process.signal(signal.SIGSTOP)
    assert process.alive
    assert process.stop(grace=10) is True
    assert sleeper.wait(10) == -signal.SIGTERM


def test_no_such_process() -> None:
    with pytest.raises(ProcessLookupError):
        Process.of(2**22 + 1)
