"""What is measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.bench.figures import Figure, percentile
from tests.bench.stage import INTERVAL, Stage
from tests.support.judge import Judge
from tests.support.measure import all_serve, kubernetes_writes, many, reconciles
from tests.support.operator import eventually, manifest
from tests.support.team import Team

_WRITES = "togetherendpoints"
_EDITS = 40


def create(stage: Stage) -> list[Figure]:
    """What one create costs, from nothing to Ready."""
    team = stage.teams[0]
    writes, began = kubernetes_writes(stage.operator), time.time()
    team.apply(manifest("first"))
    team.until("first", "Serving")
    judge = Judge.of(stage.operator, team, "first")
    after = kubernetes_writes(stage.operator)
    done = {what: count - writes.get(what, 0) for what, count in after.items()}
    own = sum(count for (_, resource), count in done.items() if resource == _WRITES)
    copies = sum(count for (_, resource), count in done.items() if resource == "secrets")
    history = team.history("first")
    states = len({v["status"]["state"] for v in history if "state" in v.get("status", {})})
    asked = stage.operator.simulator.admin.ledger(began)["requests"]
    probes = sum(r["path"] == "/v1/chat/completions" and r["status"] == 200 for r in asked)
    subject = "One create, until it is Ready"
    return [
        Figure(subject, "writes of the resource", own, budget=f"≤ 3, and 1 per state ({states})"),
        Figure(subject, "writes of the key copy", copies, budget="1"),
        Figure(subject, "create requests", len(judge.posts()), budget="1"),
        Figure(subject, "probes that were answered", probes, budget="1"),
    ]


def burst(stage: Stage, count: int) -> list[Figure]:
    """Many new resources at once."""
    team = stage.teams[0]
    names = [f"burst-{number}" for number in range(count)]
    before = len(team.posts())
    cpu, began = stage.metric("process_cpu_seconds_total"), time.time()
    many(team, names)
    eventually("all are ordered", lambda: len(team.posts()) == before + count, within=600)
    last = max(request["at"] for request in team.posts())
    all_serve(team, names, within=600)
    ready = time.time()
    used = stage.metric("process_cpu_seconds_total") - cpu
    subject = f"{count} new resources at once"
    return [
        Figure(subject, "until the last order", last - began, "s"),
        Figure(subject, "until all are Ready", ready - began, "s"),
        Figure(subject, "processor time of the operator for each", 1000 * used / count, "ms"),
        Figure(subject, "orders", len(team.posts()) - before, budget=str(count)),
    ]


def idle(stage: Stage, seconds: int) -> list[Figure]:
    """What everything costs while nothing happens."""
    operator = stage.operator
    settle(stage)
    count = stage.metric("together_operator_resources")
    writes, worked = kubernetes_writes(operator), reconciles(operator)
    cpu, began = stage.metric("process_cpu_seconds_total"), time.time()
    time.sleep(seconds)
    requests = operator.simulator.admin.ledger(began)["requests"]
    lists = sum(r["path"] == "/v1/endpoints" and r["method"] == "GET" for r in requests)
    used = stage.metric("process_cpu_seconds_total") - cpu
    written = sum(kubernetes_writes(operator).values()) - sum(writes.values())
    keys = len({r["key_id"] for r in requests})
    subject = f"{count:.0f} resources idle for {seconds} s"
    return [
        Figure(
            subject, "LISTs per key and interval", lists / keys / (seconds / INTERVAL), "", "≤ 1"
        ),
        Figure(subject, "other requests to Together", len(requests) - lists, budget="0"),
        Figure(subject, "writes to Kubernetes", written, budget="0"),
        Figure(subject, "resources worked on", reconciles(operator) - worked, budget="0"),
        Figure(subject, "processor", 100 * used / (time.time() - began), "% of a core"),
        Figure(subject, "memory", stage.metric("process_resident_memory_bytes") / 2**20, "MiB"),
    ]


def edits(stage: Stage) -> list[Figure]:
    """How soon a person's change is under way to Together: at rest, and beside another's storm."""
    team, other = stage.teams
    team.apply(manifest("edited"))
    names = [f"storm-{number}" for number in range(20)]
    many(other, names)
    team.until("edited", "Serving")
    all_serve(other, names)
    settle(stage)
    calm = _edit(stage, team, "edited")
    stop = False

    def storm() -> None:
        number = 0
        while not stop:
            number += 1
            stage.edit(
                other, names[number % len(names)], autoscaling={"maxReplicas": 2 + number % 50}
            )

    with ThreadPoolExecutor(4) as pool:
        storms = [pool.submit(storm) for _ in range(4)]
        busy = _edit(stage, team, "edited")
        stop = True
    stormed = sum(storm.done() and storm.exception() is None for storm in storms)
    subject = "An edit, until it is at Together"
    figures = []
    for when, found, budget in (("at rest", calm, "≤ 300"), ("in others' storm", busy, "≤ 1000")):
        for share in (0.5, 0.99):
            value = 1000 * percentile(found, share)
            told = budget if share == 0.99 else ""
            figures.append(Figure(subject, f"p{share * 100:.0f} {when}", value, "ms", told))
    ratio = percentile(busy, 0.5) / percentile(calm, 0.5)
    figures.append(Figure(subject, f"p50 in a storm of {stormed} editors to p50 at rest", ratio))
    return figures


def _edit(stage: Stage, team: Team, name: str) -> list[float]:
    """Edit a resource again and again, each time once the former edit has arrived."""
    done = len(team.patches())
    return [_latency(stage, team, name, number) for number in range(done, done + _EDITS)]


def _latency(stage: Stage, team: Team, name: str, number: int) -> float:
    bounds = {"minReplicas": 1 + (number + 1) % 60, "maxReplicas": 90}
    sent = stage.edit(team, name, autoscaling=bounds)
    arrived: float = eventually("it arrives", lambda: _arrival(team, number), every=0.02)
    return arrived - sent


def _arrival(team: Team, number: int) -> float | None:
    changes = team.requests("PATCH", "/v1/endpoints")
    return float(changes[number]["at"]) if len(changes) > number else None


def restart(stage: Stage) -> list[Figure]:
    """What a restart costs."""
    operator = stage.operator
    settle(stage)
    count = stage.metric("together_operator_resources")
    operator.stop()
    began = time.time()
    operator.start()
    ready = time.time() - began
    eventually("all are looked at", lambda: reconciles(operator, "resume") >= count)
    worked = time.time() - began
    requests = operator.simulator.admin.ledger(began)["requests"]
    subject = f"A restart with {count:.0f} resources"
    return [
        Figure(subject, "until it is ready", ready, "s", "≤ 10"),
        Figure(subject, "until all were looked at", worked, "s"),
        Figure(subject, "writes to Together", sum(r["method"] != "GET" for r in requests), "", "0"),
        Figure(subject, "writes to Kubernetes", sum(kubernetes_writes(operator).values()), "", "0"),
    ]


def settle(stage: Stage) -> None:
    """Wait until nothing is worked on any more, over two polls."""

    def quiet() -> bool:
        before = reconciles(stage.operator)
        time.sleep(2 * INTERVAL)
        return reconciles(stage.operator) == before

    eventually("the operator is at rest", quiet, within=300)


Scenario = Callable[[Stage], list[Figure]]
