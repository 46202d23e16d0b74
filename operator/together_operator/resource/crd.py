"""The CustomResourceDefinition, made of the models so that the two can never disagree.

What a person may write (`spec.py`), what the operator tells (`status.py`) and what the API server
refuses (`rules.py`) are brought together here with what kubectl shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

from together_operator.resource.names import (
    CATEGORY,
    GROUP,
    KIND,
    PLURAL,
    SHORT_NAME,
    SINGULAR,
    VERSION,
)
from together_operator.resource.rules import RULES
from together_operator.resource.schema import Schema, structural
from together_operator.resource.spec import Spec
from together_operator.resource.status import Status

FILE: Final = f"{GROUP}_{PLURAL}.yaml"
"""Name of the generated file, in the usual `<group>_<plural>.yaml`."""

_HEADER: Final = """\
# Generated from operator/together_operator/resource/ by `make crd`. Do not edit: change the models.
"""


def _condition(field: str) -> str:
    return f'.status.conditions[?(@.type=="Ready")].{field}'


_COLUMNS: Final[tuple[tuple[str, str, str, int, str], ...]] = (
    ("Ready", "string", _condition("status"), 0, "Whether this generation is carried out."),
    ("Reason", "string", _condition("reason"), 0, "The situation in one word."),
    ("Model", "string", ".spec.model", 0, "Model that is served."),
    ("Replicas", "integer", ".status.replicas", 0, "Replicas that Together keeps running."),
    ("$/H", "string", ".status.price.perReplicaHour", 0, "Price of a running replica per hour."),
    ("Age", "date", ".metadata.creationTimestamp", 0, "Time since the resource was created."),
    ("Name", "string", ".status.name", 1, "Value of `model` in an inference request."),
    ("Hardware", "string", ".spec.hardware", 1, "Hardware of each replica."),
    ("Endpoint", "string", ".status.endpointID", 1, "Together's ID of the endpoint."),
    ("API", "string", ".status.api", 1, "Generation of Together's API."),
)
"""Columns of `kubectl get`: header, type, path, priority (1 only with `-o wide`), description."""


def crd() -> dict[str, Any]:
    """The CustomResourceDefinition as Kubernetes takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": SINGULAR,
                "shortNames": [SHORT_NAME],
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.autoscaling.minReplicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": [
                        {
                            "name": name,
                            "type": kind,
                            "jsonPath": path,
                            "priority": priority,
                            "description": description,
                        }
                        for name, kind, path, priority, description in _COLUMNS
                    ],
                    "schema": {"openAPIV3Schema": _root()},
                }
            ],
        },
    }


def crd_yaml() -> str:
    """The CustomResourceDefinition as the text of its file, header comment included."""
    return _HEADER + _dump(crd())


def files() -> dict[str, str]:
    """Every generated file of the directory `crds/`: its name and text."""
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [FILE],
    }
    return {FILE: crd_yaml(), "kustomization.yaml": _HEADER + _dump(kustomization)}


def stale(directory: Path) -> list[str]:
    """Name the generated files that are missing or out of date.

    Args:
        directory: Where they lie, normally `crds/`.
    """
    return [
        name
        for name, text in files().items()
        if not (directory / name).is_file()
        or (directory / name).read_text(encoding="utf-8") != text
    ]


def write(directory: Path) -> list[Path]:
    """Write the generated files.

    Args:
        directory: Where to; made if missing.

    Returns:
        The files written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in files().items():
        (directory / name).write_text(text, encoding="utf-8")
        written.append(directory / name)
    return written


def _root() -> Schema:
    spec = structural(Spec)
    # Until the operator has seen a resource, its status must say so: without this, tools that
    # wait by kstatus (Helm, Flux) take a resource without a status for a finished one.
    status = structural(Status, defaults=False) | {"default": {"observedGeneration": -1}}
    root: Schema = {
        "type": "object",
        "description": (
            "A dedicated inference endpoint at Together AI. The operator creates it, keeps it as"
            " `spec` says, tells in `status` what is true there, and deletes it with the resource."
        ),
        "required": ["spec"],
        "properties": {"spec": spec, "status": status},
    }
    for path, rules in RULES.items():
        _at(root, path)["x-kubernetes-validations"] = [rule.to_dict() for rule in rules]
    return root


def _at(root: Schema, path: str) -> Schema:
    """The schema of a field, by its dotted path; the root's is empty."""
    schema = root
    for name in path.split(".") if path else ():
        schema = schema["properties"][name]
    return schema


class _Dumper(yaml.SafeDumper):
    """YAML as people write it: no anchors, lists indented below their key."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, indentless=False)


def _dump(document: dict[str, Any]) -> str:
    return yaml.dump(
        document, Dumper=_Dumper, sort_keys=False, width=98, allow_unicode=True, indent=2
    )
