"""The Helm chart as tests see it: rendered by the real Helm.

Cluster tests run the operator with the rights that the chart gives it and no others, so the chart
is also where they get its ServiceAccount from.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from together_local.cluster.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "together-operator"
IMAGE = "registry.example.com/you/together-operator"

RBAC_KINDS = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")

Object = dict[str, Any]


class HelmError(RuntimeError):
    """Helm refused; the text is what a person would have read."""


def run_helm(helm: Path, *args: str, values: Mapping[str, Any] | None = None) -> str:
    """Run a Helm command that needs no cluster and return its output.

    Args:
        helm: The helm command.
        args: Its arguments.
        values: What goes into `--values`.

    Raises:
        HelmError: It returned non-zero.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [str(helm), *args]
        if values is not None:
            file = Path(folder) / "values.yaml"
            file.write_text(yaml.safe_dump(dict(values)))
            command += ["--values", str(file)]
        homes = {f"HELM_{name}_HOME": f"{folder}/{name}" for name in ("CACHE", "CONFIG", "DATA")}
        done = subprocess.run(
            command,
            env={**os.environ, **homes, "KUBECONFIG": os.devnull},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    if done.returncode != 0:
        raise HelmError(done.stdout + done.stderr)
    return done.stdout


def render(
    helm: Path,
    values: Mapping[str, Any] | None = None,
    *,
    namespace: str = "together-operator",
    release: str = "together-operator",
    args: Sequence[str] = (),
) -> list[Object]:
    """Render the chart, with an image unless the values name one.

    Args:
        helm: The helm command.
        values: The chart's values.
        namespace: The release's namespace.
        release: The release's name.
        args: More arguments of `helm template`.

    Raises:
        HelmError: The chart or its schema refused the values.
    """
    given = {"image": {"repository": IMAGE}, **(values or {})}
    text = run_helm(
        helm, "template", release, str(CHART), "--namespace", namespace, *args, values=given
    )
    return [item for item in yaml.safe_load_all(text) if item]


def rendered_rbac(
    helm: Path, namespace: str, values: Mapping[str, Any] | None = None
) -> list[Object]:
    """Return the ServiceAccount, roles and bindings of a release in a namespace.

    The release is named after the namespace: several may share a cluster.

    Args:
        helm: The helm command.
        namespace: The operator's namespace.
        values: The chart's values.

    Raises:
        HelmError: The chart or its schema refused the values.
    """
    objects = render(helm, values, namespace=namespace, release=namespace)
    return [item for item in objects if item["kind"] in RBAC_KINDS]


class Right(NamedTuple):
    """One thing that the operator may do.

    Attributes:
        place: `own` for its own namespace, `served` for the others.
        group: The API group.
        resource: The resource, or the subresource after a slash.
        verb: What may be done to it.
    """

    place: str
    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.place}-{self.verb}-{self.resource.replace('/', '-')}"


def _bound(objects: Sequence[Object]) -> Iterator[tuple[str, Object]]:
    """The roles that the operator itself has, with where each counts."""
    names = {o["roleRef"]["name"] for o in objects if o["kind"].endswith("Binding")}
    for role in objects:
        if role["kind"] in ("Role", "ClusterRole") and role["metadata"]["name"] in names:
            yield "own" if role["metadata"]["name"].endswith("-own") else "served", role


def rights(objects: Sequence[Object]) -> list[Right]:
    """Everything that the operator may do, one by one.

    Args:
        objects: As `rendered_rbac` returns them.
    """
    found = {
        Right(place, group, resource, verb): None
        for place, role in _bound(objects)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    return list(found)


def roles_without(objects: Sequence[Object], right: Right | None) -> list[Object]:
    """The operator's roles, one right taken out of them.

    Args:
        objects: As `rendered_rbac` returns them.
        right: What is taken out; `None` for nothing.
    """
    roles = []
    for place, role in _bound(objects):
        rules = [
            {**rule, "apiGroups": [group], "resources": [resource], "verbs": [verb]}
            for rule in role["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
            if Right(place, group, resource, verb) != right
        ]
        roles.append({**role, "rules": rules})
    return roles


@contextmanager
def installed_rbac(
    cluster: Cluster, helm: Path, namespace: str, values: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Give a cluster the rights of the operator for the length of a block.

    Yields the name of the ServiceAccount, for `Cluster.service_account_kubeconfig`.

    Args:
        cluster: The cluster, to which we are administrator.
        helm: The helm command.
        namespace: The operator's namespace, which exists.
        values: The chart's values; with `scope.namespaces` those namespaces exist, too.

    Raises:
        HelmError: The chart or its schema refused the values.
    """
    objects = rendered_rbac(helm, namespace, values)
    accounts = [item for item in objects if item["kind"] == "ServiceAccount"]
    manifest = yaml.safe_dump_all(objects)
    cluster.kubectl("apply", "-f", "-", input=manifest)
    try:
        yield accounts[0]["metadata"]["name"]
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", input=manifest)
