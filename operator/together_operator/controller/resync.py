"""What a watch lost: the slow comparison of what is known with what there is.

A watch can miss a change or a deletion, and nobody would ever tell. So now and then all resources
are listed and compared with what is remembered, without any other call; the same moment sweeps
key copies that outlived their resource.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from together_operator.controller.accounts import Accounts
from together_operator.controller.clocks import Clocks
from together_operator.controller.entry import Entry
from together_operator.controller.keys import HeldKey, KeyRing
from together_operator.controller.kube import Kube
from together_operator.controller.kube_errors import Conflict, Forbidden, KubeError, Rejected
from together_operator.controller.leadership import Mandate
from together_operator.controller.orphans import Orphans
from together_operator.controller.queue import Key
from together_operator.controller.readable import readable
from together_operator.controller.roster import Roster
from together_operator.drivers.driver import Driver
from together_operator.resource.spec import Api

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Resync:
    """Compares what is known with what there is.

    Attributes:
        kube: The cluster.
        namespaces: The namespaces that are served; empty for all.
        roster: Which resources there are.
        keys: All keys.
        accounts: The keys in use.
        clocks: The clocks.
        enqueue: Has a resource worked on.
        interval: Seconds between two comparisons.
        orphans: Learns from them which endpoints nobody owns.
        mandate: Whether this process leads.
    """

    kube: Kube
    namespaces: Sequence[str]
    roster: Roster
    keys: KeyRing
    accounts: Accounts
    clocks: Clocks
    enqueue: Callable[[Key, str], None]
    interval: float
    orphans: Orphans
    mandate: Mandate

    async def fill(self) -> None:
        """Learn of every resource and every key copy, before anything is decided."""
        await self.keys.load()
        async for body in self.kube.list_endpoints(self.namespaces):
            resource = readable(body).resource
            held = self.keys.held(resource.uid)
            identity = held.identity if held else None
            self.accounts.recall(resource, identity)
            entry = Entry.of(resource, identity, self.accounts.generation(resource, identity))
            self.roster.put(entry)
            if entry.deleting:
                # kopf watches nothing of a kind whose definition is being removed (it is no longer
                # to be patched, says discovery), and that waits for just these to go.
                self.enqueue(entry.key, "resume")

    def open_accounts(self, driver: Callable[[HeldKey, Api], Driver]) -> None:
        """Have every account that a key copy opens, and in which there is or may be something.

        Args:
            driver: Makes the driver of a key in a generation.
        """
        living = {entry.uid: entry for entry in self.roster}
        for copy in self.keys:
            if copy.key is None:
                continue
            entry = living.get(copy.uid)
            own = entry.places if entry is not None else ()
            for place in {*own, *copy.places}:
                if place.identity == copy.key.identity:
                    make = functools.partial(driver, copy.key, place.api)
                    self.accounts.add(*place, make)

    async def run(self) -> None:
        """Compare now and then, for ever."""
        while True:
            await asyncio.sleep(self.interval * random.uniform(0.8, 1.2))
            try:
                await self.compare()
            except KubeError as error:
                log.warning("The comparison with the cluster is put off: %s", error)
            except Exception:
                log.exception("The comparison with the cluster failed; it is tried again")

    async def compare(self) -> None:
        """Have worked on what changed unnoticed, and sweep what is left of what has gone."""
        await self.keys.load()
        before = [copy.uid for copy in self.keys]
        there: dict[Key, tuple[str, str]] = {}
        with self.orphans.census() as count:
            async for body in self.kube.list_endpoints(self.namespaces):
                meta = body["metadata"]
                key = Key(meta["namespace"], meta["name"])
                there[key] = (meta["uid"], meta["resourceVersion"])
                count(body)
        for key, (uid, version) in there.items():
            entry = self.roster.get(key)
            if entry is None or (entry.uid, entry.resource_version) != (uid, version):
                self.enqueue(key, "resync")
        for entry in self.roster:
            if entry.key not in there:
                self.enqueue(entry.key, "resync")
        self._forget_keys()
        await self._sweep(before, {uid for uid, _ in there.values()})
        await self.orphans.conclude()

    async def _sweep(self, before: Sequence[str], living: Collection[str]) -> None:
        """Delete key copies that were there before the LIST and that nothing needs any more."""
        now = self.clocks.wall()
        for uid in before:
            # As it is now: a resource may have gone meanwhile and have left a tombstone.
            copy = self.keys.kept(uid)
            if copy is None or uid in living or not self._serves(copy.namespace):
                continue
            if copy.tombstone is not None and copy.tombstone.expires > now:
                continue
            if not self.mandate.valid:
                return  # whoever leads now may just have left a tombstone there
            log.info("Deleting the key copy of a resource that is gone (uid %s)", uid)
            try:
                await self.keys.drop(uid)
            except (Forbidden, Conflict, Rejected) as error:
                log.warning("The key copy stays: %s", error)  # and keeps no other from going

    def _serves(self, namespace: str) -> bool:
        return not self.namespaces or namespace in self.namespaces

    def _forget_keys(self) -> None:
        buried = {place for copy in self.keys.buried() for place in copy.places}
        self.accounts.keep({*self.roster.places(), *buried})
        self.keys.forget_readings()
