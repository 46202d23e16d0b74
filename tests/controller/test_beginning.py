"""What the operator cannot begin without is asked for until it is there, or really refused."""

from __future__ import annotations

import asyncio

import pytest

from tests.controller.fake_kube import FakeKube
from tests.controller.virtual import steady, virtually
from together_operator.controller.beginning import doubted_for, insist, unless
from together_operator.controller.identity import CONFIGMAP, IdentityRefused, establish
from together_operator.controller.kube_errors import (
    Forbidden,
    KubeError,
    KubeUnavailable,
    NamespaceTerminating,
)

LIMIT = doubted_for(1)
REFUSED = Forbidden("get configmaps", 'User "robot" cannot get resource "configmaps"')
AWAY = KubeUnavailable("no way")


def begin(*troubles: KubeError, given: str | None = "cluster") -> tuple[str, float, FakeKube]:
    """Ask for the cluster's name, with troubles first; the name, and the seconds that took."""
    kube = FakeKube()
    kube.fail["get_configmap"] = list(troubles)

    async def scene() -> tuple[str, float]:
        name = await insist(lambda: establish(kube.kube, "system", given), LIMIT)
        return name, steady()

    return *virtually(scene()), kube


def test_for_how_long_a_refusal_is_doubted() -> None:
    limits = [doubted_for(scale) for scale in (1, 1.25, 30, 1000)]
    assert limits == [20, 16, 10, 10]


@pytest.mark.parametrize("trouble", [REFUSED, AWAY])
def test_what_passes_ends_nothing(trouble: KubeError, caplog: pytest.LogCaptureFixture) -> None:
    name, took, kube = begin(trouble, trouble)
    assert name == "cluster"
    assert took == pytest.approx(2, abs=0.1)
    assert ("system", CONFIGMAP) in kube.configmaps
    assert caplog.messages == [f"Waiting: {trouble}"]


def test_a_right_that_stays_missing_is_said_well_within_a_minute() -> None:
    began = 0.0

    async def scene() -> None:
        kube = FakeKube()
        kube.fail["get_configmap"] = [REFUSED] * 1000
        try:
            await insist(lambda: establish(kube.kube, "system", None), LIMIT)
        finally:
            assert steady() - began == pytest.approx(LIMIT, abs=2)

    with pytest.raises(Forbidden, match="Grant it"):
        virtually(scene())


def test_refusals_between_which_it_was_away_are_not_one() -> None:
    restarts = [AWAY, *[REFUSED] * 15] * 5
    _, took, _ = begin(*restarts)
    assert took > 3 * LIMIT


def test_it_is_away_for_as_long_as_it_is() -> None:
    _, took, _ = begin(*[AWAY] * 600)
    assert took > 600


def test_what_is_no_matter_of_time_ends_it_at_once() -> None:
    final = NamespaceTerminating("create configmaps", "it is being terminated")
    with pytest.raises(NamespaceTerminating):
        begin(final)
    kube = FakeKube()

    async def scene() -> None:
        await establish(kube.kube, "system", "another")
        try:
            await insist(lambda: establish(kube.kube, "system", "cluster"), LIMIT)
        finally:
            assert steady() < 1

    with pytest.raises(IdentityRefused):
        virtually(scene())


def test_it_stops_when_it_is_told_to() -> None:
    async def scene() -> None:
        kube = FakeKube()
        kube.fail["get_configmap"] = [AWAY] * 1000
        stopping = asyncio.Event()
        asyncio.get_running_loop().call_later(7, stopping.set)
        work = insist(lambda: establish(kube.kube, "system", "cluster"), LIMIT)
        assert await unless(stopping, work) is None
        assert steady() == pytest.approx(7, abs=0.1)

    virtually(scene())
