"""One complete look at the cluster: whatever in it answers for an endpoint, or may.

What is remembered of resources follows a watch, and a watch can be late or lose something. Before
anybody says that nobody owns an endpoint, every resource is counted here as the API server has it:
the ids on its record and those that it asks for, its own uid, the uid of the resource that it is a
copy of, and the orders whose outcome it does not know yet.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from together_operator.controller.keys import Copy
from together_operator.core.marker import owner_tag
from together_operator.core.orphans import Attempt, Claims
from together_operator.drivers import v1_hardware
from together_operator.resource import names
from together_operator.resource.endpoint_status import OperationPhase
from together_operator.resource.times import parse_time


@dataclass(slots=True)
class Census:
    """What answers for endpoints, by one LIST of all resources.

    Attributes:
        began: When the LIST began, on the monotonic clock.
        everywhere: Whether all namespaces are looked at.
    """

    began: float
    everywhere: bool
    _endpoints: set[str] = field(default_factory=set)
    _wanted: set[str] = field(default_factory=set)
    _owners: set[str] = field(default_factory=set)
    _attempts: list[Attempt] = field(default_factory=list)

    def count(self, body: Mapping[str, Any]) -> None:
        """Take in a resource.

        Args:
            body: The resource as Kubernetes returns it. It is read without the models: of ten
                thousand this would take seconds.
        """
        meta, spec = body["metadata"], body.get("spec") or {}
        status, notes = body.get("status") or {}, meta.get("annotations") or {}
        operation = status.get("operation") or {}
        for remote in (status, status.get("migration") or {}):
            removing = (remote.get("operation") or {}).get("removing") or ()
            recorded = (remote.get("endpointID"), *removing)
            self._endpoints.update(str(endpoint_id) for endpoint_id in recorded if endpoint_id)
        # Anybody may name anything there; with a record it has become theirs.
        wanted = (spec.get("adopt") or {}).get("endpointID"), notes.get(names.CLAIM)
        self._wanted.update(str(endpoint_id) for endpoint_id in wanted if endpoint_id)
        for uid in {meta["uid"], notes.get(names.OWNER_UID), operation.get("uid")} - {None, ""}:
            self._owners.add(owner_tag(uid))
        # What is made in v2 bears a mark, so that no order of a migration is mistaken.
        unsettled = operation.get("phase") == OperationPhase.OPEN or operation.get("open")
        if unsettled and not status.get("endpointID"):
            self._attempts.append(
                Attempt(
                    _unix(operation.get("date")),
                    str(spec.get("model")),
                    v1_hardware(str(spec.get("hardware"))),
                )
            )

    def claims(self, copies: Iterable[Copy], released: Container[str], now: float) -> Claims:
        """Everything that answers for endpoints, or may.

        Args:
            copies: The key copies, for the tombstones on some of them. That there is a copy says
                nothing of a resource: where no operator runs, nobody deletes it.
            released: Ids that were left at Together on purpose.
            now: Unix seconds.
        """
        graves: set[tuple[str, str]] = set()
        for copy in copies:
            grave = copy.tombstone
            if grave is not None and grave.expires > now:
                graves.update((grave.owner, nonce) for nonce in grave.nonces)
        return Claims(
            endpoints=self._endpoints,
            wanted=self._wanted,
            owners=self._owners,
            graves=graves,
            released=released,
            attempts=tuple(self._attempts),
            everywhere=self.everywhere,
        )


def _unix(date: object) -> float:
    """A time of the record; one that cannot be read excuses everything."""
    try:
        return parse_time(str(date))
    except ValueError:
        return float("-inf")
