"""Where the API server keeps each kind of object that the operator reads or writes."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote

from together_operator.resource.names import API_VERSION, PLURAL


class Kind(NamedTuple):
    """Where the API server keeps one kind of object."""

    root: str
    plural: str
    accept: str = "application/json"

    def path(self, namespace: str | None = None, *rest: str) -> str:
        """The path of the kind, or of an object or subresource of it."""
        parts = [self.root]
        if namespace is not None:
            parts += ["namespaces", quote(namespace, safe="")]
        parts += [self.plural, *(quote(part, safe="") for part in rest)]
        return "/".join(parts)


_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


def is_name(text: str) -> bool:
    """Whether an object can have this name.

    A status, for instance, may hold any text as one, and in a path `..` is another place.
    """
    return _NAME.fullmatch(text) is not None


ENDPOINTS: Final = Kind(f"/apis/{API_VERSION}", PLURAL)
SECRETS: Final = Kind("/api/v1", "secrets")
CONFIGMAPS: Final = Kind("/api/v1", "configmaps")
EVENTS: Final = Kind("/api/v1", "events")
LEASES: Final = Kind("/apis/coordination.k8s.io/v1", "leases")
NAMESPACES: Final = Kind("/api/v1", "namespaces")
DEFINITIONS: Final = Kind(
    "/apis/apiextensions.k8s.io/v1",
    "customresourcedefinitions",
    # The schema of ours alone is tens of KiB.
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
)
