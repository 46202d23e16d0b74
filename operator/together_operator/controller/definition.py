"""Looking at the CRD itself, to tell the deletion of one resource from that of all of them.

It is the only object outside its namespaces that the operator reads while it works, and it may do
without: an install with rights in some namespaces only cannot be given this one.
"""

from __future__ import annotations

import logging

from together_operator.controller.kube import Kube
from together_operator.controller.kube_errors import Forbidden, KubeUnavailable
from together_operator.core.memory import Definition
from together_operator.resource.times import parse_time

log = logging.getLogger(__name__)

_SOME_TIME = float("-inf")


async def look_up(kube: Kube, at: float) -> Definition:
    """Look at the CRD, uncached.

    Without the right to read it (a Role cannot grant that) discovery tells, which everybody may
    read: the API server no longer serves `create` of a kind whose definition is being removed. It
    tells neither since when, nor at once.

    Args:
        kube: The cluster.
        at: Monotonic seconds now.

    Raises:
        KubeError: The cluster did not answer, or refuses that too.
    """
    try:
        found = await kube.get_definition()
    except Forbidden as error:
        log.info("%s Asking discovery instead.", error)
        return await _discovered(kube, at)
    if found is None:
        return Definition(at, _SOME_TIME)
    meta = found["metadata"]
    removed = meta.get("deletionTimestamp")
    return Definition(
        at, None if removed is None else parse_time(removed), parse_time(meta["creationTimestamp"])
    )


async def _discovered(kube: Kube, at: float) -> Definition:
    verbs = await kube.served_verbs()
    if not verbs:
        # The resource was read a moment ago: an API server that is starting knows nothing yet.
        raise KubeUnavailable("The API server does not tell how it serves TogetherEndpoints")
    return Definition(at, None if "create" in verbs else _SOME_TIME, sure=False)
