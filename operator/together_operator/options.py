"""Settings as options of a command, so that flag, variable, validation and help are one thing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Annotated, Any

import typer

from together_operator.flags import flag_name, flags, rows
from together_operator.settings import Settings


def parameters(only: Collection[str] | None = None) -> list[inspect.Parameter]:
    """One option for each setting.

    Args:
        only: The fields of the settings that the command takes; `None` for all.
    """
    found = []
    defaults = (row.default for row in rows(Settings))
    for (field, flag), default in zip(flags(Settings).items(), defaults, strict=True):
        if only is not None and field not in only:
            continue
        name = flag_name(Settings, field)
        annotation = Settings.model_fields[field].annotation
        switch = annotation is bool
        several = getattr(annotation, "__origin__", None) is tuple
        kind: Any = bool | None if switch else list[str] | None if several else str | None
        option = typer.Option(
            f"{name}/--no-{name[2:]}" if switch else name,
            help=f"{flag.meaning} (default: {default})",
            metavar=flag.metavar or None,
            show_default=False,
            rich_help_panel=flag.panel,
        )
        found.append(
            inspect.Parameter(
                field,
                inspect.Parameter.KEYWORD_ONLY,
                default=None,
                annotation=Annotated[kind, option],
            )
        )
    return found


def give(
    command: Callable[..., None],
    *own: inspect.Parameter,
    only: Collection[str] | None = None,
) -> None:
    """Give a command that takes keyword arguments its options.

    Args:
        command: The command.
        own: Parameters of its own, which come first.
        only: The fields of the settings that it takes; `None` for all.
    """
    signature = inspect.Signature([*own, *parameters(only)])
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
