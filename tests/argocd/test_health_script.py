"""Argo CD's own engine gives each situation the health of the contract.

The chart's tests run the same script in another Lua; here no operator runs, and the statuses are
written by hand, so that every situation can be shown to the real thing within a minute.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.argo_health import EXPECTED, ROOT, Situation
from tests.support.argocd import ArgoCD
from tests.support.cluster import Run
from tests.support.definition import define

CRD = ROOT / "crds/together-operator.io_togetherendpoints.yaml"
STATUSES = ROOT / "tests/chart/testdata/statuses"
NAME = "mixtral"
DELETING = {Situation.DELETING, Situation.DELETION_SUSPENDED, Situation.DELETION_BLOCKED}


class Resource:
    """One TogetherEndpoint whose status is ours to write.

    Attributes:
        application: The Application that it belongs to.
    """

    def __init__(self, kubectl: Run, namespace: str) -> None:
        self._kubectl = kubectl
        self._namespace = namespace
        self.application = namespace

    def show(self, situation: Situation) -> None:
        """Give it the status that the operator would write in a situation."""
        example = yaml.safe_load((STATUSES / f"{situation}.yaml").read_text())
        self._run("patch", "--type=merge", "-p", json.dumps({"spec": _spec(example)}))
        generation = json.loads(self._run("get", "-o", "json"))["metadata"]["generation"]
        status = example["status"]
        # The files are of generation 2, and so is what observed them, if anything did.
        behind = example["metadata"]["generation"] - status["observedGeneration"]
        status["observedGeneration"] = generation if behind == 0 else -1
        for condition in status.get("conditions", ()):
            condition["observedGeneration"] = status["observedGeneration"]
        patch = [{"op": "replace", "path": "/status", "value": status}]
        self._run("patch", "--subresource=status", "--type=json", "-p", json.dumps(patch))

    def delete(self) -> None:
        """Delete it while something still holds it, as the operator does."""
        held = json.dumps({"metadata": {"finalizers": ["example.com/test"]}})
        self._run("patch", "--type=merge", "-p", held)
        self._run("delete", "--wait=false")

    def let_go(self) -> None:
        """Let its deletion finish."""
        free = json.dumps({"metadata": {"finalizers": None}})
        self._run("patch", "--type=merge", "-p", free)

    def _run(self, verb: str, *args: str) -> str:
        return self._kubectl("-n", self._namespace, verb, "tep", NAME, *args).stdout


def _spec(example: dict[str, Any]) -> dict[str, Any]:
    return {"suspend": example["spec"]["suspend"]}


@pytest.fixture
def resource(argocd: ArgoCD, kubectl: Run, namespace: str) -> Iterator[Resource]:
    """A TogetherEndpoint that Argo CD synced, and that nobody reconciles."""
    define(kubectl)
    repository = argocd.repository(namespace)
    repository.write("app/tep.yaml", (ROOT / "examples/quickstart.yaml").read_text())
    repository.commit("an endpoint")
    argocd.create_application(namespace, repository, "app", namespace, automated=False)
    argocd.sync(namespace)
    argocd.wait_for(namespace, sync="Synced", health="Progressing")
    try:
        yield Resource(kubectl, namespace)
    finally:
        argocd.delete_application(namespace)


def test_every_situation(argocd: ArgoCD, resource: Resource) -> None:
    for situation in set(Situation) - DELETING:
        expected = EXPECTED[situation]
        # From another health each time: one that stays could not be told from one not evaluated.
        other = Situation.SERVING if expected != "Healthy" else Situation.CHANGING
        resource.show(other)
        argocd.wait_for(resource.application, health=EXPECTED[other])
        resource.show(situation)
        argocd.wait_for(resource.application, health=expected)


def test_a_status_is_no_difference(argocd: ArgoCD, resource: Resource) -> None:
    resource.show(Situation.SERVING)
    argocd.wait_for(resource.application, sync="Synced", health="Healthy")
    argocd.refresh(resource.application)
    argocd.wait_for(resource.application, sync="Synced", health="Healthy")


def test_deleting_is_progressing_even_when_blocked(argocd: ArgoCD, resource: Resource) -> None:
    resource.show(Situation.SERVING)
    argocd.wait_for(resource.application, health="Healthy")
    resource.delete()
    argocd.wait_for(resource.application, health=EXPECTED[Situation.DELETION_BLOCKED])
    resource.let_go()
