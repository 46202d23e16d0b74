"""A team whose resources are carried by the second generation of Together's API.

There an endpoint is a name, and deployments within it are what runs and is billed, so what a test
counts and looks up is another thing than in the first generation.
"""

from __future__ import annotations

import itertools
import math
import time
from typing import Any

from tests.support.operator import HARDWARE, MODEL, Object, eventually, manifest
from tests.support.team import Team
from together_operator.core.marker import Marker, owner_tag

HARDWARE_V2 = "2xnvidia-h100-80gb"
"""How the second generation spells the hardware of the tests."""

ANOTHER_HARDWARE = "2x_nvidia_h200_140gb_sxm"
"""Something else that the model of the tests runs on."""

__all__ = ["HARDWARE", "HARDWARE_V2", "MODEL", "JudgeV2", "TeamV2", "manifest_v2", "of_state"]


def manifest_v2(name: str = "mixtral", /, **spec: Any) -> Object:
    """A manifest that asks for the second generation; arguments as for `manifest`."""
    return manifest(name, **{"api": "V2", **spec})


def of_state(state: str) -> str:
    """A state of a deployment, as Together spells it."""
    return f"DEPLOYMENT_STATE_{state}"


def bounds(least: int, most: int) -> Object:
    """Replica bounds, as a request or an answer of the second generation holds them."""
    return {"minReplicas": least, "maxReplicas": most}


class TeamV2(Team):
    """A team with what the ledger knows of its endpoints and deployments."""

    def requests(self, method: str | None = None, path: str = "/v2/") -> list[Object]:
        """The team's requests to the second generation."""
        return super().requests(method, path)

    def lists(self) -> list[Object]:
        """The team's LISTs of endpoints."""
        return [r for r in self.requests("GET") if r["path"].endswith("/endpoints")]

    def posts(self) -> list[Object]:
        """The team's orders of endpoints, which cost nothing."""
        return [r for r in self.requests("POST") if r["path"].endswith("/endpoints")]

    def deploys(self) -> list[Object]:
        """The team's orders of deployments."""
        return [r for r in self._deployments("POST") if "validateOnly" not in r["query"]]

    def dry_runs(self) -> list[Object]:
        """The team's trials of such an order."""
        return [r for r in self._deployments("POST") if "validateOnly" in r["query"]]

    def _deployments(self, method: str) -> list[Object]:
        return [r for r in self.requests(method) if "/deployments" in r["path"]]

    def patches(self) -> list[Any]:
        """The bodies of the team's changes of deployments, in order, without etags."""
        return [_plain(r["body"]) for r in self._deployments("PATCH")]

    def routings(self) -> list[dict[str, float]]:
        """The traffic splits that the team wrote, by deployment, in order."""
        writes = [r for r in self.requests("PATCH") if "/deployments" not in r["path"]]
        return [
            {part["deploymentId"]: part["weight"] for part in r["body"]["trafficSplit"]}
            for r in writes
        ]

    def starts(self) -> list[Any]:
        """The changes that made a deployment run, or have another size."""
        return [body for body in self.patches() if body.get("autoscaling", {}).get("maxReplicas")]

    def of_v1(self, method: str | None = None, path: str = "/v1/endpoints") -> list[Object]:
        """The team's requests to the first generation, for endpoints if nothing else is said."""
        return super().requests(method, path)

    def homes(self) -> list[Object]:
        """The endpoints that the team has, in which its deployments are."""
        found = self.together.v2_endpoints()
        return [one for one in found if one["project"] == self.name and one["deleted_at"] is None]

    def home(self) -> Object:
        """The only endpoint that the team has."""
        (found,) = self.homes()
        return found

    def split(self) -> dict[str, float]:
        """The traffic split of that endpoint, by deployment."""
        found: dict[str, float] = self.home()["traffic_split"]
        return found

    def deployment(self) -> Object:
        """The only deployment that the team has, in the ledger's words."""
        return self.endpoint()

    def beside(self, name: str = "by-hand", weight: float | None = 50, **more: Any) -> str:
        """Have a person put a deployment of their own into the only endpoint; its id.

        Args:
            name: Its name.
            weight: Its part of the traffic; `None` for none.
            more: What else its order has.
        """
        home, mine = self.home()["id"], self.deployment()["id"]
        catalogue = self._order_of(mine)
        body = {"endpointId": home, "name": name, "autoscaling": bounds(1, 1), **catalogue, **more}
        made: str = self.together.create(body)["id"]
        if weight is not None:
            self.route({**self.split(), made: weight})
        return made

    def _order_of(self, deployment_id: str) -> Object:
        order = next(r["body"] for r in reversed(self.deploys()) if r["status"] == 200)
        return {"model": order["model"], "config": order["config"]}

    def route(self, split: dict[str, float]) -> None:
        """Have a person write the traffic split of the only endpoint."""
        parts = [{"deploymentId": one, "weight": weight} for one, weight in split.items()]
        self.together.force(self.home()["id"], trafficSplit=parts)

    def until_homeless(self) -> None:
        """Wait until neither an endpoint nor a deployment is left."""
        eventually("nothing is left", lambda: not self.homes() and not self.live(), within=30)

    def abandon(self) -> None:
        """Drop everything, where no operator is left to do it."""
        super().abandon()
        for home in self.homes():
            self.together.delete(home["id"])


def _plain(body: Any) -> Any:
    return {word: value for word, value in body.items() if word != "etag"}


class JudgeV2:
    """What Together's books say of one resource, by the mark in what was ordered for it.

    Attributes:
        team: Whose it is.
        uid: The resource.
        failed: What a person made fail, with the time.
    """

    def __init__(self, team: TeamV2, uid: str) -> None:
        self.team = team
        self.uid = uid
        self.failed: dict[str, float] = {}
        self._tag = owner_tag(uid)

    @classmethod
    def of(cls, team: TeamV2, name: str = "mixtral") -> JudgeV2:
        """The judge of a resource that is there now."""
        found = team.read(name)
        assert found is not None, f"there is no {name}"
        return cls(team, found["metadata"]["uid"])

    def deployments(self) -> list[Object]:
        """Every deployment that was made for the resource, the deleted ones too."""
        found = []
        for one in self.team.endpoints():
            mark = Marker.parse(f" {one['requested_display_name'].partition('-')[2]}")
            if mark is not None and mark.owner == self._tag:
                found.append(one)
        return sorted(found, key=lambda one: float(one["created_at"]))

    def live(self) -> list[Object]:
        """Those of them that exist."""
        return [one for one in self.deployments() if one["deleted_at"] is None]

    def most_at_once(self) -> int:
        """How many of them existed at the same time, at most."""
        turns = [(one["created_at"], 1) for one in self.deployments()]
        turns += [(one["deleted_at"], -1) for one in self.deployments() if one["deleted_at"]]
        return max(itertools.accumulate(step for _, step in sorted(turns)), default=0)

    def most_running(self) -> int:
        """How many of them were asked to run at the same time, at most (I1).

        One runs from the request that starts it to the answer to the one that stops it, or until
        it is gone, or a person has made it fail.
        """
        turns: list[tuple[float, int]] = []
        for one in self.deployments():
            asked = [
                (r["at"], r["body"]["autoscaling"]["maxReplicas"] > 0)
                for r in self.team.requests("PATCH")
                if r["path"].endswith(one["id"])
                and "autoscaling" in r["body"]
                and (r["status"] == 200 or r["body"]["autoscaling"]["maxReplicas"])
            ]
            end = min(self.failed.get(one["id"], math.inf), one["deleted_at"] or math.inf)
            running = False
            for at, starts in asked:
                if starts is not running and at < end:
                    turns.append((at, 1 if starts else -1))
                    running = starts
            if running:
                turns.append((end, -1))
        return max(itertools.accumulate(step for _, step in sorted(turns)), default=0)

    def fail(self, deployment_id: str) -> None:
        """Have a deployment fail for good.

        Args:
            deployment_id: Which.
        """
        self.team.together.force(deployment_id, state="FAILED")
        self.failed[deployment_id] = time.time()

    def one(self, found: Object) -> Object:
        """The only deployment: the one that the resource has on record as current.

        Args:
            found: The resource.
        """
        assert self.most_running() <= 1, "two of them ran at once"
        (only,) = self.live()
        (entry,) = [d for d in found["status"]["deployments"] if d["role"] == "Current"]
        assert entry["id"] == only["id"], f"on record is {entry}, at Together is {only}"
        home = next(h for h in self.team.homes() if h["id"] == only["endpoint_id"])
        assert home["id"] == found["status"]["endpointID"]
        return only

    def none(self) -> None:
        """Fail if anything of the resource is left, or if two of them ever ran at once (I2)."""
        assert self.most_running() <= 1, "two of them ran at once"
        assert self.live() == []
