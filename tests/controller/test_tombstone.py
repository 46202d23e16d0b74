"""What is left to watch for: in which generation, and as every version of the operator reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.controller.fake_kube import FakeKube
from together_operator.controller.tombstone import SECONDS, Tombstone
from together_operator.core.marker import cluster_tag, owner_tag
from together_operator.resource.document import TogetherEndpoint
from together_operator.resource.spec import Api


def going(nonce: str, open_: list[str], **status: Any) -> TogetherEndpoint:
    """A resource with a record."""
    kube = FakeKube()
    body = kube.endpoints[kube.apply()]
    operation = {
        "phase": "Open", "uid": body["metadata"]["uid"], "cluster": "cluster", "nonce": nonce,
        "credential": "key-a", "date": "2027-01-15T08:00:00Z", "open": open_,
    }  # fmt: skip
    return TogetherEndpoint.parse({**body, "status": {"operation": operation, **status}})


@pytest.mark.parametrize(
    ("resource", "nonces", "apis"),
    [
        pytest.param(going("bbbb", ["aaaa"]), ("aaaa", "bbbb"), (Api.V1,), id="v1"),
        pytest.param(going("bbbb", ["aaaa"], api="V2"), ("aaaa",), (Api.V1,), id="of before v2"),
        pytest.param(going("bbbb", [], api="V2"), ("bbbb",), (Api.V2,), id="v2"),
        pytest.param(
            going("bbbb", ["aaaa"], api="V2"), ("aaaa", "bbbb"), (Api.V1, Api.V2), id="both"
        ),
    ],
)
def test_it_watches_where_an_attempt_was_sent_to(
    resource: TogetherEndpoint, nonces: tuple[str, ...], apis: tuple[Api, ...]
) -> None:
    grave = Tombstone.of(resource, "cluster", nonces, 1000.0)
    assert grave == Tombstone(
        cluster_tag("cluster"), owner_tag(resource.uid), nonces, 1000.0 + SECONDS, apis
    )
    assert Tombstone.load(grave.dump()) == grave


def test_one_from_before_there_were_two_generations_is_of_the_first() -> None:
    old = {"cluster": "abcdef", "owner": "abcdefghijkl", "nonces": ["aaaa"], "expires": 2e9}
    assert Tombstone.load(json.dumps(old)) == Tombstone("abcdef", "abcdefghijkl", ("aaaa",), 2e9)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"cluster": "a", "apis": ["V9"]}'])
def test_what_cannot_be_read_is_none(text: str) -> None:
    assert Tombstone.load(text) is None
