"""`together-operator demo` as somebody at a terminal, or a CI job, runs it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.controlplane.machine import Background, eventually, nothing_left
from together_local.cluster.ports import is_free

PERSONS_KEY = "the-real-key-of-a-person"


def environment(folder: Path) -> dict[str, str]:
    """The environment of a person who uses the operator for real, too.

    Args:
        folder: Where temporary files go.
    """
    return {
        **os.environ,
        "TMPDIR": str(folder),
        "TOGETHER_API_KEY": PERSONS_KEY,
        "TOGETHER_OPERATOR_NAMESPACE": "somewhere-else",
        "KUBECONFIG": str(folder / "of-the-person"),
        "PYTHONUNBUFFERED": "1",
    }


class Performance(Background):
    """One demo that was started.

    Args:
        folder: Where its temporary files go.
        args: Its arguments.
    """

    def __init__(self, folder: Path, *args: str) -> None:
        self.folder = folder / "temporary files"
        self.folder.mkdir(parents=True)
        command = ("-m", "together_operator", "demo", *args)
        super().__init__(command, folder / "said.txt", environment(self.folder))

    def __enter__(self) -> Performance:
        return self

    def until(self, text: str, seconds: float = 120) -> None:
        """Wait until it said something, by regular expression."""

        def said() -> bool:
            assert self.process.alive or re.search(text, self.said), self.said
            return re.search(text, self.said) is not None

        eventually(said, f"{text!r} in:\n{self.said}", seconds)

    def end(self) -> int:
        """Wait for its end; its exit code."""
        return self.popen.wait(timeout=300)

    def left_nothing(self) -> None:
        """Make sure that no process, no open port and no file remains."""
        nothing_left(self.folder)
        ports = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", self.said)}
        eventually(lambda: all(map(is_free, ports)), f"the ports {ports} are free again", 30)
        assert list(self.folder.iterdir()) == [], "temporary files remain"


@contextmanager
def performing(folder: Path, *args: str) -> Iterator[Performance]:
    """Start a demo, and make sure that it is over after the block.

    Args:
        folder: Where its files go.
        args: Its arguments.
    """
    with Performance(folder, *args) as performance:
        yield performance
    nothing_left(performance.folder)
