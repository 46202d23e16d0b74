"""What is left to watch for after a resource has gone.

It is kept on the key copy, the one thing of a resource that may outlive it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

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
    """

    cluster: str
    owner: str
    nonces: tuple[str, ...]
    expires: float

    def dump(self) -> str:
        """As the annotation holds it."""
        return json.dumps(
            {
                "cluster": self.cluster,
                "owner": self.owner,
                "nonces": list(self.nonces),
                "expires": self.expires,
            }
        )

    @classmethod
    def load(cls, text: str) -> Tombstone | None:
        """Read the annotation; what cannot be read is no tombstone."""
        try:
            raw = json.loads(text)
            return cls(
                str(raw["cluster"]),
                str(raw["owner"]),
                tuple(str(nonce) for nonce in raw["nonces"]),
                float(raw["expires"]),
            )
        except (ValueError, KeyError, TypeError):
            return None
