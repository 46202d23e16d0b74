"""What the tests of the second generation need: teams that look at its part of the ledger."""

from __future__ import annotations

import pytest

from tests.support.operator import OperatorProcess
from tests.support.team_v2 import TeamV2


@pytest.fixture(scope="module")
def _free(operator: OperatorProcess) -> list[TeamV2]:
    return [TeamV2(operator, space) for space in operator.spaces]
