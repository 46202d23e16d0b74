"""A namespace as a person sees it with kubectl, with every version of what was in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.support.awaiting import NotInTime, eventually
from tests.support.contract import conditions
from tests.support.manifests import KEY, SECRET, Object, reason_of
from tests.support.stream import Stream, version_of
from together_local.cluster.cluster import Cluster


class Namespace:
    """One namespace with TogetherEndpoints in it, as a person with kubectl sees it.

    Attributes:
        cluster: The cluster.
        name: The namespace.
        stream: What a watch shows of it.
        keys: The keys that it was ever given.
    """

    def __init__(self, cluster: Cluster, name: str, stream: Stream) -> None:
        self.cluster = cluster
        self.name = name
        self.stream = stream
        self.keys: set[str] = set()

    def kubectl(self, *args: str, document: Any = None, check: bool = True) -> str:
        """Run kubectl in the namespace; what it printed."""
        text = None if document is None else json.dumps(document)
        done = self.cluster.kubectl("-n", self.name, *args, input=text, check=check)
        return done.stdout if check else done.stdout + done.stderr

    def apply(self, document: Object) -> None:
        """Apply a manifest."""
        self.kubectl("apply", "-f", "-", document=document)

    def secret(self, key: str = KEY, name: str = SECRET) -> None:
        """Give the namespace a key."""
        self.keys.add(key)
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": name},
                "stringData": {"api-key": key},
            }
        )

    def patch(self, name: str, patch: Object, *flags: str) -> None:
        """Merge something into a resource."""
        self.kubectl(
            "patch", "tep", name, "--type=merge", "--patch-file=/dev/stdin", *flags, document=patch
        )

    def spec(self, name: str, **spec: Any) -> None:
        """Change fields of a resource's spec."""
        self.patch(name, {"spec": spec})

    def annotate(self, name: str, word: str, value: str | None) -> None:
        """Set or remove one of our annotations."""
        note = f"together-operator.io/{word}"
        self.kubectl(
            "annotate",
            "tep",
            name,
            "--overwrite",
            f"{note}-" if value is None else f"{note}={value}",
        )

    def read(self, name: str = "mixtral") -> Object | None:
        """A resource, or `None` if there is none."""
        text = self.kubectl("get", "tep", name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else None

    def status(self, name: str = "mixtral") -> Object:
        """The status of a resource; empty if there is none."""
        found = self.read(name)
        return found.get("status", {}) if found else {}

    def reason(self, name: str = "mixtral") -> str | None:
        """The reason of its Ready condition, once this generation has been observed."""
        found = self.read(name)
        return None if found is None else reason_of(found)

    def until(self, name: str, *reasons: str, within: float = 60.0) -> Object:
        """Wait until Ready has one of these reasons for this generation; the resource then."""
        return self.awaits(name, "|".join(reasons), lambda it: reason_of(it) in reasons, within)

    def awaits(
        self, name: str, what: str, test: Callable[[Object], Any], within: float = 60.0
    ) -> Object:
        """Wait until a resource passes a test; the resource then.

        Args:
            name: The resource.
            what: What is waited for, in words.
            test: Whether it is so.
            within: Seconds until that is given up.
        """
        now = self.read(name)
        assert now is not None, f"there is no {name}"
        self.stream.shows(now)

        def look() -> Object | None:
            found = self.stream.latest(self.name, name)
            return found if found is not None and test(found) else None

        try:
            found: Object = eventually(f"{name}: {what}", look, within=within, every=0.03)
        except NotInTime as error:
            raise NotInTime(f"{error}; {json.dumps(self.status(name), indent=1)}") from None
        return found

    def history(self, name: str = "mixtral", *, after: Object | None = None) -> list[Object]:
        """The versions of a resource, the oldest first.

        Args:
            name: The resource.
            after: Only those that are newer than this one.
        """
        return self.stream.history(self.name, name, after=0 if after is None else version_of(after))

    def reasons(self, name: str = "mixtral", *, after: Object | None = None) -> list[str]:
        """The reasons that Ready had one after the other, each once in a row."""
        seen: list[str] = []
        for version in self.history(name, after=after):
            ready = conditions(version).get("Ready")
            if ready is not None and seen[-1:] != [ready["reason"]]:
                seen.append(ready["reason"])
        return seen

    def delete(self, name: str = "mixtral") -> None:
        """Ask for a resource to be deleted, without waiting for it."""
        self.kubectl("delete", "tep", name, "--wait=false", "--ignore-not-found")

    def gone(self, name: str = "mixtral", within: float = 60.0) -> None:
        """Wait until a resource is gone."""
        try:
            eventually(
                f"{name} is gone", lambda: self.read(name) is None, within=within, every=0.25
            )
        except NotInTime as error:
            raise NotInTime(f"{error}; {json.dumps(self.status(name), indent=1)}") from None

    def events(self, name: str = "mixtral") -> list[str]:
        """The reasons of the events of a resource, in no order."""
        text = self.kubectl(
            "get", "events", "-o", "json", f"--field-selector=involvedObject.name={name}"
        )
        return [item["reason"] for item in json.loads(text)["items"]]
