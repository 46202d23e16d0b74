"""The judge of what is done in API v2.

What costs money there is a deployment that runs, and a deployment is the resource's by the mark in
the body of the request that made it. The simulator writes down when each of them ran, so that it is
no matter how often anybody looked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tests.chaos.kube import Object
from tests.chaos.run import Run
from tests.chaos.verdict import Verdict
from tests.support.judge import owner_of
from together_operator.core.marker import owner_tag

_DEPLOYMENT: Final = re.compile(r"^/v2/projects/[^/]+/endpoints/(?P<home>[^/]+)/deployments/(.+)$")
_ENDPOINT: Final = re.compile(r"^/v2/projects/[^/]+/endpoints/([^/]+)$")
_BRIEF: Final = 0.02
"""Seconds within which two books of the same moment may differ."""


def judge_v2(
    run: Run,
    ledger: Object,
    homes: Sequence[Object],
    recorded: set[str],
    verdict: Verdict,
    *,
    gone: bool,
) -> None:
    """Write into a verdict what the books say of the resource's deployments.

    Args:
        run: The run.
        ledger: The ledger.
        homes: The resource's endpoints in API v2.
        recorded: The ids of endpoints that its status ever told.
        verdict: What is known so far.
        gone: Whether the resource is gone, with which everything else has to go.
    """
    ours = [e for e in ledger["endpoints"] if _is_of(run, e)]
    requests = [r for r in ledger["requests"] if r["path"].startswith("/v2/projects/")]
    for entry in ledger["endpoints"]:
        by_api = entry["generation"] == "v2" and entry["key_id"] is not None
        if by_api and entry["project"] == run.project and not _is_of(run, entry):
            verdict.others.append(f"{entry['id']} was made by the API and bears no mark of ours")
    _together(run, ours, verdict)
    if gone:
        _leaks(run, [*ours, *homes], verdict)
    _deletions(run, requests, ours, recorded, verdict)
    _starts(run, requests, ours, verdict)
    _stops(run, requests, verdict)
    answers = [r for r in ledger["requests"] if r["path"] == "/v1/chat/completions"]
    _traffic(run, requests, answers, ours, verdict)


def _is_of(run: Run, entry: Object) -> bool:
    if entry["generation"] != "v2":
        return False
    return owner_of(entry["requested_display_name"]) == owner_tag(run.uid)


def _hours(entry: Object) -> Iterator[tuple[float, float]]:
    """When a deployment ran."""
    for since, until in entry["ran"]:
        yield since, time.time() if until is None else until


def _runs_at(entry: Object, at: float) -> bool:
    return any(since < at < until for since, until in _hours(entry))


def _together(run: Run, ours: Iterable[Object], verdict: Verdict) -> None:
    """Never two that run at a time, but while one takes the place of the other; never three."""
    ours = list(ours)
    moments = [since for entry in ours for since, _ in _hours(entry)]
    moments += [until for _, until in run.swaps if until != float("inf")]
    for moment in sorted(moments):
        at = moment + _BRIEF
        run_then = [entry["id"] for entry in ours if _runs_at(entry, at)]
        most = 2 if run.swapping_at(at) else 1
        if len(run_then) > most:
            told = ", ".join(run_then)
            verdict.duplicates.append(f"{told} ran together at {at - run.began:.2f} s")


def _leaks(run: Run, ours: Iterable[Object], verdict: Verdict) -> None:
    """What outlives its resource; of what came later than it may, only what costs money."""
    for entry in ours:
        free = "ran" not in entry
        if run.beyond and free:
            continue
        if entry["deleted_at"] is None:
            verdict.leaks.append(f"{entry['id']} lives, and its resource is gone")
        elif run.gone is not None and entry["deleted_at"] > run.gone and not run.beyond:
            late = entry["deleted_at"] - run.gone
            verdict.leaks.append(f"{entry['id']} outlived its resource by {late:.2f} s")


def _deletions(
    run: Run,
    requests: Iterable[Object],
    ours: Iterable[Object],
    recorded: set[str],
    verdict: Verdict,
) -> None:
    """Nothing on record is deleted while its resource lives; nothing of somebody else's is met."""
    ours = list(ours)
    for request in requests:
        if request["method"] not in ("PATCH", "DELETE"):
            continue
        at, unit = request["at"], request["path"].rpartition("/")[2]
        when = f"{request['method']} at {at - run.began:.3f} s"
        lives = run.deleted is None or at < run.deleted
        kept = request["method"] == "PATCH" and unit in run.retained and lives
        if unit in run.strangers and not kept:
            verdict.lost.append(f"{unit}, somebody else's, was met by a {when}")
        if request["method"] == "PATCH" or not lives:
            continue
        if at >= run.moving.called_off:
            continue
        if unit in recorded:
            verdict.lost.append(f"{unit}, on record, was deleted by a {when}")
        others = [e for e in ours if e["id"] != unit and e["created_at"] < at]
        alone = all(e["deleted_at"] is not None and e["deleted_at"] < at for e in others)
        if unit.startswith("dep_") and alone:
            verdict.lost.append(f"{unit}, the only one, was deleted by a {when}")


def _bounds(request: Object) -> tuple[str, int] | None:
    """Which deployment is to have how many replicas at least, if that is what is asked."""
    found = _DEPLOYMENT.match(request["path"])
    body = request["body"]
    if request["method"] != "PATCH" or found is None or not isinstance(body, dict):
        return None
    scaling = body.get("autoscaling")
    return (found[2], scaling["minReplicas"]) if scaling else None


def _starts(run: Run, requests: Iterable[Object], ours: Iterable[Object], verdict: Verdict) -> None:
    """No start that was not asked for when it was decided on; what is ordered does not run (I8)."""
    known = {entry["id"]: entry for entry in ours}
    for request in requests:
        at, body = request["at"], request["body"]
        if request["method"] == "POST" and request["path"].endswith("/deployments"):
            if isinstance(body, dict) and body["autoscaling"]["minReplicas"] > 0:
                verdict.wrong_starts.append(f"an order that runs at {at - run.began:.3f} s")
            continue
        asked = _bounds(request)
        # What was refused has started nothing.
        refused = request["status"] is not None and 400 <= request["status"] < 500
        if asked is None or asked[1] == 0 or refused:
            continue
        entry = known.get(asked[0])
        if entry is None or _runs_at(entry, at):
            continue
        again = any(until <= at for _, until in _hours(entry))
        if not run.wishes.had(at, "Started", start=again):
            verdict.wrong_starts.append(f"{asked[0]} at {at - run.began:.3f} s")


def _stops(run: Run, requests: Iterable[Object], verdict: Verdict) -> None:
    """No stop that was not asked for, but of what has no part of the traffic (any more)."""
    routed: set[str] = set()
    for request in requests:
        at, split = request["at"], _split(request)
        answered = request["status"] is not None and request["status"] < 300
        if split is not None and answered:
            routed = {one for one, weight in split.items() if weight > 0}
        elif split is not None and (request["status"] is None or request["status"] >= 500):
            # It may have come about, now or later: then only this is still in it.
            routed &= {one for one, weight in split.items() if weight > 0}
        asked = _bounds(request)
        if asked is None or asked[1] > 0 or asked[0] not in routed:
            continue
        ending = run.deleted is not None and at >= run.deleted
        ending = ending or at >= run.moving.called_off
        if not ending and not run.wishes.had(at, "Stopped"):
            verdict.wrong_stops.append(f"{asked[0]} at {at - run.began:.3f} s")


def _split(request: Object) -> dict[str, float] | None:
    """The traffic that a request writes, by deployment."""
    body = request["body"]
    if request["method"] != "PATCH" or _ENDPOINT.match(request["path"]) is None:
        return None
    if not isinstance(body, dict) or "trafficSplit" not in body:
        return None
    return {entry["deploymentId"]: entry["weight"] for entry in body["trafficSplit"]}


def _traffic(
    run: Run,
    requests: Iterable[Object],
    answers: Iterable[Object],
    ours: Iterable[Object],
    verdict: Verdict,
) -> None:
    """The entries of others stay as they are, and traffic moves to what runs and has answered."""
    known = {entry["id"]: entry for entry in ours}
    tried = [(r["at"], str(r["body"]["model"])) for r in answers if r["status"] == 200]
    before: set[str] = set()
    for request in requests:
        split, at = _split(request), request["at"]
        if split is None or request["status"] != 200:
            continue
        when = f"at {at - run.began:.3f} s"
        for guest, (weight, since) in run.guests.items():
            if at > since and split.get(guest) != weight:
                verdict.lost.append(f"the traffic of {guest}, somebody else's, was taken {when}")
        ending = run.deleted is not None and at >= run.deleted
        to = {one for one in split if one in known}
        if run.swapping_at(at) and not ending:
            if not any(_runs_at(known[one], at) for one in to):
                verdict.others.append(f"the traffic goes to nothing that runs {when}")
            for one in to - before:
                own = f"/{known[one]['requested_display_name']}"
                if not any(then <= at and name.endswith(own) for then, name in tried):
                    verdict.others.append(f"the traffic goes to {one}, which was not tried, {when}")
        before = to
    if run.plan.fault in ("none", "guest") or run.plan.fault.startswith(("kube-", "watch-")):
        _gaps(run, known.values(), verdict)


def _gaps(run: Run, ours: Iterable[Object], verdict: Verdict) -> None:
    """While one takes the place of another, something runs all the time."""
    hours = sorted(hour for entry in ours for hour in _hours(entry))
    for since, until in run.swaps:
        at = since
        for began, ended in hours:
            if began <= at:
                at = max(at, ended)
        if until != float("inf") and at < until:
            verdict.lost.append(f"nothing ran at {at - run.began:.2f} s, in the middle of a swap")
