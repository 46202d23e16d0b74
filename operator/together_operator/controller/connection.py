"""The ConfigMap with which an application finds the endpoint.

It holds what an OpenAI-compatible client reads from its environment, so that `envFrom` is all
that an application needs. It is owned by the resource and goes with it; a ConfigMap that somebody
else made is never touched.
"""

from __future__ import annotations

from typing import Any

from together_operator.controller.kube import Kube
from together_operator.controller.kube_errors import AlreadyExists
from together_operator.core.observed import Link
from together_operator.resource import names
from together_operator.resource.document import TogetherEndpoint


def data(base_url: str, model: str) -> dict[str, str]:
    """What the ConfigMap holds.

    Args:
        base_url: Base URL of inference.
        model: What inference takes as `model`.
    """
    return {"OPENAI_BASE_URL": base_url, "OPENAI_MODEL": model}


def owned(configmap: dict[str, Any], resource: TogetherEndpoint) -> bool:
    """Whether a ConfigMap was made for this very resource."""
    owners = configmap["metadata"].get("ownerReferences") or []
    return any(owner.get("uid") == resource.uid for owner in owners)


async def link(kube: Kube, resource: TogetherEndpoint, wanted: dict[str, str] | None) -> Link:
    """How the ConfigMap stands.

    Args:
        kube: The cluster.
        resource: The resource.
        wanted: What it should hold; `None` if that is not known yet.
    """
    connection = resource.spec.connection
    if connection is None or wanted is None:
        return Link.UNWANTED
    found = await kube.get_configmap(resource.namespace, connection.config_map_name)
    if found is None:
        return Link.DUE
    if not owned(found, resource):
        return Link.FOREIGN
    return Link.CURRENT if found.get("data") == wanted else Link.DUE


async def publish(kube: Kube, resource: TogetherEndpoint, wanted: dict[str, str]) -> bool:
    """Write the ConfigMap, unless somebody else's is in its place.

    Args:
        kube: The cluster.
        resource: The resource.
        wanted: What it should hold.

    Returns:
        Whether it was written.
    """
    connection = resource.spec.connection
    assert connection is not None  # noqa: S101
    name = connection.config_map_name
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": resource.namespace,
            "labels": {"app.kubernetes.io/managed-by": "together-operator"},
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.KIND,
                    "name": resource.name,
                    "uid": resource.uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "data": wanted,
    }
    found = await kube.get_configmap(resource.namespace, name)
    if found is None:
        try:
            await kube.create_configmap(body)
        except AlreadyExists:
            return False
        return True
    if not owned(found, resource):
        return False
    body["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"]
    await kube.replace_configmap(body)
    return True
