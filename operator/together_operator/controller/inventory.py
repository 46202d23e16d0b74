"""One look at everything, from outside the operator: for commands that a person runs.

It uses the same parts as the operator (keys, accounts, the census), so that a person is told what
the operator would tell, and it writes nothing. What cannot be looked at is a finding, too: a report
with a hole must not read like a clean one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Any

from together_operator.controller.account import Account
from together_operator.controller.accounts import Accounts
from together_operator.controller.census import Census
from together_operator.controller.clocks import Clocks
from together_operator.controller.costs import folded, hardware_of
from together_operator.controller.identity import CONFIGMAP, recognise
from together_operator.controller.keys import HeldKey, KeyRing
from together_operator.controller.kube import Kube
from together_operator.controller.kube_errors import Forbidden
from together_operator.controller.orphans import judge
from together_operator.controller.readable import readable
from together_operator.controller.released import Released
from together_operator.controller.wires import Wires
from together_operator.core.orphans import ORPHANED, Orphan
from together_operator.metrics import Metrics
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.remote import Unavailable
from together_operator.resource.spec import Api
from together_operator.settings import Settings
from together_operator.together import Timeouts

FIELDS = frozenset(
    {
        "kubeconfig",
        "namespaces",
        "operator_namespace",
        "cluster_id",
        "base_url",
        "ca_file",
        "api_key_file",
        "default_key_namespaces",
    }
)
"""The settings that say where to look and with which keys."""


@dataclass(slots=True)
class Inventory:
    """What there is in the cluster and at Together.

    Attributes:
        settings: Where to look and with which keys.
        kube: The cluster.
        cluster: The cluster id.
        keys: The keys of resources, and the copies.
        released: What was left at Together on purpose.
        accounts: What is seen at Together.
        clocks: The clocks.
        wires: The connections to Together.
        problems: What could not be looked at, for people.
        bodies: The resources, by uid.
    """

    settings: Settings
    kube: Kube
    cluster: str
    keys: KeyRing
    released: Released
    accounts: Accounts
    clocks: Clocks
    wires: Wires
    problems: list[str] = field(default_factory=list)
    bodies: dict[str, dict[str, Any]] = field(default_factory=dict)

    # -- the cluster -----------------------------------------------------------------------------

    async def read(self) -> None:
        """Read the resources and all keys.

        Raises:
            KubeError: The cluster did not answer.
        """
        try:
            await self.keys.load()
            await self.released.load()
        except Forbidden as error:
            self.problems.append(f"The operator's copies of keys are not used: {error}")
        async for body in self.kube.list_endpoints(self.settings.namespaces):
            self.bodies[body["metadata"]["uid"]] = body
        served = self.settings.namespaces
        for copy in self.keys:
            if copy.key is not None and (not served or copy.namespace in served):
                self._use(copy.key)
        for resource in self.resources():
            user = await self.keys.user(resource)
            if isinstance(user, HeldKey):
                self._use(user)
            elif self.keys.held(resource.uid) is None and resource.status.operation is not None:
                where = f"{resource.namespace}/{resource.name}"
                self.problems.append(f"There is no key to look with for {where}: {user.message}")
        own = self.keys.own()
        if isinstance(own, HeldKey):
            self._use(own)

    def resources(self) -> list[TogetherEndpoint]:
        """The resources, as far as each can be read."""
        return [readable(body).resource for body in self.bodies.values()]

    def _use(self, key: HeldKey) -> None:
        """Look with a key, in both generations: what nobody knows of may be in either."""
        for api in (Api.V1, Api.V2):
            self.accounts.add(key.identity, api, functools.partial(self.wires.driver, key, api))

    def account(self, resource: TogetherEndpoint, api: Api) -> Account | None:
        """The account of a resource in a generation, by the copy or by the person's key."""
        return self.accounts.get(self._identity(resource), api)

    def accounts_of(self, resource: TogetherEndpoint) -> list[Account]:
        """The accounts in which a resource may have left anything, in either generation."""
        identity = self._identity(resource)
        found = (self.accounts.get(identity, api) for api in (Api.V1, Api.V2))
        return [account for account in found if account is not None]

    def _identity(self, resource: TogetherEndpoint) -> str | None:
        operation = resource.status.operation
        held = self.keys.held(resource.uid)
        if held is not None:
            return held.identity
        return operation.credential if operation is not None else None

    # -- Together --------------------------------------------------------------------------------

    async def look(self) -> None:
        """Have every account listed, and read what no resource has on record."""
        await asyncio.gather(*map(self._look, self.accounts))

    async def _look(self, account: Account) -> None:
        answer = await account.list(self.clocks.steady())
        if isinstance(answer, Unavailable):
            self._unseen(account, answer)
            return
        remotes = (one for r in self.resources() for one in (r.status, r.status.beside) if one)
        recorded = {one.endpoint_id for one in remotes}
        await account.read_ids([i for i in answer.lines if i not in recorded])

    def _unseen(self, account: Account, why: Unavailable) -> None:
        """Say plainly what was not looked at, so that nobody takes it for empty."""
        where = f"in API {account.api.value.lower()}"
        self.problems.append(f"{self._whose(account)} cannot be looked at {where}: {why.message}")

    def _whose(self, account: Account) -> str:
        """Whose key it is, in words that help to find it."""
        users = [
            f"{r.namespace}/{r.name}"
            for r in self.resources()
            if self._identity(r) == account.identity
        ]
        if users:
            more = f" and {len(users) - 1} more" if len(users) > 1 else ""
            return f"The account of {users[0]}{more} (key {account.identity})"
        return f"The account of the key {account.identity}"

    async def orphans(self) -> tuple[list[Orphan], int]:
        """What nobody answers for, and how many endpoints are another cluster's.

        The cluster is listed again after Together was, and Together once more after that: so
        neither what has just been ordered nor what is just being deleted is taken for forgotten.

        Raises:
            KubeError: The cluster did not answer.
        """
        census = Census(self.clocks.steady(), not self.settings.namespaces)
        async for body in self.kube.list_endpoints(self.settings.namespaces):
            census.count(body)
        claims = census.claims(self.keys, self.released, self.clocks.wall())
        found: dict[str, Orphan] = {}
        others: set[str] = set()
        for account in sorted(self.accounts, key=lambda a: a.place):
            if account.poll is None:
                continue
            before = account.poll.lines.keys()
            again = await account.list(self.clocks.steady())
            if isinstance(again, Unavailable):
                self._unseen(account, again)
                continue
            listed = [i for i in before if i in again.lines]
            self._unread(account, listed, claims.endpoints)
            for endpoint_id, reason in judge(account, again, listed, claims).items():
                if reason not in ORPHANED:
                    others.add(endpoint_id)
                elif endpoint_id not in found:
                    found[endpoint_id] = await self._orphan(account, endpoint_id, reason)
        return list(found.values()), len(others)

    def _unread(self, account: Account, listed: Collection[str], known: Any) -> None:
        for endpoint_id in listed:
            if endpoint_id not in account.traits and endpoint_id not in known:
                self.problems.append(
                    f"{endpoint_id} could not be read, so it is not known whose it is"
                )

    async def _orphan(self, account: Account, endpoint_id: str, reason: Any) -> Orphan:
        line, trait = account.poll.lines[endpoint_id], account.traits[endpoint_id]  # type: ignore[union-attr]
        for hardware in hardware_of(line, trait):
            await account.price(hardware)
        line, trait, price = folded(line, trait, account.known_price)
        return Orphan(endpoint_id, reason, account.identity, line, trait, price)


@contextlib.asynccontextmanager
async def taken(settings: Settings) -> AsyncIterator[Inventory]:
    """Have an inventory for the length of a block.

    Args:
        settings: Where to look and with which keys.

    Raises:
        KubeError: The cluster did not answer, or its identity is refused.
        ConfigurationError: Together cannot be reached as the settings say.
    """
    metrics, clocks = Metrics(), Clocks.real()
    async with contextlib.AsyncExitStack() as stack:
        kube = await stack.enter_async_context(await Kube.connect(settings.kubeconfig))
        namespace = settings.operator_namespace
        cluster, known = await recognise(kube, namespace, settings.cluster_id)
        wires = Wires(settings, timeouts=Timeouts(), observer=metrics.remote_call)
        stack.push_async_callback(wires.aclose)

        keys = KeyRing(
            kube, cluster, namespace, clocks.steady, settings.read_operator_key,
            frozenset(settings.default_key_namespaces), 60.0,
        )  # fmt: skip
        accounts = Accounts(cluster, clocks.steady, 60.0)
        inventory = Inventory(
            settings, kube, cluster, keys, Released(kube, namespace), accounts, clocks, wires
        )
        if not known:
            inventory.problems.append(
                f"There is no ConfigMap {namespace}/{CONFIGMAP}, so no operator has run in the"
                f" namespace {namespace}. If it runs in another one, say which:"
                " --operator-namespace"
            )
        yield inventory
