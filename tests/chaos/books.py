"""Together's books as a run reads them: what there is of its resource, in words of one generation.

What lives is an endpoint of API v1, or a deployment of API v2; the endpoints of API v2, in which
deployments are at home, cost nothing and are kept apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.chaos.kube import Object

_PREFIX: Final = "DEPLOYMENT_STATE_"
_WORDS: Final = {
    "PROVISIONING": "PENDING",
    "SCALING": "STARTING",
    "READY": "STARTED",
    "FAILED": "ERROR",
}
_OF_V2: Final = {word: state for state, word in _WORDS.items()}


def of_v2(word: str) -> str:
    """A state of API v2 for the one of API v1 that is nearest to it."""
    return _OF_V2.get(word, word)


@dataclass(frozen=True, slots=True)
class Books:
    """What there is at Together of one run, at one moment.

    Attributes:
        live: The endpoints of API v1 and the deployments of API v2 that have not been deleted;
            `home` is the endpoint that each belongs to, and `state` a word of API v1.
        homes: The endpoints of API v2 that have not been deleted.
    """

    live: list[Object]
    homes: list[Object]

    @classmethod
    def read(cls, ledger: Object, project: str, strangers: Iterable[str]) -> Books:
        """Read the ledger.

        Args:
            ledger: The ledger.
            project: Whose endpoints these are.
            strangers: The ids of those that are not the resource's.
        """
        foreign = set(strangers)

        def ours(entry: Object) -> bool:
            known = entry["project"] == project and entry["id"] not in foreign
            return known and entry["deleted_at"] is None

        live = [
            {
                **entry,
                "home": entry.get("endpoint_id", entry["id"]),
                "state": _spelled(entry["state"]),
            }
            for entry in ledger["endpoints"]
            if ours(entry)
        ]
        return cls(live, [entry for entry in ledger["v2_endpoints"] if ours(entry)])

    def routed(self, deployment: str) -> bool:
        """Whether a deployment has a part of its endpoint's traffic."""
        return any(home["traffic_split"].get(deployment, 0) > 0 for home in self.homes)

    def running(self) -> list[Object]:
        """What costs money, or would as soon as there is hardware for it."""
        return [entry for entry in self.live if "ran" not in entry or runs(entry)]

    def apart(self) -> int:
        """How many endpoints there are, whatever their generation."""
        return len(self.homes) + len([e for e in self.live if e["generation"] == "v1"])


def runs(deployment: Object) -> bool:
    """Whether a deployment runs, is coming up, or has not stopped yet."""
    return bool(deployment["ran"]) and deployment["ran"][-1][1] is None


def _spelled(state: str) -> str:
    word = state.removeprefix(_PREFIX)
    return _WORDS.get(word, word) if state.startswith(_PREFIX) else state
