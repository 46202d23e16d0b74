"""Whatever is written into a resource ends in a refusal or a condition, and troubles nobody else.

Resources are drawn from the CRD's schema and beyond it (unicode, bounds, wrong types, unknown
fields, annotations without end), and statuses that only somebody with the right to write one could
make, and a real API server judges first. What it takes the operator must cope with: it says so in a
condition, stays the process that it was, and serves other namespaces meanwhile.
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.chaos.kube import Kube
from tests.support.contract import conditions
from tests.support.drawn import beyond, from_schema, spoils
from tests.support.hostile import ODD_TEXTS, written
from tests.support.operator import HARDWARE, MODEL, Object, OperatorProcess, eventually, manifest
from tests.support.running import running_operator
from tests.support.scale import examples
from together_local.cluster.cluster import Cluster
from together_operator.resource.crd import crd as definition

pytestmark = pytest.mark.timeout(examples(600))

_SCHEMA = definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
SPECS = from_schema(_SCHEMA["spec"])
STATUSES = from_schema(_SCHEMA["status"])
USUAL: Object = {"model": MODEL, "hardware": HARDWARE, "apiKeySecretRef": {"name": "together"}}
WORDS = (
    "reconcile-requested-at", "restart-requested-at", "claim", "restored-copy", "release",
    "owner-uid", "anything",
)  # fmt: skip
NOTES = st.dictionaries(
    st.sampled_from([f"together-operator.io/{word}" for word in WORDS]),
    st.sampled_from((*ODD_TEXTS, "x" * 200_000, "none", "Adopt", "New", "endpoint-1")),
    max_size=3,
)
VALIDATION = st.sampled_from(("Strict", "Warn", "Ignore"))

drawing = settings(
    max_examples=examples(120),
    deadline=None,
    derandomize=True,
    database=None,
    # What was sent before is part of the case, so a smaller one would be another.
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Field:
    """Where the drawn resources go, and what watches over the others.

    Attributes:
        operator: The operator.
        kube: The namespace of the drawn ones.
        taken: The names of those that the API server took.
        refused: How many it refused.
    """

    def __init__(self, operator: OperatorProcess, kube: Kube) -> None:
        self.operator = operator
        self.kube = kube
        self.pid = operator.pid
        self.taken: list[str] = []
        self.refused = 0
        self._canaries = 0

    def canary(self) -> None:
        """Have an ordinary resource of another namespace made, served and deleted meanwhile."""
        self._canaries += 1
        name, other = f"canary-{self._canaries}", self.operator.spaces[1]
        other.apply(manifest(name))
        other.until(name, "Serving", within=60)
        other.delete(name)

    def judge(self, method: str, path: str, document: Any) -> bool:
        """Send a document; whether it was taken, and if not, a person is told why."""
        answer = self.kube.send(method, path, written(document))
        assert answer.status_code < 500, f"{answer.status_code} {answer.text[:400]}"
        if answer.is_success:
            return True
        self.refused += 1
        assert answer.json()["message"]
        return False

    def told(self) -> None:
        """Each that was taken gets its conditions, for its newest generation."""

        def untold() -> list[str]:
            return [o["metadata"]["name"] for o in self.kube.every() if not _is_told(o)]

        eventually("every resource is told about", lambda: not untold(), within=120, every=1)

    def alive(self) -> None:
        """It is the same process, well, and nothing surprised it."""
        assert self.operator.pid == self.pid
        assert self.operator.running
        with urllib.request.urlopen(f"{self.operator.health}/healthz", timeout=10) as answer:
            assert answer.status == 200
        surprised = [
            line
            for line in self.operator.lines()
            if "traceback" in line or line["level"] == "error"
        ]
        assert surprised == []


def _is_told(found: Object) -> bool:
    told = conditions(found)
    generation = found["metadata"]["generation"]
    return len(told) == 5 and {c["observedGeneration"] for c in told.values()} == {generation}


@pytest.fixture(scope="module")
def field(
    control_plane: Cluster, helm_binary: Path, crd: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Field]:
    folder = tmp_path_factory.mktemp("fuzz")
    with (
        running_operator(control_plane, helm_binary, folder, spaces=2, judged=False) as operator,
        Kube(control_plane, operator.spaces[0].name) as kube,
    ):
        yield Field(operator, kube)
        operator.assert_discreet()


def test_resources_of_all_kinds(field: Field) -> None:
    field.canary()
    query = "?fieldValidation="

    @drawing
    @given(SPECS, st.booleans(), NOTES, spoils, VALIDATION)
    def send(spec: Object, usual: bool, notes: dict[str, str], spoil: Any, validation: str) -> None:
        name = f"drawn-{len(field.taken)}"
        document = {**manifest(name), "spec": {**spec, **(USUAL if usual else {})}}
        document["metadata"]["annotations"] = notes
        if field.judge("POST", query + validation, beyond(document, spoil)):
            field.taken.append(name)
        if (len(field.taken) + field.refused) % 60 == 59:
            field.canary()

    send()
    assert len(field.taken) >= 10, "most of what is drawn is refused, so nothing is tried"
    assert field.refused >= 10
    field.told()
    field.canary()
    field.alive()


def test_statuses_that_nobody_meant(field: Field) -> None:
    """Written through the subresource, which whoever has the right to may do at any time."""
    names = [f"status-{number}" for number in range(12)]
    for name in names:
        field.kube.create(manifest(name, suspend=name.endswith("3")))
    field.told()
    written_to: list[str] = []

    @drawing
    @given(STATUSES, spoils, st.sampled_from(names))
    def send(status: Object, spoil: Any, name: str) -> None:
        found = field.kube.read(name)
        assert found is not None
        known = {**found["status"], **status}
        document = {**found, "status": beyond(known, spoil)}
        if field.judge("PUT", f"/{name}/status", document):
            written_to.append(name)

    send()
    assert len(written_to) >= 10
    for name in names:
        note = {"metadata": {"annotations": {"together-operator.io/reconcile-requested-at": "now"}}}
        field.kube.patch(name, note)
    field.canary()
    field.told()
    field.alive()


def test_they_can_all_be_deleted(field: Field) -> None:
    """Or a person is told what is in the way of it."""
    for found in field.kube.every():
        field.kube.delete(found["metadata"]["name"])

    def left() -> list[str]:
        return [
            o["metadata"]["name"]
            for o in field.kube.every()
            if not _is_told(o) or conditions(o)["Reconciling"]["status"] == "True"
        ]

    eventually("what is left waits for a person", lambda: not left(), within=120, every=1)
    field.canary()
    field.alive()
