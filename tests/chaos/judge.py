"""The judge: Together's books and what kubectl shows, and nothing that the operator says of itself.

Endpoints of API v1 are counted for a resource by the mark in the body of the request that made
them, never by the name that they have now; what is done in API v2 is judged in `judge_v2`.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable
from typing import Final

from tests.chaos.judge_v2 import judge_v2
from tests.chaos.kube import Object
from tests.chaos.run import Run
from tests.chaos.timing import BEYOND
from tests.chaos.verdict import Verdict
from tests.support.contract import violations
from tests.support.judge import owner_of
from tests.support.leaks import leaks
from together_operator.core.marker import owner_tag

_SLACK: Final = 5.0
"""Seconds that a slow machine may add to a bound."""


def judge(run: Run, verdict: Verdict, *, gone: bool) -> None:
    """Write into a verdict what the books say of a run that is over.

    Args:
        run: The run.
        verdict: What is known so far.
        gone: Whether its resource is gone, with which everything else has to go.
    """
    ledger = run.ledger()
    ours = [e for e in ledger["endpoints"] if e["generation"] == "v1" and _is_of(run, e)]
    # Wherever it is, there is one: an endpoint of API v2 costs nothing, and is one nevertheless.
    homes = [
        home
        for home in ledger["v2_endpoints"]
        if home["project"] == run.project and home["id"] not in run.strangers
    ]
    versions = run.stage.operator.space.stream.history(run.kube.namespace, run.name)
    recorded = {
        v["status"]["endpointID"] for v in versions if v.get("status", {}).get("endpointID")
    }
    requests = [r for r in ledger["requests"] if r["path"].startswith("/v1/endpoints")]
    _overlaps(run, [*ours, *homes], recorded, verdict)
    if gone:
        _leaks(run, ours, verdict)
    _deletions(run, requests, recorded, verdict)
    _states(run, requests, verdict)
    judge_v2(run, ledger, homes, recorded, verdict, gone=gone)
    _secrets(run, versions, verdict)
    for version in versions:
        meta = version["metadata"]
        verdict.others += [f"@{meta['resourceVersion']}: {text}" for text in violations(version)]


def _is_of(run: Run, endpoint: Object) -> bool:
    """Whether an endpoint was made on behalf of the run's resource."""
    return owner_of(endpoint["requested_display_name"]) == owner_tag(run.uid)


def _overlaps(run: Run, ours: list[Object], recorded: set[str], verdict: Verdict) -> None:
    lives = sorted(ours, key=lambda e: float(e["created_at"]))
    for first, second in itertools.combinations(lives, 2):
        end = min(_end(first), _end(second))
        begin = max(first["created_at"], second["created_at"])
        together = end - begin
        apart = first.get("generation") != second.get("generation")
        if apart and run.moving.at(begin) and end <= run.moving.until:
            continue
        if together <= 0:
            continue
        what = f"{first['id']} and {second['id']} lived together for {together:.2f} s"
        if not run.beyond:
            verdict.duplicates.append(what)
        elif together > BEYOND + run.downtime + _SLACK:
            verdict.duplicates.append(f"{what}, which is too long even for a late effect")
        elif first["id"] in recorded and second["id"] in recorded:
            verdict.lost.append(f"both {first['id']} and {second['id']} were on record")


def _end(endpoint: Object) -> float:
    deleted: float | None = endpoint["deleted_at"]
    return time.time() if deleted is None else deleted


def _leaks(run: Run, ours: Iterable[Object], verdict: Verdict) -> None:
    """What outlives its resource, even if it is taken back later."""
    for endpoint in ours:
        if endpoint["deleted_at"] is None:
            verdict.leaks.append(f"{endpoint['id']} lives, and its resource is gone")
        elif not run.beyond and run.gone is not None and endpoint["deleted_at"] > run.gone:
            late = endpoint["deleted_at"] - run.gone
            verdict.leaks.append(f"{endpoint['id']} outlived its resource by {late:.2f} s")


def _deletions(run: Run, requests: Iterable[Object], recorded: set[str], verdict: Verdict) -> None:
    """Nothing on record is deleted while its resource lives, and nothing of somebody else's."""
    for request in requests:
        if request["method"] != "DELETE":
            continue
        endpoint = request["path"].rpartition("/")[2]
        early = run.deleted is None or request["at"] < run.deleted
        if endpoint in run.strangers:
            verdict.lost.append(f"{endpoint}, somebody else's, was deleted")
        elif early and endpoint in recorded and request["at"] < run.moving.confirmed:
            verdict.lost.append(f"{endpoint}, on record, was deleted while its resource lived")


def _states(run: Run, requests: Iterable[Object], verdict: Verdict) -> None:
    """No stop and no start that was not asked for when it was decided on (I8)."""
    wishes = run.wishes
    for request in requests:
        body = request["body"] if isinstance(request["body"], dict) else {}
        state, at = body.get("state"), request["at"]
        if request["method"] == "PATCH" and state == "STOPPED":
            if not wishes.had(at, "Stopped"):
                verdict.wrong_stops.append(f"{request['path']} at {at - run.began:.3f} s")
        elif request["method"] == "PATCH" and state == "STARTED":
            if not wishes.had(at, "Started", start=True):
                verdict.wrong_starts.append(f"{request['path']} at {at - run.began:.3f} s")
        elif request["method"] == "POST" and state != "STOPPED" and not wishes.had(at, "Started"):
            verdict.wrong_starts.append(f"an order at {at - run.began:.3f} s")


def _secrets(run: Run, versions: list[Object], verdict: Verdict) -> None:
    """No byte of a key in anything that the operator emits (I6)."""
    emitted = {
        "the log": run.stage.log_since(run.log),
        "the status": json.dumps(versions),
        "an event": json.dumps(run.kube.events()),
        "the metrics": run.stage.metrics(),
    }
    verdict.keys += leaks(emitted, run.keys)
