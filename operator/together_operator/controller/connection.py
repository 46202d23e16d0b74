"""The ConfigMap with which an application finds the endpoint.

It holds what an OpenAI-compatible client reads from its environment, so that `envFrom` is all
that an application needs. It is owned by the resource and goes with it; a ConfigMap that somebody
else made is never touched.
"""

from __future__ import annotations

import logging
from typing import Any

from together_operator.controller.kube import Kube
from together_operator.controller.kube_errors import AlreadyExists, Forbidden
from together_operator.core.observed import Link
from together_operator.resource import names
from together_operator.resource.document import TogetherEndpoint

log = logging.getLogger(__name__)


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


def wanted(resource: TogetherEndpoint) -> tuple[str, dict[str, str]] | None:
    """The ConfigMap that there should be, by name and content.

    Args:
        resource: The resource; without an endpoint there is nothing to say yet.
    """
    connection, inference = resource.spec.connection, resource.status.inference
    if connection is None or inference is None:
        return None
    return connection.config_map_name, data(inference.base_url, inference.model)


async def link(kube: Kube, resource: TogetherEndpoint) -> Link:
    """How the ConfigMap stands.

    A right that is missing must not keep an endpoint from being stopped, so it is one of the ways.

    Args:
        kube: The cluster.
        resource: The resource.
    """
    try:
        return await _link(kube, resource)
    except Forbidden as error:
        log.warning("The ConfigMap for applications is left as it is: %s", error)
        return Link.DENIED


async def _link(kube: Kube, resource: TogetherEndpoint) -> Link:
    target = wanted(resource)
    former = _former(resource)
    if former is not None:
        found = await kube.get_configmap(resource.namespace, former)
        if found is not None and owned(found, resource):
            return Link.DUE
    if target is None:
        return Link.UNWANTED
    name, content = target
    found = await kube.get_configmap(resource.namespace, name)
    if found is None:
        return Link.DUE
    if not owned(found, resource):
        return Link.FOREIGN
    return Link.CURRENT if found.get("data") == content else Link.DUE


def _former(resource: TogetherEndpoint) -> str | None:
    """The ConfigMap that was written before the spec named another one, or none."""
    written = resource.status.connection_config_map
    connection = resource.spec.connection
    name = connection.config_map_name if connection is not None else None
    return written if written != name else None


async def publish(kube: Kube, resource: TogetherEndpoint) -> bool:
    """Write the ConfigMap, unless somebody else's is in its place, and remove the former one.

    Args:
        kube: The cluster.
        resource: The resource.

    Returns:
        Whether what there should be is there.
    """
    former = _former(resource)
    if former is not None:
        found = await kube.get_configmap(resource.namespace, former)
        if found is not None and owned(found, resource):
            await kube.delete_configmap(resource.namespace, former, uid=found["metadata"]["uid"])
    target = wanted(resource)
    return target is None or await _write(kube, resource, *target)


async def _write(
    kube: Kube, resource: TogetherEndpoint, name: str, content: dict[str, str]
) -> bool:
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
                    # True would take a right of its own where the API server enforces owners.
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "data": content,
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
