"""`helm install --wait` of a team's own chart with a TogetherEndpoint in it, by the real Helm 4."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.chart import ROOT
from tests.support.cluster import Run
from tests.support.operator import HARDWARE, eventually
from tests.support.team import Team

CHART = str(ROOT / "tests/chart/fixtures/endpoint")
NAME = "mixtral"


class Release:
    """A release of the team's chart."""

    def __init__(self, helm: Run, team: Team) -> None:
        self._helm = helm
        self._team = team

    def run(self, verb: str, *args: str) -> subprocess.CompletedProcess[str]:
        """Run Helm with --wait; its own limit is long, so what ends sooner ended for a reason."""
        chart = [CHART] if verb in ("install", "upgrade") else []
        return self._helm(
            *(verb, NAME, *chart, "--namespace", self._team.name, "--wait", "--timeout", "10m"),
            *args,
            check=False,
            timeout=180,
        )


@pytest.fixture
def release(helm: Run, team: Team) -> Release:
    return Release(helm, team)


def test_install_waits_for_ready_and_uninstall_for_the_end_of_the_bill(
    release: Release, team: Team
) -> None:
    team.together.capacity({HARDWARE: 0})
    try:
        with ThreadPoolExecutor(1) as pool:
            installing = pool.submit(release.run, "install")
            eventually("it is applied", lambda: team.read(NAME))
            team.until(NAME, "WaitingForCapacity")
            assert not installing.done(), installing.result()
            team.together.capacity({HARDWARE: None})
            installed = installing.result()
    finally:
        team.together.capacity({HARDWARE: None})
    assert installed.returncode == 0, installed.stderr
    assert team.reason(NAME) == "Serving"
    assert team.kubectl("get", "configmap", f"{NAME}-connection")

    # An upgrade is over when the new generation is, not when the old one still is.
    upgraded = release.run("upgrade", "--set", "minReplicas=2")
    assert upgraded.returncode == 0, upgraded.stderr
    assert team.endpoint()["autoscaling"]["min_replicas"] == 2
    assert team.reason(NAME) == "Serving"

    removed = release.run("uninstall")
    assert removed.returncode == 0, removed.stderr
    assert team.live() == []
    assert team.read(NAME) is None


def test_a_definite_refusal_fails_the_install_with_the_reason(release: Release, team: Team) -> None:
    failed = release.run("install", "--set", "hardware=2x_nvidia_h100_80gb_sxmm")
    assert failed.returncode != 0
    assert "status: Failed" in failed.stderr, failed.stderr
    assert HARDWARE in failed.stderr, "the message names what can be had instead"
    assert team.live() == []

    # Without any value Helm would take those of the last attempt.
    mended = release.run("upgrade", "--set", f"hardware={HARDWARE}")
    assert mended.returncode == 0, mended.stderr
    assert team.reason(NAME) == "Serving"


def test_what_cannot_change_is_refused_with_advice(release: Release, team: Team) -> None:
    installed = release.run("install")
    assert installed.returncode == 0, installed.stderr
    refused = release.run("upgrade", "--set", "hardware=1x_nvidia_h100_80gb_sxm")
    assert refused.returncode != 0
    assert "hardware" in refused.stderr
    assert team.endpoint()["hardware"] == HARDWARE
