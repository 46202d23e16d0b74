"""What kubectl shows of the resource: documentation and columns."""

from __future__ import annotations

import pytest

from tests.cluster.resources import HARDWARE, MODEL, Resources, manifest
from tests.support.cluster import Run
from together_operator.resource.spec import Spec

CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "Serving",
    "message": "Answers.",
    "lastTransitionTime": "2026-11-22T07:00:00Z",
    "observedGeneration": 1,
}
SERVING = {
    "observedGeneration": 1,
    "api": "V1",
    "endpointID": "endpoint-0001",
    "name": f"someone/{MODEL}-0a1b2c3d",
    "replicas": 2,
    "price": {"currency": "USD", "perReplicaHour": "10.80"},
    "conditions": [CONDITION],
}


def test_explain_reads_like_documentation(kubectl: Run, crd: str) -> None:
    said = kubectl("explain", "tep.spec").stdout
    for field in Spec.model_json_schema(by_alias=True)["properties"]:
        assert f"  {field}\t<" in said
    words = " ".join(said.split())
    assert "hardware <string> -required-" in words
    assert "enum: Delete, Stop, Retain" in words
    assert "0 (default) means never" in words
    assert "Absent means `Delete`" in words


@pytest.mark.parametrize(
    "path",
    [
        "tep",
        "tep.spec",
        "tep.spec.autoscaling",
        "tep.spec.apiKeySecretRef",
        "tep.spec.connection",
        "tep.status",
        "tep.status.operation",
        "tep.status.conditions",
    ],
)
def test_nothing_is_left_unexplained(kubectl: Run, crd: str, path: str) -> None:
    assert "<no description>" not in kubectl("explain", path).stdout


def test_columns_before_the_operator_saw_it(resources: Resources) -> None:
    resources.apply(manifest())
    header, row = resources.run("get", "tep").stdout.splitlines()
    assert header.split() == ["NAME", "READY", "REASON", "MODEL", "REPLICAS", "$/H", "AGE"]
    assert row.split()[:2] == ["mixtral", MODEL]


def test_columns(resources: Resources) -> None:
    resources.apply(manifest())
    resources.tell(SERVING)
    _, row = resources.run("get", "together").stdout.splitlines()
    assert row.split()[:-1] == ["mixtral", "True", "Serving", MODEL, "2", "10.80"]


def test_wide_columns(resources: Resources) -> None:
    resources.apply(manifest())
    resources.tell(SERVING)
    header, row = resources.run("get", "togetherendpoints", "-o", "wide").stdout.splitlines()
    assert header.split()[6:] == ["AGE", "NAME", "HARDWARE", "ENDPOINT", "API"]
    assert row.split()[7:] == [SERVING["name"], HARDWARE, "endpoint-0001", "V1"]


def test_wait_for_ready(resources: Resources) -> None:
    resources.apply(manifest())
    resources.tell(SERVING)
    resources.run("wait", "--for=condition=Ready", "tep/mixtral", "--timeout=10s")
