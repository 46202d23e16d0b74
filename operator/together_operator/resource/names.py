"""The names of the resource's contract with the world.

They stand in one place because each of them is public: CRD, chart, documentation, tests and
people's scripts rely on the very same strings, and a change of any is a breaking change.
"""

from __future__ import annotations

from typing import Final

GROUP: Final = "together-operator.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
KIND: Final = "TogetherEndpoint"
PLURAL: Final = "togetherendpoints"
SINGULAR: Final = "togetherendpoint"
SHORT_NAME: Final = "tep"
CATEGORY: Final = "together"

DEFINITION: Final = f"{PLURAL}.{GROUP}"
"""The name of the CRD."""

FINALIZER: Final = f"{GROUP}/endpoint"

OWNER_UID: Final = f"{GROUP}/owner-uid"
"""Annotation of ours: the uid of the resource that this state belongs to. A copy made by a backup
tool carries the old uid and is recognised by it."""

RECONCILE_REQUESTED_AT: Final = f"{GROUP}/reconcile-requested-at"
"""Annotation of a person or tool: look at everything again now (any new value)."""

RESTART_REQUESTED_AT: Final = f"{GROUP}/restart-requested-at"
"""Annotation of a person or tool: start again after an idle or remote stop (any new value)."""

CLAIM: Final = f"{GROUP}/claim"
"""Annotation of a person, the answer to `InconclusiveScan`: an endpoint id, or `none`."""

RESTORED_COPY: Final = f"{GROUP}/restored-copy"
"""Annotation of a person, the answer to `RestoredCopy`: `Adopt` or `New`."""

RELEASE: Final = f"{GROUP}/release"
"""Annotation of a person, the answer to `DeletionBlocked`: an endpoint id, or `unresolved`."""

KEY_COPY_LABEL: Final = f"{GROUP}/key-copy"
"""Label of the Secrets in the operator's namespace that hold the key of a living endpoint."""

MARK_PATTERN: Final = r"tep-[a-z2-7]{6}-[a-z2-7]{12}-[a-z2-7]{4}"
"""The shape of the ownership marker itself, which ends a name: of an endpoint in API v1, of a
deployment in v2."""

MARKER_PATTERN: Final = rf"(^|\s){MARK_PATTERN}"
"""What no display name of a person may contain: the shape of the ownership marker that the
operator appends, ` tep-<cluster>-<uid hash>-<nonce>`. A name with one would look like somebody's
endpoint."""

SELECTOR: Final = f"{GROUP}/pods=none"
"""The constant `status.selector`. An HPA refuses a scale subresource without a selector; this one
matches no pod, because the replicas run at Together."""
