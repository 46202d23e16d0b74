"""Why a resource is as it is: the closed set of condition reasons.

Scripts, alerts and people branch on these words, so the set is closed and documented, and a
reason is never renamed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class ConditionType(StrEnum):
    """The five conditions, all of them always present."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    AVAILABLE = "Available"
    SYNCED = "Synced"


class Reason(StrEnum):
    """One CamelCase word for the situation of a resource."""

    CREATING = "Creating"
    CLAIMING = "Claiming"
    ADOPTING = "Adopting"
    SCALING = "Scaling"
    STARTING = "Starting"
    STOPPING = "Stopping"
    RENAMING = "Renaming"
    REPLACING = "Replacing"
    MIGRATING = "Migrating"
    MIGRATION_UNCONFIRMED = "MigrationUnconfirmed"
    UPDATING = "Updating"
    PROBING = "Probing"
    WAITING_FOR_CAPACITY = "WaitingForCapacity"
    RATE_LIMITED = "RateLimited"
    SERVING = "Serving"
    STOPPED = "Stopped"
    IDLE_STOPPED = "IdleStopped"
    STOPPED_REMOTELY = "StoppedRemotely"
    UNREACHABLE = "Unreachable"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 (a reason, no secret)
    UNAUTHORIZED = "Unauthorized"
    FORBIDDEN = "Forbidden"
    PAYMENT_REQUIRED = "PaymentRequired"
    V1_CLOSED = "V1Closed"
    INVALID_MODEL = "InvalidModel"
    INVALID_HARDWARE = "InvalidHardware"
    INVALID_ZONE = "InvalidZone"
    CONFIG_REQUIRED = "ConfigRequired"
    INVALID_REQUEST = "InvalidRequest"
    NOT_ALLOWED = "NotAllowed"
    UNSUPPORTED = "Unsupported"
    NAME_TAKEN = "NameTaken"
    ENDPOINT_CONFLICT = "EndpointConflict"
    CREDENTIAL_MISMATCH = "CredentialMismatch"
    RESTORED_COPY = "RestoredCopy"
    ADOPTION_REFUSED = "AdoptionRefused"
    REMOTE_MISSING = "RemoteMissing"
    ATTEMPTS_EXHAUSTED = "AttemptsExhausted"
    INCONCLUSIVE_SCAN = "InconclusiveScan"
    MARKERS_LOST = "MarkersLost"
    ENDPOINT_FAILED = "EndpointFailed"
    REPLACEMENT_FAILED = "ReplacementFailed"
    CONNECTION_CONFLICT = "ConnectionConflict"
    SUSPENDED = "Suspended"
    DELETING = "Deleting"
    DELETION_BLOCKED = "DeletionBlocked"
    DELETION_SUSPENDED = "DeletionSuspended"


KEY_REFUSALS: Final = frozenset({Reason.UNAUTHORIZED, Reason.FORBIDDEN, Reason.PAYMENT_REQUIRED})
"""Refusals that are about the key: another key is reason enough to try again."""
