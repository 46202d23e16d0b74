"""Reading a resource whatever a cluster may hold.

A spec that this version cannot read (stored under another version's CRD) must neither stop the
operator nor strand a paid endpoint: what cannot be read is told to the person, and the rest is
still good enough to delete by.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from together_operator.resource.document import InvalidResource, TogetherEndpoint

_REQUIRED = {"model": "unreadable", "hardware": "unreadable"}
_FATE = frozenset({"deletionPolicy", "suspend"})


class Reading(NamedTuple):
    """A resource as far as it can be read.

    Attributes:
        resource: The resource, without the fields of its spec that cannot be read.
        problem: What is wrong with its spec, if anything is.
        fate_unknown: Whether it says something of what a deletion does that cannot be read.
    """

    resource: TogetherEndpoint
    problem: str | None = None
    fate_unknown: bool = False


def readable(body: dict[str, Any]) -> Reading:
    """Read a resource, without the fields of its spec that cannot be read.

    Args:
        body: The resource as Kubernetes returns it.
    """
    try:
        return Reading(TogetherEndpoint.parse(body))
    except InvalidResource as error:
        problem = str(error)
    raw = body.get("spec")
    spec: dict[str, Any] = dict(_REQUIRED)
    best = TogetherEndpoint.parse({**body, "spec": spec})
    lost: set[str] = set()
    for field, value in (raw if isinstance(raw, dict) else {}).items():
        try:
            best = TogetherEndpoint.parse({**body, "spec": {**spec, field: value}})
        except InvalidResource:
            lost.add(field)
        else:
            spec[field] = value
    return Reading(best, problem, not lost.isdisjoint(_FATE))
