"""What does not run here is left out by whoever knows why, and the summary says so plainly."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

_WHY = pytest.StashKey[list[str]]()


def leave_out(
    config: pytest.Config, items: list[pytest.Item], unwanted: Iterable[pytest.Item], why: str
) -> None:
    """Take tests out of a run.

    Args:
        config: The run.
        items: Its tests, which become fewer.
        unwanted: Those that do not run.
        why: What the summary says of them, with `{count}` for how many they are.
    """
    left_out = list(unwanted)
    if not left_out:
        return
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
    config.stash.setdefault(_WHY, []).append(why.format(count=len(left_out)))


def tell_left_out(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say in the summary what did not run, and how it does.

    Args:
        terminalreporter: Where it is said.
        config: The run.
    """
    for sentence in config.stash.get(_WHY, []):
        terminalreporter.write_line(sentence)
