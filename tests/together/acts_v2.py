"""What tests of the v2 driver have in common: an order, and ways to get what it asks for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from together_local.simulator import Simulator
from together_operator.drivers import Deployer
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import (
    Bounds,
    Deployment,
    Done,
    Endpoint,
    Order,
    Refused,
    Weight,
)

MODEL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
MARK = "tep-abcdef-abcdefghijkl-abcd"
NAME = f"q7zk2-{MARK}"
ORDER = Order(
    model=MODEL,
    hardware="2x_nvidia_h100_80gb_sxm",
    bounds=Bounds(1, 2),
    display_name=f"ml/mixtral {MARK}",
    started=True,
    inactive_timeout_minutes=0,
    speculative_decoding=None,
    availability_zone=None,
    endpoint_name="mixtral",
)
UP = 10 + 120
"""Simulated seconds until a started deployment is READY."""

ME = {"type": "project_api_key", "project": {"id": "proj_1", "slug": "team", "name": "Team"}}
"""Whose a key is, as Together answers it."""

STOPPED = "DEPLOYMENT_STATE_STOPPED"
DOWN = 15
ROUTED = 20


def order(**changes: Any) -> Order:
    """Return the order with changes."""
    return replace(ORDER, **changes)


async def made(driver: Deployer, wanted: Order = ORDER) -> str:
    """Create an endpoint and return its id."""
    seen = await driver.create(wanted)
    assert isinstance(seen, Done), seen
    assert seen.endpoint is not None
    return seen.endpoint.id


async def deployed(
    driver: Deployer, endpoint_id: str, name: str = NAME, wanted: Order = ORDER
) -> Deployment:
    """Create a deployment and return it."""
    seen = await driver.deploy(endpoint_id, name, wanted)
    assert isinstance(seen, Done), seen
    assert seen.deployment is not None
    return seen.deployment


async def running(driver: Deployer, sim: Simulator) -> tuple[str, str]:
    """Create an endpoint and a deployment that serves, and return both ids."""
    endpoint_id = await made(driver)
    deployment = await deployed(driver, endpoint_id)
    assert isinstance(await driver.start(endpoint_id, ORDER, deployment.id), Done)
    assert isinstance(await driver.route(endpoint_id, (Weight(deployment.id, 1.0),), None), Done)
    sim.console.advance(UP + ROUTED)
    return endpoint_id, deployment.id


async def shown(driver: Deployer, endpoint_id: str) -> Endpoint:
    """Return an endpoint that is there."""
    seen = await driver.get(endpoint_id)
    assert isinstance(seen, Endpoint), seen
    return seen


async def refusal(driver: Deployer, **changes: Any) -> Refused:
    """Return why the order, with changes, creates nothing."""
    seen = await driver.create(order(**changes))
    assert isinstance(seen, Refused), seen
    return seen


def asked(sim: Simulator, method: str = "", part: str = "") -> list[str]:
    """Return verbs and paths of the requests so far."""
    seen = [f"{one['method']} {one['path']}" for one in sim.console.ledger()["requests"]]
    return [one for one in seen if one.startswith(method) and part in one]


def refused(seen: object) -> tuple[Reason, bool]:
    """Return the reason of a refusal, and whether it may pass by itself."""
    assert isinstance(seen, Refused), seen
    assert seen.message.endswith(".")
    assert ".." not in seen.message
    return seen.reason, seen.retryable
