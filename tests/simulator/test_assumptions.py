"""Every assumption can be switched, and switching it is seen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator import probes, probes_v2
from tests.simulator.api import Api
from together_local.simulator import Options, Simulator
from together_local.simulator.assumptions import AssumptionError, Assumptions, parse_assumption

SWITCHES = {**probes.SWITCHES, **probes_v2.SWITCHES_V2}
#: Bounds what another assumption draws; seen in the tests of random faults.
NOT_ALONE = {"fault_seconds"}


def test_every_assumption_is_described_and_probed() -> None:
    assert set(SWITCHES) | NOT_ALONE == set(Assumptions.model_fields)
    for name, _default, meaning in Assumptions.described():
        assert len(meaning) > 10, name


@pytest.mark.parametrize("name", sorted(SWITCHES))
async def test_switching_is_seen(name: str) -> None:
    value, probe = SWITCHES[name]
    seen = []
    for assumptions in ({}, {name: value}):
        options = Options(speed=0, seed=2, assumptions=assumptions)
        async with (
            Simulator(options) as together,
            Api(together.base_url, key="key-a") as api,
        ):
            seen.append(await probe(api, together))
    assert seen[0] != seen[1]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("starting_seconds=30", ("starting_seconds", 30)),
        ("no_capacity=refuse", ("no_capacity", "refuse")),
        ("extra_fields=true", ("extra_fields", True)),
        ("credit_cents=null", ("credit_cents", None)),
    ],
)
def test_parsing(text: str, parsed: tuple[str, Any]) -> None:
    assert parse_assumption(text) == parsed


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"startling_seconds": 1}, "startling_seconds"),
        ({"starting_seconds": -1}, "starting_seconds"),
        ({"no_capacity": "perhaps"}, "no_capacity"),
    ],
)
def test_a_wrong_assumption_is_refused_by_name(values: dict[str, Any], named: str) -> None:
    with pytest.raises(AssumptionError, match=named):
        Assumptions().changed(values)
