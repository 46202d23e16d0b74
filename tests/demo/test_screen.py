"""Colours on a terminal, plain lines elsewhere, the same words on both."""

from __future__ import annotations

import os
import pty
import re
import threading

import pytest

from together_local.demo.screen import Screen

WORDS = "mixtral   True    Serving   1"
ESCAPE = "\x1b"


def _on_a_terminal() -> str:
    """Everything that a screen writes to a terminal."""
    ours, theirs = pty.openpty()
    parts: list[bytes] = []

    def read() -> None:
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # Linux, once the other end is closed
                return
            if not part:
                return
            parts.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(theirs, "w") as stream:
        screen = Screen(stream)
        screen.chapter("A title")
        with screen.waiting("A wait"), screen.progress.task("A task"):
            screen.output(WORDS)
        screen.table(("A", "LONGER"), [("cell", "x")])
    reader.join()
    os.close(ours)
    return b"".join(parts).decode()


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def test_a_terminal_gets_colours_and_the_same_words() -> None:
    said = _on_a_terminal()
    assert ESCAPE in said
    assert WORDS in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said)


def test_no_color_means_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    said = _on_a_terminal()
    assert ESCAPE not in said
    assert WORDS in said.splitlines()
    assert "A wait" not in said


def test_columns_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().table(("A", "LONGER"), [("wider cell", "x"), ("", "y")])
    assert capsys.readouterr().out.splitlines() == [
        "A            LONGER",
        "wider cell   x",
        "             y",
    ]
