"""How commands speak: tables as wide as their content, and errors in one line with an exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from together_operator import logs
from together_operator.controller.kube_errors import KubeError
from together_operator.flags import InvalidSettings
from together_operator.logs import LogFormat, LogLevel
from together_operator.settings import Settings
from together_operator.together import ConfigurationError

FAILED: Final = 1
WRONG_USE: Final = 2


def settled(given: Mapping[str, Any]) -> Settings:
    """The settings of a command; ends the command where they are wrong.

    Args:
        given: Values from the command line, by field name.
    """
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    try:
        return Settings.load(values)
    except InvalidSettings as error:
        raise fail("\n".join(error.problems), WRONG_USE) from None


def carried_out(work: Coroutine[Any, Any, int]) -> None:
    """Run a command to its end, and exit with the code that it returns.

    Args:
        work: The command.
    """
    # Only what goes wrong is of interest, and it goes to stderr.
    logs.configure(LogFormat.TEXT, LogLevel.ERROR)
    try:
        code = asyncio.run(work)
    except (KubeError, ConfigurationError) as error:
        raise fail(str(error), FAILED) from None
    if code:
        raise typer.Exit(code)


def fail(message: str, code: int) -> typer.Exit:
    """Say what is wrong; to be raised.

    Args:
        message: What is wrong, and the next step.
        code: The exit code.
    """
    note(message)
    return typer.Exit(code)


def note(message: str) -> None:
    """Say something beside the result: on stderr."""
    typer.echo(logs.redact(message), err=True)


def show(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table.

    In a terminal a long cell is folded; into a file or a pipe each row is one line, whole, for
    tools that read lines.

    Args:
        heads: The columns.
        rows: The cells.
    """
    table = Table(box=None, pad_edge=False, header_style="", padding=(0, 3, 0, 0))
    for head in heads:
        right = head == PRICE
        table.add_column(head, overflow="fold", justify="right" if right else "left")
    for row in rows:
        table.add_row(*(Text(_plain(logs.redact(cell))) for cell in row))
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        wide = Console(width=1_000_000)
        needed = Measurement.get(wide, wide.options, table).maximum
        console = Console(file=sys.stdout, width=max(needed, 1), highlight=False)
    with console.capture() as printed:
        console.print(table)
    for line in printed.get().splitlines():
        typer.echo(line.rstrip())


def _plain(text: str) -> str:
    """A text of somebody else's without what a terminal would obey."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


PRICE: Final = "$/H"


def dollars(amount: Decimal | None) -> str:
    """An amount as it stands in a table."""
    return "?" if amount is None else f"{amount:.2f}"
