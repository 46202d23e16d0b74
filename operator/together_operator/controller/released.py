"""What was left at Together on purpose, so that it is never taken for forgotten.

When a resource goes and its endpoint stays, as its deletion policy or a person wants it, the mark
on the endpoint is all that remains, and it says nothing of that wish. So the wish is written into
the operator's own ConfigMap before the finalizer goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field

from together_operator.controller.identity import CONFIGMAP
from together_operator.controller.kube import Json, Kube
from together_operator.controller.kube_errors import AlreadyExists, Conflict, NotFound

_FIELD = "released"
_MOST = 10_000
"""Ids that are kept, the newest: 10,000 of them are half of what a ConfigMap can hold."""
_ATTEMPTS = 5


@dataclass(slots=True)
class Released:
    """The endpoints that were left at Together on purpose.

    Attributes:
        kube: The cluster.
        namespace: The operator's own namespace.
    """

    kube: Kube
    namespace: str
    _ids: dict[str, None] = field(default_factory=dict)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __contains__(self, endpoint_id: object) -> bool:
        return endpoint_id in self._ids

    async def load(self) -> None:
        """Learn what was left.

        Raises:
            KubeError: The cluster did not answer, or does not allow it.
        """
        self._take(await self.kube.get_configmap(self.namespace, CONFIGMAP))

    async def add(self, endpoint_ids: Collection[str]) -> None:
        """Write down that endpoints are left on purpose.

        Args:
            endpoint_ids: Together's ids.

        Raises:
            KubeError: It could not be written down.
        """
        async with self._writing:
            for _ in range(_ATTEMPTS):
                if all(endpoint_id in self._ids for endpoint_id in endpoint_ids):
                    return
                try:
                    await self._write(endpoint_ids)
                except (AlreadyExists, Conflict, NotFound):
                    continue  # somebody else wrote: read it again
                return
        raise Conflict(f"ConfigMap {self.namespace}/{CONFIGMAP} changes all the time.")

    async def _write(self, endpoint_ids: Collection[str]) -> None:
        found = await self.kube.get_configmap(self.namespace, CONFIGMAP)
        self._take(found)
        ids = [*self._ids, *(i for i in dict.fromkeys(endpoint_ids) if i not in self._ids)]
        body: Json = found or {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": CONFIGMAP, "namespace": self.namespace},
        }
        written = {**body, "data": {**(body.get("data") or {}), _FIELD: "\n".join(ids[-_MOST:])}}
        if found is None:
            self._take(await self.kube.create_configmap(written))
        else:
            self._take(await self.kube.replace_configmap(written))

    def _take(self, body: Json | None) -> None:
        text = ((body or {}).get("data") or {}).get(_FIELD, "")
        self._ids = dict.fromkeys(text.split())
