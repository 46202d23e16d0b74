"""Which cluster this is: the part of every mark that tells two clusters of one account apart.

The name must never change while an endpoint carries it, so it is kept in the operator's own
namespace, and an operator that is told another one refuses to start.
"""

from __future__ import annotations

from together_operator.controller.kube import Json, Kube
from together_operator.controller.kube_errors import AlreadyExists, Conflict, KubeError

CONFIGMAP = "together-operator-identity"
_FIELD = "cluster-id"


class IdentityRefused(KubeError):  # noqa: N818 (it names what happened)
    """The operator cannot tell, or may not take on, the identity of this cluster."""


async def recognise(kube: Kube, namespace: str, given: str | None) -> tuple[str, bool]:
    """Learn the cluster's id without settling it.

    Args:
        kube: The cluster.
        namespace: The operator's own namespace.
        given: The id from the settings, if there is one.

    Returns:
        The id, and whether an operator has settled it.

    Raises:
        IdentityRefused: The settings say another one, or there is none to be had.
        KubeError: The cluster did not answer.
    """
    found = await kube.get_configmap(namespace, CONFIGMAP)
    known = _agreed(found, namespace, given)
    return (known, True) if known else (given or await _of_cluster(kube), False)


async def establish(kube: Kube, namespace: str, given: str | None) -> str:
    """Have the cluster's id, the same for ever.

    Args:
        kube: The cluster.
        namespace: The operator's own namespace.
        given: The id from the settings, if there is one.

    Raises:
        IdentityRefused: It differs from the one in use, or there is none to be had.
        KubeError: The cluster did not answer.
    """
    found = await kube.get_configmap(namespace, CONFIGMAP)
    known = _agreed(found, namespace, given)
    if known:
        return known
    chosen = given or await _of_cluster(kube)
    body: Json = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": CONFIGMAP,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": "together-operator"},
        },
        "data": {_FIELD: chosen},
    }
    try:
        if found is None:
            await kube.create_configmap(body)
        else:
            found["data"] = {**(found.get("data") or {}), **body["data"]}
            await kube.replace_configmap(found)
    except (AlreadyExists, Conflict):
        return await establish(kube, namespace, given)
    return chosen


def _agreed(found: Json | None, namespace: str, given: str | None) -> str | None:
    """The id that is in use, if the settings do not say another one."""
    known = ((found or {}).get("data") or {}).get(_FIELD)
    if known and given and known != given:
        raise IdentityRefused(
            f"The cluster id is '{known}' (ConfigMap {namespace}/{CONFIGMAP}) and the settings"
            f" say '{given}'. Endpoints carry the former one; set --cluster-id to it, or leave"
            " it out"
        )
    return str(known) if known else None


async def _of_cluster(kube: Kube) -> str:
    system = await kube.get_namespace("kube-system")
    if system is None:
        raise IdentityRefused(
            "The namespace kube-system, whose uid names the cluster, cannot be read. Set"
            " --cluster-id to a name of this cluster that never changes"
        )
    return str(system["metadata"]["uid"])
