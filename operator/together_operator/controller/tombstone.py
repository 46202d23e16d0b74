"""What is left to watch for after a resource has gone.

It is kept on the key copy, the one thing of a resource that may outlive it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from together_operator.core.marker import cluster_tag, owner_tag
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.spec import Api

SECONDS: Final = 24 * 3600.0
"""How long an attempt without an answer is watched for, beyond its resource."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What is left to watch for after a resource has gone (create-once rule 13).

    Attributes:
        cluster: The cluster part of the mark.
        owner: The owner part of the mark.
        nonces: Attempts that might yet take effect.
        expires: Unix seconds, after which nothing is expected any more.
        apis: The generations of the API in which they might.
    """

    cluster: str
    owner: str
    nonces: tuple[str, ...]
    expires: float
    apis: tuple[Api, ...] = (Api.V1,)

    @classmethod
    def of(
        cls, resource: TogetherEndpoint, cluster: str, nonces: Collection[str], now: float
    ) -> Tombstone:
        """What is left to watch for of a resource that goes now.

        Args:
            resource: The resource.
            cluster: The cluster id.
            nonces: Attempts that might yet take effect.
            now: Unix seconds.
        """
        operation = resource.status.operation
        # What is open beside a record in v2 was sent to v1, before the resource moved on.
        former = set(operation.open if operation is not None else ())
        apis = [Api.V1]
        if resource.status.api == Api.V2 and not former.issuperset(nonces):
            apis = [Api.V1, Api.V2] if former else [Api.V2]
        if resource.status.migration is not None:
            apis = [Api.V1, Api.V2]
        return cls(
            cluster_tag(cluster), owner_tag(resource.uid), tuple(nonces), now + SECONDS, tuple(apis)
        )

    def dump(self) -> str:
        """As the annotation holds it."""
        return json.dumps(
            {
                "cluster": self.cluster,
                "owner": self.owner,
                "nonces": list(self.nonces),
                "expires": self.expires,
                "apis": list(self.apis),
            }
        )

    @classmethod
    def load(cls, text: str) -> Tombstone | None:
        """Read the annotation; what cannot be read is no tombstone.

        One that names no generation was written before there were two.
        """
        try:
            raw = json.loads(text)
            return cls(
                str(raw["cluster"]),
                str(raw["owner"]),
                tuple(str(nonce) for nonce in raw["nonces"]),
                float(raw["expires"]),
                tuple(Api(api) for api in raw.get("apis", (Api.V1,))),
            )
        except (AttributeError, ValueError, KeyError, TypeError):
            return None
