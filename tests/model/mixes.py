"""The mixes of faults: each is a small world, and everything that may go wrong in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.core.world import World

from .events import LEASE
from .moves import Scene
from .worlds import a_world, closed, made_by_hand, second, serving, serving_second, swapping


@dataclass(frozen=True)
class Mix:
    """A small world, and what may go wrong in it.

    Attributes:
        name: For the table.
        about: What it is there to show.
        faults: Which faults.
        most: How many of them at most.
        events: What may happen, each as often as it is named.
        begin: Makes the world.
        bounded: Whether effects arrive within L.
        weight: Its share of the states, relative to others.
    """

    name: str
    about: str
    faults: frozenset[str]
    most: int
    events: tuple[str, ...] = ()
    begin: Callable[[], World] = field(default=a_world)
    bounded: bool = True
    weight: float = 1.0

    def scene(self) -> Scene:
        """How it begins."""
        world = self.begin()
        world.judge.bounded = self.bounded
        return Scene(world, self.most, self.events)


def _of(*names: str) -> frozenset[str]:
    return frozenset(names)


_CREATE = _of("kill", "lost reply", "no effect", "late effect", "slow")
_KUBE = _of("conflict", "write lost")

MIXES: tuple[Mix, ...] = (
    Mix(
        "crashes", "SIGKILL between any two steps, answers lost, effects late; deleted at any time",
        _CREATE, 3, ("delete",), weight=2.0,
    ),
    Mix(
        "rule 4", "what was not sent, held up, or too late: recorded anew and not counted",
        _of("kill", "not sent", "held up", "slow", "late effect", "SIGSTOP"), 3, ("delete",),
        weight=2.0,
    ),
    Mix(
        "rule 13", "a tombstone for attempts that land after the resource has gone",
        _of("kill", "late effect", "no effect", "conflict"), 3,
        ("delete", "beyond the bound"), bounded=False, weight=2.0,
    ),
    Mix(
        "beyond L", "effects later than the bound: the extra goes, the recorded one stays",
        _of("kill", "late effect", "slow"), 3, ("beyond the bound", "beyond the bound"),
        bounded=False,
    ),
    Mix(
        "stale views", "LISTs lag and are empty once, GETs say 404, deleted endpoints stay listed",
        _of("kill", "lost reply", "late effect", "false 404", "silence"), 2,
        ("delete", "a LIST without anything", "false 404 to a GET", "false 404 to a GET"),
        lambda: a_world(unlist=1.0),
    ),
    Mix(
        "lost status", "the status is lost at any time",
        _of("kill", "lost reply", "late effect", "write lost"), 2, ("wipe status", "delete"),
    ),
    Mix(
        "lost traces", "finalizer and annotation are stripped at any time",
        _of("kill", "lost reply", "late effect"), 2,
        ("strip finalizer", "strip owner", "wipe status", "delete"),
    ),
    Mix(
        "the cluster", "writes to Kubernetes conflict, or succeed without an answer",
        _KUBE | _of("kill", "lost reply"), 3, ("delete", "deaf"),
    ),
    Mix(
        "refusals", "no capacity, a refusal for good, and answers that are none",
        _of("kill", "no capacity", "refused", "late effect", "not sent"), 3,
        ("typo", "correction", "delete"),
    ),
    Mix(
        "keys", "the key changes, or goes, in the middle of a claim",
        _of("kill", "lost reply", "late effect"), 2, ("key K3", "key K1", "delete"),
    ),
    Mix(
        "no key", "the Secret goes first, or the key is refused",
        _of("kill", "late effect"), 2, ("key gone", "key K2", "key revoked", "delete"),
    ),
    Mix(
        "three attempts", "attempt after attempt without an answer, until a person is asked",
        _of("no effect", "late effect", "kill"), 4, (),
    ),
    Mix(
        "stop and start", "PATCHes in flight while a person stops and starts",
        _of("kill", "lost reply", "no effect", "late effect"), 2,
        ("stop", "start", "idle stop", "delete"), serving,
    ),
    Mix(
        "changes", "scaled and renamed while writes fail, and the status is lost",
        _of("kill", "lost reply", "late effect", "write lost"), 2,
        ("scale", "rename", "wipe status", "delete"), serving,
    ),
    Mix(
        "restarts", "stopped by others; only a person's wish starts it",
        _of("kill", "lost reply", "late effect", "no capacity"), 2,
        ("idle stop", "restart", "wipe status", "stop", "start"), serving,
    ),
    Mix(
        "deletion", "deleted in every state, with every answer lost once",
        _of("kill", "lost reply", "late effect", "false 404", "write lost"), 2,
        ("delete", "suspend", "resume", "a LIST without anything", "false 404 to a GET"),
        lambda: serving(unlist=1.0),
    ),
    Mix(
        "the CRD",
        "the CRD is removed, and with it the resource, in every state",
        _of("kill", "lost reply", "late effect"),
        2,
        ("the CRD is removed", "delete"),
    ),
    Mix(
        "replaced",
        "the endpoint vanishes; another one is made only where the resource says so",
        _of("kill", "lost reply", "late effect"),
        2,
        ("console delete", "recreate", "a LIST without anything", "false 404 to a GET", "delete"),
        serving,
    ),
    Mix(
        "taken over",
        "an endpoint that a person made is taken over",
        _of("kill", "lost reply", "late effect", "write lost"),
        2,
        ("delete", "policy delete", "wipe status", "console delete"),
        made_by_hand,
    ),
    Mix(
        "policies", "Stop and Retain, with an attempt that is not resolved",
        _of("kill", "late effect", "lost reply"), 2,
        ("policy stop", "policy retain", "delete", "console stop"),
    ),
    Mix(
        "copies", "a backup is put back beside the original, which may be lost",
        _of("kill", "lost reply", "late effect"), 1,
        ("backup restored", "rebuilt from a backup", "original lost", "delete"),
    ),
    Mix(
        "strangers", "a person copies the name, marks and all",
        _of("kill", "no effect", "late effect"), 2,
        ("console copies name", "console delete", "delete"),
    ),
    Mix(
        "v2: create", "an endpoint, its deployment, its start: SIGKILL and lost answers anywhere",
        _CREATE | _of("out of order"), 2, ("delete",), second, weight=2.0,
    ),
    Mix(
        "v2: late", "orders of endpoints and deployments that land late, or are not sent in time",
        _of("kill", "late effect", "no effect", "not sent", "held up"), 3, ("delete",), second,
    ),
    Mix(
        "v2: refusals", "what Together refuses for now or for good, corrected in place",
        _of("kill", "no capacity", "refused", "out of order", "lost reply", "false 404"), 2,
        ("typo", "correction", "delete"), second,
    ),
    Mix(
        "v2: names", "a person takes the name, or works within the endpoint",
        _of("kill", "lost reply", "late effect"), 1,
        ("name taken", "a test beside", "the test ends", "console copies name", "delete"), second,
    ),
    Mix(
        "v2: lost status", "the status is lost at any time",
        _of("kill", "lost reply", "late effect", "write lost"), 2, ("wipe status", "delete"),
        second,
    ),
    Mix(
        "v2: stop and start", "bounds in flight while a person stops, starts and scales",
        _of("kill", "lost reply", "no effect", "late effect", "out of order"), 2,
        ("stop", "start", "scale", "idle stop", "delete"), serving_second,
    ),
    Mix(
        "v2: restarts", "stopped or failed; only a person's wish starts it, or another one",
        _of("kill", "lost reply", "late effect", "no capacity"), 2,
        ("idle stop", "error", "restart", "wipe status", "stop", "start"), serving_second,
    ),
    Mix(
        "v2: the console", "a person deletes, routes and tests deployments of the endpoint",
        _of("kill", "lost reply", "late effect", "conflict"), 1,
        ("console undeploy", "console unroute", "a test beside", "the test ends", "recreate",
         "restart", "delete"),
        serving_second,
    ),
    Mix(
        "v2: deletion", "taken apart in order, with every answer lost or refused once",
        _of("kill", "lost reply", "late effect", "false 404", "write lost", "out of order"), 2,
        ("delete", "suspend", "resume", "a LIST without anything", "false 404 to a GET"),
        lambda: serving_second(unlist=1.0),
    ),
    Mix(
        "v2: policies", "Stop and Retain, with an order that is not resolved",
        _of("kill", "late effect", "lost reply"), 2,
        ("policy stop", "policy retain", "delete", "wipe status"), second,
    ),
    Mix(
        "v2: replaced", "the endpoint vanishes with all that is in it",
        _of("kill", "lost reply", "late effect"), 2,
        ("console delete", "recreate", "a LIST without anything", "false 404 to a GET", "delete"),
        serving_second,
    ),
    Mix(
        "v2: swap", "one takes the place of the other: SIGKILL, lost and late answers anywhere",
        _of("kill", "lost reply", "late effect"), 2, ("delete",), swapping, weight=2.0,
    ),
    Mix(
        "v2: swap, other wishes", "taken back, changed further, stopped and started in the midst",
        _of("kill", "lost reply", "late effect", "not sent"), 1,
        ("taken back", "yet other hardware", "stop", "start"), swapping, weight=2.0,
    ),
    Mix(
        "v2: swap, kept", "deleted in the midst, and the endpoint stays: Retain, Stop, the CRD",
        _of("kill", "lost reply", "late effect"), 1,
        ("policy stop", "policy retain", "delete", "the CRD is removed", "wipe status"),
        lambda: swapping(unlist=1.0), weight=2.0,
    ),
    Mix(
        "v2: swap, failed", "the second one fails, is refused, or does not come up in time",
        _of("kill", "lost reply", "late effect", "refused", "out of order"), 2,
        ("the next one fails", "no more capacity", "taken back", "delete"), swapping,
    ),
    Mix(
        "v2: swap, the console", "a person routes, tests and deletes what is in the endpoint",
        _of("kill", "lost reply", "late effect", "conflict"), 1,
        ("console undeploy", "console unroute", "a test beside", "the test ends", "scale",
         "delete"),
        swapping,
    ),
    Mix(
        "v2: two operators", "two processes, no Lease: crashes, late effects, SIGSTOP",
        _of("kill", "late effect", "lost reply", "SIGSTOP"), 2, ("delete",),
        lambda: second(2), weight=2.0,
    ),
    Mix(
        "fall-over", "v1 is closed in the middle of an attempt that is open there",
        _of("kill", "lost reply", "no effect", "late effect", "slow"), 2,
        ("retired", "delete"), weight=2.0,
    ),
    Mix(
        "fall-over at once", "v1 has been closed all along",
        _of("kill", "lost reply", "late effect", "write lost", "conflict"), 2,
        ("delete", "wipe status"), closed,
    ),
    Mix(
        "fall-over, lost status", "the status is lost while v1 closes, and only v2 is left",
        _of("kill", "lost reply", "late effect"), 1, ("retired", "wipe status", "delete"),
    ),
    Mix(
        "fall-over, others", "others find v1 closed, or open again, while the status is lost",
        _of("kill", "lost reply", "late effect"), 1,
        ("another finds v1 closed", "classic", "wipe status", "delete"), weight=2.0,
    ),
    Mix(
        "fall-over, beyond L", "what v1 makes too late is removed, from v2",
        _of("kill", "late effect", "no effect"), 2, ("retired", "beyond the bound"),
        bounded=False,
    ),
    Mix(
        "fall-over, two", "two processes, no Lease, and v1 is closed in between",
        _of("kill", "late effect", "lost reply", "SIGSTOP"), 1, ("retired", "delete"),
        lambda: a_world(2), weight=2.0,
    ),
    Mix(
        "moving", "an endpoint of v1 moves to v2: crashes, lost and late effects",
        _of("kill", "lost reply", "late effect", "no effect"), 1,
        ("move", "confirm"), serving, weight=2.0,
    ),
    Mix(
        "moving, back", "the move is called off at any moment, or the resource deleted",
        _of("kill", "lost reply", "late effect"), 1,
        ("move", "call off", "delete"), serving, weight=2.0,
    ),
    Mix(
        "moving, all at once", "confirmed, called off and deleted, in any order",
        _of("kill"), 1, ("move", "confirm", "call off", "delete"), serving,
    ),
    Mix(
        "moving, no status", "the status is lost in the midst of a move",
        _of("kill"), 1, ("move", "wipe status", "confirm"), serving,
    ),
    Mix(
        "two operators", "two processes, no Lease: crashes, late effects, SIGSTOP",
        _of("kill", "late effect", "lost reply", "SIGSTOP"), 2, ("delete",),
        lambda: a_world(2), weight=3.0,
    ),
    Mix(
        "two and no status", "two processes, no Lease, and the status is lost",
        _of("late effect", "kill"), 1, ("wipe status",), lambda: a_world(2), weight=2.0,
    ),
    Mix(
        "the Lease", "the Lease changes hands while the leader is stopped or at work",
        _of("SIGSTOP", "late effect", "kill", "slow"), 2, (LEASE, "delete"),
    ),
    Mix(
        "the Lease, changes", "the Lease changes hands while a person stops, starts and scales",
        _of("SIGSTOP", "late effect", "kill"), 2, (LEASE, "stop", "start", "scale"), serving,
    ),
)  # fmt: skip
"""Every mix."""
