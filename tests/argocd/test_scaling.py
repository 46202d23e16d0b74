"""Something else than Git writes the replicas, and Argo CD leaves them alone."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.argocd.comparing import compare_again
from tests.support.argocd import ArgoCD
from tests.support.chart import ROOT
from tests.support.cluster import Run
from tests.support.definition import define
from tests.support.git import GitRepository

IGNORE = "resource.customizations.ignoreDifferences.together-operator.io_TogetherEndpoint"
EXAMPLE = yaml.safe_load((ROOT / "examples/quickstart.yaml").read_text())


OTHER = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: other
"""


def in_git(argocd: ArgoCD, name: str, wanted: dict[str, Any], **application: Any) -> GitRepository:
    repository = argocd.repository(name)
    manifest = {**EXAMPLE, "spec": {**EXAMPLE["spec"], **wanted}}
    repository.write("app/tep.yaml", yaml.safe_dump(manifest))
    repository.commit("an endpoint")
    argocd.create_application(name, repository, "app", name, **application)
    argocd.wait_for(name, sync="Synced")
    return repository


def scale(kubectl: Run, namespace: str) -> None:
    """Scale as an HPA does."""
    kubectl("-n", namespace, "scale", "tep/mixtral", "--replicas=3")


def replicas(kubectl: Run, namespace: str) -> str:
    path = "-o=jsonpath={.spec.autoscaling.minReplicas}"
    return kubectl("-n", namespace, "get", "tep", "mixtral", path).stdout


@pytest.fixture(autouse=True)
def crd(kubectl: Run) -> None:
    define(kubectl)


@pytest.mark.parametrize("options", [(), ("ServerSideApply=true",)], ids=["client", "server"])
def test_left_out_of_git(
    argocd: ArgoCD, kubectl: Run, namespace: str, options: tuple[str, ...]
) -> None:
    in_git(argocd, namespace, {}, sync_options=options)
    assert compare_again(argocd, namespace) == "Synced", "defaults of the CRD are no difference"
    scale(kubectl, namespace)
    assert compare_again(argocd, namespace) == "Synced"
    assert replicas(kubectl, namespace) == "3"
    argocd.delete_application(namespace)


def test_named_in_git_and_ignored(argocd: ArgoCD, kubectl: Run, namespace: str) -> None:
    fragment = yaml.safe_load((ROOT / "deploy/argocd/argocd-cm-autoscaler.yaml").read_text())
    ignored = yaml.safe_load(fragment["data"][IGNORE])
    rule = {"group": "together-operator.io", "kind": "TogetherEndpoint", **ignored}
    repository = in_git(
        argocd,
        namespace,
        {"autoscaling": {"minReplicas": 1, "maxReplicas": 4}},
        sync_options=["RespectIgnoreDifferences=true", "ServerSideApply=true"],
        spec={"ignoreDifferences": [rule]},
    )
    scale(kubectl, namespace)
    assert compare_again(argocd, namespace) == "Synced"
    # A commit about something else syncs everything once more.
    repository.write("app/other.yaml", OTHER)
    revision = repository.commit("something else")
    argocd.refresh(namespace)
    argocd.wait_for(namespace, sync="Synced", revision=revision)
    assert replicas(kubectl, namespace) == "3"
    argocd.delete_application(namespace)
