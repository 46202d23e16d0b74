"""The routes of API v2 that act: endpoints, deployments, their events.

Why: paths, keys and statuses are those that the official client 3.1.1 speaks. Rollouts,
experiments and adapters are not simulated; their lists exist and are empty, because the
official command line looks into them on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from together_local.simulator.clock import rfc3339
from together_local.simulator.errors import ApiError
from together_local.simulator.faults import Operation
from together_local.simulator.listing import in_list
from together_local.simulator.replies import Call, Reply
from together_local.simulator.routes import Route
from together_local.simulator.v2 import deployments, endpoints
from together_local.simulator.v2.bodies import (
    CreateDeployment,
    CreateEndpoint,
    UpdateDeployment,
    UpdateEndpoint,
    parse,
)
from together_local.simulator.v2.deployment import Deployment
from together_local.simulator.v2.endpoint import Endpoint
from together_local.simulator.v2.events import LEVELS, Event
from together_local.simulator.v2.filters import read_filter, read_order
from together_local.simulator.v2.projects import ORGANIZATION, own_project
from together_local.simulator.v2.queries import PAGE, Key, flag, page, read_mask, read_query
from together_local.simulator.v2.views import deployment_view, endpoint_view
from together_local.simulator.world import World

_LIST = (*PAGE, "filter", "orderBy")
_EVENTS = (
    *PAGE,
    "since",
    "until",
    "types",
    "deploymentIds",
    "subjectId",
    "minLevel",
    "sourceKinds",
)
_MOST_EVENTS = 10_000

_ENDPOINT_FIELDS = frozenset({"name", "created_at", "updated_at"})
_DEPLOYMENT_FIELDS = _ENDPOINT_FIELDS | {"state", "model"}

UnitT = TypeVar("UnitT", Endpoint, Deployment)

#: Collections below an endpoint that stay empty.
_EMPTY = ("rollouts", "abExperiments", "shadowExperiments", "deployments/{deployment_id}/adapters")


class RoutesV2:
    """Endpoints, deployments and events.

    Args:
        world: What they act on.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes."""
        all_endpoints = "/v2/projects/{project_id}/endpoints"
        endpoint = f"{all_endpoints}/{{endpoint_id}}"
        all_deployments = f"{endpoint}/deployments"
        deployment = f"{all_deployments}/{{deployment_id}}"
        shared = "/v2/organizations/{organization_id}/endpoints"
        return [
            Route("POST", all_endpoints, Operation.CREATE, self.create),
            Route("GET", all_endpoints, Operation.LIST, self.list_endpoints),
            Route("GET", shared, Operation.LIST, self.list_shared),
            Route("GET", endpoint, Operation.READ, self.retrieve),
            Route("PATCH", endpoint, Operation.WRITE, self.update),
            Route("DELETE", endpoint, Operation.WRITE, self.delete),
            Route("GET", f"{endpoint}/events", Operation.LOOKUP, self.events),
            Route("POST", all_deployments, Operation.CREATE, self.deploy),
            Route("GET", all_deployments, Operation.LIST, self.list_deployments),
            Route("GET", deployment, Operation.READ, self.retrieve_deployment),
            Route("PATCH", deployment, Operation.WRITE, self.update_deployment),
            Route("DELETE", deployment, Operation.WRITE, self.delete_deployment),
            *(Route("GET", f"{endpoint}/{one}", Operation.LOOKUP, self.nothing) for one in _EMPTY),
        ]

    def create(self, call: Call) -> Reply:
        """POST …/endpoints."""
        read_query(call)
        own_project(call, self._world.site)
        endpoint = self._world.endpoints_v2.create(
            parse(CreateEndpoint, call.json()),
            call.caller.project,
            call.caller.key_id,
            hide_seconds=call.hide_seconds,
        )
        return Reply(200, endpoint_view(endpoint))

    def list_endpoints(self, call: Call) -> Reply:
        """GET …/endpoints."""
        query = read_query(call, *_LIST)
        own_project(call, self._world.site)
        found = self._world.endpoints_v2.listed(call.caller.project, call.view)
        answer = self._page(query, _ENDPOINT_FIELDS, found, _named, endpoint_view)
        if self._world.site.assumptions.v1_endpoints_in_v2 and not set(query) & {"after", "filter"}:
            answer["data"] += self._of_v1(call)
        return Reply(200, answer)

    def list_shared(self, call: Call) -> Reply:
        """GET /v2/organizations/{id}/endpoints."""
        query = read_query(call, *_LIST)
        if call.params["organization_id"] != ORGANIZATION["id"]:
            raise endpoints.not_found("Organization", call.params["organization_id"])
        found = self._world.endpoints_v2.shared(call.view)
        return Reply(200, self._page(query, _ENDPOINT_FIELDS, found, _named, endpoint_view))

    def retrieve(self, call: Call) -> Reply:
        """GET …/endpoints/{id}."""
        read_query(call)
        if self._world.site.assumptions.v1_endpoints_in_v2:
            for shown in self._of_v1(call):
                if shown["id"] == call.params["endpoint_id"]:
                    return Reply(200, shown)
        return Reply(200, endpoint_view(self._endpoint(call, lagging=True)))

    def update(self, call: Call) -> Reply:
        """PATCH …/endpoints/{id}."""
        mask = read_mask(read_query(call, "updateMask"), endpoints.UPDATABLE)
        endpoint = self._endpoint(call)
        self._world.endpoints_v2.update(endpoint, parse(UpdateEndpoint, call.json()), mask)
        return Reply(200, endpoint_view(endpoint))

    def delete(self, call: Call) -> Reply:
        """DELETE …/endpoints/{id}."""
        query = read_query(call, "etag")
        self._world.endpoints_v2.remove(self._endpoint(call), query.get("etag"))
        return Reply(200, {})

    def deploy(self, call: Call) -> Reply:
        """POST …/deployments, or with validateOnly what would come of it."""
        query = read_query(call, "validateOnly")
        endpoint = self._endpoint(call)
        deployment = self._world.deployments.create(
            endpoint,
            parse(CreateDeployment, call.json()),
            call.caller.key_id,
            validate_only=flag(query, "validateOnly"),
            hide_seconds=call.hide_seconds,
        )
        return Reply(200, deployment_view(endpoint, deployment))

    def list_deployments(self, call: Call) -> Reply:
        """GET …/deployments."""
        query = read_query(call, *_LIST)
        endpoint = self._endpoint(call)
        site = self._world.site
        found = [one for one in endpoint.deployments if in_list(site, one, call.view)]

        def fields(one: Deployment) -> dict[str, str]:
            shown = deployment_view(endpoint, one)
            state = str(shown["status"]["state"])
            return {"name": endpoint.called(one), "state": state, "model": shown["model"]}

        view = partial(deployment_view, endpoint)
        return Reply(200, self._page(query, _DEPLOYMENT_FIELDS, found, fields, view))

    def retrieve_deployment(self, call: Call) -> Reply:
        """GET …/deployments/{id}."""
        read_query(call)
        endpoint, deployment = self._deployment(call, lagging=True)
        return Reply(200, deployment_view(endpoint, deployment))

    def update_deployment(self, call: Call) -> Reply:
        """PATCH …/deployments/{id}."""
        mask = read_mask(read_query(call, "updateMask"), deployments.UPDATABLE)
        endpoint, deployment = self._deployment(call)
        body = parse(UpdateDeployment, call.json())
        self._world.deployments.update(endpoint, deployment, body, mask)
        return Reply(200, deployment_view(endpoint, deployment))

    def delete_deployment(self, call: Call) -> Reply:
        """DELETE …/deployments/{id}."""
        query = read_query(call, "etag")
        endpoint, deployment = self._deployment(call)
        self._world.deployments.remove(endpoint, deployment, query.get("etag"))
        return Reply(200, {})

    def events(self, call: Call) -> Reply:
        """GET …/events, the newest first."""
        query = read_query(call, *_EVENTS)
        endpoint = self._endpoint(call)
        wanted = _event_test(query, {one.id for one in endpoint.deployments})
        found = [event for event in endpoint.journal.events if wanted(event)]
        answer = page(
            found,
            lambda event: (event.at, event.number),
            query,
            self._world.site.assumptions,
            descending=True,
            longest=_MOST_EVENTS,
        )
        answer["data"] = [event.shown(endpoint.id) for event in answer["data"]]
        return Reply(200, answer)

    def nothing(self, call: Call) -> Reply:
        """GET of a collection that is not simulated and therefore empty."""
        self._endpoint(call)
        return Reply(200, {"data": [], "object": "list", "next_cursor": None})

    def _endpoint(self, call: Call, *, lagging: bool = False) -> Endpoint:
        own_project(call, self._world.site)
        found = self._world.endpoints_v2
        return found.find(call.params["endpoint_id"], call.caller, lagging=lagging)

    def _deployment(self, call: Call, *, lagging: bool = False) -> tuple[Endpoint, Deployment]:
        endpoint = self._endpoint(call)
        deployment_id = call.params["deployment_id"]
        found = self._world.endpoints_v2.deployment(endpoint, deployment_id, lagging=lagging)
        return endpoint, found

    def _page(
        self,
        query: dict[str, str],
        known: frozenset[str],
        found: Sequence[UnitT],
        texts: Callable[[UnitT], dict[str, str]],
        view: Callable[[UnitT], dict[str, Any]],
    ) -> dict[str, Any]:
        assumptions = self._world.site.assumptions
        field, descending = "created_at", assumptions.list_order == "newest"
        if "orderBy" in query:
            field, descending = read_order(query["orderBy"])
        test = read_filter(query["filter"], known) if "filter" in query else None

        def wanted(one: UnitT) -> bool:
            times = {"created_at": one.created_at, "updated_at": one.updated_at}
            return test is None or test({**texts(one), **times})

        def place(entry: tuple[int, UnitT]) -> Key:
            return float(getattr(entry[1], field)), entry[0]

        numbered = [(number, one) for number, one in enumerate(found) if wanted(one)]
        answer = page(numbered, place, query, assumptions, descending=descending)
        # Only what is shown is put into words: a list may have thousands of entries.
        return {**answer, "data": [view(one) for _, one in answer["data"]]}

    def _of_v1(self, call: Call) -> list[dict[str, Any]]:
        listed = self._world.endpoints.listed(call.caller, call.view, mine=False)
        return [
            {
                "id": entry["id"],
                "name": entry["name"],
                "projectId": call.params["project_id"],
                "endpointType": "ENDPOINT_TYPE_DEDICATED",
                "visibility": "VISIBILITY_PRIVATE",
                "etag": entry["id"],
                "trafficSplit": [],
                "deployments": [],
                "createdAt": entry["created_at"],
                "updatedAt": entry["created_at"],
            }
            for entry in listed
        ]


def _named(endpoint: Endpoint) -> dict[str, str]:
    return {"name": endpoint.qualified}


def _event_test(query: dict[str, str], known: set[str]) -> Callable[[Event], bool]:
    deployment_ids = _listed(query, "deploymentIds")
    unknown = deployment_ids - known
    if unknown:
        message = f"deploymentIds: {min(unknown)!r} is not a deployment of this endpoint"
        raise ApiError(400, message, param="deploymentIds")
    level = query.get("minLevel", LEVELS[0])
    if level not in LEVELS:
        raise ApiError(400, f"minLevel must be one of {', '.join(LEVELS)}", param="minLevel")
    types, kinds = _listed(query, "types"), _listed(query, "sourceKinds")
    since, until = _moment(query, "since", 0.0), _moment(query, "until", float("inf"))
    subject = query.get("subjectId")

    def wanted(event: Event) -> bool:
        kind = "SOURCE_KIND_" + ("ENDPOINT" if event.deployment_id is None else "DEPLOYMENT")
        if event.deployment_id is None:
            scoped = not deployment_ids or kind in kinds
        else:
            scoped = not deployment_ids or event.deployment_id in deployment_ids
        return (
            scoped
            and since <= event.at < until
            and (not types or event.type in types)
            and (not kinds or kind in kinds)
            and (subject is None or event.details.get("subjectId") == subject)
            and LEVELS.index(event.level) >= LEVELS.index(level)
        )

    return wanted


def _listed(query: dict[str, str], name: str) -> set[str]:
    return {part for part in query.get(name, "").split(",") if part}


def _moment(query: dict[str, str], name: str, default: float) -> float:
    if name not in query:
        return default
    try:
        return datetime.fromisoformat(query[name]).timestamp()
    except ValueError:
        message = f"{name} must be a time of RFC 3339, such as {rfc3339(0)}"
        raise ApiError(400, message, param=name) from None
