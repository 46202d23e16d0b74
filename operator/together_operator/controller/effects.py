"""Carrying out one step: the only place where a decision meets the world.

Each effect is one call, or one shared look. What comes of it is returned as a plain value for the
core to learn from; nothing is decided here.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from together_operator.controller import definition
from together_operator.controller.account import Account
from together_operator.controller.accounts import Accounts
from together_operator.controller.clocks import Clocks
from together_operator.controller.entry import Entry
from together_operator.controller.keys import KeyRing
from together_operator.controller.kube import Kube
from together_operator.controller.leadership import Mandate
from together_operator.controller.queue import Key
from together_operator.controller.readable import readable
from together_operator.controller.released import Released
from together_operator.controller.roster import Roster
from together_operator.controller.tombstone import Tombstone
from together_operator.core.case import Case
from together_operator.core.learning import Outcome
from together_operator.core.marker import owner_tag
from together_operator.core.memory import Definition, Reservation
from together_operator.core.steps import (
    Consume,
    Create,
    Delete,
    Deploy,
    FindOwner,
    FindWeights,
    Finish,
    Get,
    KeepKey,
    List,
    Look,
    Probe,
    Reserve,
    Route,
    Start,
    Step,
    Stop,
    Undeploy,
    Update,
    Vet,
    needs_lease,
)
from together_operator.drivers.driver import Deployer, Driver
from together_operator.resource import names
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.reasons import Reason
from together_operator.resource.remote import Done, Endpoint, Refused, Unavailable
from together_operator.resource.spec import Api

log = logging.getLogger(__name__)


class KeyGone(Exception):  # noqa: N818 (it tells what happened)
    """The key that a step was decided with is no longer at hand; decide again."""


@dataclass(slots=True)
class Effects:
    """What steps are carried out with.

    Attributes:
        kube: The cluster.
        cluster: The cluster id.
        accounts: What is seen at Together.
        keys: All keys.
        roster: Which resources there are.
        clocks: The clocks.
        namespaces: The namespaces that are served; empty for all.
        released: What is left at Together on purpose.
        mandate: Whether this process may change anything at Together.
    """

    kube: Kube
    cluster: str
    accounts: Accounts
    keys: KeyRing
    roster: Roster
    clocks: Clocks
    namespaces: Sequence[str]
    released: Released
    mandate: Mandate

    async def permitted(self, step: Step) -> bool:
        """Whether a step may be taken now (create-once rule 15).

        A create may always, and so may a deployment, which is made stopped: the record protects
        them, and not the Lease.

        Args:
            step: The step that was decided.

        Returns:
            False once it may again, but had to wait: then decide anew.
        """
        if not needs_lease(step) or self.mandate.may_change():
            return True
        log.info("%s waits until the Lease is renewed", type(step).__name__)
        await self.mandate.renewed()
        return False

    async def remote(self, case: Case, step: Step) -> Outcome:
        """Carry out a step at Together.

        Args:
            case: The resource as the step was decided on.
            step: A step that looks or writes there.

        Raises:
            KeyGone: The key of the step is no longer at hand.
        """
        outcome = await self._at_together(case, step)
        seen = outcome.endpoint if isinstance(outcome, Done) else outcome
        if isinstance(seen, Endpoint) and isinstance(
            step, Get | Vet | Update | Start | Stop | Route
        ):
            self._account(case, step.credential).relearn(seen)
        return outcome

    async def _at_together(self, case: Case, step: Step) -> Outcome:
        match step:
            case List(credential=credential, since=since):
                return await self._account(case, credential).list(since)
            case Look():
                return await self._look(case, step)
            case Get(endpoint_id=endpoint_id) | Vet(endpoint_id=endpoint_id):
                return await self._driver(case, step.credential).get(endpoint_id)
            case FindWeights(credential=credential, model=model):
                return await self._deployer(case, credential).weights(model)
            case Probe(credential=credential, name=name):
                return await self._driver(case, credential).probe(name)
            case Create():
                return await self._create(case, step)
            case Deploy() | Undeploy() | Route():
                return await self._deployments(self._deployer(case, step.credential), step)
            case Update() | Start() | Stop() | Delete():
                return await self._endpoint(self._driver(case, step.credential), step)
            case _:
                raise TypeError(f"{type(step).__name__} is no step at Together")

    async def _endpoint(self, driver: Driver, step: Update | Start | Stop | Delete) -> Outcome:
        match step:
            case Update():
                return await driver.update(step.endpoint_id, step.change, step.deployment_id)
            case Start():
                return await driver.start(step.endpoint_id, step.order, step.deployment_id)
            case Stop():
                return await driver.stop(step.endpoint_id, step.deployment_id)
            case Delete():
                return await driver.delete(step.endpoint_id)

    async def _deployments(self, driver: Deployer, step: Deploy | Undeploy | Route) -> Outcome:
        match step:
            case Deploy(endpoint_id=endpoint_id, name=name, order=order):
                outcome = await driver.deploy(endpoint_id, name, order)
                if isinstance(outcome, Refused):
                    return await driver.explain(order, outcome)
                return outcome
            case Undeploy(endpoint_id=endpoint_id, deployment_id=deployment_id):
                return await driver.undeploy(endpoint_id, deployment_id)
            case Route(endpoint_id=endpoint_id, traffic=traffic, version=version):
                return await driver.route(endpoint_id, traffic, version)

    def _account(self, case: Case, credential: str) -> Account:
        account = self.accounts.get(credential, case.observed.api)
        if account is None:
            raise KeyGone(credential)
        return account

    def _driver(self, case: Case, credential: str) -> Driver:
        return self._account(case, credential).driver

    def _deployer(self, case: Case, credential: str) -> Deployer:
        driver = self._driver(case, credential)
        if not driver.deploys:
            raise TypeError(f"API {driver.api} has no deployments")
        return cast("Deployer", driver)

    async def _look(self, case: Case, step: Look) -> Outcome:
        adopt = case.desired.spec.adopt
        return await self._account(case, step.credential).look(
            step,
            cluster=self.cluster,
            model=case.desired.spec.model,
            hardware=case.desired.spec.hardware,
            taken=self.roster.taken(case.desired.uid, adopt.endpoint_id if adopt else None),
        )

    async def _create(self, case: Case, step: Create) -> Outcome:
        """One POST, if the record is still fresh in the instant before the first byte leaves."""
        fence = case.memory.fence
        limit = case.timing.fence

        def fresh() -> bool:
            return fence is not None and self.clocks.steady() - fence.began <= limit

        driver = self._driver(case, step.credential)
        outcome = await driver.create(step.order, fence=fresh)
        if isinstance(outcome, Refused):
            if outcome.reason is Reason.V1_CLOSED:
                self.accounts.close(step.credential)
            return await driver.explain(step.order, outcome)
        return outcome

    # -- in the cluster --------------------------------------------------------------------------

    async def keep_key(self, resource: TogetherEndpoint, step: KeepKey) -> None:
        """Copy the person's key.

        Raises:
            KeyGone: The person's key has changed since the decision.
        """
        key = await self.keys.user(resource)
        if isinstance(key, Unavailable) or key.identity != step.credential:
            raise KeyGone(step.credential)
        await self.keys.keep(resource, key)

    async def prepare(self, resource: TogetherEndpoint) -> dict[str, Any]:
        """Write finalizer and owner-uid in one PATCH; returns the resource after it."""
        finalizers = list(resource.finalizers)
        if names.FINALIZER not in finalizers:
            finalizers.append(names.FINALIZER)
        return await self.kube.patch_metadata(
            resource.namespace,
            resource.name,
            resource.resource_version,
            finalizers=finalizers,
            annotations={names.OWNER_UID: resource.uid},
        )

    async def consume(self, resource: TogetherEndpoint, step: Consume) -> dict[str, Any]:
        """Take an annotation off; returns the resource after it."""
        return await self.kube.patch_metadata(
            resource.namespace,
            resource.name,
            resource.resource_version,
            annotations={step.annotation: None},
        )

    async def owner_lives(self, step: FindOwner) -> bool:
        """Look for a resource by uid, in the cluster itself and not in what is remembered.

        One that lives where the operator may not look counts as gone: then a person is asked.
        """
        async for body in self.kube.list_endpoints(self.namespaces):
            if body["metadata"]["uid"] == step.uid:
                return True
        return False

    async def definition(self) -> Definition:
        """Look at the CRD."""
        return await definition.look_up(self.kube, self.clocks.steady())

    async def reserve(self, resource: TogetherEndpoint, step: Reserve, api: Api) -> Reservation:
        """Be the one who takes over an endpoint, unless another resource has it.

        Of two that ask at the same time one is told of the other at once, since nothing is waited
        for in between; then the cluster itself is asked, whose word is the newest.

        Args:
            resource: The resource.
            step: What is to be reserved.
            api: The generation in which the endpoint is.
        """
        first = self.roster.reserve(step.endpoint_id, Key(resource.namespace, resource.name))
        holder = str(first.key) if first is not None else None
        if holder is None:
            holder = await self._holder(resource.uid, step, api)
        # An operator that serves some namespaces knows of a resource's end if it saw to it.
        complete = not self.namespaces or self.roster.departed(step.owner)
        return Reservation(step.endpoint_id, step.owner, holder, complete)

    async def _holder(self, uid: str, step: Reserve, api: Api) -> str | None:
        ours = self.accounts.get(step.credential, api)
        async for body in self.kube.list_endpoints(self.namespaces):
            entry = Entry.of(readable(body).resource, None)
            if entry.uid == uid:
                continue
            # A status can be written by whoever may do so: what counts is what its key sees.
            known = self.roster.get(entry.key)
            theirs = known or entry
            held = step.endpoint_id in (entry.endpoint_id, *entry.removing)
            held = held and self.accounts.may_see(
                theirs.credential, theirs.api, ours, step.endpoint_id
            )
            if held or step.owner == owner_tag(entry.uid):
                return str(entry.key)
        return None

    async def finish(self, resource: TogetherEndpoint, step: Finish) -> None:
        """Let the resource go: what it leaves first, finalizer next, the key copy last."""
        if step.released:
            await self.released.add(step.released)
        if step.nonces:
            tombstone = Tombstone.of(resource, self.cluster, step.nonces, self.clocks.wall())
            await self.keys.entomb(resource, tombstone, step.credential)
        await self.kube.patch_metadata(
            resource.namespace,
            resource.name,
            resource.resource_version,
            finalizers=[name for name in resource.finalizers if name != names.FINALIZER],
        )
        if not step.nonces:
            await self.keys.drop(resource.uid)
