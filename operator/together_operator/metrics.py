"""What the operator tells Prometheus.

One object with a registry of its own is handed to whoever has something to count: without global
state two operators in one process (tests) do not add up, and a metric that nobody feeds is seen.
Labels are few and bounded; none carries a model, an endpoint id or key material.
"""

from __future__ import annotations

import platform
import re
from collections import Counter as Count
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from together_operator import __version__

_VERSIONED = re.compile(r"/v\d+/")
_SECONDS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class _Resource(NamedTuple):
    reason: str
    price: Decimal
    api: str


class _Resources(Collector):
    """Sums over the resources as they are when Prometheus asks, so that no series goes stale."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], _Resource] = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        reasons: Count[tuple[str, str]] = Count()
        generations: Count[tuple[str, str]] = Count()
        prices: dict[str, Decimal] = {}
        for (namespace, _), resource in self.known.items():
            reasons[namespace, resource.reason] += 1
            generations[namespace, resource.api] += 1
            prices[namespace] = prices.get(namespace, Decimal(0)) + resource.price
        count = GaugeMetricFamily(
            "together_operator_resources",
            "TogetherEndpoints by the reason of their Ready condition.",
            labels=("namespace", "reason"),
        )
        for labels, number in sorted(reasons.items()):
            count.add_metric(labels, number)
        yield count
        carried = GaugeMetricFamily(
            "together_operator_resources_by_api",
            "TogetherEndpoints by the generation of Together's API that carries their endpoint, or "
            "would.",
            labels=("namespace", "api"),
        )
        for labels, number in sorted(generations.items()):
            carried.add_metric(labels, number)
        yield carried
        price = GaugeMetricFamily(
            "together_operator_price_per_hour_usd",
            "What the running replicas cost per hour, in US dollars, before taxes and discounts.",
            labels=("namespace",),
        )
        for namespace, amount in sorted(prices.items()):
            price.add_metric((namespace,), float(amount))
        yield price


class _Orphans(Collector):
    """What nobody in this cluster answers for, by the newest LIST of each key."""

    def __init__(self) -> None:
        self.known: Mapping[tuple[str, str], tuple[int, Decimal]] = {}
        self.others: dict[tuple[str, str], int] = {}

    def collect(self) -> Iterator[GaugeMetricFamily]:
        labels = ("credential", "why")
        count = GaugeMetricFamily(
            "together_operator_orphans",
            "Endpoints at Together that no resource answers for, by the identity of the key that "
            "sees them and why.",
            labels=labels,
        )
        price = GaugeMetricFamily(
            "together_operator_orphans_price_per_hour_usd",
            "What the running ones of them cost per hour, in US dollars, where the price is known.",
            labels=labels,
        )
        for values, (number, amount) in sorted(self.known.items()):
            count.add_metric(values, number)
            price.add_metric(values, float(amount))
        yield count
        yield price
        others = GaugeMetricFamily(
            "together_operator_other_clusters_endpoints",
            "Endpoints at Together that carry the mark of another cluster, by the identity of the "
            "key that sees them.",
            labels=labels[:1],
        )
        seen: Count[str] = Count()
        for (credential, _), number in self.others.items():
            seen[credential] += number
        for credential, number in sorted(seen.items()):
            others.add_metric((credential,), number)
        yield others


class _Closed(Collector):
    """The keys to which the first generation of the API is closed, as they are when asked for."""

    def __init__(self) -> None:
        self.read: Callable[[], Iterable[str]] = tuple

    def collect(self) -> Iterator[GaugeMetricFamily]:
        closed = GaugeMetricFamily(
            "together_operator_api_v1_closed",
            "Keys by identity, 1 each, with which Together has refused to create endpoints in API "
            "v1, so that `api: Auto` uses v2.",
            labels=("credential",),
        )
        for credential in sorted(self.read()):
            closed.add_metric((credential,), 1)
        yield closed


class Metrics:
    """Everything that is counted and measured."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._resources = _Resources()
        self.registry.register(self._resources)
        self._orphans = _Orphans()
        self.registry.register(self._orphans)
        self._closed = _Closed()
        self.registry.register(self._closed)
        ProcessCollector(registry=self.registry)
        build = Info("together_operator_build", "The running version.", registry=self.registry)
        build.info({"version": __version__, "python": platform.python_version()})
        self._reconciles = Counter(
            "together_operator_reconciles",
            "Reconciles by trigger and result; with several triggers it counts for each of them.",
            ("trigger", "result"),
            registry=self.registry,
        )
        self._reconcile_seconds = Histogram(
            "together_operator_reconcile_duration_seconds",
            "How long a reconcile took, by result.",
            ("result",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._queue_depth = Gauge(
            "together_operator_queue_depth",
            "Resources that wait for a worker, by lane.",
            ("lane",),
            registry=self.registry,
        )
        self._queue_seconds = Histogram(
            "together_operator_queue_wait_duration_seconds",
            "How long a resource waited for a worker, by lane.",
            ("lane",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._polls = Counter(
            "together_operator_polls",
            "Reads of the list of endpoints at Together, by result.",
            ("result",),
            registry=self.registry,
        )
        self._remote_calls = Counter(
            "together_operator_remote_calls",
            "Requests to Together by API generation, verb, route and status code "
            "(not_sent, timeout or broken where none came).",
            ("api", "method", "route", "code"),
            registry=self.registry,
        )
        self._remote_seconds = Histogram(
            "together_operator_remote_call_duration_seconds",
            "How long a request to Together took.",
            ("api", "method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._kube_calls = Counter(
            "together_operator_kubernetes_calls",
            "Requests to the Kubernetes API server by verb, resource and status code "
            "(unreachable where none came); the watch is not among them.",
            ("verb", "resource", "code"),
            registry=self.registry,
        )
        self._leading = Gauge(
            "together_operator_leading",
            "Whether this replica leads (1) or stands by (0); the Lease names who does.",
            registry=self.registry,
        )
        self._watch_restarts = Counter(
            "together_operator_watch_restarts",
            "How often the watch of the resources ended and was started again.",
            registry=self.registry,
        )

    def reconciled(self, triggers: Iterable[str], result: str, seconds: float) -> None:
        """Count a reconcile.

        Args:
            triggers: Why it ran.
            result: How it ended, one word of a small set.
            seconds: How long it took.
        """
        for trigger in triggers:
            self._reconciles.labels(trigger, result).inc()
        self._reconcile_seconds.labels(result).observe(seconds)

    def queue_depth(self, lane: str, read: Callable[[], float]) -> None:
        """Have the depth of a lane read whenever Prometheus asks."""
        self._queue_depth.labels(lane).set_function(read)

    def waited(self, lane: str, seconds: float) -> None:
        """Note how long a resource waited for a worker."""
        self._queue_seconds.labels(lane).observe(seconds)

    def polled(self, result: str) -> None:
        """Count a read of the list at Together; `result` is one word of a small set."""
        self._polls.labels(result).inc()

    def remote_call(
        self, method: str, route: str, outcome: str, seconds: float, api: str | None = None
    ) -> None:
        """Count a request to Together; fits as the observer of the transport.

        Args:
            method: The HTTP verb.
            route: The route with its placeholders.
            outcome: The status code, or a word where none came.
            seconds: How long it took.
            api: The generation of the API; `None` to tell it by the route: those of v2 begin with
                a version of their own, below the root.
        """
        if api is None:
            api = "v2" if _VERSIONED.match(route) else "v1"
        self._remote_calls.labels(api, method, route, outcome).inc()
        self._remote_seconds.labels(api, method, route).observe(seconds)

    def kube_call(self, verb: str, resource: str, outcome: str) -> None:
        """Count a request to the API server; fits as the observer of `Kube`."""
        self._kube_calls.labels(verb, resource, outcome).inc()

    def leading(self, read: Callable[[], bool]) -> None:
        """Have read whether this process leads whenever Prometheus asks."""
        self._leading.set_function(lambda: float(read()))

    def watch_restarted(self) -> None:
        """Count an end of the watch."""
        self._watch_restarts.inc()

    def resource(
        self, namespace: str, name: str, reason: str, price_per_hour: Decimal, api: str
    ) -> None:
        """Note how a resource is now.

        Args:
            namespace: Its namespace.
            name: Its name.
            reason: The reason of its Ready condition.
            price_per_hour: What its running replicas cost per hour, in US dollars.
            api: The generation of the API that carries its endpoint, or would.
        """
        self._resources.known[namespace, name] = _Resource(reason, price_per_hour, api)

    def resource_gone(self, namespace: str, name: str) -> None:
        """Note that a resource exists no more."""
        self._resources.known.pop((namespace, name), None)

    def orphans(self, found: Mapping[tuple[str, str], tuple[int, Decimal]]) -> None:
        """Note which endpoints nobody answers for, in place of what was noted before.

        Args:
            found: How many there are and what they cost per hour in US dollars, by the identity of
                the key that sees them and why nobody does.
        """
        self._orphans.known = found

    def other_clusters(self, credential: str, api: str, number: int | None) -> None:
        """Note how many endpoints of other clusters a key sees in a generation of the API.

        Args:
            credential: The identity of the key.
            api: The generation.
            number: How many; `None` if the key is not in use there any more.
        """
        if number is None:
            self._orphans.others.pop((credential, api), None)
        else:
            self._orphans.others[credential, api] = number

    def v1_closed(self, read: Callable[[], Iterable[str]]) -> None:
        """Have the keys to which API v1 is closed read whenever Prometheus asks."""
        self._closed.read = read

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """Everything in a format that the asker takes.

        Args:
            accept: The `Accept` header of the request.

        Returns:
            The text and its content type.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type
