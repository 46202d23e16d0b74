"""The scale subresource: what kubectl scale, an HPA and KEDA rely on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cluster.resources import Resources, manifest
from together_operator.resource.names import API_VERSION, PLURAL, SELECTOR


def _scale(resources: Resources) -> dict[str, Any]:
    path = f"/apis/{API_VERSION}/namespaces/{resources.namespace}/{PLURAL}/mixtral/scale"
    found: dict[str, Any] = json.loads(resources.kubectl("get", "--raw", path).stdout)
    return found


def _bounds(resources: Resources) -> dict[str, Any]:
    found: dict[str, Any] = resources.read()["spec"]["autoscaling"]
    return found


@pytest.mark.parametrize(
    ("autoscaling", "replicas"),
    [
        ({}, 1),
        ({"autoscaling": {}}, 1),
        ({"autoscaling": {"maxReplicas": 3}}, 1),
        ({"autoscaling": {"minReplicas": 2, "maxReplicas": 3}}, 2),
    ],
    ids=["absent", "empty", "only-max", "both"],
)
def test_scale_can_be_read(
    resources: Resources, autoscaling: dict[str, Any], replicas: int
) -> None:
    resources.apply(manifest(**autoscaling))
    assert _scale(resources)["spec"] == {"replicas": replicas}
    assert _scale(resources)["status"] == {"replicas": 0}


def test_scale_tells_what_together_acknowledged(resources: Resources) -> None:
    resources.apply(manifest())
    resources.tell({"replicas": 2, "selector": SELECTOR})
    assert _scale(resources)["status"] == {"replicas": 2, "selector": SELECTOR}


def test_scale_without_a_maximum(resources: Resources) -> None:
    resources.apply(manifest())
    resources.run("scale", "tep/mixtral", "--replicas=5")
    assert _bounds(resources) == {"minReplicas": 5}
    assert _scale(resources)["spec"] == {"replicas": 5}


def test_scale_within_the_bounds(resources: Resources) -> None:
    resources.apply(manifest(autoscaling={"maxReplicas": 3}))
    resources.run("scale", "tep/mixtral", "--replicas=3")
    assert _bounds(resources) == {"minReplicas": 3, "maxReplicas": 3}


def test_a_scaler_is_not_undone_by_applying_the_manifest_again(resources: Resources) -> None:
    for flags in ((), ("--server-side",)):
        resources.apply(manifest(), *flags)
        resources.run("scale", "tep/mixtral", "--replicas=4")
        resources.apply(manifest(), *flags)
        assert _bounds(resources) == {"minReplicas": 4}


@pytest.mark.parametrize(
    ("replicas", "advice"),
    [
        (4, "minReplicas must not exceed maxReplicas; raise `maxReplicas` first"),
        (0, "must be at least 1; to stop the endpoint set `spec.state` to 'Stopped' instead"),
        (1001, "spec.autoscaling.minReplicas in body should be less than or equal to 1000"),
    ],
)
def test_scale_beyond_the_bounds_is_refused(
    resources: Resources, replicas: int, advice: str
) -> None:
    resources.apply(manifest(autoscaling={"maxReplicas": 3}))
    assert advice in resources.refused("scale", "tep/mixtral", f"--replicas={replicas}")
    assert advice in resources.patch_refused(
        {"spec": {"replicas": replicas}}, "--subresource=scale"
    )
    assert _scale(resources)["spec"] == {"replicas": 1}
