"""The health that Argo CD gives a TogetherEndpoint, by the script that we ship.

Argo CD runs such scripts in gopher-lua 5.1 without the string, math and io libraries; here it is
the Lua 5.1 of `lupa` with the same libraries taken away. The contract between situation and health
is one table, `EXPECTED`. Whoever sees a real status in a test holds it against that table with
`expect_health`, which also remembers it, so that a full run can tell which situations were never
seen for real.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from lupa import lua51

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "deploy" / "argocd" / "health.lua"
RECORDS = ROOT / ".cache" / "recorded-statuses"

# What gopher-lua has under Argo CD: the base, package and table libraries, and a safe os.
_CLOSED = ("string", "math", "io", "debug", "coroutine", "os", "python", "bit", "jit")


class Situation(StrEnum):
    """The situations that the conditions tell apart."""

    NOT_SEEN = "not-seen"
    CHANGING = "changing"
    WAITING_FOR_CAPACITY = "waiting-for-capacity"
    SERVING = "serving"
    STOPPED = "stopped"
    IDLE_STOPPED = "idle-stopped"
    UNREACHABLE = "unreachable"
    UNREACHABLE_CHANGING = "unreachable-changing"
    CREDENTIAL_FAILING = "credential-failing"
    REFUSED = "refused"
    CLAIMING = "claiming"
    QUESTION = "question"
    FAILED = "failed"
    SUSPENDED = "suspended"
    SUSPENDED_CHANGING = "suspended-changing"
    DELETING = "deleting"
    DELETION_SUSPENDED = "deletion-suspended"
    DELETION_BLOCKED = "deletion-blocked"


EXPECTED: Final[Mapping[Situation, str]] = {
    Situation.NOT_SEEN: "Progressing",
    Situation.CHANGING: "Progressing",
    Situation.WAITING_FOR_CAPACITY: "Progressing",
    Situation.SERVING: "Healthy",
    Situation.STOPPED: "Healthy",
    Situation.IDLE_STOPPED: "Healthy",
    Situation.UNREACHABLE: "Healthy",
    Situation.UNREACHABLE_CHANGING: "Progressing",
    Situation.CREDENTIAL_FAILING: "Progressing",
    Situation.REFUSED: "Degraded",
    Situation.CLAIMING: "Progressing",
    Situation.QUESTION: "Degraded",
    Situation.FAILED: "Degraded",
    Situation.SUSPENDED: "Suspended",
    Situation.SUSPENDED_CHANGING: "Suspended",
    Situation.DELETING: "Progressing",
    Situation.DELETION_SUSPENDED: "Progressing",
    Situation.DELETION_BLOCKED: "Progressing",
}
"""Argo CD's health of each situation."""

seen: set[Situation] = set()
"""The situations that this test run has seen for real."""


@dataclass(frozen=True)
class Health:
    """What Argo CD shows.

    Attributes:
        status: Healthy, Progressing, Degraded or Suspended.
        message: The text beside it.
    """

    status: str
    message: str


def run_script(script: str, obj: Mapping[str, Any]) -> Health:
    """Run a health script over an object, as Argo CD would.

    Args:
        script: The Lua source.
        obj: The object as `kubectl get -o json` prints it.

    Raises:
        lua51.LuaError: The script does not run with what Argo CD gives it.
    """
    lua = lua51.LuaRuntime(register_eval=False, register_builtins=False)
    # Strings keep their methods by their metatable, whatever becomes of the global.
    lua.execute('debug.setmetatable("", nil)')
    for name in _CLOSED:
        lua.globals()[name] = None
    lua.globals().obj = lua.table_from(_plain(obj), recursive=True)
    result = lua.execute(script)
    return Health(status=result["status"], message=result["message"])


def _plain(value: Any) -> Any:
    """Drop nulls: a nil in a Lua table is no entry at all."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def argo_health(obj: Mapping[str, Any]) -> Health:
    """Return the health of a TogetherEndpoint in Argo CD.

    Args:
        obj: The object as `kubectl get -o json` prints it.
    """
    # gitops-engine decides this one before it looks for a script.
    if obj["metadata"].get("deletionTimestamp"):
        return Health("Progressing", "Pending deletion")
    return run_script(SCRIPT.read_text(), obj)


def expect_health(situation: Situation, obj: Mapping[str, Any]) -> Health:
    """Hold a status that the operator really wrote against the contract, and remember it.

    Args:
        situation: What the test has brought about.
        obj: The object as `kubectl get -o json` prints it.

    Returns:
        The health, for whoever wants to see its message.
    """
    health = argo_health(obj)
    expected = EXPECTED[situation]
    assert health.status == expected, (
        f"{situation}: Argo CD would call it {health.status} ({health.message}) and not {expected}:"
        f" {json.dumps(obj.get('status'), indent=2)}"
    )
    RECORDS.mkdir(parents=True, exist_ok=True)
    (RECORDS / f"{situation}.json").write_text(json.dumps(obj, indent=2) + "\n")
    seen.add(situation)
    return health
