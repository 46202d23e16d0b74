"""Each example works as its reader would use it, and a typing error is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cluster.resources import PROJECT, Resources, manifest
from together_operator.resource.document import TogetherEndpoint

EXAMPLES = sorted((PROJECT / "examples").glob("*.yaml"))


def _endpoints(resources: Resources) -> list[TogetherEndpoint]:
    found = json.loads(resources.run("get", "tep", "-o", "json").stdout)
    return [TogetherEndpoint.parse(item) for item in found["items"]]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("flags", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_example_applies_twice(resources: Resources, example: Path, flags: tuple[str, ...]) -> None:
    resources.run("apply", *flags, "-f", str(example))
    (first,) = _endpoints(resources)
    assert first.generation == 1
    assert first.status.observed_generation == -1

    resources.run("apply", *flags, "-f", str(example))
    (second,) = _endpoints(resources)
    assert second.generation == 1, "defaults are no difference to the manifest"
    assert second.spec == first.spec


def test_the_quickstart_needs_nothing_beyond_its_secret() -> None:
    text = (PROJECT / "examples" / "quickstart.yaml").read_text(encoding="utf-8")
    assert text.count("kind:") == 1
    assert "namespace:" not in text
    assert "kubectl create secret generic together --from-literal=api-key=" in text


def test_a_client_side_manifest_can_be_taken_over_server_side(resources: Resources) -> None:
    resources.apply(manifest())
    resources.apply(manifest(displayName="Chat"), "--server-side")
    assert resources.read()["spec"]["displayName"] == "Chat"


@pytest.mark.parametrize("flags", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_a_typing_error_is_refused_by_name(resources: Resources, flags: tuple[str, ...]) -> None:
    said = resources.refused("apply", *flags, "-f", "-", document=manifest(displayNmae="Chat"))
    assert "spec.displayNmae" in said


def test_a_new_resource_is_not_taken_for_a_finished_one(resources: Resources) -> None:
    resources.apply(manifest())
    assert resources.read()["status"] == {"observedGeneration": -1}
