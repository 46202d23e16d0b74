"""What an endpoint costs, however many deployments are in it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from together_operator.controller.costs import folded, hardware_of
from together_operator.core.orphans import cost
from together_operator.core.scan import Trait
from together_operator.resource.remote import Bounds, Deployment, Endpoint, Phase, Summary

V1, V2 = "1x_nvidia_h100_80gb_sxm", "1xnvidia-h100-80gb"
PRICES = {V1: Decimal(5), "dear": Decimal(20)}
TRAIT = Trait(None, "acme/model", V1, "ml/one", 2)


def deployment(name: str, phase: Phase, hardware: str = V2, ready: int | None = 1) -> Deployment:
    state = f"DEPLOYMENT_STATE_{phase.name}"
    bounds = Bounds(1, 4)
    return Deployment(name, name, "m", "c", hardware, state, phase, bounds, ready, 0.0)


def line(*deployments: Deployment, phase: Phase = Phase.STOPPED) -> Summary:
    whole = Endpoint(
        "e", "e", "e", "", "", "", "", phase, Bounds(0, 0), 0, 0.0, deployments=deployments
    )
    return Summary("e", "", phase, 0.0, "e", whole)


def costs(seen: Summary) -> Decimal | None:
    return cost(*folded(seen, TRAIT, PRICES.get))


def test_an_endpoint_of_v1_is_what_it_says() -> None:
    seen = Summary("e", "STARTED", Phase.STARTED, 0.0)
    assert folded(seen, TRAIT, PRICES.get) == (seen, TRAIT, Decimal(5))
    assert hardware_of(seen, TRAIT) == [V1]


@pytest.mark.parametrize(
    ("deployments", "amount"),
    [
        pytest.param((), 0, id="nothing in it"),
        pytest.param((deployment("a", Phase.STOPPED),), 0, id="one that is stopped"),
        pytest.param((deployment("a", Phase.STARTED, ready=3),), 15, id="one"),
        pytest.param((deployment("a", Phase.STARTED, ready=None),), 5, id="one without a count"),
        pytest.param(
            (deployment("a", Phase.STARTED, ready=3), deployment("b", Phase.STARTED, "dear")),
            35,
            id="two on different hardware",
        ),
        pytest.param(
            (deployment("a", Phase.STOPPED), deployment("b", Phase.STARTED, "dear", 2)),
            40,
            id="beside one that is stopped",
        ),
        pytest.param(
            (deployment("a", Phase.STARTING, "dear"), deployment("b", Phase.STARTED)),
            5,
            id="beside one that starts, which is free",
        ),
        pytest.param((deployment("a", Phase.UNKNOWN),), 5, id="a state that nobody knows"),
        pytest.param(
            (deployment("a", Phase.STARTED, "new"), deployment("b", Phase.STARTED)),
            None,
            id="a price that is not known",
        ),
        pytest.param((deployment("a", Phase.STOPPED, "new"),), 0, id="one that does not matter"),
    ],
)
def test_an_endpoint_of_v2_costs_what_is_in_it(
    deployments: tuple[Deployment, ...], amount: int | None
) -> None:
    assert costs(line(*deployments)) == amount


def test_it_is_told_as_what_costs_money_in_it() -> None:
    seen = line(deployment("a", Phase.STOPPED), deployment("b", Phase.STARTED, "dear", 2))
    told, trait, _ = folded(seen, TRAIT, PRICES.get)
    assert told.state == "DEPLOYMENT_STATE_STARTED"
    assert (trait.hardware, trait.replicas, trait.display_name) == ("dear", 2, "ml/one")
    assert hardware_of(seen, TRAIT) == [V1, "dear"]
