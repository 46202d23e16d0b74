"""What the tests apply: the manifest of a resource, and the words that are in it."""

from __future__ import annotations

from typing import Any

from tests.support.contract import conditions

KEYS = "simulated-key-of-"
"""How every key of the tests begins, so that one that leaks is found."""

KEY = f"{KEYS}team-a"
SECRET = "together"
MODEL = "mistralai/Mixtral-8x7B-Instruct-v0.1"
HARDWARE = "2x_nvidia_h100_80gb_sxm"

Object = dict[str, Any]


def manifest(name: str = "mixtral", /, *, annotations: Any = None, **spec: Any) -> Object:
    """A TogetherEndpoint with a key, and what else is given for the spec."""
    metadata: Object = {"name": name}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "together-operator.io/v1alpha1",
        "kind": "TogetherEndpoint",
        "metadata": metadata,
        "spec": {
            "model": MODEL,
            "hardware": HARDWARE,
            "apiKeySecretRef": {"name": SECRET},
            **spec,
        },
    }


def reason_of(found: Object) -> str | None:
    """The reason of a resource's Ready condition, once this generation has been observed."""
    ready = conditions(found).get("Ready")
    if ready is None or ready["observedGeneration"] != found["metadata"]["generation"]:
        return None
    return str(ready["reason"])
