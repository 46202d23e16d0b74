"""The kustomize base is the chart's default release for those who do not use Helm."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.chart import IMAGE, RBAC_KINDS, ROOT, Object, render

BASE = ROOT / "deploy" / "kustomize" / "base"


def kustomize(kubectl: Path, folder: Path) -> list[Object]:
    done = subprocess.run(
        [str(kubectl), "kustomize", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def by_name(objects: list[Object]) -> dict[tuple[str, str, str], Object]:
    return {
        (item["kind"], item["metadata"].get("namespace", ""), item["metadata"]["name"]): item
        for item in objects
    }


def without_labels(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_labels(item) for key, item in value.items() if key != "labels"}
    if isinstance(value, list):
        return [without_labels(item) for item in value]
    return value


@pytest.fixture(scope="module")
def base(kubectl_binary: Path) -> list[Object]:
    return kustomize(kubectl_binary, BASE)


@pytest.fixture(scope="module")
def chart(helm_binary: Path) -> list[Object]:
    return render(helm_binary, {"metrics": {"service": {"enabled": False}}})


def test_the_rights_are_those_of_the_chart(base: list[Object], chart: list[Object]) -> None:
    ours = by_name([item for item in base if item["kind"] in RBAC_KINDS])
    charts = by_name([item for item in chart if item["kind"] in RBAC_KINDS])
    assert ours.keys() == charts.keys()
    for name, item in charts.items():
        for field in ("rules", "roleRef", "subjects"):
            assert ours[name].get(field) == item.get(field), (name, field)


def test_the_crd_is_the_charts(base: list[Object], chart: list[Object]) -> None:
    [ours] = [item for item in base if item["kind"] == "CustomResourceDefinition"]
    [charts] = [item for item in chart if item["kind"] == "CustomResourceDefinition"]
    assert ours["spec"] == charts["spec"]


def test_the_deployment_is_the_charts(base: list[Object], chart: list[Object]) -> None:
    [ours] = [item for item in base if item["kind"] == "Deployment"]
    [charts] = [item for item in chart if item["kind"] == "Deployment"]
    [container] = charts["spec"]["template"]["spec"]["containers"]
    container["image"] = container["image"].replace(IMAGE, "together-operator")
    assert without_labels(ours) == without_labels(charts)


def test_an_overlay_sets_the_image(kubectl_binary: Path, tmp_path: Path) -> None:
    # kustomize takes folders of resources by relative path only.
    relative = Path(*[".."] * len(tmp_path.parts[1:])) / BASE.relative_to("/")
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "resources": [str(relative)],
                "images": [{"name": "together-operator", "newName": IMAGE}],
            }
        )
    )
    objects = kustomize(kubectl_binary, tmp_path)
    [deployment] = [item for item in objects if item["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith(f"{IMAGE}:")
