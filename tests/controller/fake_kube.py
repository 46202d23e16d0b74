"""A cluster in memory: resourceVersions, preconditions, finalizers, and faults on demand."""

from __future__ import annotations

import asyncio
import base64
import copy
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from tests.controller.virtual import EPOCH
from together_operator.controller.kube import Kube
from together_operator.controller.kube_errors import (
    AlreadyExists,
    Conflict,
    KubeError,
    NotFound,
)
from together_operator.controller.queue import Key
from together_operator.resource import names
from together_operator.resource.times import format_time

Json = dict[str, Any]
SPEC: Json = {
    "model": "acme/model",
    "hardware": "1x_gpu",
    "apiKeySecretRef": {"name": "together", "key": "api-key"},
}


class FakeKube:
    """A cluster as `Kube` shows it.

    Attributes:
        calls: How often each method was called.
        fail: Errors to raise, by method, one per call, before anything happens.
        lose: Errors to raise, by method, one per call, after it has happened.
        before: Something to do before a method takes effect.
        delay: Seconds that each call takes.
    """

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.fail: dict[str, list[KubeError]] = {}
        self.lose: dict[str, list[KubeError]] = {}
        self.before: dict[str, Callable[[], Awaitable[None]]] = {}
        self.delay = 0.002
        self.endpoints: dict[Key, Json] = {}
        self.secrets: dict[tuple[str, str], Json] = {}
        self.configmaps: dict[tuple[str, str], Json] = {}
        self.definition: Json | None = {
            "metadata": {"creationTimestamp": format_time(EPOCH - 3600)}
        }
        self._version = 0
        self._uids = 0

    @property
    def kube(self) -> Kube:
        """Itself, as the controller knows it."""
        return cast("Kube", self)

    @property
    def writes(self) -> int:
        """Writes of TogetherEndpoints so far."""
        return self.calls["replace_status"] + self.calls["patch_metadata"]

    # -- people ----------------------------------------------------------------------------------

    def apply(self, name: str = "one", namespace: str = "ml", **spec: Any) -> Key:
        """A person applies a resource."""
        key = Key(namespace, name)
        old = self.endpoints.get(key)
        if old is not None:
            old["spec"] = {**old["spec"], **spec}
            old["metadata"]["generation"] += 1
            self._touch(old)
            return key
        body: Json = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {
                "namespace": namespace,
                "name": name,
                "uid": self._uid(),
                "generation": 1,
                "creationTimestamp": format_time(EPOCH),
            },
            "spec": {**SPEC, **spec},
            "status": {"observedGeneration": -1},
        }
        self._touch(body)
        self.endpoints[key] = body
        return key

    def annotate(self, key: Key, **notes: str) -> None:
        """A person sets annotations; `-` in their names is written `_`."""
        body = self.endpoints[key]
        annotations = body["metadata"].setdefault("annotations", {})
        for name, value in notes.items():
            annotations[f"{names.GROUP}/{name.replace('_', '-')}"] = value
        self._touch(body)

    def delete(self, key: Key, at: float = EPOCH) -> None:
        """A person deletes a resource.

        Args:
            key: The resource.
            at: When, in unix seconds.
        """
        meta = self.endpoints[key]["metadata"]
        if not meta.get("finalizers"):
            del self.endpoints[key]
            return
        meta.setdefault("deletionTimestamp", format_time(at))
        self._touch(self.endpoints[key])

    def give_key(self, key: str, name: str = "together", namespace: str = "ml") -> None:
        """A person puts an API key into a Secret."""
        body = {
            "metadata": {"namespace": namespace, "name": name, "uid": self._uid()},
            "data": {"api-key": base64.b64encode(key.encode()).decode()},
        }
        self._touch(body)
        self.secrets[namespace, name] = body

    def status(self, key: Key) -> Json:
        """The status of a resource."""
        return cast("Json", self.endpoints[key]["status"])

    def condition(self, key: Key, kind: str = "Ready") -> Json:
        """One condition of a resource."""
        found = {c["type"]: c for c in self.status(key).get("conditions", ())}
        return cast("Json", found[kind])

    def copies(self, namespace: str = "system") -> dict[str, Json]:
        """The key copies, by the uid that they belong to."""
        return {
            secret["metadata"]["annotations"][f"{names.GROUP}/uid"]: secret
            for (where, _), secret in self.secrets.items()
            if where == namespace
        }

    def _uid(self) -> str:
        self._uids += 1
        return f"uid-{self._uids}"

    def _touch(self, body: Json) -> None:
        self._version += 1
        body["metadata"]["resourceVersion"] = str(self._version)

    # -- TogetherEndpoints -----------------------------------------------------------------------

    async def get_endpoint(self, namespace: str, name: str) -> Json | None:
        """Read one."""
        await self._begin("get_endpoint")
        return copy.deepcopy(self.endpoints.get(Key(namespace, name)))

    async def list_endpoints(self, namespaces: Sequence[str] = ()) -> AsyncIterator[Json]:
        """Read all, as they are at the beginning."""
        await self._begin("list_endpoints")
        for body in copy.deepcopy(list(self.endpoints.values())):
            if not namespaces or body["metadata"]["namespace"] in namespaces:
                yield body

    async def patch_metadata(
        self,
        namespace: str,
        name: str,
        resource_version: str,
        *,
        finalizers: Sequence[str] | None = None,
        annotations: Mapping[str, str | None] | None = None,
    ) -> Json:
        """Change finalizers and annotations."""
        await self._begin("patch_metadata")
        body = self._current(Key(namespace, name), resource_version)
        meta = body["metadata"]
        if finalizers is not None:
            meta["finalizers"] = list(finalizers)
        notes = {**(meta.get("annotations") or {}), **(annotations or {})}
        meta["annotations"] = {name: value for name, value in notes.items() if value is not None}
        self._touch(body)
        if "deletionTimestamp" in meta and not meta["finalizers"]:
            del self.endpoints[Key(namespace, name)]
        self._end("patch_metadata")
        return copy.deepcopy(body)

    async def replace_status(self, body: Json) -> Json:
        """Write a status; the same one again is no change."""
        await self._begin("replace_status")
        meta = body["metadata"]
        current = self._current(Key(meta["namespace"], meta["name"]), meta["resourceVersion"])
        if current["status"] != body["status"]:
            current["status"] = copy.deepcopy(body["status"])
            self._touch(current)
        self._end("replace_status")
        return copy.deepcopy(current)

    def _current(self, key: Key, version: str) -> Json:
        body = self.endpoints.get(key)
        if body is None:
            raise NotFound(f"{key} is gone")
        if body["metadata"]["resourceVersion"] != version:
            raise Conflict(f"{key} has changed")
        return body

    # -- the CRD ---------------------------------------------------------------------------------

    def remove_definition(self, at: float) -> None:
        """A person deletes the CRD, and the API server every resource with it.

        Args:
            at: When, in unix seconds.
        """
        assert self.definition is not None
        self.definition["metadata"]["deletionTimestamp"] = format_time(at)
        for key in list(self.endpoints):
            self.delete(key, at)

    async def get_definition(self) -> Json | None:
        """Read it."""
        await self._begin("get_definition")
        return copy.deepcopy(self.definition)

    async def served_verbs(self) -> frozenset[str]:
        """What discovery says."""
        await self._begin("served_verbs")
        if self.definition is None:
            return frozenset()
        going = "deletionTimestamp" in self.definition["metadata"]
        return frozenset({"get", "list"} if going else {"get", "list", "create"})

    # -- Secrets, ConfigMaps, Events -------------------------------------------------------------

    async def get_secret(self, namespace: str, name: str) -> Json | None:
        """Read one."""
        await self._begin("get_secret")
        return copy.deepcopy(self.secrets.get((namespace, name)))

    async def list_secrets(self, namespace: str, selector: str) -> AsyncIterator[Json]:
        """Read those with a label, as they are at the beginning."""
        await self._begin("list_secrets")
        label, _, value = selector.partition("=")
        for secret in copy.deepcopy(list(self.secrets.values())):
            meta = secret["metadata"]
            if meta["namespace"] == namespace and meta.get("labels", {}).get(label) == value:
                yield secret

    async def create_secret(self, body: Json) -> Json:
        """Create one."""
        return await self._create("create_secret", self.secrets, body)

    async def replace_secret(self, body: Json) -> Json:
        """Replace one."""
        return await self._replace("replace_secret", self.secrets, body)

    async def delete_secret(self, namespace: str, name: str, *, uid: str | None = None) -> bool:
        """Delete one."""
        return await self._delete("delete_secret", self.secrets, namespace, name, uid)

    async def get_configmap(self, namespace: str, name: str) -> Json | None:
        """Read one."""
        await self._begin("get_configmap")
        return copy.deepcopy(self.configmaps.get((namespace, name)))

    async def create_configmap(self, body: Json) -> Json:
        """Create one."""
        return await self._create("create_configmap", self.configmaps, body)

    async def replace_configmap(self, body: Json) -> Json:
        """Replace one."""
        return await self._replace("replace_configmap", self.configmaps, body)

    async def delete_configmap(self, namespace: str, name: str, *, uid: str | None = None) -> bool:
        """Delete one."""
        return await self._delete("delete_configmap", self.configmaps, namespace, name, uid)

    async def _create(self, verb: str, kept: dict[tuple[str, str], Json], body: Json) -> Json:
        await self._begin(verb)
        place = (body["metadata"]["namespace"], body["metadata"]["name"])
        if place in kept:
            raise AlreadyExists(f"{place} exists")
        kept[place] = copy.deepcopy(body)
        kept[place]["metadata"]["uid"] = self._uid()
        self._touch(kept[place])
        self._end(verb)
        return copy.deepcopy(kept[place])

    async def _replace(self, verb: str, kept: dict[tuple[str, str], Json], body: Json) -> Json:
        await self._begin(verb)
        place = (body["metadata"]["namespace"], body["metadata"]["name"])
        if place not in kept:
            raise NotFound(f"{place} is gone")
        version = body["metadata"].get("resourceVersion")
        if version not in (None, kept[place]["metadata"]["resourceVersion"]):
            raise Conflict(f"{place} has changed")
        kept[place] = copy.deepcopy(body)
        self._touch(kept[place])
        self._end(verb)
        return copy.deepcopy(kept[place])

    async def _delete(
        self,
        verb: str,
        kept: dict[tuple[str, str], Json],
        namespace: str,
        name: str,
        uid: str | None,
    ) -> bool:
        await self._begin(verb)
        found = kept.get((namespace, name))
        if found is not None and uid not in (None, found["metadata"].get("uid")):
            raise Conflict(f"{name} is another one")
        there = kept.pop((namespace, name), None) is not None
        self._end(verb)
        return there

    # -- faults ----------------------------------------------------------------------------------

    async def _begin(self, verb: str) -> None:
        self.calls[verb] += 1
        await asyncio.sleep(self.delay)
        if verb in self.before:
            await self.before[verb]()
        _raise(self.fail, verb)

    def _end(self, verb: str) -> None:
        _raise(self.lose, verb)


def _raise(faults: dict[str, list[KubeError]], verb: str) -> None:
    if faults.get(verb):
        raise faults[verb].pop(0)
