"""The simulator as a command and as a process."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time

import httpx
import pytest

from together_local.simulator import (
    AdminError,
    Options,
    Profile,
    SimulatorStartError,
    start_simulator,
)

COMMAND = [sys.executable, "-m", "together_local.simulator"]
#: Plain and wide, so that words are found where they were written.
PLAIN = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}


STARTER = """
import time
from together_local.simulator import start_simulator

together = start_simulator()
together.admin.health()
print(together.pid, together.url, flush=True)
time.sleep(600)
"""


def listens(url: str) -> bool:
    """Tell whether somebody answers there."""
    try:
        return httpx.get(f"{url}/_sim/healthz", trust_env=False).is_success
    except httpx.TransportError:
        return False


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], env=PLAIN, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_says_where_it_listens_and_ends_cleanly(number: signal.Signals) -> None:
    command = [*COMMAND, "--port", "0", "--profile", "retired", "--speed", "60"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        said = re.fullmatch(
            r"Simulated Together on (http://127\.0\.0\.1:\d+)/v1 \(profile retired, speed 60\)",
            line,
        )
        assert said, line
        health = httpx.get(f"{said.group(1)}/_sim/healthz", trust_env=False).json()
        assert (health["profile"], health["speed"]) == ("retired", 60)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, out, err) == (0, "", "")


def test_a_taken_port_is_told_with_advice() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = run("--port", str(port))
        assert ended.returncode == 2
        assert f"127.0.0.1:{port}" in ended.stderr
        assert "--port" in ended.stderr
        with pytest.raises(SimulatorStartError, match="cannot listen"):
            start_simulator(port=port)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--assume", "starting_seconds"), "NAME=VALUE"),
        (("--assume", "nonsense=1"), "nonsense"),
        (("--assume", "starting_seconds=soon"), "starting_seconds"),
        (("--project", "key-without-project"), "KEY=PROJECT"),
        (("--profile", "modern"), "classic"),
        (("--speed", "-1"), "--speed"),
        (("--fault-rate", "2"), "--fault-rate"),
    ],
)
def test_mistakes_are_named(arguments: tuple[str, ...], named: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == 2
    assert named in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_assumptions_can_be_read() -> None:
    listed = run("--list-assumptions")
    assert listed.returncode == 0
    assert "inactive_timeout_when_omitted" in listed.stdout


def test_every_option_reaches_the_simulator() -> None:
    options = Options(
        profile=Profile.RETIRED,
        speed=0,
        seed=7,
        denied_keys=("denied",),
        projects={"key-a": "team-a"},
        assumptions={"extra_fields": True, "no_capacity": "refuse", "credit_cents": None},
    )
    with start_simulator(options) as together:
        health = together.admin.health()
        assert (health["profile"], health["speed"], health["seed"]) == ("retired", 0, 7)
        assumptions = together.admin.assumptions()
        assert assumptions["extra_fields"] is True
        assert assumptions["no_capacity"] == "refuse"
        for key, status in (("denied", 401), ("key-a", 200)):
            headers = {"Authorization": f"Bearer {key}"}
            response = httpx.get(f"{together.base_url}/whoami", headers=headers, trust_env=False)
            assert response.status_code == status
        assert response.json()["project_name"] == "team-a"
        with pytest.raises(AdminError, match="nonsense"):
            together.admin.assume(nonsense=1)


def test_it_ends_with_its_starter() -> None:
    """However the starter ends: here it is killed."""
    starter = subprocess.Popen([sys.executable, "-c", STARTER], stdout=subprocess.PIPE, text=True)
    try:
        assert starter.stdout is not None
        pid, url = starter.stdout.readline().split()
    finally:
        starter.kill()
        starter.wait()
    try:
        deadline = time.monotonic() + 30
        while listens(url):
            assert time.monotonic() < deadline, "the simulator outlived its starter"
            time.sleep(0.05)
    except AssertionError:
        os.kill(int(pid), signal.SIGKILL)
        raise


def test_it_listens_on_this_machine_only() -> None:
    with start_simulator() as together:
        port = int(together.url.rsplit(":", 1)[1])
        with socket.socket() as other:
            # Another address of this machine is free, which it would not be otherwise.
            other.bind(("127.0.0.2", port))
