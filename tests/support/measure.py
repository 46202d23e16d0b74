"""What the operator costs, by its own metrics and by Together's ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.operator import Namespace, OperatorProcess, eventually, manifest, reason_of

Object = dict[str, Any]

READING = frozenset({"get", "list", "watch"})


def samples(text: str, name: str) -> list[tuple[Mapping[str, str], float]]:
    """The samples of one metric: labels and value.

    Args:
        text: What /metrics says.
        name: The sample's full name.
    """
    return [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]


def kubernetes_writes(operator: OperatorProcess) -> dict[tuple[str, str], float]:
    """How often the operator wrote to the API server since its start, by verb and resource."""
    found: dict[tuple[str, str], float] = {}
    for labels, value in samples(operator.metrics(), "together_operator_kubernetes_calls_total"):
        if labels["verb"] not in READING:
            what = (labels["verb"], labels["resource"])
            found[what] = found.get(what, 0.0) + value
    return found


def reconciles(operator: OperatorProcess, trigger: str | None = None) -> float:
    """How often the operator has worked on a resource since its start.

    Args:
        operator: The operator.
        trigger: Only those with this trigger.
    """
    found = samples(operator.metrics(), "together_operator_reconciles_total")
    return sum(value for labels, value in found if trigger in (None, labels["trigger"]))


def at_rest(operator: OperatorProcess, interval: float) -> None:
    """Wait until nothing is worked on any more, over two polls.

    Args:
        operator: The operator.
        interval: Seconds between two polls of it.
    """

    def quiet() -> bool:
        before = reconciles(operator)
        time.sleep(2 * interval)
        return reconciles(operator) == before

    eventually("the operator is at rest", quiet, within=120)


def many(space: Namespace, names: Sequence[str], **spec: Any) -> None:
    """Create many resources at once."""
    items = [manifest(name, **spec) for name in names]
    document = {"apiVersion": "v1", "kind": "List", "items": items}
    space.kubectl("create", "-f", "-", document=document)


def all_serve(space: Namespace, names: Sequence[str], within: float = 240) -> None:
    """Wait until all of them serve."""

    def left() -> list[str]:
        found = {name: space.stream.latest(space.name, name) for name in names}
        return [name for name, it in found.items() if it is None or reason_of(it) != "Serving"]

    eventually(f"{len(names)} resources serve", lambda: not left(), within=within, every=0.5)


def versions(spaces: Sequence[Namespace]) -> dict[str, str]:
    """The resourceVersion of every resource, by uid."""
    found: dict[str, str] = {}
    for space in spaces:
        for item in json.loads(space.kubectl("get", "tep", "-o", "json"))["items"]:
            found[item["metadata"]["uid"]] = item["metadata"]["resourceVersion"]
    return found
