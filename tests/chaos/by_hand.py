"""What a person makes at Together by hand, in the console or with the CLI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.support.operator import HARDWARE, MODEL
from together_local.simulator.v2.models import Catalogue

if TYPE_CHECKING:
    from tests.chaos.run import Run

AS_V2: Final = {HARDWARE: "2xnvidia-h100-80gb"}
"""What every resource asks for at first, as API v2 spells it."""


def make_endpoint(run: Run) -> set[str]:
    """Make what a resource could have asked for, and give it the traffic; all ids of it."""
    if run.plan.api == "V1":
        bounds = {"min_replicas": 1, "max_replicas": 1}
        body = {"model": MODEL, "hardware": HARDWARE, "autoscaling": bounds}
        named = {"display_name": "By hand", "project": run.project}
        return {run.together.create({**body, **named})["id"]}
    home = run.together.create({"name": f"by-hand-{run.name}", "project": run.project})["id"]
    made = make_deployment(run, home, "serving")
    split = [{"deploymentId": made, "weight": 100.0}]
    run.together.force(home, trafficSplit=split)
    return {home, made}


def make_deployment(run: Run, home: str, name: str) -> str:
    """Make a deployment that runs, and return its id.

    Args:
        run: The run.
        home: The endpoint of API v2 that it is made in.
        name: What it is called there.
    """
    catalogue = Catalogue(run.began)
    weights = catalogue.find(MODEL)
    assert weights is not None
    recipes = catalogue.configs_for(weights.id)
    config = next(one for one in recipes if one.instance.name == AS_V2[HARDWARE])
    body: dict[str, Any] = {
        "endpointId": home,
        "name": name,
        "model": weights.resource,
        "config": config.resource,
        "autoscaling": {"minReplicas": 1, "maxReplicas": 1},
        "project": run.project,
    }
    made: str = run.together.create(body)["id"]
    return made
