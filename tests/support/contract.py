"""The contract of the conditions, as the tools beside us read them: kubectl, Helm, Flux, Argo CD.

`Ready` says that this generation is carried out, `Reconciling` that the operator is at work or
waiting, `Stalled` that a person must act. The table is written down here once more, by hand and
not from the operator's own, so that neither can drift unnoticed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

Object = dict[str, Any]

TYPES = ("Ready", "Reconciling", "Stalled", "Available", "Synced")

KEPT = None
_WORKING = (False, True, False)
_RESTING = (True, False, False)
_A_PERSON = (False, False, True)
_HELD = (False, False, False)
_AS_IT_WAS = (KEPT, False, False)

TABLE: dict[str, tuple[tuple[bool | None, bool, bool], ...]] = {
    **dict.fromkeys(
        (
            "Creating", "Claiming", "Adopting", "Scaling", "Starting", "Stopping", "Renaming",
            "Replacing", "Migrating", "Updating", "Probing", "WaitingForCapacity",
        ),
        (_WORKING,),
    ),
    **dict.fromkeys(("Serving", "Stopped", "IdleStopped", "MigrationUnconfirmed"), (_RESTING,)),
    **dict.fromkeys(("Unreachable", "RateLimited"), (_WORKING, _AS_IT_WAS)),
    **dict.fromkeys(
        ("SecretMissing", "Unauthorized", "Forbidden", "PaymentRequired"), (_WORKING, _A_PERSON)
    ),
    **dict.fromkeys(
        (
            "StoppedRemotely", "V1Closed", "InvalidModel", "InvalidHardware", "InvalidZone",
            "ConfigRequired", "InvalidRequest", "NotAllowed", "Unsupported", "NameTaken",
            "EndpointConflict", "CredentialMismatch", "RestoredCopy", "AdoptionRefused",
            "RemoteMissing", "AttemptsExhausted", "InconclusiveScan", "MarkersLost",
            "EndpointFailed", "ReplacementFailed", "ConnectionConflict",
        ),
        (_A_PERSON,),
    ),
    "Suspended": (_HELD, _AS_IT_WAS),
    "Deleting": (_WORKING,),
    "DeletionSuspended": (_HELD,),
    "DeletionBlocked": (_A_PERSON,),
}  # fmt: skip
"""Ready, Reconciling and Stalled of every reason; `KEPT` is whatever Ready was before."""

_WORDS = {"True": True, "False": False, "Unknown": None}


def conditions(found: Object) -> dict[str, Object]:
    """The conditions of a resource by type."""
    return {c["type"]: c for c in found.get("status", {}).get("conditions", [])}


def assert_row(
    found: Object,
    reason: str,
    *,
    ready: bool,
    available: bool,
    reconciling: bool,
    stalled: bool,
    synced: bool,
    why: str | None = None,
) -> None:
    """Hold the five conditions of a resource against one row of the table.

    Args:
        found: The resource.
        reason: The reason of Ready.
        ready: Ready.
        available: Available.
        reconciling: Reconciling.
        stalled: Stalled.
        synced: Synced.
        why: The reason of the others, where Ready keeps an earlier one.
    """
    told = conditions(found)
    wanted = dict(zip(TYPES, (ready, reconciling, stalled, available, synced), strict=True))
    seen = {kind: _WORDS[told[kind]["status"]] for kind in told}
    shown = json.dumps(found.get("status"), indent=1)
    assert seen == wanted, f"{reason}: wanted {wanted}, found {seen}: {shown}"
    assert told["Ready"]["reason"] == reason, shown
    assert told["Reconciling"]["reason"] == (why or reason), shown
    generation = found["metadata"]["generation"]
    assert found["status"]["observedGeneration"] == generation, shown
    assert {c["observedGeneration"] for c in told.values()} == {generation}, shown
    assert all(told[kind]["message"] for kind in ("Ready", "Reconciling")), shown


def violations(found: Object) -> Iterable[str]:
    """What is wrong with the conditions of any version of any resource.

    Args:
        found: One version.
    """
    status = found.get("status") or {}
    told = status.get("conditions")
    if not told:
        if status.get("observedGeneration", -1) != -1:
            yield "observed without conditions"
        return
    by_type = conditions(found)
    if sorted(by_type) != sorted(TYPES) or len(told) != len(TYPES):
        yield f"not the five conditions: {[c['type'] for c in told]}"
        return
    generation = found["metadata"]["generation"]
    observed = status["observedGeneration"]
    if observed > generation:
        yield f"observedGeneration {observed} of the future"
    if {c["observedGeneration"] for c in told} != {observed}:
        yield "observedGeneration differs between status and conditions"
    values = tuple(_WORDS[by_type[kind]["status"]] for kind in TYPES[:3])
    if values[1] and values[2]:
        yield "Reconciling and Stalled at once"
    if values[0] and (values[1] or values[2]):
        yield "Ready while something is left to do"
    reason = by_type["Reconciling"]["reason"]
    if by_type["Stalled"]["reason"] != reason:
        yield "Reconciling and Stalled tell different reasons"
    if reason not in TABLE:
        yield f"{reason} is not in the table"
        return
    rows = TABLE[reason]
    if not any(_fits(values, row) for row in rows):
        yield f"{reason} is {values}, which is none of {rows}"


def _fits(values: tuple[bool | None, ...], row: tuple[bool | None, bool, bool]) -> bool:
    return values[1:] == row[1:] and row[0] in (KEPT, values[0])


def _record(version: Object) -> str | None:
    nonce: str | None = version.get("status", {}).get("operation", {}).get("nonce")
    return nonce


def jumps(before: Object, after: Object) -> Iterable[str]:
    """What is wrong between two versions of one resource that followed one another.

    Args:
        before: The older one.
        after: The newer one.
    """
    if before["metadata"]["uid"] != after["metadata"]["uid"]:
        return
    old, new = conditions(before), conditions(after)
    if _record(before) != _record(after):
        old = {}  # another attempt, or a test has put another status in its place
    for kind in old.keys() & new.keys():
        flipped = old[kind]["status"] != new[kind]["status"]
        moved = old[kind]["lastTransitionTime"] != new[kind]["lastTransitionTime"]
        if moved and not flipped:
            yield f"lastTransitionTime of {kind} moved without a transition"
    # A test may have taken the status away; what the operator writes never goes back.
    if (
        old
        and new
        and after["status"]["observedGeneration"] < before["status"]["observedGeneration"]
    ):
        yield "observedGeneration went back"


def assert_contract(versions: Iterable[Object]) -> None:
    """Hold everything that was ever shown against the contract.

    Args:
        versions: Versions of resources; those of one resource in their order.
    """
    wrong = []
    latest: dict[tuple[str, str], Object] = {}
    for version in versions:
        meta = version["metadata"]
        place = (meta["namespace"], meta["name"])
        text = json.dumps(version)
        found = [*violations(version)]
        if place in latest:
            found += jumps(latest[place], version)
        latest[place] = version
        wrong += [f"{meta['name']}@{meta['resourceVersion']}: {what}: {text}" for what in found]
    assert not wrong, "\n".join(wrong[:5])
