"""Putting together what has been seen, for one resource, from everything that is shared."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from together_operator.controller import connection
from together_operator.controller.account import Account
from together_operator.controller.accounts import Accounts
from together_operator.controller.clocks import Clocks
from together_operator.controller.entry import Entry
from together_operator.controller.guards import Guards
from together_operator.controller.keys import HeldKey, KeyRing
from together_operator.controller.kube import Kube
from together_operator.controller.roster import Roster, better
from together_operator.core.case import FAILED_POLLS, Case
from together_operator.core.desired import Desired
from together_operator.core.marker import owner_tag
from together_operator.core.memory import Memory
from together_operator.core.noticing import notice, replace_memory
from together_operator.core.observed import Keys, Link, Observed
from together_operator.core.record import Recorded
from together_operator.core.scan import Found
from together_operator.core.timing import Timing
from together_operator.drivers.driver import Driver
from together_operator.resource import names
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.endpoint_status import Role
from together_operator.resource.facts import cut_word
from together_operator.resource.reasons import ConditionType, Reason
from together_operator.resource.remote import Phase, Unavailable
from together_operator.resource.spec import Api
from together_operator.resource.status import Status
from together_operator.resource.times import parse_time

_NONCE = "abcdefghijklmnopqrstuvwxyz234567"
_ABOUT_THE_KEY = frozenset({Reason.UNAUTHORIZED, Reason.FORBIDDEN})


def desired_of(resource: TogetherEndpoint) -> Desired:
    """What a resource says, status apart."""
    notes = resource.annotations
    release = notes.get(names.RELEASE, "")
    return Desired(
        namespace=resource.namespace,
        name=resource.name,
        uid=resource.uid,
        generation=resource.generation,
        resource_version=resource.resource_version,
        created_at=resource.creation_timestamp,
        deleting=resource.deleting,
        held=names.FINALIZER in resource.finalizers,
        owner_uid=notes.get(names.OWNER_UID),
        spec=resource.spec,
        claim=notes.get(names.CLAIM),
        restored_copy=notes.get(names.RESTORED_COPY),
        release=frozenset(filter(None, (part.strip() for part in release.split(",")))),
        reconcile_requested_at=_wish(notes.get(names.RECONCILE_REQUESTED_AT)),
        restart_requested_at=_wish(notes.get(names.RESTART_REQUESTED_AT)),
        deleted_at=resource.deletion_timestamp,
    )


def _wish(value: str | None) -> str | None:
    """A request as the status will tell it: one that differs from it would be handled for ever."""
    return None if value is None else cut_word(value)


@dataclass(slots=True)
class Observer:
    """What a picture of a resource is put together from.

    Attributes:
        kube: The cluster.
        cluster: The cluster id.
        accounts: What is seen at Together.
        keys: All keys.
        roster: Which resources there are.
        guards: The operator's own limits.
        timing: The waits in force.
        clocks: The clocks.
        driver: Makes the driver of a key in a generation.
        probes: Whether serving is proved by a request.
    """

    kube: Kube
    cluster: str
    accounts: Accounts
    keys: KeyRing
    roster: Roster
    guards: Guards
    timing: Timing
    clocks: Clocks
    driver: Callable[[HeldKey, Api], Driver]
    probes: bool

    async def observe(self, resource: TogetherEndpoint, memory: Memory, *, anew: bool) -> Case:
        """Put together what has been seen.

        Args:
            resource: The resource, just read.
            memory: What this process knows of it.
            anew: Whether there is a reason to read its Secret again.
        """
        keys, api = await self._keys(resource, memory, anew=anew)
        desired, now = desired_of(resource), self.clocks.steady()
        wanted = Link.UNWANTED if resource.deleting else await connection.link(self.kube, resource)
        observed = await self._see(resource, resource.status, keys, api)
        observed = replace(observed, memory=memory, link=wanted)
        other = Recorded(desired, resource.status, observed, now).record.beside
        if other is None:
            observed = replace(observed, memory=replace(memory, beside=None))
            case = Case(desired, resource.status, observed, now)
            return replace_memory(case, notice(case))
        apart = _apart(keys)
        beside = await self._see(resource, other, apart, Api(other.api or Api.V2))
        known = replace(memory, beside=memory.beside or Memory(born=now, details_at=now))
        case = Case(desired, resource.status, replace(observed, memory=known, beside=beside), now)
        assert case.beside is not None  # noqa: S101
        known = replace(notice(case), beside=notice(case.beside))
        return replace_memory(case, known)

    async def _see(
        self, resource: TogetherEndpoint, status: Status, keys: Keys, api: Api
    ) -> Observed:
        """What is seen of one endpoint of a resource, of which there may be two for a while.

        Args:
            resource: The resource.
            status: Its status, as if that endpoint were its only one.
            keys: Its keys.
            api: The generation of the API that the endpoint is in.
        """
        account = self.accounts.get(keys.held or keys.user, api)
        rival = await self._rival(resource, status.endpoint_id, account)
        adopt = resource.spec.adopt
        holder = self._holder(resource.uid, account, adopt.endpoint_id) if adopt else None
        current = (d.state for d in status.deployments if d.role == Role.CURRENT)
        # An endpoint that has lost its deployment has no state; what was lost had one.
        state = next(current, status.state)
        return Observed(
            cluster=self.cluster,
            api=api,
            nonce="".join(secrets.choice(_NONCE) for _ in range(4)),
            timing=self.timing,
            keys=keys,
            memory=Memory(born=0.0),
            poll=account.poll if account else None,
            trouble=_lasting(account),
            forbidden=await self._forbidden(desired_of(resource), account),
            rival=str(rival.key) if rival else None,
            holder=str(holder.key) if holder else None,
            buried=self._buried() if adopt else frozenset(),
            former_phase=account.driver.phase(state) if account and state else Phase.UNKNOWN,
            markers_lost=self.roster.markers_lost((keys.held, keys.user), api),
            deploys=account.driver.deploys if account else False,
            closed=self.accounts.closed(keys.held or keys.user),
            marked=self._marked(resource, status.endpoint_id, account),
            probes=self.probes,
            unsynced=self._unsynced(resource),
        )

    async def _keys(
        self, resource: TogetherEndpoint, memory: Memory, *, anew: bool
    ) -> tuple[Keys, Api]:
        """Which keys there are, and the generation in which they are used."""
        held = self.keys.held(resource.uid)
        user = await self.keys.user(resource, anew=anew, refused=_refused(resource, memory))
        keys = Keys(
            user=user.identity if isinstance(user, HeldKey) else None,
            held=held.identity if held else None,
            trouble=user if isinstance(user, Unavailable) else None,
        )
        self.accounts.recall(resource, keys.held)
        blank = Observed(self.cluster, Api.V1, "", self.timing, keys, memory)
        past = Recorded(desired_of(resource), resource.status, blank, self.clocks.steady())
        api = self.accounts.generation(
            resource, keys.held or keys.user, lost=past.record_lost, searched=past.searched
        )
        for key in (held, user):
            if isinstance(key, HeldKey):
                self._account(key, api)
        if held is not None:
            for place in Entry.of(resource, held.identity, api).places:
                self._account(held, place.api)
        return keys, api

    async def _rival(
        self, resource: TogetherEndpoint, endpoint_id: str | None, account: Account | None
    ) -> Entry | None:
        """The resource that the recorded endpoint belongs to, if it is another one's.

        A status can be written by whoever may do so in its namespace. So another resource counts
        only if its own key sees the endpoint, and what is told of it at Together comes first.
        """
        rivals = self.roster.rivals(resource, endpoint_id) if endpoint_id else []
        if endpoint_id is None or not rivals:
            return None
        trait = None
        if account is not None:
            if endpoint_id not in account.traits:
                await account.read_ids((endpoint_id,))
            trait = account.traits.get(endpoint_id)
        seeing = [
            rival
            for rival in rivals
            if self.accounts.may_see(rival.credential, rival.api, account, endpoint_id)
        ]
        return better(resource, seeing, trait)

    def _holder(self, uid: str, account: Account | None, endpoint_id: str) -> Entry | None:
        """Another resource whose key sees an endpoint, and that has it on record."""
        for entry in self.roster.others(endpoint_id, uid):
            if self.accounts.may_see(entry.credential, entry.api, account, endpoint_id):
                return entry
        return None

    def _account(self, key: HeldKey, api: Api) -> Account:
        return self.accounts.add(key.identity, api, lambda: self.driver(key, api))

    async def _forbidden(
        self, desired: Desired, account: Account | None
    ) -> str | Unavailable | None:
        if account is None or desired.deleting or desired.spec.suspend:
            return None  # nothing is bought
        hardware = desired.spec.hardware
        price = await account.price(hardware) if self.guards.need_price else None
        return self.guards.verdict(desired, price)

    def _marked(
        self, resource: TogetherEndpoint, endpoint_id: str | None, account: Account | None
    ) -> tuple[Found, ...]:
        if account is None:
            return ()
        found = account.marked(owner_tag(resource.uid))
        return tuple(f for f in found if f.id != endpoint_id)

    def _buried(self) -> frozenset[tuple[str, str]]:
        graves = (copy.tombstone for copy in self.keys.buried())
        now = self.clocks.wall()
        return frozenset(
            (grave.owner, nonce)
            for grave in graves
            if grave is not None and grave.expires > now
            for nonce in grave.nonces
        )

    def _unsynced(self, resource: TogetherEndpoint) -> float:
        for condition in resource.status.conditions:
            if condition.type is ConditionType.SYNCED and condition.status == "False":
                try:
                    since = parse_time(condition.last_transition_time)
                except ValueError:
                    return 0.0  # no time that anybody could have written as one
                return max(0.0, self.clocks.wall() - since)
        return 0.0


def _apart(keys: Keys) -> Keys:
    """The keys with which the other endpoint is made: one that was tried on the first."""
    if keys.user in (None, keys.held):
        return keys
    trying = Unavailable(Reason.UPDATING, "The new key is tried on the first endpoint before")
    return Keys(None, keys.held, trying)


def _lasting(account: Account | None) -> Unavailable | None:
    if account is None or account.failures < FAILED_POLLS:
        return None
    return account.trouble


def _refused(resource: TogetherEndpoint, memory: Memory) -> str | None:
    """The identity of the key that Together refused the last time, if it did."""
    trouble, operation = memory.trouble, resource.status.operation
    if trouble is not None and trouble.what.reason in _ABOUT_THE_KEY:
        return trouble.credential
    if operation is not None and operation.refusal is not None:
        return operation.credential if operation.refusal.reason in _ABOUT_THE_KEY else None
    return None
