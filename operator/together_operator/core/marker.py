"""The mark of ownership: the only thing that can be written on an endpoint.

The first generation of the API has no tags and makes its own ids. The display name is the one
field that comes back, so the proof that an endpoint is ours is a suffix of it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

NAME_LIMIT = 63
"""The longest display name ever sent, in characters."""

_SUFFIX = re.compile(r" tep-([a-z2-7]{6})-([a-z2-7]{12})-([a-z2-7]{4})$")


@lru_cache(1024)
def digest(text: str, length: int) -> str:
    """Letters and digits that stand for a text, as they may be in any name.

    Args:
        text: What they stand for.
        length: How many, at most 52.
    """
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode().lower()[:length]


def cluster_tag(cluster: str) -> str:
    """The six letters that stand for a cluster id."""
    return digest(cluster, 6)


def owner_tag(uid: str) -> str:
    """The twelve letters that stand for a resource's uid."""
    return digest(uid, 12)


@dataclass(frozen=True, slots=True)
class Marker:
    """Cluster and owner prove ownership; the nonce tells which attempt made the endpoint.

    Attributes:
        cluster: Six letters.
        owner: Twelve letters.
        nonce: Four letters, one draw per attempt.
    """

    cluster: str
    owner: str
    nonce: str

    @classmethod
    def of(cls, cluster: str, uid: str, nonce: str) -> Marker:
        """The marker of one attempt.

        Args:
            cluster: The cluster id.
            uid: The resource's uid.
            nonce: Four lower-case base32 letters.
        """
        return cls(cluster_tag(cluster), owner_tag(uid), nonce)

    @classmethod
    def parse(cls, display_name: str) -> Marker | None:
        """Read the marker off a display name, if it carries one."""
        match = _SUFFIX.search(display_name)
        return cls(*match.groups()) if match else None

    def __str__(self) -> str:
        """The mark as it is read in a name."""
        return f"tep-{self.cluster}-{self.owner}-{self.nonce}"

    def write(self, human: str) -> str:
        """Append the marker, cutting the human part and never the marker.

        Args:
            human: What a person wants to read.
        """
        suffix = f" {self}"
        return human[: NAME_LIMIT - len(suffix)].rstrip() + suffix
