"""The v1 endpoints of all projects.

Why: creating, finding, listing and deleting are the same whether a client asks
over the API, a person in the console, or a test over the admin routes; who may see
what is decided here once.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from together_local.simulator.accounts import Caller
from together_local.simulator.bodies_v1 import (
    CreateBody,
    HalfBounds,
    Int32,
    check_bounds,
    check_timeout,
)
from together_local.simulator.catalogue import HARDWARE, MODELS, ZONES, Hardware, Model
from together_local.simulator.clock import rfc3339
from together_local.simulator.endpoint import DELETED, STARTING, STOPPING, Endpoint, EndpointSpec
from together_local.simulator.errors import ApiError, endpoint_not_found, plain_error
from together_local.simulator.ledger import Ledger
from together_local.simulator.listing import in_list
from together_local.simulator.replies import ListView
from together_local.simulator.site import Site


class ForcedFields(BaseModel):
    """Fields that can be forced. Those named here act; any other is merely shown."""

    model_config = ConfigDict(extra="allow")

    state: str | None = None
    display_name: str | None = None
    autoscaling: HalfBounds | None = None
    inactive_timeout: Int32 | None = None


class Endpoints:
    """Every endpoint that there is or was.

    Args:
        site: What the endpoints stand on.
        ledger: The books that they enter.
    """

    def __init__(self, site: Site, ledger: Ledger) -> None:
        self._site = site
        self._ledger = ledger
        self._all: dict[str, Endpoint] = {}
        self._names: dict[str, Endpoint] = {}
        self._serverless = [
            _serverless(site, model) for model in MODELS.values() if model.serverless
        ]

    def create(
        self,
        body: CreateBody,
        project: str,
        key_id: str | None,
        zone: str = "",
        hide_seconds: float = 0,
    ) -> Endpoint:
        """Create an endpoint and set it going.

        Args:
            body: The checked request.
            project: Whose it will be.
            key_id: Hash of the key that asks, or None for the console.
            zone: Availability zone from the query; the body's comes first.
            hide_seconds: Real seconds for which LIST does not show it.

        Raises:
            ApiError: The model, hardware, zone, bounds, name, credit or capacity forbids it.
        """
        assumptions = self._site.assumptions
        model, hardware = self._offered(body, self._zone(body, zone))
        bounds = body.autoscaling
        check_bounds(bounds.min_replicas, bounds.max_replicas, assumptions)
        display_name = self.display_name(body.display_name, project)
        self._affordable(project, hardware, body)
        timeout = body.inactive_timeout
        if timeout is None:
            timeout = assumptions.inactive_timeout_when_null
            if "inactive_timeout" not in body.model_fields_set:
                timeout = assumptions.inactive_timeout_when_omitted
        check_timeout(timeout, assumptions)
        requested = body.display_name if "display_name" in body.model_fields_set else None
        endpoint = Endpoint(
            self._site,
            EndpointSpec(
                model=model,
                hardware=hardware,
                project=project,
                key_id=key_id,
                min_replicas=bounds.min_replicas,
                max_replicas=bounds.max_replicas,
                inactive_timeout=timeout,
                display_name=display_name,
                requested_display_name=requested,
            ),
        )
        endpoint.hidden_until_wall = self._site.clock.wall() + hide_seconds
        self._all[endpoint.id] = endpoint
        self._names[endpoint.name] = endpoint
        self._ledger.add_unit(endpoint)
        if body.state == "STARTED":
            endpoint.start()
        return endpoint

    def visible(self, endpoint_id: str, caller: Caller) -> Endpoint:
        """Return a living endpoint of the caller's project.

        Raises:
            ApiError: There is none of that id, or it is another project's.
        """
        endpoint = self._all.get(endpoint_id)
        if endpoint is None:
            raise endpoint_not_found(endpoint_id)
        if endpoint.spec.project != caller.project:
            if self._site.assumptions.foreign_endpoint_status == 403:
                raise plain_error(403)
            raise endpoint_not_found(endpoint_id)
        if endpoint.state == DELETED:
            raise endpoint_not_found(endpoint_id)
        return endpoint

    def shown(self, endpoint_id: str, caller: Caller) -> dict[str, Any]:
        """Return what GET shows, which may lag behind a deletion.

        Raises:
            ApiError: There is none of that id for the caller.
        """
        endpoint = self._all.get(endpoint_id)
        lag = self._site.assumptions.delete_get_lag_seconds
        if endpoint is not None and endpoint.spec.project == caller.project:
            gone_at = endpoint.deleted_at
            if gone_at is not None and self._site.timeline.now - gone_at < lag:
                return endpoint.shown()
            age = self._site.timeline.now - endpoint.created_at
            if age < self._site.assumptions.create_get_lag_seconds:
                raise endpoint_not_found(endpoint_id)
        return self.visible(endpoint_id, caller).shown()

    def anywhere(self, endpoint_id: str) -> Endpoint:
        """Return a living endpoint of any project, as its console would.

        Raises:
            ApiError: There is none of that id.
        """
        endpoint = self._all.get(endpoint_id)
        if endpoint is None or endpoint.state == DELETED:
            raise endpoint_not_found(endpoint_id)
        return endpoint

    def named(self, name: str, project: str) -> Endpoint | None:
        """Return the project's endpoint that inference addresses by ``name``."""
        endpoint = self._names.get(name)
        if endpoint is None and self._site.assumptions.inference_by_id:
            endpoint = self._all.get(name)
        if endpoint is None or endpoint.spec.project != project or endpoint.state == DELETED:
            return None
        return endpoint

    def listed(self, caller: Caller, view: ListView, *, mine: bool) -> list[dict[str, Any]]:
        """Return what LIST shows of the caller's dedicated endpoints."""
        assumptions = self._site.assumptions
        key_only = mine and assumptions.mine_scope == "key"
        shown = [
            endpoint.listed()
            for endpoint in self._all.values()
            if endpoint.spec.project == caller.project
            and not (key_only and endpoint.spec.key_id != caller.key_id)
            and in_list(self._site, endpoint, view)
        ]
        if assumptions.list_order == "newest":
            shown.reverse()
        return shown[: assumptions.list_limit]

    def serverless(self) -> list[dict[str, Any]]:
        """Return Together's own endpoints, which an unfiltered LIST includes."""
        return [dict(entry) for entry in self._serverless]

    def remove(self, endpoint_id: str, caller: Caller) -> None:
        """Delete an endpoint of the caller's.

        Raises:
            ApiError: There is none of that id for the caller.
        """
        endpoint = self._all.get(endpoint_id)
        again = endpoint is not None and endpoint.state == DELETED
        if again and self._site.assumptions.second_delete_status == 204:
            return
        endpoint = self.visible(endpoint_id, caller)
        refusal = self._site.assumptions.delete_in_transition
        if refusal != "accept" and endpoint.state in (STARTING, STOPPING):
            status = 409 if refusal == "conflict" else 400
            raise ApiError(status, f"The endpoint is {endpoint.state}; try again later")
        endpoint.remove()

    @staticmethod
    def force(endpoint: Endpoint, fields: ForcedFields) -> None:
        """Change fields as Together itself or a person in the console would."""
        spec, bounds = endpoint.spec, fields.autoscaling
        if bounds is not None:
            low, high = bounds.min_replicas, bounds.max_replicas
            endpoint.scale(
                spec.min_replicas if low is None else low,
                spec.max_replicas if high is None else high,
            )
        if fields.display_name is not None:
            spec.display_name = fields.display_name
        if fields.inactive_timeout is not None:
            endpoint.set_inactive_timeout(fields.inactive_timeout)
        if fields.state is not None:
            endpoint.force(fields.state)
        endpoint.overrides.update(fields.model_extra or {})

    def display_name(self, wanted: str, project: str) -> str | None:
        """Return the display name that the server keeps, None for its own default.

        Raises:
            ApiError: It is too long, or taken where names are unique.
        """
        assumptions = self._site.assumptions
        if not wanted or not assumptions.display_names_kept:
            return None
        longest = assumptions.display_name_max_length
        if len(wanted) > longest and assumptions.display_name_overlong == "refuse":
            raise ApiError(
                assumptions.validation_status,
                f"Error parsing endpoint request: display_name: at most {longest} characters",
                param="display_name",
            )
        kept = wanted[:longest]
        if assumptions.display_names_unique and any(
            endpoint.spec.display_name == kept
            for endpoint in self._all.values()
            if endpoint.spec.project == project and endpoint.state != DELETED
        ):
            message = f"An endpoint with display_name {kept!r} already exists"
            raise ApiError(409, message, kind="conflict", param="display_name")
        return kept

    def _zone(self, body: CreateBody, in_query: str) -> str:
        assumptions = self._site.assumptions
        read = {
            "both": body.availability_zone or in_query,
            "body": body.availability_zone,
            "query": in_query,
        }
        zone = read[assumptions.availability_zone_from]
        return "" if assumptions.bad_zone == "ignore" and zone not in ZONES else zone

    def _offered(self, body: CreateBody, zone: str) -> tuple[Model, Hardware]:
        status = self._site.assumptions.validation_status
        model = MODELS.get(body.model)
        if model is None:
            message = f"Model {body.model!r} not found or not supported on dedicated endpoints"
            raise ApiError(404, message, param="model")
        hardware = HARDWARE.get(body.hardware)
        if hardware is None:
            message = f"Invalid hardware provided: {body.hardware!r}. Please check the hardware API"
            raise ApiError(status, message, param="hardware")
        if not model.runs_on(hardware):
            message = (
                f"Hardware {hardware.id!r} is not available for this model. "
                "Please check the hardware API for compatible configurations"
            )
            raise ApiError(404, message, param="hardware")
        if zone and zone not in ZONES:
            message = f"Invalid availability zone {zone!r}; known zones: {', '.join(sorted(ZONES))}"
            raise ApiError(status, message, param="availability_zone")
        if zone and hardware.gpu not in ZONES[zone]:
            message = f"Hardware {hardware.id!r} is not available in zone {zone!r}"
            raise ApiError(status, message, param="availability_zone")
        return model, hardware

    def _affordable(self, project: str, hardware: Hardware, body: CreateBody) -> None:
        assumptions = self._site.assumptions
        credit = assumptions.credit_cents
        if credit is not None and self._ledger.billed_cents(project) >= credit:
            raise plain_error(402)
        wanted = max(1, body.autoscaling.min_replicas)
        enough = 1 if assumptions.partial_capacity == "start" else wanted
        if (
            assumptions.no_capacity == "refuse"
            and body.state == "STARTED"
            and self._site.capacity.offer(hardware.id, wanted) < enough
        ):
            raise ApiError(
                assumptions.capacity_refusal_status,
                f"Hardware request not available: no {hardware.id} is free now; try again later",
                param="hardware",
            )


def _serverless(site: Site, model: Model) -> dict[str, Any]:
    return {
        "object": "endpoint",
        "id": f"endpoint-{site.new_uuid()}",
        "name": model.id,
        "model": model.id,
        "type": "serverless",
        "owner": "together",
        "state": "STARTED",
        "created_at": rfc3339(site.timeline.now - 200 * 86400),
    }
