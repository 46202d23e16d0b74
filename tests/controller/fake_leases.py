"""An API server for one Lease, in memory, with the troubles that a real one has."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import Any

from together_operator.controller.kube_errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    KubeUnavailable,
    NotFound,
)
from together_operator.controller.lease import Lease, LeaseRefused

Object = dict[str, Any]


class LeaseServer:
    """The Lease as the API server keeps it.

    Attributes:
        kept: The Lease, if there is one.
        denied: The verbs that nobody may use.
        writes: Who wrote what, in order: the holder after each write.
    """

    def __init__(self) -> None:
        self.kept: Object | None = None
        self.denied: set[str] = set()
        self.writes: list[str] = []
        self._version = 0

    def put(self, body: Object) -> Object:
        """Keep an object."""
        self._version += 1
        self.kept = copy.deepcopy(body)
        self.kept["metadata"]["resourceVersion"] = str(self._version)
        self.writes.append(self.kept["spec"].get("holderIdentity", ""))
        return copy.deepcopy(self.kept)

    def edit(self, **spec: Any) -> None:
        """Change fields of its spec, as somebody else would."""
        assert self.kept is not None
        self.put({**self.kept, "spec": {**self.kept["spec"], **spec}})

    @property
    def holder(self) -> str:
        """Who holds it."""
        assert self.kept is not None
        return str(self.kept["spec"]["holderIdentity"])


class FakeLeases:
    """One process's connection to it; takes the place of `Leases`.

    Attributes:
        delay: Seconds before each request takes effect.
        answer: Seconds from its effect to its answer.
        unreachable: Whether requests get nowhere.
        meddle: Called before each request takes effect; may raise.
    """

    def __init__(self, server: LeaseServer) -> None:
        self.server = server
        self.delay = 0.0
        self.answer = 0.0
        self.unreachable = False
        self.meddle: Callable[[], None] = lambda: None

    async def _ask(self, verb: str, effect: Callable[[], Object | None]) -> Object | None:
        await asyncio.sleep(self.delay)
        if self.unreachable:
            raise KubeUnavailable("no way")
        self.meddle()
        if verb in self.server.denied:
            error = Forbidden(f"{verb} leases", f'User "robot" cannot {verb} resource "leases"')
            raise LeaseRefused(verb, "system", error.message)
        done = effect()
        await asyncio.sleep(self.answer)
        return done

    async def read(self, namespace: str) -> Lease | None:
        """Read it."""
        found = await self._ask("get", lambda: copy.deepcopy(self.server.kept))
        return None if found is None else Lease(found)

    async def create(self, namespace: str, holder: str, seconds: float) -> Lease:
        """Create it."""

        def effect() -> Object:
            if self.server.kept is not None:
                raise AlreadyExists("there is one")
            body = {"metadata": {"namespace": namespace}, "spec": {}}
            return self.server.put(Lease(body).taken(holder, seconds).body)

        return await self._written("create", effect)

    async def write(self, lease: Lease, *, dry_run: bool = False) -> Lease:
        """Replace it."""

        def effect() -> Object:
            if self.server.kept is None:
                raise NotFound("there is none")
            known = lease.body["metadata"]["resourceVersion"]
            if known != self.server.kept["metadata"]["resourceVersion"]:
                raise Conflict("it has changed")
            return lease.body if dry_run else self.server.put(lease.body)

        return await self._written("update", effect)

    async def _written(self, verb: str, effect: Callable[[], Object]) -> Lease:
        body = await self._ask(verb, effect)
        assert body is not None
        return Lease(body)
