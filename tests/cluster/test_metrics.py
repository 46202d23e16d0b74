"""What the operator tells of itself over HTTP, while a resource lives its life."""

from __future__ import annotations

import json
import re
import urllib.request
from typing import Any

import pytest

from tests.cluster.resources import PROJECT
from tests.support.measure import samples
from tests.support.operator import OperatorProcess, eventually, manifest
from tests.support.team import Team

pytestmark = pytest.mark.timeout(300)

PREFIX = "together_operator_"
PRICE = 10.80


def test_health_and_readiness_name_what_they_depend_on(
    operator: OperatorProcess, team: Team
) -> None:
    team.together.arm({"fault": "status", "status": 503, "times": -1})
    for path in ("healthz", "readyz"):
        with urllib.request.urlopen(f"{operator.health}/{path}", timeout=5) as answer:
            assert answer.status == 200, "Together's trouble is no reason to restart the operator"
            told = json.load(answer)
        assert told["ok"] is True
        assert told["checks"]
        assert set(told["checks"].values()) == {"ok"}


def test_metrics_follow_a_life(operator: OperatorProcess, team: Team) -> None:
    team.together.arm(
        {"fault": "reset_after", "method": "POST", "path_regex": "^/v1/endpoints$"},
        {"fault": "hide_in_list", "method": "GET", "seconds": 3, "times": -1},
        {"fault": "status", "status": 503, "method": "PATCH"},
    )
    team.apply(manifest())
    team.until("mixtral", "Claiming")
    until_metric(operator, "resources", 1, namespace=team.name, reason="Claiming")
    found = team.until("mixtral", "Serving")
    until_metric(operator, "resources", 1, namespace=team.name, reason="Serving")
    assert metric(operator, "resources", namespace=team.name, reason="Claiming") == 0
    until_metric(operator, "price_per_hour_usd", PRICE, namespace=team.name)

    team.spec("mixtral", autoscaling={"minReplicas": 3})
    team.until("mixtral", "Serving")
    until_metric(operator, "price_per_hour_usd", 3 * PRICE, namespace=team.name)
    team.spec("mixtral", state="Stopped")
    team.until("mixtral", "Stopped")
    until_metric(operator, "resources", 1, namespace=team.name, reason="Stopped")
    until_metric(operator, "price_per_hour_usd", 0, namespace=team.name)
    team.delete()
    team.gone()
    until_metric(operator, "resources", 0, namespace=team.name)

    one = "/endpoints/{id}"
    for method, route, code in (
        ("GET", "/endpoints", "200"),
        ("POST", "/endpoints", "broken"),
        ("GET", one, "200"),
        ("PATCH", one, "200"),
        ("PATCH", one, "503"),
        ("DELETE", one, "204"),
        ("GET", one, "404"),
        ("POST", "/chat/completions", "200"),
        ("GET", "/hardware", "200"),
    ):
        calls = metric(
            operator, "remote_calls_total", api="v1", method=method, route=route, code=code
        )
        assert calls > 0, (method, route, code)
        timed = metric(
            operator, "remote_call_duration_seconds_count", api="v1", method=method, route=route
        )
        assert timed >= calls
    for trigger in ("create", "update", "stop", "delete", "poll"):
        assert metric(operator, "reconciles_total", trigger=trigger, result="ok") > 0, trigger
    assert metric(operator, "reconcile_duration_seconds_count", result="ok") > 0
    assert metric(operator, "polls_total", result="ok") > 0
    for lane in ("person", "remote", "resync"):
        assert samples(operator.metrics(), f"{PREFIX}queue_depth")
        assert metric(operator, "queue_depth", lane=lane) == 0
    assert metric(operator, "queue_wait_duration_seconds_count", lane="person") > 0
    for verb, resource in (
        ("update", "togetherendpoints"),
        ("patch", "togetherendpoints"),
        ("create", "secrets"),
        ("delete", "secrets"),
        ("create", "events"),
    ):
        assert metric(operator, "kubernetes_calls_total", verb=verb, resource=resource) > 0, verb
    assert metric(operator, "watch_restarts_total") == 0

    # What tells two endpoints apart would be a new series for each of them.
    text = operator.metrics()
    for secret in (found["status"]["endpointID"], found["status"]["name"], team.key, "mixtral"):
        assert secret not in text


def test_the_readme_names_the_metrics_that_there_are(operator: OperatorProcess, team: Team) -> None:
    team.apply(manifest())
    team.until("mixtral", "Serving")
    text = operator.metrics()
    named = set(re.findall(rf"{PREFIX}[a-z0-9_]+", (PROJECT / "README.md").read_text()))
    assert named
    for name in named:
        # Some have a value only once there is something to tell.
        assert f"\n{name}" in text or f"# TYPE {name} " in text, name


def metric(operator: OperatorProcess, name: str, **labels: str) -> float:
    """The sum of a metric over all samples with these labels; 0 without any."""
    found = samples(operator.metrics(), f"{PREFIX}{name}")
    return sum(value for has, value in found if labels.items() <= has.items())


def until_metric(operator: OperatorProcess, name: str, value: Any, **labels: str) -> None:
    """Wait until a metric has a value."""
    eventually(
        f"{name}{labels} is {value}",
        lambda: metric(operator, name, **labels) == pytest.approx(value),
        within=20,
    )
