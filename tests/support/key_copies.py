"""The judge of the key copies: never missing while an endpoint may live, never left behind.

An endpoint whose key is gone can neither be stopped nor deleted, and a key that nothing needs any
more is a key too many. etcd numbers every write of a cluster in one order, whatever object it is
of. So it is exact, and no clock is asked: the copy of a resource is written before the record that
an order follows, and deleted after the resource is gone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from together_local.cluster.cluster import Cluster
from together_local.cluster.supervision import Supervisor
from together_operator.resource.names import FINALIZER, GROUP, KEY_COPY_LABEL

Object = dict[str, Any]

_DECODER = json.JSONDecoder()
_WATCH = "key-copies"


@dataclass(frozen=True, slots=True)
class Written:
    """One write of a key copy.

    Attributes:
        version: Its resourceVersion.
        gone: Whether the copy was deleted by it.
        tombstone: What the copy says of attempts that outlive the resource, if it says anything.
    """

    version: int
    gone: bool
    tombstone: Object | None = None


def need(versions: Iterable[Object]) -> int | None:
    """The resourceVersion from which a resource must have a key copy, if it must.

    Args:
        versions: The resource's versions, the oldest first.
    """
    for version in versions:
        status, uid = version.get("status") or {}, version["metadata"]["uid"]
        operation = status.get("operation") or {}
        if operation.get("uid") == uid and (
            operation.get("phase") == "Open" or status.get("endpointID")
        ):
            return int(version["metadata"]["resourceVersion"])
    return None


def let_go(versions: Sequence[Object], deleted: int | None) -> int | None:
    """The resourceVersion at which a resource let go of its endpoint, if it has.

    Args:
        versions: The resource's versions, the oldest first.
        deleted: The resourceVersion at which it went, if it is gone.
    """
    held = False
    for version in versions:
        meta = version["metadata"]
        held_before, held = held, FINALIZER in meta.get("finalizers", ())
        if held_before and not held:
            return int(meta["resourceVersion"])
    return deleted


def faults(
    uid: str,
    versions: Sequence[Object],
    deleted: int | None,
    written: Sequence[Written],
    *,
    now: float,
) -> list[str]:
    """What is wrong with the key copy of a resource.

    What may still be on its way is wrong as well: that a copy goes after its resource takes a
    moment, and a sweep of the operator if that was killed in between. A caller repeats the
    question until it was given that time.

    Args:
        uid: The resource.
        versions: The resource's versions, the oldest first.
        deleted: The resourceVersion at which it went; `None` while it is there.
        written: The writes of its copy, the oldest first.
        now: Unix seconds.
    """
    found = []
    since, until = need(versions), let_go(versions, deleted)
    there = [write for write in written if not write.gone]
    if since is not None and (not there or there[0].version >= since):
        first = there[0].version if there else "never"
        found.append(f"{uid}: ordered at {since}, its key was copied at {first}")
    for write in written:
        too_soon = write.gone and since is not None and (until is None or write.version < until)
        if too_soon:
            found.append(f"{uid}: its key copy went at {write.version}, it let go at {until}")
    if deleted is None or not written or written[-1].gone:
        return found
    grave = written[-1].tombstone
    if grave is None:
        found.append(f"{uid}: gone at {deleted}, and its key copy is still there")
    elif not grave["nonces"]:
        found.append(f"{uid}: the tombstone watches for nothing: {grave}")
    elif not now < float(grave["expires"]) <= now + 24 * 3600 + 60:
        found.append(f"{uid}: the tombstone is kept beyond a day: {grave}")
    return found


class KeyCopies:
    """Every write of every key copy in an operator's namespace, as a watch shows them.

    Args:
        cluster: The cluster, to which we are administrator.
        supervisor: Ends the watch with the test.
        folder: Where its output goes.
        namespace: The operator's own namespace.
    """

    def __init__(
        self, cluster: Cluster, supervisor: Supervisor, folder: Path, namespace: str
    ) -> None:
        self._supervisor = supervisor
        self._file = folder / "key-copies.json"
        self._file.touch()
        self._written: dict[str, list[Written]] = {}
        supervisor.start(
            _WATCH,
            [
                str(cluster.binaries["kubectl"]),
                *("get", "secrets", "-n", namespace, "-l", f"{KEY_COPY_LABEL}=true"),
                *("--watch", "--output-watch-events", "-o", "json"),
            ],
            env=cluster.environment(),
            cwd=folder,
            log=self._file,
        )

    def of(self, uid: str) -> list[Written]:
        """The writes of a resource's copy, the oldest first."""
        assert self._supervisor.exit_code(_WATCH) is None, "the watch of the key copies has ended"
        self._written = {}
        for kind, secret in self._events():
            notes = secret["metadata"].get("annotations") or {}
            grave = notes.get(f"{GROUP}/tombstone")
            write = Written(
                int(secret["metadata"]["resourceVersion"]),
                kind == "DELETED",
                None if grave is None else json.loads(grave),
            )
            self._written.setdefault(notes[f"{GROUP}/uid"], []).append(write)
        return self._written.get(uid, [])

    def _events(self) -> Iterator[tuple[str, Object]]:
        rest = self._file.read_text()
        while (begin := rest.find("{")) >= 0:
            try:
                event, end = _DECODER.raw_decode(rest, begin)
            except ValueError:
                return  # it is being written
            rest = rest[end:]
            yield event["type"], event["object"]

    def faults(self, uid: str, versions: Sequence[Object], deleted: int | None) -> list[str]:
        """What is wrong with the copy of a resource now; arguments as for the function."""
        return faults(uid, versions, deleted, self.of(uid), now=time.time())
