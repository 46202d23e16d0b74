"""Keys: the person's, read by name and never listed, and the copies that outlive them.

A Secret can vanish before the endpoint that was paid for with it. So a copy of the key is kept in
the operator's own namespace from before the first order until nothing is left to pay for; with
the copy alone one may look, stop and delete, and never buy.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary, finalize

from pydantic import SecretStr

from together_operator.controller.account import Place
from together_operator.controller.kube import Kube
from together_operator.controller.kube_errors import AlreadyExists, Forbidden
from together_operator.controller.tombstone import Tombstone
from together_operator.logs import forget_secret, register_secret
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
_HASTE = 1.0
"""Seconds between two readings of a Secret for which there is a reason."""
_STALE = 10.0
"""Pauses after which a reading that nobody renewed is of no resource any more."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class HeldKey:
    """A key that can be used; the same text is the same object, however many resources use it.

    Attributes:
        credential: The key.
        identity: Its name, which reveals nothing.
        secret: Its text, for the copy.
    """

    credential: Credential
    identity: str
    secret: SecretStr


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

    @property
    def places(self) -> tuple[Place, ...]:
        """Where what the tombstone watches for would come to life."""
        if self.key is None or self.tombstone is None:
            return ()
        return tuple(Place(self.key.identity, api) for api in self.tombstone.apis)


@dataclass(slots=True)
class _Reading:
    """What a Secret held.

    Attributes:
        at: When it was read.
        found: The key, or why there is none.
        refused: Whether it was read anew because Together refused this very key.
    """

    at: float
    found: HeldKey | Unavailable
    refused: bool = False


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
    _entombed: set[str] = field(default_factory=set)
    _touched: set[str] = field(default_factory=set)
    _readings: dict[tuple[str, str, str], _Reading] = field(default_factory=dict)
    _under_way: dict[tuple[str, str, str], asyncio.Task[_Reading]] = field(default_factory=dict)
    _known: WeakValueDictionary[str, HeldKey] = field(default_factory=WeakValueDictionary)

    # -- the person's ----------------------------------------------------------------------------

    async def user(
        self, resource: TogetherEndpoint, *, anew: bool = False, refused: str | None = None
    ) -> HeldKey | Unavailable:
        """The key that the resource may use now.

        A Secret is read at most once a minute for all its resources together, unless there is a
        reason: something happened to a resource, or Together has just refused the key.

        Args:
            resource: The resource.
            anew: Whether something happened to it.
            refused: The identity of the key that Together refuses, if it does.
        """
        reference = resource.spec.api_key_secret_ref
        if reference is None:
            return self._default(resource.namespace)
        place = (resource.namespace, reference.name, reference.key)
        known = self._readings.get(place)
        suspect = (
            known is not None
            and refused is not None
            and refused == _identity(known)
            and not known.refused
        )
        # What happened to the resource may have come with a new key: only a reading that began
        # since will do.
        oldest = self.clock()
        if not anew:
            oldest -= min(_HASTE, self.pause) if suspect else self.pause
        while known is None or known.at < oldest:
            known = await self._read_once(place)
            # To read a second time why it is refused would tell nothing new.
            known.refused = suspect and _identity(known) == refused
        return known.found

    async def _read_once(self, place: tuple[str, str, str]) -> _Reading:
        """Read a Secret; whoever else wants it meanwhile waits for the same answer."""
        task = self._under_way.get(place)
        # One that is over is no longer waited for, also before the loop has told so.
        if task is None or task.done():
            task = asyncio.create_task(self._read(place))
            self._under_way[place] = task
            task.add_done_callback(functools.partial(self._read_over, place))
        # One caller that is cancelled must not take the answer from the others.
        return await asyncio.shield(task)

    def _read_over(self, place: tuple[str, str, str], task: asyncio.Task[_Reading]) -> None:
        if self._under_way.get(place) is task:
            del self._under_way[place]

    def forget_readings(self) -> None:
        """Forget the keys of Secrets that no resource has asked for in a long time."""
        oldest = self.clock() - _STALE * self.pause
        for place in [place for place, reading in self._readings.items() if reading.at < oldest]:
            del self._readings[place]

    def own(self) -> HeldKey | Unavailable:
        """The operator's own key."""
        try:
            key = self.operator_key()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            return Unavailable(
                Reason.SECRET_MISSING,
                f"The file with the operator's own key cannot be read: {why}. Mend it (the"
                " operator's --api-key-file), or set spec.apiKeySecretRef.name",
            )
        if not key:
            return Unavailable(
                Reason.SECRET_MISSING,
                "spec.apiKeySecretRef is not set and the operator has no key of its own. Set"
                " spec.apiKeySecretRef.name, or give the operator a key",
            )
        return self._usable(key, "the operator's own key")

    def _default(self, namespace: str) -> HeldKey | Unavailable:
        if namespace not in self.default_namespaces:
            return Unavailable(
                Reason.SECRET_MISSING,
                "spec.apiKeySecretRef is not set, and the operator's own key does not serve the"
                f" namespace {namespace}. Set spec.apiKeySecretRef.name to a Secret with the key",
            )
        return self.own()

    async def _read(self, place: tuple[str, str, str]) -> _Reading:
        reading = _Reading(self.clock(), await self._look_up(*place))
        self._readings[place] = reading
        return reading

    async def _look_up(self, namespace: str, name: str, entry: str) -> HeldKey | Unavailable:
        try:
            secret = await self.kube.get_secret(namespace, name)
        except Forbidden as error:
            return Unavailable(Reason.SECRET_MISSING, str(error))
        where = f"Secret {name} in namespace {namespace}"
        if secret is None:
            text = f"{where} does not exist. Create it with the Together API key under '{entry}'"
            return Unavailable(Reason.SECRET_MISSING, text)
        if names.KEY_COPY_LABEL in (secret["metadata"].get("labels") or {}):
            text = f"{where} is a copy that the operator keeps for another resource. Name one's own"
            return Unavailable(Reason.SECRET_MISSING, text)
        data = secret.get("data") or {}
        if entry not in data:
            text = f"{where} has no key '{entry}'. Add it, or correct spec.apiKeySecretRef.key"
            return Unavailable(Reason.SECRET_MISSING, text)
        try:
            value = base64.b64decode(data[entry], validate=True).decode("latin-1")
        except (ValueError, binascii.Error):
            value = ""
        return self._usable(value, f"'{entry}' of {where}")

    def _usable(self, value: str, where: str) -> HeldKey | Unavailable:
        text = value.rstrip("\r\n")
        known = self._known.get(text)
        if known is not None:
            return known
        try:
            credential = Credential(text)
        except InvalidKey as error:
            return Unavailable(Reason.UNAUTHORIZED, f"{where} cannot be used: {error}")
        # For as long as anybody could use it: else whoever may write a Secret could make each line
        # of the log dearer with every new key, for ever.
        register_secret(text)
        finalize(credential, forget_secret, text)
        key = HeldKey(credential, credential.identity(self.cluster), SecretStr(text))
        self._known[text] = key
        return key

    # -- the copies ------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Copy]:
        return iter(tuple(self._copies.values()))

    def held(self, uid: str) -> HeldKey | None:
        """The copy that is kept for a resource."""
        copy = self._copies.get(uid)
        return None if copy is None else copy.key

    def buried(self) -> list[Copy]:
        """The copies that are kept beyond their resource, for what might yet come to life."""
        return [self._copies[uid] for uid in self._entombed]

    def kept(self, uid: str) -> Copy | None:
        """The copy of a resource as it is now."""
        return self._copies.get(uid)

    async def load(self) -> None:
        """Read every copy there is; this is the only listing of Secrets, in our own namespace."""
        # Nobody waits for a list of thousands, so what is written meanwhile is newer than it.
        self._touched.clear()
        copies: dict[str, Copy] = {}
        async for secret in self.kube.list_secrets(self.namespace, _SELECTOR):
            copy = self._copy(secret)
            if copy is not None:
                copies[copy.uid] = copy
        for uid in self._touched:
            newer = self._copies.get(uid)
            copies.pop(uid, None)
            if newer is not None:
                copies[uid] = newer
        self._copies = copies
        self._entombed = {uid for uid, copy in copies.items() if copy.tombstone is not None}

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

    async def entomb(
        self, resource: TogetherEndpoint, tombstone: Tombstone, credential: str | None
    ) -> None:
        """Keep the copy beyond the resource, for what might yet come to life.

        Args:
            resource: The resource, which goes.
            tombstone: What to watch for.
            credential: The identity of the key that can see it, if the copy itself has vanished.
        """
        key = self.held(resource.uid)
        if key is None:
            user = await self.user(resource)
            if isinstance(user, Unavailable) or user.identity != credential:
                log.warning("There is no key to watch with for what an attempt may yet make")
                return
            key = user
        await self._write(resource, key, tombstone)

    async def drop(self, uid: str) -> None:
        """Delete the copy of a resource that is gone."""
        await self.kube.delete_secret(self.namespace, _name(uid))
        self._set(uid, None)

    def _set(self, uid: str, copy: Copy | None) -> None:
        self._touched.add(uid)
        self._entombed.discard(uid)
        if copy is None:
            self._copies.pop(uid, None)
            return
        self._copies[uid] = copy
        if copy.tombstone is not None:
            self._entombed.add(uid)

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
        try:
            await self.kube.create_secret(body)
        except AlreadyExists:
            await self.kube.replace_secret(body)
        self._set(uid, Copy(uid, resource.namespace, key, tombstone))


def _name(uid: str) -> str:
    return f"together-key-{uid}"


def _identity(reading: _Reading) -> str | None:
    return reading.found.identity if isinstance(reading.found, HeldKey) else None
