"""What goes wrong in a run; here, at Together or on the way to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tests.chaos.fault import Fault, Nothing
from tests.chaos.goal import Goal
from tests.chaos.kube_faults import KUBE_FAULTS
from tests.chaos.plane_faults import PLANE_FAULTS
from tests.chaos.scenario import V1
from tests.chaos.timing import TIMING
from tests.chaos.v2_faults import V2_FAULTS

if TYPE_CHECKING:
    from tests.chaos.run import Run
    from tests.chaos.scenario import Scenario

_WRITES: Final = ("POST", "PATCH", "DELETE")
_ENDPOINTS: Final = r"^/v[12]/(projects/[^/]+/)?endpoints"
_ONE: Final = r"^/v[12]/(projects/[^/]+/)?endpoints/[^/]+(/deployments)?$"
_EVERYTHING: Final = r"^/v[12]/"
_PARTS_OF_V2: Final = (
    _ENDPOINTS,
    r"^/v2/projects/[^/]+/endpoints(/[^/]+)?$",
    r"/deployments(/[^/]+)?$",
)
"""All that is written there, the endpoint and its traffic, or its deployments."""

Goals = tuple[Goal, ...]
Armed = dict[str, Any]


class Few(Fault):
    """The next few requests meet a fault of the simulator's.

    Args:
        name: What the table calls it.
        fault: What they meet, in the words of its admin API.
        methods: Which requests, by their verbs.
        path: Which requests, by their path.
        most: How many of each verb meet it at most.
        seconds: Bounds of the fault's seconds, where it has any.
    """

    def __init__(
        self,
        name: str,
        fault: Armed,
        *,
        methods: tuple[str, ...] = _WRITES,
        path: str = _ENDPOINTS,
        most: int = 2,
        seconds: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.name = name
        self._fault = fault
        self._methods = methods
        self._path = path
        self._most = most
        self._seconds = seconds

    def fits(self, scenario: Scenario, api: str) -> bool:
        """Where such requests are sent."""
        return "GET" in self._methods or not scenario.writes(api).isdisjoint(self._methods)

    def arm(self, run: Run) -> None:
        """Arm it at the simulator."""
        times = run.chance.randint(1, self._most)
        seconds = run.chance.uniform(*self._seconds)
        run.note(f"{self.name}: {times} times, {seconds:.2f} s")
        if self._fault["fault"] == "late_effect":
            run.effects_within(seconds)
        common: Armed = {"path_regex": self._path, "times": times, "seconds": seconds}
        if run.plan.api == "V2" and self._path == _ENDPOINTS:
            # Two requests more than once, so that not only the first of its kind is met: a
            # deployment is tried without effect before it is ordered.
            common["path_regex"] = run.chance.choice(_PARTS_OF_V2)
            common["after"] = run.chance.choice((0, 0, 1, 1, 2))
            run.note(f"on {common['path_regex']} after {common['after']}")
        run.together.arm(*({**common, "method": m, **self._fault} for m in self._methods))


class LateBeyond(Few):
    """An order takes effect later than the protocol assumes. Judged apart."""

    def __init__(self) -> None:
        late = (TIMING.late + 1.0, TIMING.late + 12.0)
        fault = {"fault": "late_effect", "status": 503}
        super().__init__("late-beyond", fault, methods=("POST",), most=1, seconds=late)

    def arm(self, run: Run) -> None:
        """Arm it at the simulator."""
        run.beyond = True
        super().arm(run)


class For(Fault):
    """Everything, or every write, fails for a while.

    Args:
        name: What the table calls it.
        fault: How, in the words of the simulator's admin API.
        methods: Which requests, by their verbs; none: all.
        seconds: Bounds of how long it lasts.
    """

    def __init__(
        self,
        name: str,
        fault: Armed,
        *,
        methods: tuple[str, ...] = (),
        seconds: tuple[float, float] = (1.0, 8.0),
    ) -> None:
        self.name = name
        self._fault = {"fault": "status", "path_regex": _EVERYTHING, "times": -1, **fault}
        self._methods = methods
        self._seconds = seconds

    def fits(self, scenario: Scenario, api: str) -> bool:
        """Where such requests are sent."""
        return not self._methods or not scenario.writes(api).isdisjoint(self._methods)

    def arm(self, run: Run) -> None:
        """Arm it, and have it end."""
        seconds = run.chance.uniform(*self._seconds)
        run.note(f"{self.name} for {seconds:.2f} s")
        run.together.arm(*({**self._fault, "method": m} for m in self._methods or (None,)))
        run.after(seconds, run.together.clear_faults)


class KeyRefused(Fault):
    """The key is refused for minutes, and then it serves again."""

    name = "unauthorized"

    def fits(self, scenario: Scenario, api: str) -> bool:
        """Where the key is not the matter itself."""
        return not scenario.name.startswith("rotate-")

    def arm(self, run: Run) -> None:
        """Deny it, and allow it again."""
        key = run.key
        run.together.keys(deny=[key])
        run.after(run.chance.uniform(2, 10), lambda: run.together.keys(allow=[key]))


class ListLags(Fault):
    """A new endpoint is not listed for nearly as long as the protocol allows."""

    name = "list-lags"

    def fits(self, scenario: Scenario, api: str) -> bool:
        """Where something is ordered."""
        return not scenario.stands

    def arm(self, run: Run) -> None:
        """Arm it for the whole run."""
        seconds = run.chance.uniform(0.3, 0.9) * TIMING.lag
        run.together.arm(
            {"method": "GET", "fault": "hide_in_list", "seconds": seconds, "times": -1}
        )


class InTheConsole(Fault):
    """A person, or Together itself, does something to the endpoint, once there is one.

    Args:
        name: What the table calls it.
        act: What is done, to the endpoint of this id.
        ends: The right ends instead, from the scenario's own.
        fits: In which scenarios.
        apis: In which generations.
    """

    def __init__(
        self,
        name: str,
        act: Callable[[Run, str], None],
        ends: Callable[[Goals], Goals],
        fits: Callable[[Scenario], bool],
        apis: tuple[str, ...] = ("V1", "V2"),
    ) -> None:
        self.name = name
        self._act = act
        self._ends = ends
        self._fits = fits
        self._apis = apis

    def fits(self, scenario: Scenario, api: str) -> bool:
        """In these scenarios."""
        return self._fits(scenario) and api in self._apis

    def arm(self, run: Run) -> None:
        """Wait until there is one, and then a little."""
        pause = run.chance.uniform(0, 2)

        def soon() -> None:
            run.after(pause, now)

        def now() -> None:
            for endpoint in run.live():
                if endpoint["id"] in {e["id"] for e in run.live()}:
                    run.note(f"{self.name}: {endpoint['id']} in {endpoint['state']}")
                    self._act(run, endpoint["id"])

        run.once(lambda: bool(run.live()) or run.over, soon)

    def goals(self, run: Run, goals: Goals) -> Goals:
        """What is so in the end is another thing."""
        if self.name == "removed" and run.plan.scenario.startswith("rotate-"):
            # Without the former key nobody can tell an endpoint that is gone from one that the
            # new key cannot see.
            goals = (*goals, Goal.of("CredentialMismatch", live=0))
        return self._ends(goals)


def _removed(run: Run, endpoint: str) -> None:
    """Remove it, or in API v2 what it is part of, with everything else in there."""
    (entry,) = (e for e in run.live() if e["id"] == endpoint)
    run.together.delete(entry[run.chance.choice(("id", "home"))])


def _missing(goals: Goals) -> Goals:
    """It is missing; unless it was not on record yet, and so ordered again or not to be had."""
    return (Goal.of("RemoteMissing", "AdoptionRefused", live=0), *goals)


def _stopped(run: Run, endpoint: str) -> None:
    if endpoint.startswith("dep_"):
        run.together.force(endpoint, autoscaling={"minReplicas": 0, "maxReplicas": 0})
    else:
        run.force(endpoint, "STOPPED")


def _stopped_remotely(goals: Goals) -> Goals:
    stopped = [replace(g.told("StoppedRemotely"), state="STOPPED", bounds=None) for g in goals[:1]]
    return (*stopped, *goals)


def _renamed(run: Run, endpoint: str) -> None:
    run.together.force(endpoint, display_name="Somebody's idea")


def _failed(run: Run, endpoint: str) -> None:
    run.force(endpoint, "ERROR")


def _endpoint_failed(goals: Goals) -> Goals:
    failed = [replace(g.told("EndpointFailed"), state="ERROR", bounds=None) for g in goals[:1]]
    return (*failed, *goals)


def _unknown(run: Run, endpoint: str) -> None:
    """A state that nobody knows, for a while."""
    (before,) = (e["state"] for e in run.live() if e["id"] == endpoint)
    run.force(endpoint, "MIGRATING")
    after = {"STOPPING": "STOPPED", "PENDING": "STARTED", "STARTING": "STARTED"}

    def back() -> None:
        for e in run.live():
            if e["id"] == endpoint and e["state"] == "MIGRATING":
                run.force(endpoint, after.get(before, before))

    run.after(run.chance.uniform(1, 3), back)


def _edited(scenario: Scenario) -> bool:
    """Where something else than its state is changed of what serves."""
    return scenario.name in ("scale", "rename")


def _standing(scenario: Scenario) -> bool:
    return scenario.stands


def _filled(scenario: Scenario) -> bool:
    """Where there is, or will be, more than a name with nothing in it."""
    return scenario.name != "delete-empty"


class Retired(Fault):
    """The account loses API v1 in the middle of a life: neither creates nor starts any more."""

    name = "retired"

    def fits(self, scenario: Scenario, api: str) -> bool:
        """Where something is in API v1."""
        return api == "V1" or scenario.name.startswith("move")

    def arm(self, run: Run) -> None:
        """Switch the profile."""
        run.after(run.chance.uniform(0, 1), lambda: run.together.profile("retired"))

    def goals(self, run: Run, goals: Goals) -> Goals:
        """What is there goes on; what was not ordered or started in time is not."""
        if run.plan.api == "V2":
            return goals
        closed = [Goal.of("V1Closed", live=0), Goal.of("V1Closed", state="STOPPED")]
        return (*goals, *closed) if goals[0].reasons else goals


_TEXT: Final = "upstream connect error or disconnect/reset before headers"

FAULTS: Final[dict[str, Fault]] = {
    fault.name: fault
    for fault in (
        Nothing(),
        Few("reset-before", {"fault": "reset_before"}),
        Few("reset-after", {"fault": "reset_after"}),
        Few("error-500", {"fault": "status", "status": 500}),
        Few("conflict-409", {"fault": "status", "status": 409}),
        Few("text-503", {"fault": "status", "status": 503, "body": _TEXT}),
        Few("unreadable-200", {"fault": "status", "status": 200, "body": "<html>"}),
        Few("slow-order", {"fault": "delay"}, methods=("POST",),
            seconds=(TIMING.post_timeout, TIMING.post_timeout + 3)),
        Few("slow-change", {"fault": "delay"}, methods=("PATCH", "DELETE"), most=1,
            seconds=(1.0, 12.0)),
        Few("late-effect", {"fault": "late_effect", "status": 503},
            seconds=(0.1, TIMING.late - 0.5)),
        Few("late-after-cut", {"fault": "late_effect", "status": 0}, methods=("POST",),
            seconds=(0.1, TIMING.late - 0.5)),
        LateBeyond(),
        Few("limited", {"fault": "status", "status": 429}, path=_EVERYTHING,
            methods=("GET", *_WRITES), most=4),
        Few("limited-until", {"fault": "status", "status": 429, "headers": {"Retry-After": "1"}},
            path=_EVERYTHING, methods=("GET", *_WRITES), most=3),
        Few("false-404", {"fault": "not_found"}, methods=("GET",), path=_ONE, most=1),
        Few("list-omits", {"fault": "omit"}, methods=("GET",), most=1),
        ListLags(),
        For("storm-503", {"status": 503}),
        For("storm-text", {"status": 502, "body": _TEXT}),
        For("storm-cut", {"fault": "reset_before"}),
        For("payment-402", {"status": 402}, methods=_WRITES),
        KeyRefused(),
        InTheConsole("removed", _removed, _missing, _filled),
        InTheConsole("stopped", _stopped, _stopped_remotely, _edited),
        InTheConsole("renamed", _renamed, lambda goals: goals, _standing, V1),
        InTheConsole("failed", _failed, _endpoint_failed, _edited),
        InTheConsole("unknown-state", _unknown, lambda goals: goals, _edited),
        Retired(),
        *V2_FAULTS,
        *KUBE_FAULTS,
        *PLANE_FAULTS,
    )
}  # fmt: skip
"""All of them, by name."""
