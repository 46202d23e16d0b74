"""The judge of creates and deletions: the ledger, and nothing that the operator says.

Endpoints are counted for a resource by the mark in the body of the request that made them, never
by the name that they have now: what matters is on whose behalf money was spent.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

from tests.support.operator import Namespace, OperatorProcess, eventually
from together_operator.core.marker import owner_tag

Object = dict[str, Any]

_MARK = re.compile(r"(?: |^[a-z2-7]{5}-)tep-[a-z2-7]{6}-([a-z2-7]{12})-[a-z2-7]{4}$")


def owner_of(name: str | None) -> str | None:
    """Whose mark a name carries: the hash of a uid, or `None` without a mark.

    Args:
        name: The display name of an endpoint of v1, or the bare name of a deployment of v2.
    """
    found = _MARK.search(name or "")
    return found.group(1) if found else None


class Judge:
    """What Together's books say of one resource.

    Attributes:
        operator: The operator, whose simulated Together keeps the books.
        uid: The resource.
    """

    def __init__(self, operator: OperatorProcess, uid: str) -> None:
        self.operator = operator
        self.uid = uid
        self._tag = owner_tag(uid)

    @classmethod
    def of(cls, operator: OperatorProcess, space: Namespace, name: str = "mixtral") -> Judge:
        """The judge of a resource that is there now."""
        found = space.read(name)
        assert found is not None, f"there is no {name}"
        return cls(operator, found["metadata"]["uid"])

    def posts(self) -> list[Object]:
        """The create requests on behalf of the resource, in order."""
        return [
            request
            for request in self.operator.posts()
            if isinstance(request["body"], dict)
            and owner_of(request["body"].get("display_name")) == self._tag
        ]

    def endpoints(self) -> list[Object]:
        """Every endpoint that was made on behalf of the resource, the deleted ones too."""
        return [
            endpoint
            for endpoint in self.operator.simulator.admin.endpoints()
            if owner_of(endpoint["requested_display_name"]) == self._tag
        ]

    def live(self) -> list[Object]:
        """Those of them that exist."""
        return [endpoint for endpoint in self.endpoints() if endpoint["deleted_at"] is None]

    def until_posted(self, times: int = 1, within: float = 30) -> None:
        """Wait until so many create requests have reached Together."""
        eventually(
            f"{times} create requests",
            lambda: len(self.posts()) >= times,
            within=within,
            every=0.02,
        )

    def until_gone(self, within: float = 30) -> None:
        """Wait until nothing of the resource is left at Together."""
        eventually("nothing is left", lambda: not self.live(), within=within, every=0.02)

    def never_two(self) -> None:
        """Fail if two endpoints of the resource ever existed at the same time (I1)."""
        lives = sorted(self.endpoints(), key=lambda e: float(e["created_at"]))
        for earlier, later in itertools.pairwise(lives):
            gone = earlier["deleted_at"]
            assert gone is not None, f"two live at once: {earlier} and {later}"
            assert gone <= later["created_at"], f"two lived at once: {earlier} and {later}"

    def one(self, endpoint_id: str) -> Object:
        """The resource's only endpoint: the one on record, never deleted, never another beside it.

        Args:
            endpoint_id: What the resource has on record.
        """
        self.never_two()
        (found,) = self.live()
        assert found["id"] == endpoint_id, f"on record is {endpoint_id}, at Together is {found}"
        return found

    def none(self) -> None:
        """Fail if anything is left at Together, or if two ever lived at once (I2)."""
        self.never_two()
        assert self.live() == []

    def marks(self, endpoint: Object) -> bool:
        """Whether an endpoint carries the resource's mark in the name that it has now."""
        return owner_of(endpoint["display_name"]) == self._tag

    def touched(self, endpoint_id: str) -> list[Object]:
        """The changes and deletions of an endpoint that were asked for over the API."""
        return [
            request
            for verb in ("PATCH", "DELETE")
            for request in self.operator.writes(verb, f"/v1/endpoints/{endpoint_id}")
        ]
