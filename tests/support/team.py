"""A team: one namespace with a key and a project of its own, on an operator that others share.

Several tests use one operator, one after the other. Each gets a team, so that what it judges by,
its resources and its part of the ledger, is its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from tests.support.operator import KEYS, Namespace, Object, OperatorProcess, eventually
from together_local.simulator.accounts import key_id


class Team(Namespace):
    """A namespace of a shared operator, with its part of the ledger.

    Attributes:
        operator: The operator that serves it.
        key: Its API key.
    """

    def __init__(self, operator: OperatorProcess, space: Namespace) -> None:
        super().__init__(space.cluster, space.name, space.stream)
        self.keys = space.keys
        self.operator = operator
        self.key = f"{KEYS}{space.name}"
        operator.simulator.admin.keys(projects={self.key: self.name})

    @property
    def together(self) -> Any:
        """The simulated Together, for who acts there: faults, the console, the ledger."""
        return self.operator.simulator.admin

    def requests(self, method: str | None = None, path: str = "/v1/") -> list[Object]:
        """The team's requests that reached Together.

        Args:
            method: Only those of this verb.
            path: Only those whose path begins so.
        """
        me = key_id(self.key)
        return [
            entry
            for entry in self.together.ledger()["requests"]
            if entry["key_id"] == me
            and method in (None, entry["method"])
            and entry["path"].startswith(path)
        ]

    def lists(self) -> list[Object]:
        """The team's LISTs."""
        return [r for r in self.requests("GET", "/v1/endpoints") if r["path"] == "/v1/endpoints"]

    def posts(self) -> list[Object]:
        """The team's orders."""
        return self.requests("POST", "/v1/endpoints")

    def patches(self) -> list[Any]:
        """The bodies of the team's changes, in order."""
        return [request["body"] for request in self.requests("PATCH", "/v1/endpoints")]

    def probes(self) -> list[Object]:
        """The team's inference requests."""
        return self.requests("POST", "/v1/chat/completions")

    def endpoints(self) -> list[Object]:
        """Every endpoint that the team ever had at Together, by the ledger."""
        found = self.together.ledger()["endpoints"]
        return [entry for entry in found if entry["project"] == self.name]

    def live(self) -> list[Object]:
        """The endpoints that the team has at Together."""
        return [entry for entry in self.endpoints() if entry["deleted_at"] is None]

    def endpoint(self) -> Object:
        """The only endpoint that the team has at Together."""
        (found,) = self.live()
        return found

    def until_remote(self, what: str, **fields: Any) -> Object:
        """Wait until the only endpoint at Together has these fields; the endpoint then."""

        def look() -> Object | None:
            found = self.endpoint()
            return found if all(found[name] == value for name, value in fields.items()) else None

        found: Object = eventually(what, look, within=30)
        return found

    def polled(self, times: int = 3) -> None:
        """Wait until Together has been looked at so many more times."""
        before = len(self.lists())
        eventually(f"{times} more polls", lambda: len(self.lists()) >= before + times, within=60)

    def columns(self, *flags: str, name: str = "mixtral") -> dict[str, str]:
        """What `kubectl get tep` prints of a resource, by column.

        With `-o wide` there are two columns NAME, and it is the second one that counts here: what
        inference takes as `model`.
        """
        head, line = self.kubectl("get", "tep", name, *flags).splitlines()
        heads = list(re.finditer(r"\S+", head))
        ends: Sequence[int | None] = [*(column.start() for column in heads[1:]), None]
        return {
            column.group(): line[column.start() : end].strip()
            for column, end in zip(heads, ends, strict=True)
        }

    def told(self, name: str = "mixtral") -> dict[str, list[str]]:
        """The messages of a resource's events, by reason."""
        text = self.kubectl(
            "get", "events", "-o", "json", f"--field-selector=involvedObject.name={name}"
        )
        messages: dict[str, list[str]] = {}
        for item in json.loads(text)["items"]:
            messages.setdefault(item["reason"], []).append(item["message"])
        return messages

    def until_told(self, reason: str, name: str = "mixtral") -> str:
        """Wait for an event; its message."""
        found: list[str] = eventually(
            f"an event {reason}", lambda: self.told(name).get(reason), within=30, every=0.3
        )
        return found[0]

    def explain(self) -> None:
        """Print what a person would want to see after a failure."""
        print(f"=== what the operator logged of {self.name}, the end of it")
        for line in self.operator.lines():
            if line.get("namespace") == self.name or line.get("level") in ("warning", "error"):
                print(line["timestamp"], line["level"], line.get("name", ""), line["message"][:300])
        print("=== what reached Together, the end of it")
        for request in self.requests()[-40:]:
            body = json.dumps(request["body"]) if request["body"] else ""
            print(request["at"], request["method"], request["path"], request["status"], body[:200])

    def abandon(self) -> None:
        """Make an end where no operator is left to do it: everything of the team is dropped."""
        self.together.clear_faults()
        names = self.kubectl("get", "tep", "-o", "name").split()
        if names:
            patch = json.dumps({"metadata": {"finalizers": None}})
            self.kubectl("patch", *names, "--type=merge", "-p", patch)
            self.kubectl("delete", *names, "--ignore-not-found")
        for endpoint in self.live():
            self.together.delete(endpoint["id"])

    def cleared(self) -> None:
        """Make an end: Together is well again, and the team's resources may go."""
        self.together.clear_faults()
        self.kubectl("delete", "tep", "--all", "--wait=false")
