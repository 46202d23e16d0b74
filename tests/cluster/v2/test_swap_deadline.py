"""A replacement that never comes up: an hour is given to it, which passes in seconds here."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.support.contract import assert_row, conditions
from tests.support.load import Load
from tests.support.operator import HARDWARE, eventually
from tests.support.team_v2 import ANOTHER_HARDWARE, JudgeV2, TeamV2, manifest_v2


@pytest.fixture(scope="module")
def flags() -> Sequence[str]:
    """An hour lasts half a minute."""
    return ("--time-scale", "120")


def test_hardware_that_cannot_be_had(team: TeamV2) -> None:
    team.apply(manifest_v2(replacement="Swap"))
    before = team.until("mixtral", "Serving")
    judge = JudgeV2.of(team)
    old = judge.one(before)
    patched = len(team.patches())
    team.together.capacity({ANOTHER_HARDWARE: 0})
    try:
        with Load.of(team, before) as load:
            team.spec("mixtral", hardware=ANOTHER_HARDWARE)
            replacing = team.awaits(
                "mixtral",
                "it is told what is missing",
                lambda it: (
                    conditions(it)["Ready"]["reason"] == "Replacing"
                    and len(it["status"].get("deployments", [])) == 2
                ),
            )
            assert conditions(replacing)["Available"]["status"] == "True"
            failed = team.until("mixtral", "ReplacementFailed")
            assert_row(
                failed, "ReplacementFailed",
                ready=False, available=True, reconciling=False, stalled=True, synced=True,
            )  # fmt: skip
            message = conditions(failed)["Stalled"]["message"]
            assert "was not ready within an hour" in message
            assert "goes on serving" in message
            eventually("the second one is removed", lambda: len(judge.live()) == 1, within=30)
            assert judge.live()[0]["id"] == old["id"]
            assert team.split() == {old["id"]: 100}
            team.polled(3)
            assert len(team.deploys()) == 2, "it is not tried again by itself"
        assert load.answered_by(old["id"]) == len(load.answers)
        # The start of the second one and its stop; nothing was asked of the first.
        assert len(team.patches()) == patched + 2
    finally:
        team.together.capacity({ANOTHER_HARDWARE: None})
    team.spec("mixtral", hardware=HARDWARE)
    found = team.until("mixtral", "Serving")
    assert [one["id"] for one in found["status"]["deployments"]] == [old["id"]]
    assert judge.most_running() == 2
    # One word for it, from the moment that it is certain until somebody does something.
    words = team.reasons()
    assert words[words.index("ReplacementFailed") :] == ["ReplacementFailed", "Serving"]
