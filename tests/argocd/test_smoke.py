"""Argo CD itself works here: without this, the other tests would blame the operator."""

from __future__ import annotations

import json

from tests.support.argocd import ArgoCD
from tests.support.cluster import Run

_CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata:
  name: greeting
data:
  text: {text}
"""


def test_a_commit_arrives_in_the_cluster_and_a_removal_is_pruned(
    argocd: ArgoCD, namespace: str, kubectl: Run
) -> None:
    repository = argocd.repository("smoke")
    repository.write("app/greeting.yaml", _CONFIG_MAP.format(text="hello"))
    repository.write("app/other.yaml", _CONFIG_MAP.format(text="x").replace("greeting", "other"))
    revision = repository.commit("say hello")
    argocd.create_application("smoke", repository, "app", namespace)
    argocd.wait_for("smoke", sync="Synced", health="Healthy", revision=revision)
    found = json.loads(
        kubectl("-n", namespace, "get", "configmap", "greeting", "-o", "json").stdout
    )
    assert found["data"] == {"text": "hello"}

    repository.remove("app/greeting.yaml")
    revision = repository.commit("say nothing")
    argocd.refresh("smoke")
    argocd.wait_for("smoke", sync="Synced", health="Healthy", revision=revision)
    gone = kubectl("-n", namespace, "get", "configmap", "greeting", "--ignore-not-found")
    assert gone.stdout == ""

    argocd.delete_application("smoke")
    gone = kubectl("-n", namespace, "get", "configmap", "other", "--ignore-not-found")
    assert gone.stdout == ""
