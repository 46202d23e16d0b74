"""The v2 endpoints of all projects.

Why: creating, finding, routing and deleting are the same whether a client asks over the
API, a person in the console, or a test over the admin routes; who may see what is decided
here once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from together_local.simulator.accounts import Caller
from together_local.simulator.errors import ApiError, plain_error
from together_local.simulator.listing import in_list
from together_local.simulator.replies import ListView
from together_local.simulator.site import Site
from together_local.simulator.v2.bodies import CreateEndpoint, SplitEntry, UpdateEndpoint
from together_local.simulator.v2.deployment import Deployment
from together_local.simulator.v2.endpoint import Endpoint, Share
from together_local.simulator.v2.projects import project_id
from together_local.simulator.v2.views import endpoint_entry, endpoint_etag

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_RULE = (
    "must be at most 63 lower-case letters, digits and hyphens, and begin and end with a letter "
    "or digit"
)
#: The official command line makes deployment names of model ids: with capitals and dots.
_WORD = re.compile(r"[A-Za-z0-9._-]{1,128}")
_WORD_RULE = "must be at most 128 letters, digits, dots, hyphens and underscores"

#: Fields that PATCH can change.
UPDATABLE = ("name", "trafficSplit", "visibility")


class Endpoints:
    """Every endpoint of v2 that there is or was.

    Args:
        site: What they stand on.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._all: dict[str, Endpoint] = {}

    def create(
        self, body: CreateEndpoint, project: str, key_id: str | None, hide_seconds: float = 0
    ) -> Endpoint:
        """Create an endpoint, which serves and costs nothing yet.

        Args:
            body: The checked request.
            project: Whose it will be.
            key_id: Hash of the key that asks, or None for the console.
            hide_seconds: Real seconds for which LIST does not show it.

        Raises:
            ApiError: 400 for a bad name, 409 for one that is taken.
        """
        name = bare_name(body.name, (project,), self._site)
        self._free(name, project)
        visibility = body.visibility or "VISIBILITY_PRIVATE"
        endpoint = Endpoint(self._site, project, project_id(project), name, visibility, key_id)
        endpoint.hidden_until_wall = self._site.clock.wall() + hide_seconds
        self._all[endpoint.id] = endpoint
        endpoint.journal.add("endpoint.created", name=endpoint.qualified)
        return endpoint

    def update(self, endpoint: Endpoint, body: UpdateEndpoint, mask: frozenset[str]) -> None:
        """Change an endpoint; nothing changes unless all of it is legal.

        Args:
            endpoint: What to change.
            body: The checked request.
            mask: Fields to change; empty: those that the request carries.

        Raises:
            ApiError: 400, 409 or 412, when something forbids it.
        """
        check_etag(body.etag, endpoint_etag(endpoint), self._site)
        fields = self._fields(body, mask)
        name = endpoint.name
        if "name" in fields and body.name:
            name = self._renamed(endpoint, body.name)
        if "trafficSplit" in fields:
            endpoint.route(self._split(endpoint, body.traffic_split or []))
        if "visibility" in fields and body.visibility:
            endpoint.visibility = body.visibility
        endpoint.name = name
        self.changed(endpoint, *sorted(fields))

    def route_first(self, endpoint: Endpoint, deployment: Deployment) -> None:
        """Give all traffic to the first deployment, as some pages say of Together."""
        endpoint.route([Share(deployment.id, 1.0)])
        self.changed(endpoint, "trafficSplit")

    def changed(self, endpoint: Endpoint, *paths: str) -> None:
        """Note a change: a new etag, a new time, an event."""
        endpoint.version += 1
        endpoint.updated_at = self._site.timeline.now
        endpoint.journal.add("endpoint.updated", paths=list(paths))

    def remove(self, endpoint: Endpoint, etag: str | None) -> None:
        """Delete an endpoint that has no deployments.

        Raises:
            ApiError: It has some, or the etag is old.
        """
        check_etag(etag, endpoint_etag(endpoint), self._site)
        if endpoint.living:
            raise ApiError(
                self._site.assumptions.delete_refusal_status,
                f"Endpoint {endpoint.id} has {len(endpoint.living)} deployments; delete them first",
                kind="conflict",
            )
        endpoint.deleted_at = self._site.timeline.now
        endpoint.deleted_wall = self._site.clock.wall()
        endpoint.journal.add("endpoint.deleted", name=endpoint.qualified)

    # Who sees what.

    def find(self, endpoint_id: str, caller: Caller, *, lagging: bool = False) -> Endpoint:
        """Return an endpoint of the caller's project.

        Args:
            endpoint_id: Its id.
            caller: Who asks.
            lagging: As GET sees it, which may be behind.

        Raises:
            ApiError: There is none of that id, or it is another project's.
        """
        endpoint = self._all.get(endpoint_id)
        if endpoint is None or endpoint.project != caller.project:
            if endpoint is not None and self._site.assumptions.foreign_endpoint_status == 403:
                raise plain_error(403)
            raise not_found("Endpoint", endpoint_id)
        if not visible(self._site, endpoint, lagging=lagging):
            raise not_found("Endpoint", endpoint_id)
        return endpoint

    def deployment(
        self, endpoint: Endpoint, deployment_id: str, *, lagging: bool = False
    ) -> Deployment:
        """Return a deployment of an endpoint.

        Raises:
            ApiError: It has none of that id.
        """
        for deployment in endpoint.deployments:
            if deployment.id == deployment_id and visible(self._site, deployment, lagging=lagging):
                return deployment
        raise not_found("Deployment", deployment_id)

    def anywhere(self, unit_id: str) -> tuple[Endpoint, Deployment | None]:
        """Return the living endpoint or deployment of that id, of any project.

        Raises:
            ApiError: There is none.
        """
        for endpoint in self._all.values():
            if endpoint.deleted_at is None:
                if endpoint.id == unit_id:
                    return endpoint, None
                for deployment in endpoint.living:
                    if deployment.id == unit_id:
                        return endpoint, deployment
        raise not_found("Endpoint or deployment", unit_id)

    def listed(self, project: str, view: ListView) -> list[Endpoint]:
        """Return what LIST shows of a project's endpoints."""
        return [
            endpoint
            for endpoint in self._all.values()
            if endpoint.project == project and in_list(self._site, endpoint, view)
        ]

    def shared(self, view: ListView) -> list[Endpoint]:
        """Return what LIST shows of the endpoints that the whole organization shares."""
        return [
            endpoint
            for endpoint in self._all.values()
            if endpoint.visibility == "VISIBILITY_INTERNAL" and in_list(self._site, endpoint, view)
        ]

    def of_project(self, project: str) -> Iterator[Endpoint]:
        """Iterate over a project's living endpoints."""
        return (
            endpoint
            for endpoint in self._all.values()
            if endpoint.project == project and endpoint.deleted_at is None
        )

    def ledger(self) -> list[dict[str, Any]]:
        """Return what the ledger keeps of every endpoint, deleted ones too."""
        return [endpoint_entry(endpoint) for endpoint in self._all.values()]

    # What is legal.

    def _fields(self, body: UpdateEndpoint, mask: frozenset[str]) -> frozenset[str]:
        assumptions = self._site.assumptions
        carried = {field for field in UPDATABLE if body.has(_SNAKE[field])}
        if body.traffic_split == []:
            with_mask, without = assumptions.empty_split, assumptions.empty_split_without_mask
            if (with_mask if mask else without) == "refuse":
                carried.discard("trafficSplit")
        fields = mask or frozenset(carried)
        missing = sorted(fields - carried)
        if missing or not fields:
            what = f": the body has no {', '.join(missing)}" if missing else ""
            raise ApiError(400, f"no fields to update{what}")
        return fields

    def _free(self, name: str, project: str) -> None:
        if any(endpoint.name == name for endpoint in self.of_project(project)):
            message = f"An endpoint named {name!r} already exists in this project"
            raise ApiError(409, message, kind="conflict", param="name")

    def _renamed(self, endpoint: Endpoint, wanted: str) -> str:
        name = bare_name(wanted, (endpoint.project,), self._site)
        if name != endpoint.name:
            refuse_rename(self._site)
            self._free(name, endpoint.project)
        return name

    def _split(self, endpoint: Endpoint, entries: list[SplitEntry]) -> list[Share]:
        if endpoint.rollout:
            message = f"Rollout {endpoint.rollout} is active; the traffic split is locked"
            raise ApiError(409, message, kind="conflict", param="trafficSplit")
        known = {deployment.id for deployment in endpoint.living}
        seen: set[str] = set()
        for entry in entries:
            where = "trafficSplit.deploymentId"
            if entry.deployment_id not in known:
                message = f"trafficSplit: the endpoint has no deployment {entry.deployment_id!r}"
                raise ApiError(400, message, param=where)
            if entry.deployment_id in seen:
                message = f"trafficSplit: deployment {entry.deployment_id!r} is named twice"
                raise ApiError(400, message, param=where)
            seen.add(entry.deployment_id)
        drop = self._site.assumptions.zero_weight == "drop"
        return [Share(one.deployment_id, one.weight) for one in entries if one.weight or not drop]


_SNAKE = {"name": "name", "trafficSplit": "traffic_split", "visibility": "visibility"}


def visible(site: Site, unit: Endpoint | Deployment, *, lagging: bool) -> bool:
    """Tell whether a request by id meets something that is, or seems to be, alive.

    Args:
        site: Clock and assumptions.
        unit: What is asked for.
        lagging: As GET sees it, which may be behind.
    """
    if not lagging:
        return unit.deleted_at is None
    now, assumptions = site.timeline.now, site.assumptions
    if unit.deleted_at is not None:
        return now - unit.deleted_at < assumptions.delete_get_lag_seconds
    return now - unit.created_at >= assumptions.create_get_lag_seconds


def not_found(kind: str, unit_id: str) -> ApiError:
    """Return the refusal for an id that is not there for the caller."""
    return ApiError(404, f"{kind} {unit_id!r} not found", kind="not_found")


def check_etag(sent: str | None, current: str, site: Site) -> None:
    """Check the version that a write was made for; without one the write simply wins.

    Raises:
        ApiError: 409 or 412, when it is an old one.
    """
    if sent and sent != current:
        message = "etag does not match: the resource was changed; read it and try again"
        raise ApiError(site.assumptions.stale_etag_status, message, kind="conflict", param="etag")


def refuse_rename(site: Site) -> None:
    """Refuse a new name, where names are immutable.

    Raises:
        ApiError: 400.
    """
    if site.assumptions.rename == "refuse":
        raise ApiError(400, "name is immutable", param="name")


def bare_name(name: str, prefix: tuple[str, ...], site: Site) -> str:
    """Return a name without what it belongs to.

    Args:
        name: Bare, or with ``prefix`` before it.
        prefix: Project, and endpoint of a deployment.
        site: The assumptions.

    Raises:
        ApiError: 400, when it belongs to something else or cannot be a name.
    """
    *before, bare = name.split("/")
    if before and tuple(before) != prefix:
        message = f"name {name!r} does not belong to {'/'.join(prefix)!r}"
        raise ApiError(400, message, param="name")
    label = len(prefix) == 1 and site.assumptions.endpoint_names == "dns_label"
    pattern, rule = (_LABEL, _LABEL_RULE) if label else (_WORD, _WORD_RULE)
    if not pattern.fullmatch(bare):
        raise ApiError(400, f"name {bare!r} {rule}", param="name")
    return bare
