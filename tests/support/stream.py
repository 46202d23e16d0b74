"""Every version of every resource, as one `kubectl get --watch` shows them.

Looking again and again costs a process each time and misses what was there in between. One watch
misses nothing: a test waits on it, counts writes by it, and a whole module's history can be held
against the contract at its end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from together_local.cluster.cluster import Cluster
from together_local.cluster.supervision import Supervisor

Object = dict[str, Any]

_DECODER = json.JSONDecoder()


def version_of(found: Object) -> int:
    """The resourceVersion of an object, which grows with every write."""
    return int(found["metadata"]["resourceVersion"])


class Stream:
    """What a watch has shown of the TogetherEndpoints in some namespaces.

    Args:
        cluster: The cluster, to which we are administrator.
        supervisor: Ends the watch with the test.
        folder: Where its output goes.
        namespaces: Whose resources count.
    """

    def __init__(
        self, cluster: Cluster, supervisor: Supervisor, folder: Path, namespaces: Collection[str]
    ) -> None:
        self._file = folder / "watch.json"
        self._file.touch()
        self._read = 0
        self._rest = ""
        self._namespaces = frozenset(namespaces)
        self._versions: dict[tuple[str, str], list[Object]] = {}
        self._deleted: dict[tuple[str, str], Object] = {}
        supervisor.start(
            "watch",
            [
                str(cluster.binaries["kubectl"]),
                *("get", "togetherendpoints", "--all-namespaces"),
                *("--watch", "--output-watch-events", "-o", "json"),
            ],
            env=cluster.environment(),
            cwd=folder,
            log=self._file,
        )

    def catch_up(self) -> None:
        """Take in what the watch has shown since."""
        with self._file.open() as file:
            file.seek(self._read)
            self._rest += file.read()
            self._read = file.tell()
        while self._rest:
            begin = self._rest.find("{")
            if begin < 0:
                return
            try:
                event, end = _DECODER.raw_decode(self._rest, begin)
            except ValueError:
                return
            self._rest = self._rest[end:]
            self._take(event["type"], event["object"])

    def _take(self, kind: str, found: Object) -> None:
        meta = found.get("metadata", {})
        place = (meta.get("namespace"), meta.get("name"))
        if place[0] not in self._namespaces:
            return
        if kind == "DELETED":
            self._deleted[place] = found
        else:
            self._versions.setdefault(place, []).append(found)

    def history(self, namespace: str, name: str, *, after: int = 0) -> list[Object]:
        """The versions of a resource, oldest first.

        Args:
            namespace: Its namespace.
            name: Its name.
            after: Only those written after this resourceVersion.
        """
        self.catch_up()
        return [v for v in self._versions.get((namespace, name), []) if version_of(v) > after]

    def deleted(self, namespace: str, name: str) -> int | None:
        """The resourceVersion at which the resource of a name went last; `None` if none did."""
        self.catch_up()
        gone = self._deleted.get((namespace, name))
        return None if gone is None else version_of(gone)

    def all_versions(self) -> list[Object]:
        """Every version of every resource that was ever shown."""
        self.catch_up()
        return [version for versions in self._versions.values() for version in versions]

    def latest(self, namespace: str, name: str) -> Object | None:
        """The newest version of a resource, unless it is gone."""
        history = self.history(namespace, name)
        if not history:
            return None
        gone = self._deleted.get((namespace, name))
        if gone is not None and version_of(gone) > version_of(history[-1]):
            return None
        return history[-1]

    def shows(self, found: Object, within: float = 10.0) -> None:
        """Wait until the watch has shown a version, or a newer one, of a resource."""
        meta = found["metadata"]
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            history = self.history(meta["namespace"], meta["name"])
            if history and version_of(history[-1]) >= version_of(found):
                return
            time.sleep(0.02)
        raise AssertionError(
            f"the watch does not show {meta['name']} at {version_of(found)}: {self._rest[:500]}"
        )
