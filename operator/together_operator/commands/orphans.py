"""`together-operator orphans`: what costs money at Together and has no resource.

It tells what the operator would tell, without an operator: also after the operator is gone, or
where none runs. It reads and never writes.
"""

from __future__ import annotations

import inspect
import json
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from together_operator.commands.output import PRICE, carried_out, dollars, note, settled, show
from together_operator.controller.inventory import FIELDS, Inventory, taken
from together_operator.core.orphans import MEANINGS, Orphan
from together_operator.options import give
from together_operator.resource.times import format_time
from together_operator.settings import Settings

FOUND: Final = 3
INCOMPLETE: Final = 4

HELP: Final = (
    "List endpoints at Together that cost money and that no resource answers for.\n\n"
    "It looks with every key that the operator would use: those that resources name, the operator's"
    " copies, and the operator's own (TOGETHER_API_KEY or --api-key-file), each in API v1 and v2."
    " It writes nothing.\n\n"
    "Exit codes: 0 none found; 1 the cluster did not answer; 2 wrong use; 3 orphans found; 4 none"
    " found, but not everything could be looked at."
)


class Output(StrEnum):
    """How the result looks."""

    TABLE = "table"
    JSON = "json"


def orphans(output: Output, **given: Any) -> None:
    """List orphans."""
    carried_out(_orphans(settled(given), output))


give(
    orphans,
    inspect.Parameter(
        "output",
        inspect.Parameter.KEYWORD_ONLY,
        default=Output.TABLE,
        annotation=Annotated[Output, typer.Option("--output", "-o", help="How the result looks.")],
    ),
    only=FIELDS,
)


async def _orphans(settings: Settings, output: Output) -> int:
    async with taken(settings) as inventory:
        await inventory.read()
        await inventory.look()
        found, others = await inventory.orphans()
    found.sort(key=lambda orphan: (-(orphan.cost or 0), orphan.why, orphan.id))
    if output is Output.JSON:
        typer.echo(json.dumps(_document(inventory, found, others), indent=2))
    else:
        _print(inventory, found, others)
    for problem in inventory.problems:
        note(f"Not looked at everything: {problem}")
    if found:
        return FOUND
    return INCOMPLETE if inventory.problems else 0


def _print(inventory: Inventory, found: list[Orphan], others: int) -> None:
    keys = len({account.identity for account in inventory.accounts})
    looked = f"Looked with {keys} {'key' if keys == 1 else 'keys'} for {len(inventory.bodies)}"
    looked += f" {'resource' if len(inventory.bodies) == 1 else 'resources'}"
    if others:
        looked += f"; endpoints of other clusters, and theirs to tell: {others}"
    if not found:
        typer.echo(f"No orphans. {looked}.")
        return
    show(
        ("ID", "DISPLAY NAME", "MODEL", "HARDWARE", "STATE", PRICE, "WHY"),
        [
            (
                orphan.id,
                orphan.trait.display_name,
                orphan.trait.model,
                orphan.trait.hardware,
                orphan.line.state,
                dollars(orphan.cost),
                orphan.why.value,
            )
            for orphan in found
        ],
    )
    total = sum(orphan.cost or 0 for orphan in found)
    unknown = sum(orphan.cost is None for orphan in found)
    typer.echo(
        f"\n{len(found)} {'orphan' if len(found) == 1 else 'orphans'}, ${total:.2f} an hour"
        + (f", and {unknown} at a price that is not known" if unknown else "")
        + f". {looked}."
    )
    for why in sorted({orphan.why for orphan in found}):
        typer.echo(f"{why.value}: {MEANINGS[why]}.")
    typer.echo(
        "What to do with each: delete it in Together's console if nobody needs it; or adopt it, by"
        " a TogetherEndpoint with spec.adopt.endpointID set to its ID. The operator deletes none of"
        " them."
    )


def _document(inventory: Inventory, found: list[Orphan], others: int) -> dict[str, Any]:
    return {
        "cluster": inventory.cluster,
        "complete": not inventory.problems,
        "problems": inventory.problems,
        "otherClusters": others,
        "orphans": [
            {
                "id": orphan.id,
                "displayName": orphan.trait.display_name,
                "model": orphan.trait.model,
                "hardware": orphan.trait.hardware,
                "state": orphan.line.state,
                "createdAt": format_time(orphan.line.created_at),
                "replicas": orphan.trait.replicas,
                "price": {
                    "currency": "USD",
                    "perReplicaHour": None if orphan.price is None else f"{orphan.price:.2f}",
                    "perHour": None if orphan.cost is None else f"{orphan.cost:.2f}",
                },
                "why": orphan.why.value,
                "meaning": MEANINGS[orphan.why],
                "credential": orphan.credential,
            }
            for orphan in found
        ],
    }
