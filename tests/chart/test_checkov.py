"""Image and chart as a scanner of other people's rules sees them, with a reason for each exception.

checkov runs in an environment of its own: it pins a hundred packages that are none of ours.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.chart import ROOT, render
from tests.support.cluster import Run
from tests.support.venvs import ensure_venv

pytestmark = pytest.mark.timeout(600)

IMAGE_EXCEPTIONS = {
    "CKV_DOCKER_2": "a HEALTHCHECK is for Docker; Kubernetes asks the chart's probes instead",
    "CKV_DOCKER_7": "the tag is in ARG BASE, which checkov does not read; `test_dockerfile` does",
}
CHART_EXCEPTIONS = {
    "CKV_K8S_11": "a CPU limit would delay a stop or a delete, and each minute costs money",
    "CKV_K8S_15": "a release has a tag that never moves, and with `image.digest` it is kept to",
    "CKV_K8S_38": "the token is what the operator works with",
    "CKV_K8S_43": "the image is the user's own: `image.digest` pins it, and is tried below",
}
POLICY_EXCEPTION = {
    "CKV2_K8S_6": "off by default: which ports and peers a cluster needs only its people know",
}
STRICT = {
    "networkPolicy": {"enabled": True},
    "image": {
        "repository": "registry.example.com/you/together-operator",
        "digest": f"sha256:{'0' * 64}",
    },
}


def failed(folder: Path, framework: str) -> set[str]:
    """The rules that what is in a folder breaks; fails if none was tried at all."""
    command = ensure_venv("checkov").script("checkov")
    done = subprocess.run(
        [str(command), "--skip-download", "--quiet", "--compact", "--output", "json",
         "--framework", framework, "--directory", str(folder)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["summary"]["parsing_errors"] == 0, done.stdout
    assert found["summary"]["passed"] > 20, done.stdout
    return {entry["check_id"] for entry in found["results"]["failed_checks"]}


def test_the_image(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text((ROOT / "Dockerfile").read_text())
    assert failed(tmp_path, "dockerfile") == IMAGE_EXCEPTIONS.keys()


def test_the_chart_as_it_is(helm_binary: Path, tmp_path: Path) -> None:
    (tmp_path / "chart.yaml").write_text(yaml.safe_dump_all(render(helm_binary)))
    assert failed(tmp_path, "kubernetes") == CHART_EXCEPTIONS.keys() | POLICY_EXCEPTION.keys()


def test_the_chart_with_all_that_it_offers(helm_binary: Path, tmp_path: Path) -> None:
    (tmp_path / "chart.yaml").write_text(yaml.safe_dump_all(render(helm_binary, STRICT)))
    still = CHART_EXCEPTIONS.keys() - {"CKV_K8S_15", "CKV_K8S_43"}
    assert failed(tmp_path, "kubernetes") == still


def test_the_kustomize_base(kubectl: Run, tmp_path: Path) -> None:
    rendered = kubectl("kustomize", str(ROOT / "deploy/kustomize/base")).stdout
    (tmp_path / "base.yaml").write_text(rendered)
    assert failed(tmp_path, "kubernetes") == CHART_EXCEPTIONS.keys() | POLICY_EXCEPTION.keys()
