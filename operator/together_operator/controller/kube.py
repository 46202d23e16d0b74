"""The operator's own calls to the Kubernetes API server.

They go through the official client's transport with plain dicts: its typed API classes cost tens
of MiB before the first object, and a typed model would drop the fields of a newer CRD on a write.
Every call has a timeout, every update a precondition, and every failure is one of the types of
`kube_errors`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import aiohttp
from kubernetes.aio.client import ApiClient
from kubernetes.aio.config import ConfigException

from together_operator import __version__
from together_operator.controller.kube_config import load_configuration
from together_operator.controller.kube_errors import (
    Answer,
    KubeError,
    KubeUnavailable,
    NotFound,
    failure,
)
from together_operator.controller.kube_kinds import (
    CONFIGMAPS,
    DEFINITIONS,
    ENDPOINTS,
    EVENTS,
    NAMESPACES,
    SECRETS,
    Kind,
    is_name,
)
from together_operator.resource.names import API_VERSION, DEFINITION, PLURAL

CONNECTIONS: Final = 50
"""Connections kept to the API server; over TLS each costs about 0.3 MiB."""

PAGE: Final = 500
"""Objects per page of a list, as in kubectl."""

logger = logging.getLogger(__name__)

Json: TypeAlias = dict[str, Any]
Observer: TypeAlias = Callable[[str, str, str], None]


class Kube:
    """A connection to one cluster.

    Args:
        configuration: As `kube_config.load_configuration` returns it.
        call_limit: Seconds that one call may take in all.
        observer: Told of every request: its verb, resource, and status code or `unreachable`.
    """

    def __init__(
        self, configuration: Any, *, call_limit: float = 30.0, observer: Observer | None = None
    ) -> None:
        self._observer = observer
        self._client: Any = ApiClient(configuration)
        self._client.user_agent = f"together-operator/{__version__}"
        self._timeout = aiohttp.ClientTimeout(total=call_limit, connect=min(10.0, call_limit))

    @classmethod
    async def connect(
        cls,
        kubeconfig: Path | None,
        *,
        call_limit: float = 30.0,
        observer: Observer | None = None,
    ) -> Self:
        """Prepare a connection; nothing is sent yet.

        Args:
            kubeconfig: The file to use; without it the pod's service account, else the default
                kubeconfig.
            call_limit: Seconds that one call may take in all.
            observer: Told of every request: its verb, resource, and status code or `unreachable`.

        Raises:
            KubeconfigInvalid: Nothing usable was found.
        """
        configuration = await load_configuration(kubeconfig, connections=CONNECTIONS)
        return cls(configuration, call_limit=call_limit, observer=observer)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def __aenter__(self) -> Self:
        """Use the connection until the end of a block."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.close()

    async def get_endpoint(self, namespace: str, name: str) -> Json | None:
        """Read a TogetherEndpoint as the API server has it now; None if there is none."""
        return await self._get(ENDPOINTS, namespace, name)

    async def list_endpoints(self, namespaces: Sequence[str] = ()) -> AsyncIterator[Json]:
        """Read every TogetherEndpoint, page by page.

        Only a walk that ends without an exception is complete.

        Args:
            namespaces: Where to look; empty is the whole cluster.
        """
        for namespace in namespaces or (None,):
            async for item in self._list(ENDPOINTS, namespace):
                yield item

    async def patch_metadata(
        self,
        namespace: str,
        name: str,
        resource_version: str,
        *,
        finalizers: Sequence[str] | None = None,
        annotations: Mapping[str, str | None] | None = None,
    ) -> Json:
        """Change metadata of a TogetherEndpoint that is still as it was read.

        Args:
            namespace: The resource's namespace.
            name: The resource's name.
            resource_version: The version that was read, the precondition of the change.
            finalizers: The whole new list; None leaves it alone.
            annotations: The annotations to set, or to remove where the value is None.

        Returns:
            The resource afterwards.

        Raises:
            Conflict: It changed since it was read.
            NotFound: It is gone.
        """
        metadata: Json = {"resourceVersion": resource_version}
        if finalizers is not None:
            metadata["finalizers"] = list(finalizers)
        if annotations:
            metadata["annotations"] = dict(annotations)
        path = ENDPOINTS.path(namespace, name)
        return await self._call("PATCH", "patch", ENDPOINTS, path, body={"metadata": metadata})

    async def replace_status(self, body: Json) -> Json:
        """Write the status of a TogetherEndpoint that is still as it was read.

        Args:
            body: The resource as it was read, with its `resourceVersion` and the new status.

        Returns:
            The resource afterwards.

        Raises:
            Conflict: It changed since it was read.
            NotFound: It is gone.
            Rejected: The status breaks the schema.
        """
        path = ENDPOINTS.path(body["metadata"]["namespace"], body["metadata"]["name"], "status")
        return await self._call("PUT", "update", ENDPOINTS, path, body=body)

    async def get_secret(self, namespace: str, name: str) -> Json | None:
        """Read a Secret; None if there is none."""
        return await self._get(SECRETS, namespace, name)

    def list_secrets(self, namespace: str, selector: str) -> AsyncIterator[Json]:
        """Read the Secrets of a namespace that a label selector picks, page by page.

        Only a walk that ends without an exception is complete.

        Args:
            namespace: Where to look.
            selector: What to look for, such as `app=mine`.
        """
        return self._list(SECRETS, namespace, selector)

    async def create_secret(self, body: Json) -> Json:
        """Create a Secret in the namespace that its metadata names.

        Raises:
            AlreadyExists: There is one of that name.
        """
        return await self._create(SECRETS, body)

    async def replace_secret(self, body: Json) -> Json:
        """Replace a Secret; its `resourceVersion`, if given, is a precondition.

        Raises:
            Conflict: It changed since it was read.
            NotFound: It is gone.
        """
        return await self._replace(SECRETS, body)

    async def delete_secret(self, namespace: str, name: str, *, uid: str | None = None) -> bool:
        """Delete a Secret.

        Args:
            namespace: Its namespace.
            name: Its name.
            uid: Delete only this very object, not a later one of the same name.

        Returns:
            Whether it was there.

        Raises:
            Conflict: Another object has the name now.
        """
        return await self._delete(SECRETS, namespace, name, uid)

    async def get_configmap(self, namespace: str, name: str) -> Json | None:
        """Read a ConfigMap; None if there is none."""
        return await self._get(CONFIGMAPS, namespace, name)

    async def create_configmap(self, body: Json) -> Json:
        """Create a ConfigMap in the namespace that its metadata names.

        Raises:
            AlreadyExists: There is one of that name.
        """
        return await self._create(CONFIGMAPS, body)

    async def replace_configmap(self, body: Json) -> Json:
        """Replace a ConfigMap; its `resourceVersion`, if given, is a precondition.

        Raises:
            Conflict: It changed since it was read.
            NotFound: It is gone.
        """
        return await self._replace(CONFIGMAPS, body)

    async def delete_configmap(self, namespace: str, name: str, *, uid: str | None = None) -> bool:
        """Delete a ConfigMap; arguments and result as for `delete_secret`."""
        return await self._delete(CONFIGMAPS, namespace, name, uid)

    async def create_event(self, body: Json) -> Json:
        """Post an Event in the namespace that its metadata names."""
        return await self._create(EVENTS, body)

    async def patch_event(self, namespace: str, name: str, patch: Json) -> Json:
        """Change an Event, e.g. its count.

        Raises:
            NotFound: The API server has forgotten it, as it does after an hour.
        """
        return await self._call("PATCH", "patch", EVENTS, EVENTS.path(namespace, name), body=patch)

    async def get_namespace(self, name: str) -> Json | None:
        """Read a namespace; None if there is none. The uid of `kube-system` names a cluster."""
        return await self._get(NAMESPACES, None, name)

    async def get_definition(self) -> Json | None:
        """Read the metadata of the CRD as the API server has it now; None if there is none."""
        return await self._get(DEFINITIONS, None, DEFINITION)

    async def serves_endpoints(self) -> bool:
        """Whether the API server knows the TogetherEndpoint resource."""
        return bool(await self.served_verbs())

    async def served_verbs(self) -> frozenset[str]:
        """What can be done with TogetherEndpoints; nothing where they are not known."""
        # Of a group that it does not know it says no more than a proxy in trouble would, so the
        # answer is sought where there always is one.
        groups = await self._call("GET", "get", ENDPOINTS, "/apis")
        served = {v["groupVersion"] for group in groups["groups"] for v in group["versions"]}
        if API_VERSION not in served:
            return frozenset()
        try:
            found = await self._call("GET", "get", ENDPOINTS, ENDPOINTS.root)
        except KubeUnavailable:
            return frozenset()  # announced a moment ago, and not served yet
        return frozenset(v for r in found["resources"] if r["name"] == PLURAL for v in r["verbs"])

    async def wait_for_discovery(self, *, every: float = 2.0) -> None:
        """Wait until the API server serves TogetherEndpoints, for as long as that takes.

        Args:
            every: Seconds between two questions.
        """
        told = ""
        while True:
            try:
                if await self.serves_endpoints():
                    return
                news = "The API server has no TogetherEndpoint resource yet: install the CRD."
            except KubeError as error:
                news = str(error)
            if news != told:
                logger.warning("Waiting: %s", news)
                told = news
            await asyncio.sleep(every)

    async def _get(self, kind: Kind, namespace: str | None, name: str) -> Json | None:
        with contextlib.suppress(NotFound):
            if is_name(name):
                return await self._call("GET", "get", kind, kind.path(namespace, name))
        return None

    async def _list(
        self, kind: Kind, namespace: str | None, selector: str | None = None
    ) -> AsyncIterator[Json]:
        query = [("limit", str(PAGE))]
        if selector is not None:
            query.append(("labelSelector", selector))
        onward = ""
        while True:
            page = [*query, ("continue", onward)] if onward else query
            found = await self._call("GET", "list", kind, kind.path(namespace), query=page)
            for item in found["items"]:
                yield item
            onward = found["metadata"].get("continue", "")
            if not onward:
                return

    async def _create(self, kind: Kind, body: Json) -> Json:
        path = kind.path(body["metadata"]["namespace"])
        return await self._call("POST", "create", kind, path, body=body)

    async def _replace(self, kind: Kind, body: Json) -> Json:
        path = kind.path(body["metadata"]["namespace"], body["metadata"]["name"])
        return await self._call("PUT", "update", kind, path, body=body)

    async def _delete(self, kind: Kind, namespace: str, name: str, uid: str | None) -> bool:
        body = {"preconditions": {"uid": uid}} if uid is not None else None
        try:
            await self._call("DELETE", "delete", kind, kind.path(namespace, name), body=body)
        except NotFound:
            return False
        return True

    async def _call(
        self,
        method: str,
        verb: str,
        kind: Kind,
        path: str,
        *,
        query: list[tuple[str, str]] | None = None,
        body: Json | None = None,
    ) -> Json:
        what = f"{verb} {path.removeprefix(kind.root).lstrip('/') or kind.root}"
        outcome = "unreachable"
        headers = {"Accept": kind.accept}
        if method == "PATCH":
            headers["Content-Type"] = "application/merge-patch+json"
        try:
            request = await self._client.param_serialize(
                method, path, None, query, headers, body, auth_settings=["BearerToken"]
            )
            response = await self._client.call_api(*request, _request_timeout=self._timeout)
            text = await response.read()
            outcome = str(response.status)
        except TimeoutError:
            raise KubeUnavailable(f"No answer within {self._timeout.total:g} s: {what}.") from None
        except (aiohttp.ClientError, OSError, ConfigException) as error:
            reason = f"{type(error).__name__}: {error}"
            raise KubeUnavailable(f"The API server was not reached: {what}: {reason}") from None
        finally:
            if self._observer is not None:
                self._observer(verb, kind.plural, outcome)
        try:
            answer = json.loads(text) if text else {}
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise KubeUnavailable(f"Not an answer of an API server: {what}: HTTP {response.status}")
        if response.status >= 400:
            said = Answer(
                status=response.status,
                reason=str(answer.get("reason", "")),
                message=_quotable(kind, str(answer.get("message", ""))),
                causes=frozenset(
                    str(cause.get("reason"))
                    for cause in (answer.get("details") or {}).get("causes") or ()
                ),
                retry_after=response.headers.get("Retry-After", ""),
            )
            raise failure(what, said)
        return answer


def _quotable(kind: Kind, message: str) -> str:
    """What may be repeated of an answer: of one about Secrets, only a refusal by RBAC."""
    return message if kind is not SECRETS or 'User "' in message else ""
