"""Whether an operator is alive, asked from outside it.

A Lease is judged by whether it changes, on our own clock: what it says of the time is written by a
clock that may be set differently. An operator that is told to do without a Lease shows as a pod.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from together_operator.controller.kube_errors import Forbidden, KubeError
from together_operator.controller.kube_kinds import Kind
from together_operator.controller.lease import NAME, LeaseRefused, Leases

_PODS: Final = Kind("/api/v1", "pods")
_SELECTOR: Final = "app.kubernetes.io/part-of=together-operator"
_ENDED: Final = frozenset({"Succeeded", "Failed"})
_EVERY: Final = 0.5


class _Cluster(Leases):
    """A connection that also knows pods."""

    async def pods(self, namespace: str) -> list[str]:
        """The operator's pods that have not ended."""
        return [
            pod["metadata"]["name"]
            async for pod in self._list(_PODS, namespace, _SELECTOR)
            if (pod.get("status") or {}).get("phase") not in _ENDED
        ]


async def alive(kubeconfig: Path | None, namespace: str) -> str | None:
    """Find out whether an operator is alive; that takes as long as its Lease may last.

    Args:
        kubeconfig: The cluster.
        namespace: The operator's own namespace.

    Returns:
        By what it is known, for people; `None` if none is.

    Raises:
        KubeError: The cluster did not answer, or does not allow the question.
    """
    async with await _Cluster.connect(kubeconfig) as cluster:
        try:
            pods = await cluster.pods(namespace)
        except Forbidden:
            pods = []  # who may not see pods is told by the Lease
        if pods:
            return f"the pod {namespace}/{pods[0]} is there"
        try:
            first = await cluster.read(namespace)
        except LeaseRefused:
            raise KubeError(
                "It cannot be told whether an operator is alive: you may not read the Lease"
                f" {namespace}/{NAME}. Have that right given to you, or make sure and say --force"
            ) from None
        if first is None or not first.holder:
            return None
        clock = asyncio.get_running_loop().time
        until = clock() + first.duration
        while clock() < until:
            await asyncio.sleep(_EVERY)
            now = await cluster.read(namespace)
            if now is None or not now.holder:
                return None
            if now.spec != first.spec:
                return f"{now.holder} holds the Lease {namespace}/{NAME} and renews it"
        return None
