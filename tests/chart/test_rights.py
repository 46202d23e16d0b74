"""Which rights the chart gives, and to whom, by the real Helm without a cluster."""

from __future__ import annotations

import json
from pathlib import Path

from tests.chart.matrix import MATRIX
from tests.support.chart import Object, render
from together_operator.controller.identity import CONFIGMAP
from together_operator.controller.lease import NAME as LEASE


def rules(objects: list[Object], kind: str, name: str) -> dict[str, list[str]]:
    [role] = [item for item in objects if item["kind"] == kind and item["metadata"]["name"] == name]
    return {
        "/".join((group, resource, *rule.get("resourceNames", []))): rule["verbs"]
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


NAMESPACED_RULES = {
    "together-operator.io/togetherendpoints": ["get", "list", "watch", "patch"],
    "together-operator.io/togetherendpoints/status": ["update"],
    "/secrets": ["get"],
    "/configmaps": ["get", "create", "update", "delete"],
    "/events": ["create", "patch"],
}

CLUSTER_RULES = {
    **NAMESPACED_RULES,
    "apiextensions.k8s.io/customresourcedefinitions/togetherendpoints.together-operator.io": [
        "get"
    ],
}


def test_rights_in_the_whole_cluster(helm_binary: Path) -> None:
    objects = render(helm_binary)
    assert rules(objects, "ClusterRole", "together-operator") == {
        **CLUSTER_RULES,
        "/namespaces/kube-system": ["get"],
    }
    assert rules(objects, "Role", "together-operator-own") == {
        "/secrets": ["list", "create", "update", "delete"],
        "/configmaps": ["create"],
        f"/configmaps/{CONFIGMAP}": ["get", "update"],
        "/events": ["create", "patch"],
        "coordination.k8s.io/leases": ["create"],
        f"coordination.k8s.io/leases/{LEASE}": ["get", "update"],
    }
    for off in ({"settings": {"leaderElect": False}}, {"rbac": {"create": False}}):
        assert "leases" not in json.dumps(render(helm_binary, off))


def test_a_given_cluster_id_needs_no_look_at_kube_system(helm_binary: Path) -> None:
    objects = render(helm_binary, {"settings": {"clusterID": "prod-eu"}})
    assert rules(objects, "ClusterRole", "together-operator") == CLUSTER_RULES


def test_rights_in_some_namespaces(helm_binary: Path) -> None:
    objects = render(helm_binary, MATRIX["namespaced"], namespace="ops")
    found = {
        (item["kind"], item["metadata"]["namespace"], item["metadata"]["name"])
        for item in objects
        if item["kind"] in ("Role", "RoleBinding")
    }
    assert found == {
        (kind, namespace, name)
        for kind in ("Role", "RoleBinding")
        for namespace, name in (
            ("team-a", "together-operator"),
            ("team-b", "together-operator"),
            ("ops", "together-operator-own"),
        )
    }
    for item in objects:
        if item["kind"] == "RoleBinding":
            assert item["subjects"] == [
                {"kind": "ServiceAccount", "name": "together-operator", "namespace": "ops"}
            ]
    cluster_wide = [item for item in objects if item["kind"].startswith("ClusterRole")]
    assert [item["metadata"]["name"] for item in cluster_wide] == ["together-operator-view"]


def test_someone_without_rights_on_the_cluster_can_install(helm_binary: Path) -> None:
    objects = render(helm_binary, MATRIX["namespaced-without-cluster-rights"])
    assert all("namespace" in item["metadata"] for item in objects)


def test_only_view_is_aggregated(helm_binary: Path) -> None:
    objects = render(helm_binary)
    aggregated = [
        (item["metadata"]["name"], label)
        for item in objects
        for label in item["metadata"]["labels"]
        if label.startswith("rbac.authorization.k8s.io/")
    ]
    assert aggregated == [("together-operator-view", "rbac.authorization.k8s.io/aggregate-to-view")]
    verbs = rules(objects, "ClusterRole", "together-operator-view").values()
    assert {verb for each in verbs for verb in each} == {"get", "list", "watch"}
