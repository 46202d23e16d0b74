"""What runs within endpoints of API v2: deployments, and the traffic between them.

An endpoint there is a name that costs nothing. What costs is a deployment with replica bounds above
zero; which of them answers under the name is written apart. Together refuses whatever is out of
order: deleting what runs or has traffic, starting what is stopping or has failed, writing traffic
that has changed since it was read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from together_operator.core.marker import Marker
from together_operator.resource.remote import (
    Bounds,
    Change,
    Deployment,
    Endpoint,
    Order,
    Phase,
    Summary,
    Weight,
)
from together_operator.resource.spec import Api

if TYPE_CHECKING:
    from .together_model import Flight, Machine, Together

NONE = Bounds(0, 0)
_HALTED = ("STOPPED", "FAILED")
EMBEDDED = 10
"""Deployments that a LIST shows of an endpoint."""


@dataclass(slots=True)
class Unit:
    """One deployment, as it truly is.

    Attributes:
        owner: The owner part of the marker in its POST body; `None` if a person made it.
        nonce: The nonce part of the same.
        since: When its state last changed.
        listed_from: From when on a LIST shows it.
    """

    id: str
    endpoint_id: str
    name: str
    model: str
    hardware: str
    bounds: Bounds
    state: str
    created: float
    owner: str | None
    nonce: str | None
    minutes: int | None
    since: float
    listed_from: float
    gone_at: float | None = None

    @property
    def alive(self) -> bool:
        """Whether it exists, running or not."""
        return self.gone_at is None

    @property
    def runs(self) -> bool:
        """Whether it costs, or will as soon as its replicas are there."""
        return self.alive and self.bounds.max >= 1 and self.state not in _HALTED


# -- what truly happens ----------------------------------------------------------------------------


def taken(together: Together, project: str, name: str) -> bool:
    """Whether an endpoint has a name."""
    return any(m.name == name and m.project == project for m in together.living())


def make_endpoint(
    together: Together,
    order: Order,
    project: str,
    now: float,
    *,
    lag: float = 0.0,
    by_hand: bool = False,
) -> Machine:
    """An endpoint comes into being, which costs nothing."""
    machine = together.make(order, project, now, lag=lag, by_hand=by_hand)
    machine.api, machine.name, machine.state = Api.V2, order.endpoint_name, ""
    machine.display_name, machine.bounds, machine.minutes = "", NONE, None
    return machine


def make_unit(
    together: Together, machine: Machine, name: str, order: Order, now: float, *, lag: float = 0.0
) -> Unit:
    """A deployment comes into being, which runs only if its bounds say so."""
    marker = Marker.parse(f" {name.partition('-')[2]}")
    unit = Unit(
        id=f"dep_{len(together.deployments) + 1}",
        endpoint_id=machine.id,
        name=name,
        model=order.model,
        hardware=order.hardware,
        bounds=order.bounds if order.started else NONE,
        state="PROVISIONING" if order.started else "STOPPED",
        created=now,
        owner=None if marker is None else marker.owner,
        nonce=None if marker is None else marker.nonce,
        minutes=order.inactive_timeout_minutes,
        since=now,
        listed_from=now + lag,
    )
    together.deployments[unit.id] = unit
    return unit


def within(together: Together, endpoint_id: str) -> list[Unit]:
    """The deployments that an endpoint has."""
    return [u for u in together.deployments.values() if u.endpoint_id == endpoint_id and u.alive]


def title_taken(together: Together, machine: Machine, name: str) -> bool:
    """Whether a deployment of an endpoint has a name, where that matters."""
    return together.unique and any(u.name == name for u in within(together, machine.id))


def unstartable(unit: Unit, bounds: Bounds) -> bool:
    """Whether a deployment cannot be given these bounds as it is."""
    return bounds.max >= 1 and unit.state in ("STOPPING", "FAILED")


def scale(unit: Unit, bounds: Bounds, now: float) -> None:
    """A deployment gets other bounds, which is what starts and stops it."""
    if not unit.alive or unstartable(unit, bounds):
        return
    unit.bounds = bounds
    if bounds.max >= 1 and unit.state == "STOPPED":
        unit.state, unit.since = "PROVISIONING", now
    if bounds.max == 0 and unit.state not in ("STOPPING", *_HALTED):
        unit.state, unit.since = "STOPPING", now


def change(unit: Unit, what: Change, now: float) -> None:
    """A deployment is changed in place."""
    if what.bounds is not None:
        scale(unit, what.bounds, now)
    if what.inactive_timeout_minutes is not None:
        unit.minutes = what.inactive_timeout_minutes


def keeps(together: Together, unit: Unit) -> str | None:
    """Why a deployment cannot be deleted now, if so."""
    if unit.state not in _HALTED:
        return f"{unit.id} is not stopped"
    traffic = together.machines[unit.endpoint_id].traffic
    if any(weight.deployment_id == unit.id for weight in traffic):
        return f"{unit.id} is in the traffic split"
    return None


def version(machine: Machine) -> str:
    """The etag of an endpoint."""
    return ",".join(f"{w.deployment_id}={w.weight:g}" for w in machine.traffic)


def route(
    together: Together, machine: Machine, traffic: tuple[Weight, ...], named: str | None
) -> bool:
    """Traffic is written, unless it has changed since it was read, or goes to what is not there."""
    if named is not None and named != version(machine):
        return False
    there = {unit.id for unit in within(together, machine.id)}
    if any(weight.deployment_id not in there for weight in traffic):
        return False
    machine.traffic = traffic
    return True


def land(together: Together, flight: Flight) -> None:
    """What was sent earlier arrives, and is refused if it is out of order by now."""
    machine = together.machines[flight.endpoint_id]
    if not machine.alive:
        return
    unit = together.deployments.get(flight.deployment or "")
    match flight.verb:
        case "deploy" if isinstance(flight.what, Order) and flight.deployment is not None:
            if not title_taken(together, machine, flight.deployment):
                at = flight.at
                make_unit(together, machine, flight.deployment, flight.what, at, lag=flight.lag)
        case "route" if isinstance(flight.what, tuple):
            route(together, machine, flight.what, flight.version)
        case "delete":
            if not within(together, machine.id):
                together.remove(machine.id, flight.at)
        case "undeploy" if unit is not None:
            if keeps(together, unit) is None:
                unit.gone_at = flight.at
        case "update" if unit is not None and isinstance(flight.what, Change):
            change(unit, flight.what, flight.at)
        case "start" if unit is not None and isinstance(flight.what, Order):
            scale(unit, flight.what.bounds, flight.at)
        case "stop" if unit is not None:
            scale(unit, NONE, flight.at)


# -- what is shown ---------------------------------------------------------------------------------


def shown(together: Together, unit: Unit) -> Deployment:
    """A deployment as a GET shows it."""
    from .together_model import PHASES

    return Deployment(
        id=unit.id,
        name=unit.name,
        model=unit.model,
        config="cr_1",
        hardware=unit.hardware,
        state=unit.state,
        phase=PHASES.get(unit.state, Phase.UNKNOWN),
        bounds=unit.bounds,
        ready_replicas=unit.bounds.min if unit.state == "READY" else 0,
        created_at=together.date(unit.created),
        inactive_timeout_minutes=unit.minutes,
    )


def show(together: Together, machine: Machine, listed_at: float = float("inf")) -> Endpoint:
    """An endpoint with all that is within it, or with what a LIST shows at a time."""
    units = [u for u in within(together, machine.id) if u.listed_from <= listed_at]
    units.sort(key=lambda unit: (unit.created, unit.id))
    deployments = tuple(shown(together, unit) for unit in units)
    marked = next((u for u in units if Marker.parse(f" {u.name.partition('-')[2]}")), None)
    mark = "" if marked is None else f" {marked.name.partition('-')[2]}"
    endpoint = Endpoint(
        id=machine.id,
        name=f"acme/{machine.name}",
        display_name=f"{machine.name}{mark}",
        model="",
        hardware="",
        owner="acme",
        state="",
        phase=Phase.STOPPED,
        bounds=NONE,
        ready_replicas=0,
        created_at=together.date(machine.created),
        deployments=deployments,
        traffic=machine.traffic,
        version=version(machine),
    )
    through = marked.id if marked is not None else None
    return endpoint.through(
        endpoint.deployment(through) or (deployments[0] if deployments else None)
    )


def line(together: Together, machine: Machine, now: float) -> Summary:
    """One line of a LIST."""
    whole = show(together, machine, now)
    told = [
        replace(one, config="", inactive_timeout_minutes=None) for one in whole.deployments or ()
    ]
    whole = replace(whole, deployments=tuple(told))
    return Summary(
        machine.id,
        whole.state,
        whole.phase,
        whole.created_at,
        machine.name,
        whole if len(whole.deployments or ()) < EMBEDDED else None,
    )
