"""The CRD keeps the rules of the house: structural, bounded, described, and up to date."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from together_operator.resource import crd
from together_operator.resource.rules import RULES

PROJECT = Path(__file__).resolve().parents[2]
VERSION: dict[str, Any] = crd.crd()["spec"]["versions"][0]
ROOT: dict[str, Any] = VERSION["schema"]["openAPIV3Schema"]


def _fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from _fields(field, f"{path}.{name}")
    if "items" in schema:
        yield f"{path}[]", schema["items"]
        yield from _fields(schema["items"], f"{path}[]")


FIELDS = dict(_fields(ROOT))


def _of_type(kind: str) -> list[str]:
    return [path for path, field in FIELDS.items() if field["type"] == kind]


def test_the_walk_sees_the_schema() -> None:
    assert {".spec.model", ".status.operation.open[]", ".status.conditions[].type"} <= set(FIELDS)


@pytest.mark.parametrize("path", FIELDS)
def test_structural(path: str) -> None:
    field = FIELDS[path]
    assert field["type"] in {"object", "array", "string", "integer", "boolean"}
    forbidden = {"$ref", "anyOf", "allOf", "oneOf", "not", "title", "additionalProperties"}
    assert not forbidden & set(field)
    assert not field.get("x-kubernetes-preserve-unknown-fields")
    assert not field.get("nullable")


@pytest.mark.parametrize("path", [path for path in FIELDS if not path.endswith("[]")])
def test_described(path: str) -> None:
    description = FIELDS[path]["description"]
    assert description.endswith(".")
    assert "\n" not in description
    assert len(description) <= 400


@pytest.mark.parametrize("path", _of_type("string"))
def test_strings_are_bounded(path: str) -> None:
    assert "maxLength" in FIELDS[path] or "enum" in FIELDS[path]


@pytest.mark.parametrize("path", _of_type("integer"))
def test_integers_are_bounded_and_sized(path: str) -> None:
    field = FIELDS[path]
    assert field["format"] in {"int32", "int64"}
    assert "minimum" in field
    assert "maximum" in field or field["format"] == "int64"


@pytest.mark.parametrize("path", _of_type("array"))
def test_lists_are_bounded_and_shared_by_rule(path: str) -> None:
    assert FIELDS[path]["maxItems"] <= 64
    assert FIELDS[path]["x-kubernetes-list-type"] in {"map", "set", "atomic"}


def test_no_default_stands_inside_a_list() -> None:
    assert [path for path, field in FIELDS.items() if "[]" in path and "default" in field] == []


def test_conditions_are_a_map_by_type() -> None:
    conditions = FIELDS[".status.conditions"]
    assert conditions["x-kubernetes-list-type"] == "map"
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert "type" in conditions["items"]["required"]


def test_a_duration_names_its_unit() -> None:
    assert [path for path in FIELDS if "imeout" in path and not path.endswith("Minutes")] == []


def test_defaults() -> None:
    assert ROOT["properties"]["status"]["default"] == {"observedGeneration": -1}
    assert {path: f["default"] for path, f in FIELDS.items() if "default" in f} == {
        ".spec.autoscaling": {},
        ".spec.autoscaling.minReplicas": 1,
        ".spec.state": "Started",
        ".spec.inactiveTimeoutMinutes": 0,
        ".spec.speculativeDecoding": "Auto",
        ".spec.api": "Auto",
        ".spec.apiKeySecretRef.key": "api-key",
        ".spec.onMissing": "Report",
        ".spec.replacement": "Never",
        ".spec.migration.confirm": False,
        ".spec.suspend": False,
        ".status": {"observedGeneration": -1},
    }


def test_only_model_and_hardware_are_required() -> None:
    assert ROOT["required"] == ["spec"]
    assert ROOT["properties"]["spec"]["required"] == ["model", "hardware"]
    assert "required" not in ROOT["properties"]["status"]


@pytest.mark.parametrize(
    "rule", [rule for rules in RULES.values() for rule in rules], ids=lambda rule: rule.message[:40]
)
def test_rules_give_advice_in_one_line(rule: Any) -> None:
    assert "\n" not in rule.message
    assert len(rule.message) >= 40
    assert not rule.message.endswith(".")
    assert "self" not in rule.message.split()


def test_names() -> None:
    spec = crd.crd()["spec"]
    assert spec["scope"] == "Namespaced"
    assert spec["names"]["shortNames"] == ["tep"]
    assert spec["names"]["categories"] == ["together"]
    assert VERSION["subresources"]["scale"] == {
        "specReplicasPath": ".spec.autoscaling.minReplicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }


def test_columns() -> None:
    columns = VERSION["additionalPrinterColumns"]
    by_priority = [
        [column["name"].upper() for column in columns if column["priority"] == priority]
        for priority in (0, 1)
    ]
    assert by_priority == [
        ["READY", "REASON", "MODEL", "REPLICAS", "$/H", "AGE"],
        ["NAME", "HARDWARE", "ENDPOINT", "API"],
    ]


def test_small_enough_for_client_side_apply() -> None:
    assert len(crd.crd_yaml()) < 100_000, "kubectl apply keeps a copy in an annotation of 256 KiB"


def test_the_text_is_the_object() -> None:
    text = crd.crd_yaml()
    assert yaml.safe_load(text) == crd.crd()
    assert text.startswith("# Generated from operator/together_operator/resource/ by `make crd`.")
    assert text == crd.crd_yaml()
    assert "&id" not in text


def test_what_is_committed_is_up_to_date() -> None:
    assert crd.stale(PROJECT / "crds") == [], "run `make crd` and commit crds/"


def test_stale_and_write(tmp_path: Path) -> None:
    directory = tmp_path / "crds"
    assert crd.stale(directory) == [crd.FILE, "kustomization.yaml"]
    assert crd.write(directory) == [directory / crd.FILE, directory / "kustomization.yaml"]
    assert crd.stale(directory) == []
    (directory / crd.FILE).write_text("changed", encoding="utf-8")
    assert crd.stale(directory) == [crd.FILE]
