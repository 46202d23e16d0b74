"""Keys: the person's, read by name and never listed, and the copies that outlive them.

A Secret can vanish before the endpoint that was paid for with it. So a copy of the key is kept in
the operator's own namespace from before the first order until nothing is left to pay for; with
the copy alone one may look, stop and delete, and never buy.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from together_operator.controller.kube import Kube
from together_operator.controller.kube_errors import AlreadyExists, Forbidden
from together_operator.logs import register_secret
from together_operator.resource import names
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Unavailable
from together_operator.together import Credential, InvalidKey

log = logging.getLogger(__name__)

_FIELD = "api-key"
_UID = f"{names.GROUP}/uid"
_RESOURCE = f"{names.GROUP}/resource"
_TOMBSTONE = f"{names.GROUP}/tombstone"
_SELECTOR = f"{names.KEY_COPY_LABEL}=true"


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key that can be used.

    Attributes:
        credential: The key.
        identity: Its name, which reveals nothing.
        secret: Its text, for the copy.
    """

    credential: Credential
    identity: str
    secret: SecretStr


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left to watch for after a resource has gone (create-once rule 13).

    Attributes:
        cluster: The cluster part of the mark.
        owner: The owner part of the mark.
        nonces: Attempts that might yet take effect.
        expires: Unix seconds, after which nothing is expected any more.
    """

    cluster: str
    owner: str
    nonces: tuple[str, ...]
    expires: float

    def dump(self) -> str:
        """As the annotation holds it."""
        return json.dumps(
            {
                "cluster": self.cluster,
                "owner": self.owner,
                "nonces": list(self.nonces),
                "expires": self.expires,
            }
        )

    @classmethod
    def load(cls, text: str) -> Tombstone | None:
        """Read the annotation; what cannot be read is no tombstone."""
        try:
            raw = json.loads(text)
            return cls(
                str(raw["cluster"]),
                str(raw["owner"]),
                tuple(str(nonce) for nonce in raw["nonces"]),
                float(raw["expires"]),
            )
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(slots=True)
class Copy:
    """A key copy in the operator's namespace.

    Attributes:
        uid: The resource that it belongs to.
        namespace: The namespace of that resource.
        key: The key, if the copy holds one that can be used.
        tombstone: What is left to watch for, once the resource has gone.
    """

    uid: str
    namespace: str
    key: HeldKey | None
    tombstone: Tombstone | None = None


@dataclass(slots=True)
class _Reading:
    at: float
    key: HeldKey | None = None
    trouble: Unavailable | None = None


@dataclass(slots=True)
class KeyRing:
    """All keys.

    Attributes:
        kube: The cluster.
        cluster: The cluster id, which names the keys.
        namespace: The operator's own namespace.
        clock: The monotonic clock.
        operator_key: The operator's own key, read anew each time; `None` if it has none.
        default_namespaces: The namespaces that may use the operator's own key.
        pause: Seconds between two readings of a Secret that nobody asked for.
    """

    kube: Kube
    cluster: str
    namespace: str
    clock: Callable[[], float]
    operator_key: Callable[[], str | None]
    default_namespaces: frozenset[str]
    pause: float
    _copies: dict[str, Copy] = field(default_factory=dict)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _readings: dict[tuple[str, str, str], _Reading] = field(default_factory=dict)

    # -- the person's ----------------------------------------------------------------------------

    async def user(self, resource: TogetherEndpoint, *, anew: bool) -> HeldKey | Unavailable:
        """The key that the resource may use now.

        Args:
            resource: The resource.
            anew: Whether there is a reason to read the Secret again: an event, or a 401.
        """
        reference = resource.spec.api_key_secret_ref
        if reference is None:
            return self._default(resource.namespace)
        place = (resource.namespace, reference.name, reference.key)
        known = self._readings.get(place)
        now = self.clock()
        patience = min(1.0, self.pause) if anew else self.pause
        if known is None or now - known.at >= patience:
            known = await self._read(place)
            self._readings[place] = known
        if known.key is not None:
            return known.key
        assert known.trouble is not None  # noqa: S101
        return known.trouble

    def _default(self, namespace: str) -> HeldKey | Unavailable:
        if namespace not in self.default_namespaces:
            return Unavailable(
                Reason.SECRET_MISSING,
                "spec.apiKeySecretRef is not set, and the operator's own key does not serve the"
                f" namespace {namespace}. Set spec.apiKeySecretRef.name to a Secret with the key",
            )
        key = self.operator_key()
        if not key:
            return Unavailable(
                Reason.SECRET_MISSING,
                "spec.apiKeySecretRef is not set and the operator has no key of its own. Set"
                " spec.apiKeySecretRef.name, or give the operator a key",
            )
        return self._usable(key, "the operator's own key")

    async def _read(self, place: tuple[str, str, str]) -> _Reading:
        namespace, name, field_ = place
        at = self.clock()
        try:
            secret = await self.kube.get_secret(namespace, name)
        except Forbidden as error:
            return _Reading(at, trouble=Unavailable(Reason.SECRET_MISSING, str(error)))
        where = f"Secret {name} in namespace {namespace}"
        if secret is None:
            text = f"{where} does not exist. Create it with the Together API key under '{field_}'"
            return _Reading(at, trouble=Unavailable(Reason.SECRET_MISSING, text))
        data = secret.get("data") or {}
        if field_ not in data:
            text = f"{where} has no key '{field_}'. Add it, or correct spec.apiKeySecretRef.key"
            return _Reading(at, trouble=Unavailable(Reason.SECRET_MISSING, text))
        try:
            value = base64.b64decode(data[field_], validate=True).decode("latin-1")
        except (ValueError, binascii.Error):
            value = ""
        usable = self._usable(value, f"'{field_}' of {where}")
        if isinstance(usable, Unavailable):
            return _Reading(at, trouble=usable)
        return _Reading(at, key=usable)

    def _usable(self, value: str, where: str) -> HeldKey | Unavailable:
        text = value.rstrip("\r\n")
        try:
            credential = Credential(text)
        except InvalidKey as error:
            return Unavailable(Reason.UNAUTHORIZED, f"{where} cannot be used: {error}")
        register_secret(text)
        return HeldKey(credential, credential.identity(self.cluster), SecretStr(text))

    # -- the copies ------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Copy]:
        return iter(tuple(self._copies.values()))

    def held(self, uid: str) -> HeldKey | None:
        """The copy that is kept for a resource."""
        copy = self._copies.get(uid)
        return None if copy is None else copy.key

    async def load(self) -> None:
        """Read every copy there is; this is the only listing of Secrets, in our own namespace."""
        copies: dict[str, Copy] = {}
        async with self._writing:
            for secret in await self.kube.list_secrets(self.namespace, _SELECTOR):
                copy = self._copy(secret)
                if copy is not None:
                    copies[copy.uid] = copy
            self._copies = copies

    def _copy(self, secret: dict[str, Any]) -> Copy | None:
        annotations = secret["metadata"].get("annotations") or {}
        uid = annotations.get(_UID)
        if not uid:
            log.warning(
                "Secret %s is labelled as a key copy but names no resource; leaving it alone",
                secret["metadata"]["name"],
            )
            return None
        text = (secret.get("data") or {}).get(_FIELD, "")
        try:
            usable = self._usable(
                base64.b64decode(text, validate=True).decode("latin-1"), f"the key copy of {uid}"
            )
        except (ValueError, binascii.Error):
            usable = Unavailable(Reason.UNAUTHORIZED, "not base64")
        key = usable if isinstance(usable, HeldKey) else None
        namespace = annotations.get(_RESOURCE, "").partition("/")[0]
        return Copy(uid, namespace, key, Tombstone.load(annotations.get(_TOMBSTONE, "")))

    async def keep(self, resource: TogetherEndpoint, key: HeldKey) -> None:
        """Keep a copy of a key for a resource, in place of the one that is kept."""
        await self._write(resource, key, None)

    async def entomb(self, resource: TogetherEndpoint, tombstone: Tombstone) -> None:
        """Keep the copy beyond the resource, for what might yet come to life."""
        key = self.held(resource.uid)
        if key is None:
            return
        await self._write(resource, key, tombstone)

    async def drop(self, uid: str) -> None:
        """Delete the copy of a resource that is gone."""
        async with self._writing:
            await self.kube.delete_secret(self.namespace, _name(uid))
            self._copies.pop(uid, None)

    async def _write(
        self, resource: TogetherEndpoint, key: HeldKey, tombstone: Tombstone | None
    ) -> None:
        uid = resource.uid
        annotations = {_UID: uid, _RESOURCE: f"{resource.namespace}/{resource.name}"}
        if tombstone is not None:
            annotations[_TOMBSTONE] = tombstone.dump()
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": _name(uid),
                "namespace": self.namespace,
                "labels": {
                    names.KEY_COPY_LABEL: "true",
                    "app.kubernetes.io/managed-by": "together-operator",
                },
                "annotations": annotations,
            },
            "type": "Opaque",
            "data": {_FIELD: base64.b64encode(key.secret.get_secret_value().encode()).decode()},
        }
        async with self._writing:
            try:
                await self.kube.create_secret(body)
            except AlreadyExists:
                await self.kube.replace_secret(body)
            self._copies[uid] = Copy(uid, resource.namespace, key, tombstone)


def _name(uid: str) -> str:
    return f"together-key-{uid}"
