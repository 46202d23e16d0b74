"""What goes wrong on Kubernetes' side of the operator, as its proxy plays it to one job.

To an operator an API server that is away and a connection that is are the same, so most of what can
go wrong there is done on the way, where it disturbs nobody else. What only the control plane itself
can do wrong is in `plane_faults`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from multidict import CIMultiDict

from tests.chaos.boundary import Side
from tests.chaos.fault import Fault
from tests.chaos.goal import Goal
from tests.chaos.kube import KubeAwayError
from tests.chaos.proxy import Answer, Cut, Exchange, Forward, Meddler
from together_operator.controller.lease import NAME

if TYPE_CHECKING:
    from tests.chaos.run import Run
    from tests.chaos.scenario import Scenario

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_UNNAMED = re.compile(r"events|leases|selfsubject")
"""What the protocol does not depend on, and what has a fault of its own."""


def refusal(code: int, reason: str, message: str) -> Answer:
    """What an API server answers when it does not do as it is asked.

    Args:
        code: The HTTP status.
        reason: The one word, as in `metav1.Status`.
        message: The text.
    """
    return Answer(
        code,
        CIMultiDict({"Content-Type": "application/json"}),
        json.dumps(status(code, reason, message)).encode(),
    )


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    """A `metav1.Status` of a failure."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def _write(exchange: Exchange) -> bool:
    return (
        exchange.side is Side.KUBERNETES
        and exchange.method in _WRITES
        and not _UNNAMED.search(exchange.path)
    )


class Meddling(Fault):
    """Something between the operator and the API server, for a while.

    Attributes:
        seconds: The shortest and the longest while.
        stale: Whether watches that are there already are cut, so that they meet it too.
    """

    seconds: ClassVar[tuple[float, float]] = (1.0, 5.0)
    stale: ClassVar[bool] = True

    @abstractmethod
    def meddler(self, run: Run) -> Meddler:
        """What meddles."""

    def arm(self, run: Run) -> None:
        """Begin now, and end after a while."""
        meddler, proxy = self.meddler(run), run.stage.proxy
        proxy.meddlers = (meddler, *proxy.meddlers)
        if self.stale:
            run.stage.watches.cut()

        def end() -> None:
            proxy.meddlers = tuple(m for m in proxy.meddlers if m is not meddler)

        run.after(run.chance.uniform(*self.seconds), end)


class Unavailable(Meddling):
    """The API server answers 503 to everything."""

    name = "kube-503"

    def meddler(self, run: Run) -> Meddler:
        """Answers 503."""

        async def meddle(exchange: Exchange, forward: Forward) -> Answer:
            if exchange.side is Side.TOGETHER:
                return await forward(exchange)
            return refusal(503, "ServiceUnavailable", "the server is currently unable to serve")

        return meddle


class Unreachable(Meddling):
    """Every connection to the API server is reset."""

    name = "kube-reset"

    def meddler(self, run: Run) -> Meddler:
        """Resets."""

        async def meddle(exchange: Exchange, forward: Forward) -> Answer:
            if exchange.side is Side.TOGETHER:
                return await forward(exchange)
            raise Cut

        return meddle


class Paused(Meddling):
    """The API server takes requests and answers none, until it goes on."""

    name = "kube-paused"

    def meddler(self, run: Run) -> Meddler:
        """Holds back whatever is asked while it meddles."""
        over = time.monotonic() + run.chance.uniform(*self.seconds)

        async def meddle(exchange: Exchange, forward: Forward) -> Answer:
            if exchange.side is Side.KUBERNETES:
                await asyncio.sleep(over - time.monotonic())
            return await forward(exchange)

        return meddle


class Unanswered(Meddling):
    """The API server carries out what is asked, and its answers are lost now and then."""

    name = "kube-reset-after"
    stale = False

    def meddler(self, run: Run) -> Meddler:
        """Loses the answers to some writes."""

        async def meddle(exchange: Exchange, forward: Forward) -> Answer:
            answer = await forward(exchange)
            if _write(exchange) and run.chance.random() < 0.5:
                raise Cut
            return answer

        return meddle


class Conflicts(Meddling):
    """Somebody has always just been faster: the first write to each object is a conflict."""

    name = "kube-409"
    stale = False

    def meddler(self, run: Run) -> Meddler:
        """Refuses the first write to each path."""
        met: set[tuple[str, str]] = set()

        async def meddle(exchange: Exchange, forward: Forward) -> Answer:
            place = (exchange.method, exchange.path)
            if not _write(exchange) or exchange.method == "POST" or place in met:
                return await forward(exchange)
            met.add(place)
            return refusal(
                409, "Conflict", "the object has been modified; please apply your changes"
            )

        return meddle


class Forbidden(Meddling):
    """A right is missing for a while: one kind of request, drawn by the seed, is refused."""

    name = "kube-403"
    stale = False

    KINDS: ClassVar[tuple[str, ...]] = (
        "k8s GET togetherendpoints",
        "k8s PATCH togetherendpoints",
        "k8s PUT togetherendpoints/status",
        "k8s GET secrets",
        "k8s GET own/secrets",
        "k8s POST own/secrets",
        "k8s DELETE own/secrets",
        "k8s LIST togetherendpoints",
        "k8s WATCH togetherendpoints",
    )

    def meddler(self, run: Run) -> Meddler:
        """Refuses that one kind."""
        kind = run.chance.choice(self.KINDS)
        run.note(f"forbidden: {kind}")
        if "WATCH" in kind:
            run.stage.watches.cut()

        async def meddle(exchange: Exchange, forward: Forward) -> Answer:
            if exchange.label != kind:
                return await forward(exchange)
            return refusal(403, "Forbidden", f"the operator cannot {kind}")

        return meddle


class WatchExpired(Meddling):
    """A watch is told that what it knows is too old to go on from."""

    name = "watch-410"
    seconds = (2.0, 6.0)

    def meddler(self, run: Run) -> Meddler:
        """Ends the first watches with 410."""
        left = run.chance.randint(1, 3)

        async def meddle(exchange: Exchange, forward: Forward) -> Answer:
            nonlocal left
            if not exchange.watch or left == 0:
                return await forward(exchange)
            left -= 1
            expired = status(410, "Expired", "too old resource version")
            event = json.dumps({"type": "ERROR", "object": expired})
            headers = CIMultiDict({"Content-Type": "application/json"})
            return Answer(200, headers, f"{event}\n".encode())

        return meddle


class WatchCut(Fault):
    """Watches end in the middle, again and again."""

    name = "watch-cut"

    def arm(self, run: Run) -> None:
        """Cut them a few times."""
        for _ in range(run.chance.randint(1, 4)):
            run.after(run.chance.uniform(0, 5), run.stage.watches.cut)


class WatchLate(Fault):
    """What happens is shown late to a watch, while whoever asks is told at once.

    Thirty seconds at the scale of the protocol are one here, and kopf knows of no scale: several.
    """

    name = "watch-late"

    def arm(self, run: Run) -> None:
        """Show everything late for a while."""
        watches = run.stage.watches
        watches.late = run.chance.uniform(1, 4)

        def end() -> None:
            watches.late = 0.0

        run.after(run.chance.uniform(4, 10), end)


class StatusWiped(Fault):
    """Somebody, or a restore that leaves it out, takes the whole status away, once."""

    name = "status-wiped"

    def fits(self, scenario: Scenario, api: str) -> bool:
        """Where the key that has seen the endpoint stays good.

        Who takes that away as well is asked what is to become of it (`CredentialMismatch`). And
        what is just being removed because a move was called off is forgotten with the status.
        """
        return not scenario.name.startswith(("rotate-", "move-back"))

    def arm(self, run: Run) -> None:
        """Wipe it some time after there is something in it."""

        def recorded() -> bool:
            try:
                found = run.read()
            except KubeAwayError:
                return False
            return found is not None and "operation" in found.get("status", {})

        def later() -> None:
            run.after(run.chance.uniform(0, 3), wipe)

        def wipe() -> None:
            if run.read() is not None:
                run.note("the status is wiped")
                run.kube.wipe(run.name)

        run.once(_or_gone(run, recorded), later)

    def goals(self, run: Run, goals: tuple[Goal, ...]) -> tuple[Goal, ...]:
        """Whose stop was asked for, and when, was in the status: it may have to be asked again."""
        return (*goals, Goal.of("StoppedRemotely", state="STOPPED"))


class LeaseSilent(Meddling):
    """The Lease cannot be renewed for longer than it lasts."""

    name = "lease-503"
    elected = True
    seconds = (5.0, 9.0)
    stale = False

    def meddler(self, run: Run) -> Meddler:
        """Answers 503 to whatever is about the Lease."""

        async def meddle(exchange: Exchange, forward: Forward) -> Answer:
            if "/leases" not in exchange.path:
                return await forward(exchange)
            return refusal(503, "ServiceUnavailable", "the server is currently unable to serve")

        return meddle


class LeaseTaken(Fault):
    """Somebody else takes the Lease, and is never heard of again."""

    name = "lease-taken"
    elected = True

    def arm(self, run: Run) -> None:
        """Take it after a while."""
        place = f"/apis/coordination.k8s.io/v1/namespaces/{run.stage.operator.namespace}/leases"

        def take() -> None:
            run.note("the Lease is taken")
            spec = {"holderIdentity": "somebody-else", "leaseDurationSeconds": 4}
            run.kube.ask("PATCH", f"{place}/{NAME}", {"spec": spec})

        run.after(run.chance.uniform(0, 4), take)


class Frozen(Fault):
    """The operator itself stands still for longer than its Lease lasts, and goes on."""

    name = "operator-paused"
    elected = True

    def arm(self, run: Run) -> None:
        """Freeze whatever process there is then."""

        def freeze() -> None:
            life = run.stage.life
            with contextlib.suppress(ProcessLookupError):
                os.kill(life.pid, signal.SIGSTOP)
                run.note(f"{life.name} stands still")

            def go_on() -> None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(life.pid, signal.SIGCONT)

            run.after(run.chance.uniform(3, 8), go_on)

        run.after(run.chance.uniform(0, 3), freeze)


def _or_gone(run: Run, when: Callable[[], bool]) -> Callable[[], bool]:
    """The same, or that the resource is gone: what waits for it must not wait for ever."""

    def look() -> bool:
        return when() or (bool(run.uid) and run.read() is None)

    return look


KUBE_FAULTS: tuple[Fault, ...] = (
    Unavailable(),
    Unreachable(),
    Paused(),
    Unanswered(),
    Conflicts(),
    Forbidden(),
    WatchExpired(),
    WatchCut(),
    WatchLate(),
    StatusWiped(),
    LeaseSilent(),
    LeaseTaken(),
    Frozen(),
)
"""All of them."""
