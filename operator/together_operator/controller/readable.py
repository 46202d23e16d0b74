"""Reading a resource whatever a cluster may hold.

A spec that this version cannot read (stored under another version's CRD) must neither stop the
operator nor strand a paid endpoint: what cannot be read is told to the person, and the rest is
still good enough to delete by.
"""

from __future__ import annotations

import copy
from typing import Any

from together_operator.resource.document import InvalidResource, TogetherEndpoint

_TRIES = 32


def readable(body: dict[str, Any]) -> tuple[TogetherEndpoint, str | None]:
    """Read a resource, without the fields of its spec that cannot be read.

    Args:
        body: The resource as Kubernetes returns it.

    Returns:
        The resource, and what is wrong with its spec, if anything is.
    """
    try:
        return TogetherEndpoint.parse(body), None
    except InvalidResource as error:
        problem = str(error)
        repaired = copy.deepcopy(body)
        spec = repaired.setdefault("spec", {})
        for _ in range(_TRIES):
            try:
                return TogetherEndpoint.parse(repaired), problem
            except InvalidResource as next_error:
                field = next_error.field.removeprefix("spec.").split(".")[0]
                if field in ("model", "hardware"):
                    spec[field] = "unreadable"
                else:
                    spec.pop(field, None)
        repaired["spec"] = {"model": "unreadable", "hardware": "unreadable"}
        return TogetherEndpoint.parse(repaired), problem
