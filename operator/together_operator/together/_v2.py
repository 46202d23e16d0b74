"""API v2, one method per route: endpoints with a traffic split, and the deployments behind them.

Names are unique there, which takes the place of an idempotency key: a conflict on a POST says that
the name is taken, and the caller looks whose it is. An etag on a write refuses it when what it was
made for has changed.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from pydantic import BaseModel

from together_operator.together._credential import Credential
from together_operator.together._ids import NO_SUCH_ID, are_ids
from together_operator.together._pages import read_pages
from together_operator.together._schema import reader
from together_operator.together._schema_v2 import Deployment, Event, RoutedEndpoint
from together_operator.together._schema_v2_requests import (
    CreateDeployment,
    CreateRoutedEndpoint,
    UpdateDeployment,
    UpdateRoutedEndpoint,
)
from together_operator.together._v2_catalogue import V2Catalogue
from together_operator.together._verbs import NAMED, Account
from together_operator.together._wire import Call, Fence, Wire
from together_operator.together.results import (
    Absent,
    Ambiguous,
    NotSent,
    Ok,
    Refused,
    Unavailable,
)

M = TypeVar("M", bound=BaseModel)

_ENDPOINTS: Final = "/v2/projects/{project}/endpoints"
_ENDPOINT: Final = f"{_ENDPOINTS}/{{id}}"
_DEPLOYMENTS: Final = f"{_ENDPOINT}/deployments"
_DEPLOYMENT: Final = f"{_ENDPOINTS}/{{endpoint}}/deployments/{{id}}"

_endpoint = reader(RoutedEndpoint)
_deployment = reader(Deployment)


def _nothing(_: str) -> None:
    """What the body of a deletion or of a probe says does not matter."""


class V2Client:
    """Together's API v2 for one credential.

    Args:
        wire: The connections, shared by all clients.
        credential: Whose key the calls carry.

    Attributes:
        inference_base_url: Where the endpoints answer.
        catalogue: What can be deployed, and whose key this is.
    """

    def __init__(self, wire: Wire, credential: Credential) -> None:
        self._account = Account(wire, credential)
        self.inference_base_url: Final = wire.inference_base_url
        self.catalogue: Final = V2Catalogue(wire, credential)

    # Endpoints.

    async def list_endpoints(
        self, project: str, name: str | None = None, page_size: int | None = None
    ) -> Ok[tuple[RoutedEndpoint, ...]] | Refused | Absent | Unavailable:
        """`GET /v2/projects/{project}/endpoints`, all pages.

        Args:
            project: The project's id.
            name: Only the endpoint of this bare name.
            page_size: Entries of a page; `None` leaves it to Together.
        """
        if not are_ids(project, *(() if name is None else (name,))):
            return NO_SUCH_ID
        # Together's own command line looks names up in this way.
        params = {} if name is None else {"filter": f'name="{name}"'}
        if page_size is not None:
            params["limit"] = str(page_size)
        call = _call("GET", _ENDPOINTS, project, params=params or None)
        return await read_pages(self._account, call, RoutedEndpoint)

    async def get_endpoint(
        self, project: str, endpoint_id: str
    ) -> Ok[RoutedEndpoint] | Refused | Absent | Unavailable:
        """`GET /v2/projects/{project}/endpoints/{id}`.

        Args:
            project: The project's id.
            endpoint_id: Together's id.
        """
        if not are_ids(project, endpoint_id):
            return NO_SUCH_ID
        return await self._account.read(_call("GET", _ENDPOINT, project, endpoint_id), _endpoint)

    async def create_endpoint(
        self, project: str, request: CreateRoutedEndpoint, fence: Fence | None = None
    ) -> Ok[RoutedEndpoint] | Refused | Absent | Ambiguous | NotSent:
        """`POST /v2/projects/{project}/endpoints`, once. It costs nothing and serves nothing yet.

        Args:
            project: The project's id.
            request: What to create.
            fence: Asked when the first byte is about to leave; `False` keeps the request here.
        """
        if not are_ids(project):
            return NO_SUCH_ID
        call = _call("POST", _ENDPOINTS, project, json=request.body())
        return await self._account.create(call, _endpoint, fence, definite=NAMED)

    async def update_endpoint(
        self, project: str, endpoint_id: str, request: UpdateRoutedEndpoint
    ) -> Ok[RoutedEndpoint] | Refused | Absent | Unavailable | NotSent:
        """`PATCH /v2/projects/{project}/endpoints/{id}`.

        Args:
            project: The project's id.
            endpoint_id: Together's id.
            request: What to change. An empty traffic split is only taken with the mask, so that
                the mask is always sent.
        """
        if not are_ids(project, endpoint_id):
            return NO_SUCH_ID
        return await self._account.change(
            _patch(_ENDPOINT, project, endpoint_id, request.body()), _endpoint
        )

    async def delete_endpoint(
        self, project: str, endpoint_id: str, etag: str | None = None
    ) -> Ok[None] | Refused | Absent | Unavailable | NotSent:
        """`DELETE /v2/projects/{project}/endpoints/{id}`, refused while it has deployments.

        Args:
            project: The project's id.
            endpoint_id: Together's id.
            etag: The version that is meant; `None` deletes whatever is there.
        """
        if not are_ids(project, endpoint_id):
            return NO_SUCH_ID
        call = _call("DELETE", _ENDPOINT, project, endpoint_id, params=_version(etag))
        return await self._account.change(call, _nothing)

    async def list_events(
        self, project: str, endpoint_id: str, limit: int = 50
    ) -> Ok[tuple[Event, ...]] | Refused | Absent | Unavailable:
        """`GET /v2/projects/{project}/endpoints/{id}/events`, the newest ones.

        Args:
            project: The project's id.
            endpoint_id: Together's id.
            limit: Entries at most.
        """
        if not are_ids(project, endpoint_id):
            return NO_SUCH_ID
        params = {"limit": str(limit)}
        call = _call("GET", f"{_ENDPOINT}/events", project, endpoint_id, params=params)
        # The feed is as long as the endpoint's life; only its newest page is of interest.
        answer = await self._account.read(call, reader(_Feed))
        return Ok(answer.value.data, answer.date) if isinstance(answer, Ok) else answer

    # Deployments.

    async def list_deployments(
        self, project: str, endpoint_id: str
    ) -> Ok[tuple[Deployment, ...]] | Refused | Absent | Unavailable:
        """`GET /v2/projects/{project}/endpoints/{id}/deployments`, all pages.

        Args:
            project: The project's id.
            endpoint_id: Together's id of the endpoint; absent is about this.
        """
        if not are_ids(project, endpoint_id):
            return NO_SUCH_ID
        call = _call("GET", _DEPLOYMENTS, project, endpoint_id)
        return await read_pages(self._account, call, Deployment)

    async def get_deployment(
        self, project: str, endpoint_id: str, deployment_id: str
    ) -> Ok[Deployment] | Refused | Absent | Unavailable:
        """`GET /v2/projects/{project}/endpoints/{endpoint}/deployments/{id}`.

        Args:
            project: The project's id.
            endpoint_id: Together's id of the endpoint.
            deployment_id: Together's id of the deployment.
        """
        if not are_ids(project, endpoint_id, deployment_id):
            return NO_SUCH_ID
        call = _call("GET", _DEPLOYMENT, project, deployment_id, endpoint=endpoint_id)
        return await self._account.read(call, _deployment)

    async def check_deployment(
        self, project: str, endpoint_id: str, request: CreateDeployment
    ) -> Ok[Deployment] | Refused | Absent | Ambiguous | NotSent:
        """`POST /v2/projects/{project}/endpoints/{id}/deployments?validateOnly=true`, a dry run.

        Args:
            project: The project's id.
            endpoint_id: Together's id of the endpoint.
            request: What would be created.
        """
        if not are_ids(project, endpoint_id):
            return NO_SUCH_ID
        params = {"validateOnly": "true"}
        call = _call("POST", _DEPLOYMENTS, project, endpoint_id, params=params, json=request.body())
        return await self._account.ask(call, _deployment, definite=NAMED)

    async def create_deployment(
        self,
        project: str,
        endpoint_id: str,
        request: CreateDeployment,
        fence: Fence | None = None,
    ) -> Ok[Deployment] | Refused | Absent | Ambiguous | NotSent:
        """`POST /v2/projects/{project}/endpoints/{id}/deployments`, once: this is what costs.

        Args:
            project: The project's id.
            endpoint_id: Together's id of the endpoint.
            request: What to create.
            fence: Asked when the first byte is about to leave; `False` keeps the request here.
        """
        if not are_ids(project, endpoint_id):
            return NO_SUCH_ID
        call = _call("POST", _DEPLOYMENTS, project, endpoint_id, json=request.body())
        return await self._account.create(call, _deployment, fence, definite=NAMED)

    async def update_deployment(
        self, project: str, endpoint_id: str, deployment_id: str, request: UpdateDeployment
    ) -> Ok[Deployment] | Refused | Absent | Unavailable | NotSent:
        """`PATCH /v2/projects/{project}/endpoints/{endpoint}/deployments/{id}`.

        Args:
            project: The project's id.
            endpoint_id: Together's id of the endpoint.
            deployment_id: Together's id of the deployment.
            request: What to change.
        """
        if not are_ids(project, endpoint_id, deployment_id):
            return NO_SUCH_ID
        call = _patch(_DEPLOYMENT, project, deployment_id, request.body(), endpoint=endpoint_id)
        return await self._account.change(call, _deployment)

    async def delete_deployment(
        self, project: str, endpoint_id: str, deployment_id: str, etag: str | None = None
    ) -> Ok[None] | Refused | Absent | Unavailable | NotSent:
        """`DELETE /v2/projects/{project}/endpoints/{endpoint}/deployments/{id}`.

        Refused unless it is stopped and out of the traffic split.

        Args:
            project: The project's id.
            endpoint_id: Together's id of the endpoint.
            deployment_id: Together's id of the deployment.
            etag: The version that is meant; `None` deletes whatever is there.
        """
        if not are_ids(project, endpoint_id, deployment_id):
            return NO_SUCH_ID
        call = _call(
            "DELETE",
            _DEPLOYMENT,
            project,
            deployment_id,
            params=_version(etag),
            endpoint=endpoint_id,
        )
        return await self._account.change(call, _nothing)

    # Inference.

    async def probe(self, name: str) -> Ok[None] | Refused | Ambiguous | NotSent:
        """`POST /chat/completions` with the smallest question there is.

        Args:
            name: `<project slug>/<endpoint>`, or with `/<deployment>` behind it to reach one
                whether it is routed or not.
        """
        body = {
            "model": name,
            "messages": [{"role": "user", "content": "ping"}],
            "max_tokens": 1,
        }
        call = Call("POST", "/chat/completions", json=body, for_inference=True)
        return await self._account.ask(call, _nothing)


class _Feed(BaseModel):
    data: tuple[Event, ...] = ()


def _call(
    method: str,
    route: str,
    project: str,
    about: str = "",
    *,
    params: dict[str, str] | None = None,
    json: dict[str, Any] | None = None,
    **within: str,
) -> Call:
    return Call(
        method,
        route,
        id=about,
        params=params,
        json=json,
        within={"project": project, **within},
        at_root=True,
    )


def _patch(route: str, project: str, about: str, body: dict[str, Any], **within: str) -> Call:
    # The etag is no field to update; without the mask an empty list counts as not sent.
    mask = ",".join(name for name in body if name != "etag")
    return _call("PATCH", route, project, about, params={"updateMask": mask}, json=body, **within)


def _version(etag: str | None) -> dict[str, str] | None:
    return None if etag is None else {"etag": etag}
