"""`together-operator release`: let resources go whose operator is gone.

Without an operator nobody takes the finalizer off, and a deleted resource stays for ever. This
takes it off, and says plainly what is left at Together and what it costs, because from then on
nobody looks after it. While an operator lives it is refused: deleting the resource is the way then.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from together_operator.commands.output import (
    FAILED,
    PRICE,
    WRONG_USE,
    carried_out,
    dollars,
    fail,
    note,
    settled,
    show,
)
from together_operator.controller.alive import alive
from together_operator.controller.inventory import FIELDS, Inventory, taken
from together_operator.controller.kube_errors import KubeError
from together_operator.controller.letting_go import (
    Remains,
    held,
    let_go,
    remains,
    sweep,
    unsettled,
)
from together_operator.options import give
from together_operator.resource.document import TogetherEndpoint
from together_operator.settings import Settings

ALIVE: Final = 3

HELP: Final = (
    "Let TogetherEndpoints go whose operator is gone: take the finalizer off, and print what is"
    " left at Together.\n\n"
    "The endpoints are not touched: they stay, and go on costing money. A resource that is being"
    " deleted goes at once; another one stays, and an operator that is installed later takes it up"
    " again. While an operator is alive this is refused: `kubectl delete` is the way then.\n\n"
    "Exit codes: 0 released; 1 failed, or not confirmed; 2 wrong use; 3 refused, because an"
    " operator is alive."
)

_NAME = re.compile(r"[a-z0-9.-]+/[a-z0-9.-]+")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for.

    Attributes:
        resources: The resources, as NAMESPACE/NAME.
        everything: Whether all that are held are meant.
        yes: Whether it is confirmed already.
        force: Whether it is meant even while an operator is alive.
    """

    resources: tuple[str, ...]
    everything: bool
    yes: bool
    force: bool


def release(
    resources: list[str] | None, everything: bool, yes: bool, force: bool, **given: Any
) -> None:
    """Let resources go."""
    wish = Wish(tuple(dict.fromkeys(resources or ())), everything, yes, force)
    if everything == bool(wish.resources):
        raise fail("Name the resources as NAMESPACE/NAME, or say --all for all of them", WRONG_USE)
    for name in wish.resources:
        if not _NAME.fullmatch(name):
            raise fail(f"{name!r} is not NAMESPACE/NAME, such as ml/mixtral", WRONG_USE)
    carried_out(_release(settled(given), wish))


def _switch(name: str, flag: str, meaning: str) -> inspect.Parameter:
    option = typer.Option(flag, help=meaning)
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=False, annotation=Annotated[bool, option])


give(
    release,
    inspect.Parameter(
        "resources",
        inspect.Parameter.KEYWORD_ONLY,
        default=None,
        annotation=Annotated[
            list[str] | None, typer.Argument(metavar="[NAMESPACE/NAME]...", show_default=False)
        ],
    ),
    _switch("everything", "--all", "Release every resource that an operator holds."),
    _switch("yes", "--yes", "Do not ask for confirmation."),
    _switch("force", "--force", "Release even while an operator is alive, which holds them again."),
    only=FIELDS,
)


async def _release(settings: Settings, wish: Wish) -> int:
    if not wish.force:
        who = await alive(settings.kubeconfig, settings.operator_namespace)
        if who is not None:
            note(
                f"Refused: {who}, so an operator is alive. Delete the resources with kubectl and"
                " let it delete their endpoints, or end it first; --force releases regardless"
            )
            return ALIVE
    async with taken(settings) as inventory:
        await inventory.read()
        chosen = _chosen(inventory, wish)
        if not chosen:
            typer.echo("No operator holds any resource: there is nothing to release.")
            await _sweep(inventory, wish)
            return 0
        await inventory.look()
        for problem in inventory.problems:
            note(f"Not everything can be told: {problem}")
        left = {resource.uid: await remains(inventory, resource) for resource in chosen}
        _tell(inventory, chosen, left)
        if not wish.yes and not typer.confirm(f"Release {_count(len(chosen))}?"):
            note("Nothing was released")
            return FAILED
        return await _carry_out(inventory, wish, chosen, left)


def _chosen(inventory: Inventory, wish: Wish) -> list[TogetherEndpoint]:
    """The resources that are meant and held; ends the command where one is not there."""
    there = {f"{r.namespace}/{r.name}": r for r in inventory.resources()}
    missing = [name for name in wish.resources if name not in there]
    if missing:
        raise fail(f"There is no TogetherEndpoint {', '.join(missing)}; nothing was done", FAILED)
    meant = sorted(there) if wish.everything else wish.resources
    for name in wish.resources:
        if not held(there[name]):
            typer.echo(f"{name} is not held by an operator.")
    return [there[name] for name in meant if held(there[name])]


def _tell(
    inventory: Inventory, chosen: Sequence[TogetherEndpoint], left: dict[str, list[Remains]]
) -> None:
    """Say what is let go, and what stays at Together."""
    rows = []
    for resource in chosen:
        name = f"{resource.namespace}/{resource.name}"
        then = "goes" if resource.deleting else "stays"
        rows += [
            (name, then, entry.id, entry.state, dollars(entry.cost)) for entry in left[resource.uid]
        ] or [(name, then, "none on record", "", "0.00")]
    show(("RESOURCE", "IT", "LEFT AT TOGETHER", "STATE", PRICE), rows)
    costs = [entry.cost for entries in left.values() for entry in entries]
    total = sum(cost for cost in costs if cost is not None)
    unknown = costs.count(None)
    typer.echo(
        f"\n{len(costs)} left at Together, ${total:.2f} an hour"
        + (f", and {unknown} at a price that is not known" if unknown else "")
        + ". Nobody looks after them any more: delete in Together's console what is not needed."
    )
    for resource in chosen:
        if unsettled(inventory, resource):
            typer.echo(
                f"An order of {resource.namespace}/{resource.name} had no clear answer and may yet"
                " make an endpoint: look again in a few minutes, by `together-operator orphans`."
            )


def _count(number: int) -> str:
    return f"{number} resource" if number == 1 else f"{number} resources"


async def _carry_out(
    inventory: Inventory,
    wish: Wish,
    chosen: Sequence[TogetherEndpoint],
    left: dict[str, list[Remains]],
) -> int:
    failed = 0
    for resource in chosen:
        name = f"{resource.namespace}/{resource.name}"
        try:
            await let_go(inventory, resource, left[resource.uid])
        except KubeError as error:
            failed += 1
            note(f"{name} could not be released in full: {error}")
        else:
            typer.echo(f"{name} released.")
    await _sweep(inventory, wish)
    return FAILED if failed else 0


async def _sweep(inventory: Inventory, wish: Wish) -> None:
    """With everything released no key copy is needed, but those that a tombstone keeps."""
    if not wish.everything:
        return
    try:
        kept = await sweep(inventory)
    except KubeError as error:
        note(f"Copies of keys that nothing needs stay in the operator's namespace: {error}")
        return
    if kept:
        typer.echo(
            f"{len(kept)} key copies stay for a day at most in the namespace"
            f" {inventory.settings.operator_namespace}: earlier orders of theirs had no clear"
            " answer. An operator that is installed meanwhile removes what they make."
        )
