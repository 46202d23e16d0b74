"""Looking into what the chart renders."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.chart import Object
from together_operator.settings import Settings


def one(objects: list[Object], kind: str) -> Object:
    found = [item for item in objects if item["kind"] == kind]
    assert len(found) == 1, [item["metadata"]["name"] for item in found]
    return found[0]


def kinds(objects: list[Object]) -> set[str]:
    return {item["kind"] for item in objects}


def container(objects: list[Object]) -> dict[str, Any]:
    [only] = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def settings(objects: list[Object], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """What the operator makes of the rendered environment."""
    for entry in container(objects)["env"]:
        monkeypatch.setenv(entry["name"], entry.get("value", "together-operator"))
    return Settings.load()
