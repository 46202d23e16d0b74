"""The fixtures that the cluster tests stand on."""

from __future__ import annotations

import json

from tests.support.cluster import Run
from together_local.cluster.cluster import Cluster


def test_namespace_is_fresh_and_served(kubectl: Run, namespace: str) -> None:
    kubectl("-n", namespace, "create", "configmap", "one", "--from-literal=a=b")
    found = json.loads(kubectl("-n", namespace, "get", "configmap", "one", "-o", "json").stdout)
    assert found["data"] == {"a": "b"}


def test_helm_and_kubectl_talk_to_the_same_server(
    control_plane: Cluster, helm: Run, namespace: str
) -> None:
    assert helm("list", "-n", namespace, "-o", "json").stdout.strip() == "[]"
    version = json.loads(control_plane.kubectl("version", "-o", "json").stdout)
    assert version["serverVersion"]["gitVersion"].startswith("v1.")
