"""What is slow is seen: as lines in a log, as a ticking line on a terminal."""

from __future__ import annotations

import io
import os
import pty
import re

import pytest

from tests.controlplane.machine import eventually
from together_local.cluster.progress import ConsoleProgress, duration


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (10, "10 s"), (59.4, "59 s"), (200, "3 min 20 s")],
)
def test_time_spans_read_as_a_person_says_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_log_gets_plain_lines_now_and_then() -> None:
    output = io.StringIO()
    with ConsoleProgress(output, interval=0.05).task("Building etcd") as update:
        update("17 packages compiled")
        eventually(lambda: "17 packages" in output.getvalue(), "a line in between")
    lines = output.getvalue().splitlines()
    assert lines[0] == "Building etcd …"
    assert re.fullmatch(r"  Building etcd: 0\.\d s, 17 packages compiled", lines[-2])
    assert re.fullmatch(r"Building etcd: done in 0\.\d s", lines[-1])
    assert "\x1b" not in output.getvalue()


def test_a_task_that_fails_is_not_called_done() -> None:
    output = io.StringIO()
    progress = ConsoleProgress(output)
    with pytest.raises(ValueError, match="broken"), progress.task("Building etcd"):
        raise ValueError("broken")
    assert "done" not in output.getvalue()


def test_a_terminal_gets_one_line_that_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    ours, theirs = pty.openpty()
    seen = ""
    with os.fdopen(theirs, "w") as terminal:
        with ConsoleProgress(terminal).task("Building etcd") as update:
            update("17 packages compiled")

            def ticked() -> bool:
                nonlocal seen
                seen += os.read(ours, 4096).decode()
                return len(set(re.findall(r"Building etcd: (\d\.\d) s, 17 packages", seen))) > 2

            eventually(ticked, "the elapsed time changes in place")
        assert seen.count("\n") <= 1, "still the same line"
    os.close(ours)
