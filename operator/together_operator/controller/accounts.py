"""The keys in use: an account for each key and each generation of Together's API.

A key opens the same project in both generations, which know nothing of each other's endpoints. So
each has a list, marks, prices and troubles of its own, and one in which no resource has anything is
not looked at. What is remembered of a key as a whole is whether the first generation is closed to
it, so that only the first order of an account has to find that out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from together_operator.controller.account import Account, Place
from together_operator.core.choosing import generation
from together_operator.core.copies import ADOPT
from together_operator.core.marker import cluster_tag
from together_operator.drivers.driver import Driver
from together_operator.resource import names
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.reasons import Reason
from together_operator.resource.spec import Api
from together_operator.resource.status import Status

_IN_USE = 120.0
"""Seconds for which a key counts as in use, though no resource that is at rest names it."""


class Accounts:
    """The keys in use.

    Args:
        cluster: The cluster id.
        clock: The monotonic clock.
        pause: Seconds until what could not be read, and is not urgent, is asked for again.
        first: The generation that `api: Auto` tries first.

    Attributes:
        first: The generation that `api: Auto` tries first.
    """

    def __init__(
        self, cluster: str, clock: Callable[[], float], pause: float, first: Api = Api.V1
    ) -> None:
        self.first = first
        self._cluster = cluster
        self._clock = clock
        self._pause = pause
        self._accounts: dict[Place, Account] = {}
        self._closed: set[str] = set()

    # -- accounts --------------------------------------------------------------------------------

    def add(self, identity: str, api: Api, driver: Callable[[], Driver]) -> Account:
        """Have the account of a key in a generation, made on first use.

        Args:
            identity: The key's name.
            api: The generation.
            driver: Makes the driver of that key and generation.
        """
        place = Place(identity, api)
        account = self._accounts.get(place)
        if account is None:
            cluster = cluster_tag(self._cluster)
            account = Account(identity, driver(), self._clock, cluster, self._pause)
            self._accounts[place] = account
        account.used_at = self._clock()
        return account

    def get(self, identity: str | None, api: Api) -> Account | None:
        """The account of a key in a generation, if it is in use."""
        return None if identity is None else self._accounts.get(Place(identity, api))

    def may_see(
        self, identity: str | None, api: Api, ours: Account | None, endpoint_id: str
    ) -> bool:
        """Whether the key of another resource may see an endpoint, as far as that is known.

        Args:
            identity: That key.
            api: The generation in which that resource has it on record.
            ours: The account that has seen it.
            endpoint_id: The endpoint.
        """
        theirs = self.get(identity, api)
        if theirs is None or theirs is ours:
            return theirs is not None
        if theirs.poll is None:
            return not theirs.failures
        return endpoint_id in theirs.poll.lines

    def keep(self, places: Collection[Place]) -> None:
        """Forget the accounts that nobody uses any more.

        Args:
            places: Where resources have been seen to have something, or may have.
        """
        latest = self._clock() - _IN_USE
        for unused in self._accounts.keys() - set(places):
            if self._accounts[unused].used_at < latest:
                del self._accounts[unused]
        self._closed &= {place.identity for place in self._accounts}

    def __iter__(self) -> Iterator[Account]:
        return iter(tuple(self._accounts.values()))

    # -- generations -----------------------------------------------------------------------------

    def generation(
        self,
        resource: TogetherEndpoint,
        identity: str | None,
        *,
        lost: bool = False,
        searched: Collection[Api] = (),
    ) -> Api:
        """The generation that carries a resource's endpoint, or would.

        Args:
            resource: The resource.
            identity: The key that is used for it, if there is one.
            lost: Whether there was a record once, and it is lost.
            searched: Where nothing was found of what that record may have told of.
        """
        record = self._record(resource)
        if record.operation is None and resource.annotations.get(names.RESTORED_COPY) == ADOPT:
            # What it is a copy of is where it is; it is to be taken over there.
            record = record.model_copy(update={"api": resource.status.api})
        return generation(
            resource.spec,
            record,
            closed=self.closed(identity),
            first=self.first,
            lost=lost,
            searched=searched,
        )

    def closed(self, identity: str | None) -> bool:
        """Whether Together has refused a key to create anything in v1."""
        return identity in self._closed

    def close(self, identity: str) -> None:
        """Remember that Together has refused a key to create anything in v1."""
        self._closed.add(identity)

    def closed_keys(self) -> list[str]:
        """The keys that Together has refused to create anything in v1."""
        return sorted(self._closed)

    def recall(self, resource: TogetherEndpoint, identity: str | None) -> None:
        """Learn from what is on record of a resource whether v1 is closed to its key.

        Args:
            resource: The resource.
            identity: The key whose copy is kept for it. A status can be written by whoever may do
                so, and says nothing of the keys of others.
        """
        record = self._record(resource)
        operation = record.operation
        if identity is None or operation is None or operation.credential != identity:
            return
        refusal = operation.refusal
        refused = refusal is not None and refusal.reason == Reason.V1_CLOSED
        if refused or operation.v1_closed:
            self.close(identity)

    def _record(self, resource: TogetherEndpoint) -> Status:
        """The status as far as it is the resource's own."""
        operation = resource.status.operation
        mine = (resource.uid, self._cluster)
        ours = operation is not None and (operation.uid, operation.cluster) == mine
        return resource.status if ours else Status()
