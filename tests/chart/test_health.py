"""The health check for Argo CD, run by a Lua 5.1 engine over every situation of the contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml
from lupa import lua51

from tests.support.argo_health import (
    EXPECTED,
    ROOT,
    SCRIPT,
    Health,
    Situation,
    argo_health,
    run_script,
)

DATA = Path(__file__).parent / "testdata"
KEY = "resource.customizations.health.together-operator.io_TogetherEndpoint"
CASES: list[dict[str, Any]] = yaml.safe_load((DATA / "health_test.yaml").read_text())["tests"]


def load(path: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DATA / path).read_text())
    return loaded


@pytest.mark.parametrize("case", CASES, ids=[Path(case["inputPath"]).stem for case in CASES])
def test_health(case: dict[str, Any]) -> None:
    assert argo_health(load(case["inputPath"])) == Health(**case["healthStatus"])


@pytest.mark.parametrize("situation", Situation)
def test_the_contract_has_a_case_for_each_situation(situation: Situation) -> None:
    assert argo_health(load(f"statuses/{situation}.yaml")).status == EXPECTED[situation]


def test_every_file_is_a_case() -> None:
    files = {f"statuses/{path.name}" for path in (DATA / "statuses").glob("*.yaml")}
    assert files == {case["inputPath"] for case in CASES}


@pytest.mark.parametrize("path", sorted((DATA / "statuses").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_cases_are_possible(path: Path) -> None:
    """The CRD would accept them, apart from the one that is about a broken status."""
    crd = yaml.safe_load((ROOT / "crds/together-operator.io_togetherendpoints.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    obj = load(f"statuses/{path.name}")
    if path.stem == "no-conditions":
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(obj, schema)
    else:
        jsonschema.validate(obj, schema)
        conditions = [item["type"] for item in obj["status"].get("conditions", [])]
        assert conditions in ([], ["Ready", "Reconciling", "Stalled", "Available", "Synced"])


def test_a_resource_without_any_status_is_progressing() -> None:
    obj = load("statuses/serving.yaml")
    del obj["status"]
    assert argo_health(obj).status == "Progressing"


def test_the_engine_is_as_bare_as_argo_cds() -> None:
    """A script that needs what Argo CD does not give must not pass here."""
    for forbidden in ('string.sub("a", 1)', '("a"):len()', "math.max(1, 2)", "io.read()"):
        with pytest.raises(lua51.LuaError):
            run_script(f'local x = {forbidden} return {{status = "Healthy", message = ""}}', {})


def test_the_config_map_carries_the_same_script() -> None:
    config = yaml.safe_load((ROOT / "deploy/argocd/argocd-cm.yaml").read_text())
    assert config["data"] == {KEY: SCRIPT.read_text()}
