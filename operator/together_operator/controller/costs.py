"""What an endpoint costs, in whichever generation: one state, one price, a number of replicas.

In the second generation what costs money are the deployments within an endpoint, of which there
may be several, and in several states. People are told of the endpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from together_operator.core.case import Case
from together_operator.core.orphans import cost, running
from together_operator.core.parting import spending
from together_operator.core.scan import Trait
from together_operator.drivers import v1_hardware
from together_operator.resource.remote import Deployment, Phase, Summary
from together_operator.resource.status import Status

Prices = Callable[[str], Decimal | None]
"""US dollars per replica and hour of a hardware, in either spelling; `None` if it is not known."""


def hardware_of(line: Summary, trait: Trait) -> list[str]:
    """Everything on which an endpoint runs, so that the prices can be read.

    Args:
        line: Its line in a LIST.
        trait: What is known of it.
    """
    deployments = _deployments(line)
    if deployments is None:
        return [trait.hardware]
    return sorted({v1_hardware(deployment.hardware) for deployment in deployments})


def folded(line: Summary, trait: Trait, price: Prices) -> tuple[Summary, Trait, Decimal | None]:
    """An endpoint as if it were one thing that runs.

    Args:
        line: Its line in a LIST.
        trait: What is known of it.
        price: What a replica of a hardware costs.

    Returns:
        The line and what is known, with the state of what costs money in it, if anything does, and
        the number of all replicas that do; and what one of them costs on average.
    """
    deployments = _deployments(line)
    if deployments is None:
        return line, trait, price(trait.hardware)
    if not deployments:
        return line, trait, Decimal(0)
    parts = [_part(line, deployment) for deployment in deployments]
    billed = [part for part in parts if cost(*part, Decimal(1)) != 0]
    awake = [part for part in parts if running(part[0])]
    (lead, what), *_ = billed or awake or parts
    known = [cost(*part, price(part[1].hardware)) for part in billed]
    amounts = [amount for amount in known if amount is not None]
    if not billed:
        return lead, _like(trait, what, what.replicas), price(what.hardware)
    replicas = sum(part[1].replicas for part in billed)
    mean = sum(amounts, Decimal(0)) / replicas if len(amounts) == len(known) else None
    return lead, _like(trait, what, replicas), mean


def current_cost(status: Status, case: Case) -> Decimal:
    """US dollars per hour that a resource's endpoint costs now.

    Args:
        status: The status that tells of the endpoint.
        case: The endpoint as it was seen.
    """
    if case.endpoint is None or case.endpoint.phase is not Phase.STARTED:
        return Decimal(0)
    return spending(status, case.endpoint) or Decimal(0)


def _deployments(line: Summary) -> tuple[Deployment, ...] | None:
    return None if line.whole is None else line.whole.deployments


def _part(line: Summary, deployment: Deployment) -> tuple[Summary, Trait]:
    replicas = max(1, deployment.ready_replicas or deployment.bounds.min)
    seen = replace(line, state=deployment.state, phase=deployment.phase)
    return seen, Trait(None, deployment.model, v1_hardware(deployment.hardware), "", replicas)


def _like(trait: Trait, what: Trait, replicas: int) -> Trait:
    return replace(trait, model=what.model, hardware=what.hardware, replicas=replicas)
