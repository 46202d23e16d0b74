"""The API server as the campaign's own hands and eyes: kubectl, without a process each time.

A campaign looks ten times a second in many runs at once, and a kubectl costs a tenth of a second of
processor time.
"""

from __future__ import annotations

import base64
import ssl
import tempfile
from pathlib import Path
from typing import Any, Final, Self

import httpx

from together_local.cluster.cluster import Cluster
from together_operator.resource.names import GROUP, PLURAL, VERSION

Object = dict[str, Any]

ENDPOINTS: Final = f"/apis/{GROUP}/{VERSION}"
_MERGE: Final = {"Content-Type": "application/merge-patch+json"}


class KubeAnswerError(RuntimeError):
    """The API server refused; the text is its own."""


class KubeAwayError(RuntimeError):
    """The API server does not answer just now."""


class Kube:
    """A namespace of a cluster, as its administrator sees it.

    Args:
        cluster: The cluster.
        namespace: The namespace.

    Attributes:
        namespace: The namespace.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.namespace = namespace
        self._http = httpx.Client(
            base_url=cluster.server, verify=_trust(cluster), timeout=30, trust_env=False
        )
        self._place = f"{ENDPOINTS}/namespaces/{namespace}/{PLURAL}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(self, method: str, path: str, body: Any = None, *, missing: bool = False) -> Any:
        """One request.

        Args:
            method: Its verb.
            path: Its path and query.
            body: What it carries; with PATCH a merge patch.
            missing: Whether 404 is a fine answer, and `None` then.

        Raises:
            KubeAnswerError: The API server refused.
            KubeAwayError: It did not answer.
        """
        headers = _MERGE if method == "PATCH" else {}
        try:
            answer = self._http.request(method, path, json=body, headers=headers)
        except httpx.TransportError as error:
            raise KubeAwayError(f"{method} {path}: {error}") from None
        if answer.status_code == 404 and missing:
            return None
        if answer.status_code in (429, 503, 504) or answer.status_code == 500:
            raise KubeAwayError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        if answer.is_error:
            raise KubeAnswerError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def send(self, method: str, path: str, content: bytes) -> httpx.Response:
        """One request with whatever bytes, and whatever came of it.

        Args:
            method: Its verb.
            path: Its path and query, below the resources of the namespace.
            content: What it carries.
        """
        headers = {"Content-Type": "application/json"}
        return self._http.request(method, self._place + path, content=content, headers=headers)

    # -- TogetherEndpoints -----------------------------------------------------------------------

    def create(self, document: Object) -> Object:
        """Create a TogetherEndpoint."""
        made: Object = self.ask("POST", self._place, document)
        return made

    def read(self, name: str) -> Object | None:
        """A TogetherEndpoint, or `None` if there is none."""
        found: Object | None = self.ask("GET", f"{self._place}/{name}", missing=True)
        return found

    def patch(self, name: str, patch: Object) -> None:
        """Merge something into a TogetherEndpoint."""
        self.ask("PATCH", f"{self._place}/{name}", patch)

    def wipe(self, name: str) -> None:
        """Take its status from a TogetherEndpoint, if that has not just gone."""
        self.ask("PATCH", f"{self._place}/{name}/status", {"status": None}, missing=True)

    def delete(self, name: str) -> None:
        """Ask for a TogetherEndpoint to be deleted."""
        self.ask("DELETE", f"{self._place}/{name}", missing=True)

    def every(self) -> list[Object]:
        """All TogetherEndpoints of the namespace."""
        found: list[Object] = self.ask("GET", self._place)["items"]
        return found

    # -- what is around them ---------------------------------------------------------------------

    def secret(self, name: str, key: str) -> None:
        """Have a Secret hold an API key."""
        place = f"/api/v1/namespaces/{self.namespace}/secrets"
        document = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "stringData": {"api-key": key},
        }
        if self.ask("GET", f"{place}/{name}", missing=True) is None:
            self.ask("POST", place, document)
        else:
            self.ask("PATCH", f"{place}/{name}", {"stringData": {"api-key": key}})

    def delete_secret(self, name: str) -> None:
        """Delete a Secret."""
        self.ask("DELETE", f"/api/v1/namespaces/{self.namespace}/secrets/{name}", missing=True)

    def secrets(self, namespace: str) -> list[Object]:
        """The Secrets of another namespace."""
        found: list[Object] = self.ask("GET", f"/api/v1/namespaces/{namespace}/secrets")["items"]
        return found

    def events(self) -> list[Object]:
        """The events of the namespace."""
        place = f"/api/v1/namespaces/{self.namespace}/events"
        found: list[Object] = self.ask("GET", place)["items"]
        return found

    def delete_namespace(self) -> None:
        """Ask for the namespace to be deleted."""
        self.ask("DELETE", f"/api/v1/namespaces/{self.namespace}", missing=True)

    def namespace_exists(self) -> bool:
        """Whether the namespace is there, or still there."""
        return self.ask("GET", f"/api/v1/namespaces/{self.namespace}", missing=True) is not None

    def create_namespace(self) -> None:
        """Make the namespace."""
        document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        self.ask("POST", "/api/v1/namespaces", document)


def _trust(cluster: Cluster) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(cluster.ca))
    user = cluster.administrator
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name in ("client-certificate", "client-key"):
            file = Path(folder) / name
            file.touch(mode=0o600)
            file.write_bytes(base64.b64decode(user[f"{name}-data"]))
            files.append(str(file))
        context.load_cert_chain(*files)
    return context
