"""Every manifest and every kubectl command of the documents works on a real API server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.conftest import DOCUMENTS
from tests.docs.markdown import PROJECT, README, Document
from tests.support.cluster import Run
from together_local.cluster.cluster import Cluster
from together_local.cluster.control_plane import ControlPlane
from together_operator.resource.names import KIND

QUICKSTART = PROJECT / "examples" / "quickstart.yaml"


def _manifests() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in DOCUMENTS:
        for block in Document.read(path).blocks:
            if block.language in ("yaml", "yml"):
                for item in yaml.safe_load_all(block.text):
                    assert isinstance(item, dict), f"{path.name}, line {block.line}"
                    found.append((f"{path.name}:{block.line}", item))
    return found


ENDPOINTS = [(where, item) for where, item in _manifests() if item.get("kind") == KIND]


@pytest.mark.parametrize(("where", "manifest"), ENDPOINTS, ids=[where for where, _ in ENDPOINTS])
@pytest.mark.usefixtures("crd")
def test_the_api_server_takes_the_manifest(
    kubectl: Run, namespace: str, where: str, manifest: dict[str, Any]
) -> None:
    del where
    said = kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict"),
        *("-n", namespace, "-o", "json", "-f", "-"),
        input=json.dumps(manifest),
    )
    taken = json.loads(said.stdout)["spec"]
    for name, value in manifest["spec"].items():
        if not isinstance(value, dict):
            assert taken[name] == value


def test_the_readme_begins_with_the_quickstart(readme: Document) -> None:
    """What the reader sees first is what `make demo` applies."""
    first = next(block for block in readme.blocks if block.language == "yaml")
    assert yaml.safe_load(first.text) == yaml.safe_load(QUICKSTART.read_text(encoding="utf-8"))


def test_the_demo_applies_the_quickstart() -> None:
    from together_local.demo.stage import own_file

    assert own_file("quickstart.yaml") == QUICKSTART


def test_the_overlay_names_the_image(kubectl: Run, tmp_path: Path) -> None:
    (overlay,) = [item for _, item in _manifests() if item.get("kind") == "Kustomization"]
    checkout = tmp_path / "together-operator"
    for name in ("deploy/kustomize", "crds"):
        shutil.copytree(PROJECT / name, checkout / name)
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    objects = yaml.safe_load_all(kubectl("kustomize", str(tmp_path / "overlay")).stdout)
    (deployment,) = [item for item in objects if item["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.com/you/together-operator:0.1.0"


def test_the_application_takes_what_the_readme_says(readme: Document) -> None:
    """The environment of the connection is the one of the complete example."""
    (shown,) = [item for _, item in _manifests() if "envFrom" in item]
    example = (PROJECT / "examples" / "connection.yaml").read_text(encoding="utf-8")
    (deployment,) = [d for d in yaml.safe_load_all(example) if d["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert {"env": container["env"], "envFrom": container["envFrom"]} == shown
    assert "OPENAI_BASE_URL" in readme.text


_FOR_THE_CLUSTER = re.compile(r"--all-namespaces| namespace | crd\b|deploy/argocd/")


def _kubectl_commands(*, for_the_cluster: bool) -> list[str]:
    """The commands of the README that a person types at a cluster.

    Args:
        for_the_cluster: Those that reach beyond the person's namespace, or only the others.
    """
    return [
        command
        for block in Document.read(README).blocks
        for command in block.commands
        if block.language == "sh" and "kubectl " in command
        if bool(_FOR_THE_CLUSTER.search(command)) is for_the_cluster
    ]


def _type(command: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    assert "unknown field" not in done.stderr, f"{command}: {done.stderr}"


@pytest.fixture
def person(
    control_plane: Cluster, kubectl: Run, crd: str, namespace: str, tmp_path: Path
) -> dict[str, str]:
    """The environment of a person who is in a namespace of theirs, with a Ready `mixtral` there."""
    del crd
    kubeconfig = tmp_path / "kubeconfig"
    shutil.copyfile(control_plane.kubeconfig, kubeconfig)
    kubectl(
        *("config", "set-context", "--current", f"--namespace={namespace}"), kubeconfig=kubeconfig
    )
    kubectl("-n", namespace, "apply", "-f", str(QUICKSTART))
    condition = {
        "type": "Ready",
        "status": "True",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "reason": "Serving",
        "message": "Answers",
    }
    status = {"observedGeneration": 1, "conditions": [condition]}
    kubectl(
        *("-n", namespace, "patch", "tep", "mixtral", "--type=merge", "--subresource=status"),
        *("-p", json.dumps({"status": status})),
    )
    return control_plane.environment(kubeconfig) | {"TOGETHER_API_KEY": "not-a-key"}


@pytest.mark.parametrize("command", _kubectl_commands(for_the_cluster=False))
def test_the_command_works(person: dict[str, str], command: str) -> None:
    _type(command, person)


def test_the_commands_for_the_whole_cluster_work(private_control_plane: ControlPlane) -> None:
    """In the README's order, from installing the CRD by hand to removing it."""
    commands = _kubectl_commands(for_the_cluster=True)
    assert len(commands) >= 6
    environment = private_control_plane.environment()
    private_control_plane.kubectl("create", "namespace", "argocd")
    for command in commands:
        _type(command, environment)
    left = private_control_plane.kubectl("get", "crd,namespace", "-o", "name").stdout
    assert "together-operator" not in left


@pytest.mark.usefixtures("crd")
def test_the_columns_are_the_ones_that_are_shown(kubectl: Run, namespace: str) -> None:
    kubectl("-n", namespace, "apply", "-f", str(QUICKSTART))
    real = {
        flags: kubectl("-n", namespace, "get", "tep", *flags).stdout.splitlines()[0].split()
        for flags in ((), ("-o", "wide"))
    }
    shown = [
        (("-o", "wide") if "-o wide" in command else (), line.split())
        for path in DOCUMENTS
        for block in Document.read(path).blocks
        for command in block.commands
        if block.language == "console" and command.startswith("kubectl get tep")
        for line in block.text.splitlines()
        if line.startswith("NAME ")
    ]
    assert len(shown) >= 3
    for flags, header in shown:
        assert header == real[flags]
