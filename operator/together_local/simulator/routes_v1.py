"""The management routes of API v1.

Why: these are the routes that the official clients up to version 2 speak. Statuses,
fields and what is left out follow the public API specification; everything beyond
it is asked of the assumptions.
"""

from __future__ import annotations

from typing import Any

from together_local.simulator.bodies_v1 import (
    CreateBody,
    UpdateBody,
    check_bounds,
    check_timeout,
    parse,
)
from together_local.simulator.catalogue import HARDWARE, MODELS, ZONES, Hardware, hardware_for
from together_local.simulator.clock import rfc3339
from together_local.simulator.endpoint import (
    COMING_OR_UP,
    ERROR,
    PENDING,
    STARTING,
    STOPPING,
    Endpoint,
)
from together_local.simulator.errors import ApiError, v1_closed
from together_local.simulator.faults import Operation
from together_local.simulator.replies import Call, Reply
from together_local.simulator.routes import Route
from together_local.simulator.world import Profile, World

_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})


class RoutesV1:
    """Endpoints, hardware and availability zones.

    Args:
        world: What they act on.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes."""
        one = "/v1/endpoints/{endpoint_id}"
        return [
            Route("POST", "/v1/endpoints", Operation.CREATE, self.create),
            Route("GET", "/v1/endpoints", Operation.LIST, self.list),
            Route("GET", one, Operation.READ, self.retrieve),
            Route("PATCH", one, Operation.WRITE, self.update),
            Route("DELETE", one, Operation.WRITE, self.delete),
            Route("GET", "/v1/hardware", Operation.LOOKUP, self.hardware),
            Route("GET", "/v1/clusters/availability-zones", Operation.LOOKUP, self.zones),
        ]

    def create(self, call: Call) -> Reply:
        """POST /v1/endpoints; closed accounts are refused whatever the body says."""
        world = self._world
        if world.profile is Profile.RETIRED:
            raise v1_closed()
        endpoint = world.endpoints.create(
            parse(CreateBody, call.json(), world.site.assumptions),
            call.caller.project,
            call.caller.key_id,
            # One official client sends the zone here instead of in the body.
            zone=call.query.get("availability_zone", ""),
            hide_seconds=call.hide_seconds,
        )
        return Reply(200, endpoint.shown())

    def list(self, call: Call) -> Reply:
        """GET /v1/endpoints; unfiltered it includes Together's own serverless ones."""
        kind = _one_of(call, "type", ("dedicated", "serverless"))
        usage = _one_of(call, "usage_type", ("on-demand", "reserved"))
        mine = _flag(call, "mine")
        if mine is False and self._world.site.assumptions.mine_false == "refuse":
            raise ApiError(400, "mine=false is not supported", param="mine")
        data: list[dict[str, Any]] = []
        if kind != "serverless" and usage != "reserved":
            data += self._world.endpoints.listed(call.caller, call.view, mine=bool(mine))
        if kind != "dedicated" and usage is None and not mine:
            data += self._world.endpoints.serverless()
        return Reply(200, {"object": "list", "data": data})

    def retrieve(self, call: Call) -> Reply:
        """GET /v1/endpoints/{id}."""
        return Reply(200, self._world.endpoints.shown(call.params["endpoint_id"], call.caller))

    def update(self, call: Call) -> Reply:
        """PATCH /v1/endpoints/{id}; nothing changes unless all of it is legal."""
        endpoint = self._world.endpoints.visible(call.params["endpoint_id"], call.caller)
        body = parse(UpdateBody, call.json(), self._world.site.assumptions)
        self._may_update(endpoint, body)
        bounds = self._bounds(endpoint, body)
        check_timeout(body.inactive_timeout or 0, self._world.site.assumptions)
        if body.has("display_name") and body.display_name != endpoint.display_name:
            endpoint.spec.display_name = self._world.endpoints.display_name(
                body.display_name, endpoint.spec.project
            )
        if bounds is not None:
            endpoint.scale(*bounds)
        if body.inactive_timeout is not None:
            endpoint.set_inactive_timeout(body.inactive_timeout)
        elif body.has("inactive_timeout") and self._null_disables:
            endpoint.set_inactive_timeout(0)
        if body.has("state"):
            if body.state == "STARTED":
                endpoint.start()
            else:
                endpoint.stop()
        return Reply(200, endpoint.shown())

    def delete(self, call: Call) -> Reply:
        """DELETE /v1/endpoints/{id}, legal in every state."""
        self._world.endpoints.remove(call.params["endpoint_id"], call.caller)
        return Reply(204)

    def hardware(self, call: Call) -> Reply:
        """GET /v1/hardware; availability only with ``model``, which also limits the list."""
        model_id = call.query.get("model")
        if not model_id:
            return Reply(
                200, {"object": "list", "data": [self._spec(h) for h in HARDWARE.values()]}
            )
        model = MODELS.get(model_id)
        if model is None:
            message = f"No GPU configurations found for model {model_id!r}"
            raise ApiError(404, message, kind="not_found", param="model")
        data = [
            {**self._spec(hardware), "availability": {"status": self._availability(hardware)}}
            for hardware in hardware_for(model)
        ]
        return Reply(200, {"object": "list", "data": data})

    def zones(self, call: Call) -> Reply:
        """GET /v1/clusters/availability-zones."""
        return Reply(200, {"avzones": list(ZONES)})

    def _may_update(self, endpoint: Endpoint, body: UpdateBody) -> None:
        assumptions = self._world.site.assumptions
        starting = body.has("state") and body.state == "STARTED"
        closed = self._world.profile is Profile.RETIRED
        if closed and starting and endpoint.state not in COMING_OR_UP:
            raise v1_closed()
        if closed and body.model_fields_set - {"state"} and assumptions.retired_patch == "refuse":
            raise v1_closed()
        refusal = "accept"
        if endpoint.state == STOPPING:
            refusal = assumptions.patch_while_stopping
        elif endpoint.state in (PENDING, STARTING) and body.model_fields_set - {"state"}:
            refusal = assumptions.patch_while_starting
        if refusal != "accept":
            status = 409 if refusal == "conflict" else 400
            raise ApiError(status, f"The endpoint is {endpoint.state}; try again later")
        if starting and endpoint.state == ERROR and assumptions.start_from_error == "refuse":
            raise ApiError(400, "The endpoint has failed and cannot be started", param="state")
        if not body.model_fields_set and assumptions.empty_patch == "refuse":
            raise ApiError(assumptions.validation_status, "No fields to update")

    def _bounds(self, endpoint: Endpoint, body: UpdateBody) -> tuple[int, int] | None:
        if not body.has("autoscaling"):
            return None
        assumptions = self._world.site.assumptions
        wanted, spec = body.autoscaling, endpoint.spec
        if assumptions.half_autoscaling == "refuse":
            for field in ("min_replicas", "max_replicas"):
                if getattr(wanted, field) is None:
                    raise ApiError(
                        assumptions.validation_status,
                        f"Error parsing endpoint request: autoscaling.{field} is required",
                        param=f"autoscaling.{field}",
                    )
        low = spec.min_replicas if wanted.min_replicas is None else wanted.min_replicas
        high = spec.max_replicas if wanted.max_replicas is None else wanted.max_replicas
        check_bounds(low, high, assumptions)
        return low, high

    @property
    def _null_disables(self) -> bool:
        return self._world.site.assumptions.inactive_timeout_null_on_update == "disable"

    def _spec(self, hardware: Hardware) -> dict[str, Any]:
        return {
            "object": "hardware",
            "id": hardware.id,
            "pricing": {"cents_per_minute": hardware.cents_per_minute},
            "specs": {
                "gpu_type": hardware.gpu.short,
                "gpu_link": "sxm",
                "gpu_memory": hardware.gpu.memory_gb,
                "gpu_count": hardware.count,
            },
            "updated_at": rfc3339(self._world.site.timeline.now),
        }

    def _availability(self, hardware: Hardware) -> str:
        free = self._world.site.capacity.free(hardware.id)
        if free is None or free >= self._world.site.assumptions.insufficient_below:
            return "available"
        return "insufficient" if free else "unavailable"


def _one_of(call: Call, name: str, allowed: tuple[str, ...]) -> str | None:
    value = call.query.get(name)
    if value is not None and value not in allowed:
        raise ApiError(400, f"{name} must be one of {', '.join(allowed)}", param=name)
    return value


def _flag(call: Call, name: str) -> bool | None:
    value = call.query.get(name)
    if value is None:
        return None
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise ApiError(400, f"{name} must be true or false", param=name)
