"""What the audience sees: colours and a spinner on a terminal, plain lines everywhere else.

A CI log and a README quote the same text that a terminal shows, so colour is only ever an
addition: nothing is said by it alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.text import Text

from together_local.cluster.progress import ConsoleProgress, Progress

_GAP = "   "
_GOOD = r"\b(True|Serving|condition met|Normal)\b"
_BUSY = r"\b(Claiming|Creating|Probing|Scaling|Renaming|Updating|Starting|Stopping|Deleting)\b"
_REST = r"\b(False|Stopped|Warning)\b"
_BAD = r"\b(Stalled|V1Closed)\b"


class _Lines:
    """A stream that does not admit to be a terminal, so that nobody moves its cursor."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return False


def wants_plain(stream: TextIO) -> bool:
    """Whether a stream gets plain lines: it is no terminal, or NO_COLOR asks for it."""
    return not stream.isatty() or bool(os.environ.get("NO_COLOR"))


class Screen:
    """The one place that prints.

    Args:
        stream: Where to; standard output by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = stream or sys.stdout
        file: TextIO = _Lines(stream) if wants_plain(stream) else stream  # type: ignore[assignment]
        self._console = Console(file=file, highlight=False, soft_wrap=True)
        self.progress: Progress = ConsoleProgress(file)

    def chapter(self, title: str) -> None:
        """Begin a part of the story."""
        self._console.print()
        self._console.print(Text(f"── {title} ──", style="bold cyan"))

    def say(self, text: str) -> None:
        """Explain something in a line or a paragraph."""
        self._console.print(Text(text, style="italic"))

    def command(self, text: str) -> None:
        """Show what is typed."""
        self._console.print(Text.assemble(("$ ", "bold green"), (text, "bold")))

    def output(self, text: str) -> None:
        """Show what a command printed, unchanged but for colour."""
        shown = Text(text.rstrip("\n"))
        for pattern, style in ((_GOOD, "green"), (_BUSY, "cyan"), (_REST, "yellow"), (_BAD, "red")):
            shown.highlight_regex(pattern, style)
        self._console.print(shown)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Show columns as kubectl does."""
        lines = [tuple(head), *(tuple(row) for row in rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
        for number, line in enumerate(lines):
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            self._console.print(
                Text(_GAP.join(cells).rstrip(), style="bold" if number == 0 else "")
            )

    def success(self, text: str) -> None:
        """Say what was achieved."""
        self._console.print(Text(text, style="bold green"))

    def failure(self, text: str) -> None:
        """Say what went wrong."""
        self._console.print(Text(text, style="bold red"))

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Let a spinner turn, below whatever is printed meanwhile; nothing without a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(Text(text, style="italic")):
            yield
