"""A ring of keys on a fake API server, and what it says of a resource."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.controller.fake_kube import FakeKube
from tests.controller.virtual import steady
from together_operator.controller.keys import HeldKey, KeyRing
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.remote import Unavailable


def ring(
    kube: FakeKube,
    *,
    operator_key: Callable[[], str | None] = lambda: None,
    namespaces: frozenset[str] = frozenset(),
) -> KeyRing:
    return KeyRing(kube.kube, "cluster", "system", steady, operator_key, namespaces, 60.0)


def resource(kube: FakeKube, name: str = "one", **spec: Any) -> TogetherEndpoint:
    key = kube.apply(name, **spec)
    return TogetherEndpoint.parse(kube.endpoints[key])


def held(found: HeldKey | Unavailable) -> HeldKey:
    assert isinstance(found, HeldKey), found
    return found


def trouble(found: HeldKey | Unavailable) -> Unavailable:
    assert isinstance(found, Unavailable)
    return found
