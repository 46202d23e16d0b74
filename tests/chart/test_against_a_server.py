"""What the chart renders, shown to a real API server."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tests.chart.matrix import MATRIX
from tests.support.chart import CHART, IMAGE, ROOT, render, rendered_rbac
from tests.support.cluster import Run
from tests.support.definition import until_served
from together_local.cluster.binaries import BinaryCache
from together_local.cluster.cluster import Cluster
from together_local.cluster.control_plane import ControlPlane
from together_local.cluster.errors import CommandError

NAMESPACES = ("team-a", "team-b")
REFUSED_CRD = "cannot be imported into the current release"


@pytest.fixture(scope="module")
def namespaces(control_plane: Cluster) -> None:
    """The namespaces that the value matrix names."""
    for name in NAMESPACES:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        control_plane.kubectl("apply", "-f", "-", input=json.dumps(body))


@pytest.mark.usefixtures("namespaces")
@pytest.mark.parametrize("name", MATRIX)
def test_the_api_server_takes_it(helm_binary: Any, kubectl: Run, namespace: str, name: str) -> None:
    objects = render(helm_binary, MATRIX[name], namespace=namespace, release=namespace)
    said = kubectl(
        *("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"),
        *("--validate=strict",),
        input=yaml.safe_dump_all(objects),
    )
    assert "unknown field" not in said.stderr
    assert said.stdout.count("serverside-applied") == len(objects)


def test_the_kustomize_base_is_taken(kubectl: Run) -> None:
    rendered = kubectl("kustomize", str(ROOT / "deploy/kustomize/base")).stdout
    # The namespace is not there in a dry run, so what lives in it goes somewhere that is.
    objects = [item for item in yaml.safe_load_all(rendered) if item["kind"] != "Namespace"]
    for item in objects:
        if "namespace" in item["metadata"]:
            item["metadata"]["namespace"] = "default"
    said = kubectl(
        *("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-"),
        *("--validate=strict",),
        input=yaml.safe_dump_all(objects),
    )
    assert said.stdout.count("serverside-applied") == len(objects)


def test_the_pod_keeps_the_restricted_standard(
    helm_binary: Any, kubectl: Run, namespace: str
) -> None:
    """The API server's own admission of pods judges, in its strictest form."""
    kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    objects = render(helm_binary, MATRIX["own-key"], namespace=namespace)
    [deployment] = [item for item in objects if item["kind"] == "Deployment"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "operator", "namespace": namespace},
        "spec": deployment["spec"]["template"]["spec"],
    }
    kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(pod))

    del pod["spec"]["containers"][0]["securityContext"]["capabilities"]
    refused = kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(pod), check=False)
    assert "unrestricted capabilities" in refused.stderr


def test_what_the_service_account_may_and_may_not_do(
    helm_binary: Any, kubectl: Run, namespace: str
) -> None:
    """As RBAC of a real API server decides it, not as the YAML looks."""
    # Without the resource being served, kubectl would ask about one of no group.
    kubectl("apply", "--server-side", "--force-conflicts", "-k", str(ROOT / "crds"))
    objects = rendered_rbac(helm_binary, namespace)
    manifest = yaml.safe_dump_all(objects)
    kubectl("apply", "-f", "-", input=manifest)
    account = next(item for item in objects if item["kind"] == "ServiceAccount")
    user = f"system:serviceaccount:{namespace}:{account['metadata']['name']}"

    def may(verb: str, what: str, where: str) -> bool:
        asked = kubectl("auth", "can-i", verb, what, "-n", where, "--as", user, check=False)
        return asked.stdout.strip() == "yes"

    try:
        assert may("get", "secrets", "default")
        assert not may("list", "secrets", "default")
        assert not may("watch", "secrets", "default")
        assert not may("create", "secrets", "default")
        assert may("list", "secrets", namespace)
        assert may("delete", "secrets", namespace)
        assert may("patch", "togetherendpoints.together-operator.io", "default")
        assert not may("delete", "togetherendpoints.together-operator.io", "default")
        assert not may("create", "togetherendpoints.together-operator.io", "default")
        assert may("get", "namespaces/kube-system", "")
        assert not may("list", "namespaces", "")
        assert not may("get", "pods", namespace)
    finally:
        kubectl("delete", "--ignore-not-found", "-f", "-", input=manifest)


@pytest.mark.usefixtures("helm_binary")
def test_install_upgrade_uninstall_and_take_over(private_control_plane: ControlPlane) -> None:
    """A release's whole life; the CRD and what people made with it outlive the release."""
    cluster = Cluster(
        private_control_plane.directory,
        private_control_plane.kubeconfig,
        BinaryCache().ensure(["helm", "kubectl"]),
    )
    image = ("--set", f"image.repository={IMAGE}")
    where = ("--namespace", "ops", "--create-namespace")
    said = cluster.helm("install", "one", str(CHART), *where, *image).stdout
    assert "BEFORE YOU UNINSTALL" in said
    crd = "togetherendpoints.together-operator.io"
    until_served(cluster.kubectl)
    example = (ROOT / "examples" / "quickstart.yaml").read_text()
    cluster.kubectl("apply", "-n", "default", "-f", "-", input=example)

    cluster.helm("upgrade", "one", str(CHART), *where, *image, "--set", "settings.workers=4")
    deployment = cluster.kubectl("-n", "ops", "get", "deployment", "-o", "json").stdout
    assert '"TOGETHER_OPERATOR_WORKERS"' in deployment

    said = cluster.helm("uninstall", "one", "--namespace", "ops").stdout
    assert crd in said, "Helm names what it keeps"
    kept = cluster.kubectl("get", "togetherendpoints", "--all-namespaces", "-o", "name").stdout
    assert kept.strip()

    # The way that the notes describe.
    with pytest.raises(CommandError, match=REFUSED_CRD):
        cluster.helm("install", "two", str(CHART), *where, *image)
    cluster.helm("install", "two", str(CHART), *where, *image, "--take-ownership")
