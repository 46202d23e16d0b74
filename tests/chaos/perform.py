"""A run from its plan to its verdict."""

from __future__ import annotations

import json
import time
import traceback

from tests.chaos.faults import FAULTS
from tests.chaos.goal import Goal
from tests.chaos.judge import judge
from tests.chaos.kube import KubeAwayError
from tests.chaos.plan import Plan
from tests.chaos.run import NotJudgedError, Run
from tests.chaos.scenarios import SCENARIOS
from tests.chaos.stage import Stage
from tests.chaos.timing import SWEEP
from tests.chaos.verdict import Verdict
from tests.support.operator import reason_of


def perform(stage: Stage, plan: Plan) -> Verdict:
    """Have a run, and judge it.

    Args:
        stage: Where it takes place; not to be used any more if the verdict is not good.
        plan: What it is.

    Returns:
        What became of it. A run that cannot be judged has not passed.
    """
    run = Run(stage, plan)
    crashes = [str(crash) for crash in plan.crashes]
    verdict = Verdict(plan.seed, plan.scenario, plan.fault, plan.api, crashes)
    try:
        _play(run, verdict)
    except Exception as error:  # noqa: BLE001 (whatever it is, the run has not passed)
        verdict.others.append(f"{type(error).__name__}: {error}")
        verdict.notes.append(traceback.format_exc(limit=-4))
        verdict.converged = None
        _judge_nevertheless(run, verdict)
    finally:
        stage.tracker.disarm()
    verdict.reached = run.reached
    verdict.seconds = time.time() - run.began
    verdict.notes = [*run.notes, *verdict.notes]
    if not verdict.passed:
        verdict.notes += _evidence(run)
    return verdict


def _play(run: Run, verdict: Verdict) -> None:
    scenario, fault = SCENARIOS[run.plan.scenario], FAULTS[run.plan.fault]
    run.open()
    scenario.prepare(run)
    fault.arm(run)
    run.arm_crashes()
    run.disturbed()
    scenario.act(run)
    goals = fault.goals(run, scenario.goals(run))

    def settled() -> Goal | None:
        found, books = run.read(), run.books()
        moving = run.moving.at(time.time())
        most = 2 if run.swapping or moving else 1
        crowd = books.apart() > (2 if moving else 1) or len(books.running()) > most
        if crowd and not run.beyond:
            raise NotJudgedError("more than one of it lives; there is nothing to wait for")
        return next((goal for goal in goals if goal.reached(found, books)), None)

    goal = run.until(f"one of {[sorted(g.reasons) for g in goals]}", settled, calm=True)
    verdict.converged = max(0.0, time.monotonic() - run.calm)
    run.swapped()
    run.moving.until = time.time()
    verdict.counts = run.stage.tracker.counts()
    run.note(f"settled: {sorted(goal.reasons) or 'gone'} with {goal.live} live")
    run.spare()
    _end(run, verdict)
    judge(run, verdict, gone=True)


def _judge_nevertheless(run: Run, verdict: Verdict) -> None:
    """What has not come to its end may have gone wrong on the way, and that is worth knowing."""
    if not run.uid:
        return
    try:
        judge(run, verdict, gone=run.read() is None)
    except Exception as error:  # noqa: BLE001 (it has not passed anyway)
        verdict.notes.append(f"nor could it be judged: {type(error).__name__}: {error}")


def _end(run: Run, verdict: Verdict) -> None:
    """The end of the resource, in peace; nothing may be left of it."""
    late = time.monotonic() + run.lateness
    found = run.read()
    if reason_of(found or {}) == "AdoptionRefused":
        # What was not taken over is not the resource's to remove.
        run.retained = run.by_hand
    run.strangers |= run.retained
    run.together.keys(allow=run.keys)
    if found is not None and "deletionTimestamp" not in found["metadata"]:
        run.delete()
    if run.guests and not run.retained:
        _see_off(run)
    run.until("the resource is gone", lambda: run.read() is None)
    # What may still come of what was sent is waited for: it must not, or it must be taken back.
    run.until("late effects are over", lambda: time.monotonic() > late)
    run.until("nothing of it is left at Together", lambda: _nothing_left(run))
    if run.namespace_goes:
        run.until("the namespace is gone", lambda: not run.kube.namespace_exists())
        run.kube.create_namespace()
    if not FAULTS[run.plan.fault].exclusive:  # those end the watch that shows the copies
        _copies(run, verdict)
    run.note("gone")
    run.sweep()


def _see_off(run: Run) -> None:
    """What a person has put into the endpoint holds its deletion up, until they take it out."""
    run.until("it asks for a person", lambda: reason_of(run.read() or {}) == "DeletionBlocked")
    for guest in run.guests:
        run.together.delete(guest)


def _nothing_left(run: Run) -> bool:
    """Whether nothing is left; what comes later than it may is an endpoint that costs nothing."""
    books = run.books()
    return not books.live and (run.beyond or not books.homes)


def _copies(run: Run, verdict: Verdict) -> None:
    """The copy of the key was there as long as it was needed, and is not any more."""
    stream, place = run.stage.operator.space.stream, (run.kube.namespace, run.name)

    def wrong() -> list[str]:
        gone = stream.deleted(*place)
        if gone is None:
            return ["the watch does not show yet that the resource is gone"]
        return run.stage.copies.faults(run.uid, stream.history(*place), gone)

    try:
        run.until("its key copy is right", lambda: not wrong(), within=SWEEP)
    except NotJudgedError:
        verdict.others += wrong()


def _evidence(run: Run) -> list[str]:
    """What a person wants to see after a failure."""
    found: list[str] = ["--- the resource, as kubectl shows it"]
    try:
        found.append(json.dumps(run.read(), indent=1))
    except KubeAwayError as error:
        found.append(str(error))
    ledger = run.ledger()
    found.append("--- the ledger")
    found += [json.dumps(endpoint) for endpoint in ledger["endpoints"]]
    for request in ledger["requests"]:
        at = request["at"] - run.began
        body = json.dumps(request["body"]) if request["body"] else ""
        found.append(f"{at:8.3f} {request['method']} {request['path']} {request['status']} {body}")
    found += ["--- the operator's log", run.stage.log_since(run.log)[-60_000:]]
    return found
