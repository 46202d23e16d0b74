"""What the chart renders, and what it refuses, by the real Helm without a cluster."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.matrix import MATRIX, REFUSED
from tests.chart.rendered import container, kinds, one, settings
from tests.support.chart import CHART, IMAGE, ROOT, HelmError, render, run_helm
from together_operator import __version__
from together_operator.settings import Settings

# Flags of `run` that a chart must not offer: it sets them itself, or they are not for clusters.
NOT_VALUES = {
    "kubeconfig",  # the pod's ServiceAccount
    "namespaces",  # scope.namespaces
    "operator_namespace",  # the release's namespace
    "api_key_file",  # auth
    "api_key",
    "time_scale",  # for tests and demos only
}


@pytest.mark.parametrize("name", MATRIX)
def test_lint(helm_binary: Path, name: str) -> None:
    values = {"image": {"repository": IMAGE}, **MATRIX[name]}
    said = run_helm(helm_binary, "lint", "--strict", "--quiet", str(CHART), values=values)
    assert "WARNING" not in said


def test_lint_without_values(helm_binary: Path) -> None:
    run_helm(helm_binary, "lint", "--strict", str(CHART))


@pytest.mark.parametrize("name", MATRIX)
def test_every_object_is_labelled(helm_binary: Path, name: str) -> None:
    values = MATRIX[name]
    for item in render(helm_binary, values):
        labels = item["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "together-operator"
        assert labels["app.kubernetes.io/version"] == __version__
        assert values.get("commonLabels", {}).items() <= labels.items()


@pytest.mark.parametrize(("values", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(helm_binary: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(HelmError, match=re.escape(message)):
        render(helm_binary, values)


def test_without_an_image_it_says_how_to_get_one(helm_binary: Path) -> None:
    with pytest.raises(HelmError) as refusal:
        render(helm_binary, {"image": {}})
    for step in (f"docker build -t REGISTRY/together-operator:{__version__} .", "docker push"):
        assert step in str(refusal.value)
    assert "--set image.repository=REGISTRY/together-operator" in str(refusal.value)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ({"repository": IMAGE}, f"{IMAGE}:{__version__}"),
        ({"repository": IMAGE, "tag": "main"}, f"{IMAGE}:main"),
        (
            {"repository": IMAGE, "tag": "main", "digest": f"sha256:{'a' * 64}"},
            f"{IMAGE}@sha256:{'a' * 64}",
        ),
    ],
)
def test_image(helm_binary: Path, image: dict[str, str], expected: str) -> None:
    assert container(render(helm_binary, {"image": image}))["image"] == expected


def test_the_chart_has_the_operators_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    base = yaml.safe_load((ROOT / "deploy/kustomize/base/kustomization.yaml").read_text())
    assert base["images"] == [{"name": "together-operator", "newTag": __version__}]


def test_the_crd_is_the_generated_one(helm_binary: Path) -> None:
    generated = ROOT / "crds" / "together-operator.io_togetherendpoints.yaml"
    copy = CHART / "files" / "crd.yaml"
    assert copy.read_text() == generated.read_text(), "the chart's CRD is stale: run `make crd`"
    rendered = one(render(helm_binary), "CustomResourceDefinition")
    crd = yaml.safe_load(generated.read_text())
    assert rendered["spec"] == crd["spec"]
    assert rendered["metadata"]["name"] == crd["metadata"]["name"]


def test_the_crd_outlives_the_release_unless_told_otherwise(helm_binary: Path) -> None:
    kept = one(render(helm_binary), "CustomResourceDefinition")
    assert kept["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    values = MATRIX["crd-kept-by-nobody"]
    given_up = one(render(helm_binary, values), "CustomResourceDefinition")
    assert given_up["metadata"]["annotations"] == {"example.com/team": "ml"}
    assert "CustomResourceDefinition" not in kinds(
        render(helm_binary, {"crds": {"install": False}})
    )


def test_the_readme_lists_the_values() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "deploy" / "helm" / "document.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_schema_knows_every_value() -> None:
    """With additionalProperties false everywhere, lint of the defaults proves the other half."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert set(schema["properties"]) == {*values, "global"}
    for section in ("image", "crds", "rbac", "settings", "serviceMonitor", "networkPolicy"):
        assert schema["properties"][section]["additionalProperties"] is False
        assert set(schema["properties"][section]["properties"]) == set(values[section])


# Settings


def test_every_flag_of_run_is_a_setting() -> None:
    offered = yaml.safe_load((CHART / "values.yaml").read_text())["settings"]
    names = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower() for name in offered}
    assert names == set(Settings.model_fields) - NOT_VALUES


def test_the_operator_understands_every_setting(
    helm_binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = settings(render(helm_binary, MATRIX["every-setting"]), monkeypatch)
    given = MATRIX["every-setting"]["settings"]
    assert read.base_url == given["baseURL"]
    assert read.cluster_id == given["clusterID"]
    assert list(read.allowed_hardware) == given["allowedHardware"]
    assert read.max_replicas == given["maxReplicas"]
    assert str(read.max_price_per_hour) == given["maxPricePerHour"]
    assert read.poll_interval == given["pollInterval"]
    assert read.poll_interval_transition == given["pollIntervalTransition"]
    assert read.drift_interval == given["driftInterval"]
    assert read.first_api == given["firstAPI"]
    assert read.probe == given["probe"]
    assert read.workers == given["workers"]
    assert read.leader_elect == given["leaderElect"]
    assert read.log_format == given["logFormat"]
    assert read.log_level == given["logLevel"]
    assert (read.health_port, read.metrics_port) == (18080, 19090)


def test_defaults_leave_the_operators_own_in_place(
    helm_binary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Settings.load()
    read = settings(render(helm_binary), monkeypatch)
    different = {
        name
        for name in Settings.model_fields
        if getattr(own, name) != getattr(read, name) and name != "operator_namespace"
    }
    assert different == {"log_format"}


def test_an_upgrade_overlaps_only_where_a_lease_decides(helm_binary: Path) -> None:
    def deployed(name: str) -> dict[str, Any]:
        spec: dict[str, Any] = one(render(helm_binary, MATRIX[name]), "Deployment")["spec"]
        return spec

    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    for name, replicas in (("defaults", 1), ("two-replicas", 2), ("the-operators-own-default", 2)):
        spec = deployed(name)
        assert (spec["replicas"], spec["strategy"]) == (replicas, rolling)
    assert deployed("no-election")["strategy"] == {"type": "Recreate"}


def test_two_replicas_prefer_two_nodes(helm_binary: Path) -> None:
    def affinity(**values: Any) -> Any:
        pod = one(render(helm_binary, values), "Deployment")["spec"]["template"]["spec"]
        return pod.get("affinity")

    assert affinity() is None
    [preferred] = affinity(replicas=2)["podAntiAffinity"][
        "preferredDuringSchedulingIgnoredDuringExecution"
    ]
    objects = render(helm_binary, {"replicas": 2})
    selector = one(objects, "Deployment")["spec"]["selector"]
    assert preferred["podAffinityTerm"]["labelSelector"] == selector
    own = {"nodeAffinity": {}}
    assert affinity(replicas=2, affinity=own) == own


def test_scope_reaches_the_operator(helm_binary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = settings(render(helm_binary, MATRIX["namespaced"]), monkeypatch)
    assert read.namespaces == ("team-a", "team-b")


def test_the_operators_own_namespace_is_the_pods(helm_binary: Path) -> None:
    [entry] = [
        item
        for item in container(render(helm_binary))["env"]
        if item["name"] == "TOGETHER_OPERATOR_OPERATOR_NAMESPACE"
    ]
    assert entry["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}


def test_the_own_key_is_a_file(helm_binary: Path) -> None:
    objects = render(helm_binary, MATRIX["own-key"])
    pod = one(objects, "Deployment")["spec"]["template"]["spec"]
    [volume] = [item for item in pod["volumes"] if item["name"] == "key"]
    assert volume["secret"]["secretName"] == "together"
    assert volume["secret"]["items"] == [{"key": "token", "path": "api-key"}]
    [mount] = [item for item in pod["containers"][0]["volumeMounts"] if item["name"] == "key"]
    assert "subPath" not in mount
    path = f"{mount['mountPath']}/api-key"
    assert pod["containers"][0]["args"] == ["run", f"--api-key-file={path}"]
    assert "TOGETHER_API_KEY" not in json.dumps(objects)


def test_the_notes_say_what_a_person_must_know(helm_binary: Path) -> None:
    def notes(values: dict[str, Any]) -> str:
        return run_helm(
            helm_binary,
            *("install", "together-operator", str(CHART), "--dry-run=client", "-n", "ops"),
            values={"image": {"repository": IMAGE}, **values},
        ).partition("NOTES:")[2]

    plain = notes({})
    assert "rollout status deployment/together-operator" in plain
    assert "The namespace ops holds copies of the API keys of living endpoints" in plain
    assert "all TogetherEndpoints stay when this release is uninstalled" in plain
    assert "delete the TogetherEndpoints first" in plain
    assert "serves nobody yet" not in plain
    assert "WARNING: crds.keep is false" in notes({"crds": {"keep": False}})
    assert "serves nobody yet" in notes({"auth": {"existingSecret": "together"}})
    assert "-n team-a create secret" in notes(MATRIX["namespaced"])
