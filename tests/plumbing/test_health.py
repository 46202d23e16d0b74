"""Health and metrics as kubelet and Prometheus see them."""

from __future__ import annotations

import logging
import socket
from decimal import Decimal

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from together_operator import __version__
from together_operator.controller.health import HealthServer, PortTakenError
from together_operator.metrics import Metrics

HOST = "127.0.0.1"


def server(metrics: Metrics | None = None, **checks: str | None) -> HealthServer:
    return HealthServer(
        health_port=0,
        metrics_port=0,
        metrics=metrics or Metrics(),
        alive={name: lambda words=words: words for name, words in checks.items()},
        ready={"watch": lambda: "not listed yet"},
    )


async def get(port: int, path: str, **headers: str) -> tuple[int, str, str]:
    url = f"http://{HOST}:{port}{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.get(url, headers=headers) as response,
    ):
        return response.status, response.headers["Content-Type"], await response.text()


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_a_healthy_operator_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with server(watch=None, poller=None) as health:
        status, content_type, text = await get(health.health_port, "/healthz")
    assert status == 200
    assert content_type.startswith("application/json")
    assert text == '{"ok": true, "checks": {"watch": "ok", "poller": "ok"}}'
    assert caplog.messages == [
        f"Serving health on port {health.health_port}",
        f"Serving metrics on port {health.metrics_port}",
    ]


async def test_what_is_wrong_is_named() -> None:
    async with server(watch="silent for 301 s", poller=None) as health:
        status, _, text = await get(health.health_port, "/healthz")
        assert status == 503
        assert '"watch": "silent for 301 s"' in text
        assert '"poller": "ok"' in text
        status, _, text = await get(health.health_port, "/readyz")
        assert status == 503
        assert '"watch": "not listed yet"' in text
        status, _, _ = await get(health.health_port, "/metrics")
        assert status == 404, "metrics have a port of their own"


async def test_a_taken_port_is_an_error_and_leaves_nothing_open() -> None:
    with socket.create_server((HOST, 0)) as taken:
        health = HealthServer(
            health_port=0,
            metrics_port=taken.getsockname()[1],
            metrics=Metrics(),
            alive={},
            ready={},
        )
        with pytest.raises(PortTakenError, match=r"--metrics-port \d+: Address already in use"):
            async with health:
                pass
        with pytest.raises(aiohttp.ClientConnectionError):
            await get(health.health_port, "/healthz")


async def test_metrics_tell_what_was_counted() -> None:
    metrics = Metrics()
    depth = 3
    metrics.queue_depth("person", lambda: depth)
    metrics.reconciled({"update", "poll"}, "changed", 0.2)
    metrics.waited("person", 0.01)
    metrics.polled("ok")
    metrics.remote_call("GET", "/endpoints/{id}", "200", 0.1)
    metrics.remote_call("POST", "/endpoints", "timeout", 60.0)
    metrics.kube_call("update", "togetherendpoints", "200")
    metrics.watch_restarted()
    metrics.resource("ml", "a", "Serving", Decimal("5.49"), "V1")
    metrics.resource("ml", "b", "Creating", Decimal(0), "V1")
    metrics.resource("chat", "a", "Serving", Decimal("11.00"), "V1")
    metrics.resource("ml", "b", "Serving", Decimal("0.01"), "V2")
    metrics.resource("ml", "c", "Stopped", Decimal(0), "V2")
    metrics.resource_gone("ml", "c")
    metrics.resource_gone("ml", "never-there")
    metrics.remote_call("GET", "/v2/projects/{project}/endpoints", "200", 0.1)
    metrics.other_clusters("key-a", "V1", 2)
    metrics.other_clusters("key-a", "V2", 3)
    metrics.other_clusters("key-b", "V1", 1)
    metrics.other_clusters("key-b", "V1", None)
    closed: list[str] = []
    metrics.v1_closed(lambda: closed)
    async with server(metrics) as health:
        depth = 7
        closed.append("key-a")
        status, content_type, text = await get(health.metrics_port, "/metrics")
    assert status == 200
    assert content_type.startswith("text/plain")
    found = samples(text)

    def value(name: str, **labels: str) -> float | None:
        return found.get((f"together_operator_{name}", frozenset(labels.items())))

    assert value("reconciles_total", trigger="update", result="changed") == 1
    assert value("reconciles_total", trigger="poll", result="changed") == 1
    assert value("reconcile_duration_seconds_count", result="changed") == 1
    assert value("queue_depth", lane="person") == 7
    assert value("queue_wait_duration_seconds_count", lane="person") == 1
    assert value("polls_total", result="ok") == 1
    assert value("resources_by_api", namespace="ml", api="V1") == 1
    assert value("resources_by_api", namespace="ml", api="V2") == 1
    assert value("resources_by_api", namespace="chat", api="V1") == 1
    assert value("api_v1_closed", credential="key-a") == 1
    assert value("other_clusters_endpoints", credential="key-a") == 5
    assert value("other_clusters_endpoints", credential="key-b") is None
    listed = {"api": "v2", "method": "GET", "route": "/v2/projects/{project}/endpoints"}
    assert value("remote_calls_total", **listed, code="200") == 1
    remote = {"api": "v1", "method": "GET", "route": "/endpoints/{id}"}
    assert value("remote_calls_total", **remote, code="200") == 1
    assert value("remote_call_duration_seconds_sum", **remote) == pytest.approx(0.1)
    assert (
        value("remote_calls_total", api="v1", method="POST", route="/endpoints", code="timeout")
        == 1
    )
    kubernetes = {"verb": "update", "resource": "togetherendpoints", "code": "200"}
    assert value("kubernetes_calls_total", **kubernetes) == 1
    assert value("watch_restarts_total") == 1
    assert value("resources", namespace="ml", reason="Serving") == 2
    assert value("resources", namespace="ml", reason="Stopped") is None, "no stale series"
    assert value("price_per_hour_usd", namespace="ml") == 5.50
    assert value("price_per_hour_usd", namespace="chat") == 11.0
    python = next(dict(labels) for name, labels in found if name == "together_operator_build_info")
    assert python["version"] == __version__
    assert ("process_resident_memory_bytes", frozenset()) in found


async def test_prometheus_gets_the_format_it_asks_for() -> None:
    async with server() as health:
        _, content_type, text = await get(
            health.metrics_port, "/metrics", Accept="application/openmetrics-text; version=1.0.0"
        )
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_two_operators_in_one_process_do_not_add_up() -> None:
    first, second = Metrics(), Metrics()
    first.polled("ok")
    assert 'polls_total{result="ok"} 1.0' in first.exposition("")[0].decode()
    assert 'polls_total{result="ok"}' not in second.exposition("")[0].decode()
