"""Where an operator can die: at every request that it sends, in three moments of it.

A boundary is named by what is asked and how often it was asked before, not by a running number:
polls and renewals come by the clock, and would shift every number behind them.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

_IDS = (
    (re.compile(r"^/v1(?=/)"), ""),
    (re.compile(r"^/v2/projects/[^/]+"), "/v2"),
    (
        re.compile(
            r"/(endpoints|deployments|[a-z-]*models|configs|inference-instance-types)/[^/]+"
        ),
        r"/\1/{id}",
    ),
)
_KUBE = re.compile(
    r"^/(?:api|apis/(?P<group>[^/]+))/[^/]+"
    r"(?:/namespaces/(?P<namespace>[^/]+))?"
    r"/(?P<kind>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?$"
)
_NAMED = re.compile(r"^(?P<label>.+)#(?P<nth>\d+)@(?P<point>[a-z-]+)$")


class Side(StrEnum):
    """Whom a request is for."""

    KUBERNETES = "k8s"
    TOGETHER = "together"


class Point(StrEnum):
    """The moments of an exchange at which a process can end.

    The effect comes about or not, and the process learns of it or not; learning of what has not
    come about is the only pair that there is not.
    """

    BEFORE = "before"
    UNANSWERED = "unanswered"
    AFTER = "after"


def label(side: Side, method: str, path: str, *, watch: bool = False, own: str = "") -> str:
    """What a request asks for, the same in every run.

    Args:
        side: Whom it is for.
        method: Its verb.
        path: Its path, without the query.
        watch: Whether it is a watch.
        own: The operator's own namespace: what is there is not what is in a user's.
    """
    if side is Side.TOGETHER:
        for pattern, text in _IDS:
            path = pattern.sub(text, path)
        return f"{side} {method} {path}"
    found = _KUBE.match(path)
    if found is None:
        return f"{side} {method} {path}"
    kind = found["kind"]
    if found["namespace"] == own:
        kind = f"own/{kind}"
    if found["sub"]:
        kind = f"{kind}/{found['sub']}"
    verb = method
    if watch:
        verb = "WATCH"
    elif method == "GET" and found["name"] is None:
        verb = "LIST"
    return f"{side} {verb} {kind}"


@dataclass(frozen=True, slots=True)
class Crash:
    """The end of a process.

    Attributes:
        label: At what request, as `label` names it.
        nth: At which of them since the last crash, or since the scenario began; from 1.
        point: When.
    """

    label: str
    nth: int
    point: Point

    def __str__(self) -> str:
        return f"{self.label}#{self.nth}@{self.point}"

    @classmethod
    def parse(cls, text: str) -> Crash:
        """A crash from its own text.

        Args:
            text: As `str` writes it.

        Raises:
            ValueError: It is not one.
        """
        found = _NAMED.match(text)
        if found is None:
            raise ValueError(f"{text!r} is not LABEL#NTH@POINT, such as 'k8s POST own/secrets#1'")
        return cls(found["label"], int(found["nth"]), Point(found["point"]))


class Tracker:
    """Counts the boundaries of a run, and says at which the process ends.

    It is asked in the proxy's thread and told in the run's.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._since: Counter[str] = Counter()
        self._crash: Crash | None = None

    def reset(self) -> None:
        """Begin to count anew, with no crash ahead."""
        with self._lock:
            self._counts.clear()
            self._since.clear()
            self._crash = None

    def arm(self, crash: Crash) -> None:
        """Have a process end.

        Args:
            crash: Where; its number counts from now.
        """
        with self._lock:
            self._since.clear()
            self._crash = crash

    def disarm(self) -> None:
        """Let whatever runs live."""
        with self._lock:
            self._crash = None

    def met(self, what: str) -> Point | None:
        """Count a request; the point at which it is the end of its sender, if it is.

        Args:
            what: Its label.
        """
        with self._lock:
            self._counts[what] += 1
            self._since[what] += 1
            crash = self._crash
            if crash is None or crash.label != what or crash.nth != self._since[what]:
                return None
            self._crash = None
            return crash.point

    def counts(self) -> dict[str, int]:
        """How often each boundary was met since the run began."""
        with self._lock:
            return dict(self._counts)
