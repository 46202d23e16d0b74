"""The Lease as the API server keeps it: read, taken, renewed and given back.

Only what is written and read is here; when that happens, and what may be concluded from it, is the
matter of `leadership`. It has a connection of its own, so that a renewal never queues behind the
operator's other calls.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from together_operator.controller.kube import Json, Kube
from together_operator.controller.kube_errors import Forbidden, KubeError, NamespaceTerminating
from together_operator.controller.kube_kinds import LEASES

NAME: Final = "together-operator"
"""The Lease, one in each namespace that an operator calls its own."""

_DRY_RUN: Final = [("dryRun", "All")]


class LeaseRefused(KubeError):  # noqa: N818 (it names what happened)
    """The operator's account has no right to the Lease; the text names the missing rule."""

    def __init__(self, verb: str, namespace: str, said: str) -> None:
        named = "" if verb == "create" else f", resourceNames [{NAME}]"
        super().__init__(
            f"No leader can be elected, because the operator may not {verb} the Lease"
            f" {namespace}/{NAME}: {said}. A Role in the namespace {namespace} has to give its"
            f" account the rule apiGroups [coordination.k8s.io], resources [leases]{named}, verbs"
            f" [{verb}]; the Helm chart does (rbac.create). Only where never more than one operator"
            " runs, --no-leader-elect works without"
        )


@dataclass(frozen=True, slots=True)
class Lease:
    """A Lease as it was read.

    Attributes:
        body: The whole object.
    """

    body: Json

    @property
    def spec(self) -> Json:
        """What its holder writes; as long as it stays the same, nobody has renewed it."""
        return self.body.get("spec") or {}

    @property
    def holder(self) -> str:
        """Who holds it; empty if nobody does."""
        return self.spec.get("holderIdentity") or ""

    @property
    def duration(self) -> float:
        """Seconds that its holder asked for."""
        return float(self.spec.get("leaseDurationSeconds") or 1)

    def taken(self, holder: str, seconds: float) -> Lease:
        """The same in somebody's hands, renewed now.

        Args:
            holder: Who holds it.
            seconds: How long nobody else may take it.
        """
        now = _micro_time()
        spec = {
            **self.spec,
            "holderIdentity": holder,
            "leaseDurationSeconds": math.ceil(seconds),
            "renewTime": now,
        }
        if holder != self.holder:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = (self.spec.get("leaseTransitions") or 0) + 1
        return replace(self, body={**self.body, "spec": spec})

    def released(self) -> Lease:
        """The same in nobody's hands."""
        spec = {**self.spec, "holderIdentity": "", "leaseDurationSeconds": 1}
        return replace(self, body={**self.body, "spec": {**spec, "renewTime": _micro_time()}})


def _micro_time() -> str:
    """Now, for people: nothing is ever concluded from it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Leases(Kube):
    """A connection for one Lease."""

    async def read(self, namespace: str) -> Lease | None:
        """Read the Lease; None if there is none.

        Raises:
            LeaseRefused: That is not allowed.
            KubeError: The cluster did not answer.
        """
        try:
            body = await self._get(LEASES, namespace, NAME)
        except Forbidden as error:
            raise _refused("get", namespace, error) from None
        return None if body is None else Lease(body)

    async def create(self, namespace: str, holder: str, seconds: float) -> Lease:
        """Create the Lease in somebody's hands.

        Args:
            namespace: The operator's namespace.
            holder: Who is to hold it.
            seconds: How long nobody else may take it.

        Raises:
            AlreadyExists: Somebody was faster.
            LeaseRefused: That is not allowed.
            KubeError: The cluster did not answer.
        """
        body: Json = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": NAME,
                "namespace": namespace,
                "labels": {"app.kubernetes.io/managed-by": "together-operator"},
            },
        }
        try:
            return Lease(await self._create(LEASES, Lease(body).taken(holder, seconds).body))
        except Forbidden as error:
            raise _refused("create", namespace, error) from None

    async def write(self, lease: Lease, *, dry_run: bool = False) -> Lease:
        """Replace the Lease, if it still is as it was read.

        Args:
            lease: The Lease as it is to be.
            dry_run: Only find out whether that would be allowed.

        Raises:
            Conflict: It has changed since it was read.
            NotFound: It is gone.
            LeaseRefused: That is not allowed.
            KubeError: The cluster did not answer.
        """
        namespace: Any = lease.body["metadata"]["namespace"]
        path = LEASES.path(namespace, NAME)
        query = _DRY_RUN if dry_run else None
        try:
            body = await self._call("PUT", "update", LEASES, path, query=query, body=lease.body)
        except Forbidden as error:
            raise _refused("update", namespace, error) from None
        return Lease(body)


def _refused(verb: str, namespace: str, error: Forbidden) -> KubeError:
    """The missing rule by name; that a namespace goes is nobody's missing rule."""
    if isinstance(error, NamespaceTerminating):
        return error
    return LeaseRefused(verb, namespace, error.message)
