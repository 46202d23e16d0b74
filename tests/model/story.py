"""The way to a violation, told: who did what, how it turned out, and what was there in the end."""

from __future__ import annotations

from collections.abc import Sequence

from tests.core.deployments_model import within
from tests.core.judge import Violation
from tests.core.world import World, describe

from .mixes import Mix
from .moves import Move, Scene, fair, play, think

_ENDINGS = {
    "ok": "",
    "lost": "it is done, and the answer is lost",
    "nothing": "no effect, and no clear answer",
    "late": "an error now, the effect comes later",
    "flying": "the answer takes its time",
    "flying-lost": "it is done, and no answer comes in time",
    "flying-late": "no answer in time, the effect comes later still",
    "slow": "the write takes longer than the record is worth",
    "paused": "held up before the first byte leaves",
    "unsent": "it could not be sent",
    "refused": "refused for now",
    "refused-for-good": "refused",
    "conflict": "somebody else has written meanwhile",
    "absent": "404",
    "down": "no answer",
    "kill": "SIGKILL instead",
    "kill-between": "SIGKILL after the tombstone, before the finalizer",
    "kill-late": "SIGKILL after it was sent, the effect comes later",
}
_ROUND = 40


def tell(mix: Mix, way: Sequence[Move]) -> str:
    """A way, a line for each move.

    Args:
        mix: Where it begins.
        way: The moves.
    """
    scene, ticks = mix.scene(), 0
    lines = [f"{mix.name}: {mix.about}", ""]
    for move in way:
        lines.append(f"{ticks:4d}  {_line(scene, move)}")
        ticks += move.kind == "wait"
        try:
            scene = play(scene, move)
        except Violation as violation:
            return "\n".join([*lines, "", f"      => {violation}", "", *_what_is(scene.world)])
    lines += ["", "      and when nothing goes wrong any more:"]
    for _ in range(_ROUND):
        move = fair(scene.world)
        lines.append(f"{ticks:4d}  {_line(scene, move)}")
        ticks += move.kind == "wait"
        try:
            scene = play(scene, move)
        except Violation as violation:
            return "\n".join([*lines, "", f"      => {violation}", "", *_what_is(scene.world)])
    return "\n".join([*lines, "      ...", "", *_what_is(scene.world)])


def _line(scene: Scene, move: Move) -> str:
    match move.kind:
        case "step" | "fault":
            thought = think(scene.world.clone(), move.who, move.uid)
            what = "finds nothing to do" if thought is None else describe(thought)
            ending = _ENDINGS.get(move.what, move.what)
            return f"{move.who}  {what}" + (f"  [{ending}]" if ending else "")
        case "event":
            return f"!  {move.what}"
        case "kill":
            return f"!  SIGKILL to {move.who}, which starts again"
        case "stop":
            return f"!  SIGSTOP to {move.who}"
        case "wake":
            return f"!  {move.who} goes on"
        case "hear":
            return "!  watch events arrive again"
        case _:
            return "   a tick passes"


def _what_is(world: World) -> list[str]:
    """What is there, at Together and in the cluster."""
    lines = ["      At Together:"]
    for machine in world.together.machines.values():
        life = machine.state if machine.alive else "gone"
        lines.append(f"        {machine.id} ({machine.display_name}): {life}")
        for unit in within(world.together, machine.id):
            bounds = f"{unit.bounds.min}-{unit.bounds.max}"
            lines.append(f"          {unit.id} ({unit.name}): {unit.state} {bounds}")
        if machine.traffic:
            lines.append(
                f"          traffic {[(w.deployment_id, w.weight) for w in machine.traffic]}"
            )
    for flight in world.together.flights:
        what = getattr(flight.what, "display_name", flight.endpoint_id)
        lines.append(f"        in {flight.at - world.now:.0f} ticks: {flight.verb} {what}")
    lines.append("      In the cluster:")
    for uid, body in world.cluster.bodies.items():
        status = body.status
        ready = next((c for c in status.conditions if c.type == "Ready"), None)
        told = "nothing" if ready is None else f"{ready.reason}: {ready.message}"
        operation = status.operation
        record = (
            "no record"
            if operation is None
            else f"{operation.phase} {operation.nonce} open={list(operation.open)}"
            f" removing={list(operation.removing)} deploying={operation.deploying}"
            f" {[(d.id, d.role) for d in status.deployments]}"
        )
        lines.append(
            f"        {uid}{' (being deleted)' if body.deleting else ''}: endpoint"
            f" {status.endpoint_id}, {record}; {told}"
        )
    return lines
