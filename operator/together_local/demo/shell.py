"""Type commands as a person would: shown, really run, and their own output shown."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from together_local.cluster.cluster import Cluster
from together_local.demo.errors import DemoError
from together_local.demo.screen import Screen

_COMMAND_SECONDS = 120.0
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
API_KEY = "simulated-key"
"""Any key opens the simulated Together; a real one never gets near it."""


def environment(cluster: Cluster, bin_folder: Path) -> dict[str, str]:
    """What the demo's commands find in their environment.

    The person's own settings for Together stay out: a real key must not end up in a demo, and
    the operator shall run with the flags that are shown. Everything is on this machine, so
    proxies stay out, too.

    Args:
        cluster: The cluster that kubectl talks to.
        bin_folder: A folder that comes first on PATH.
    """
    kept = {
        name: value
        for name, value in cluster.environment().items()
        if not name.startswith("TOGETHER_") or name == "TOGETHER_OPERATOR_CACHE"
        if name.upper() not in _PROXIES
    }
    path = f"{bin_folder}{os.pathsep}{kept['PATH']}"
    return {**kept, "PATH": path, "TOGETHER_API_KEY": API_KEY}


def write_command(bin_folder: Path) -> Path:
    """Put `together-operator` into a folder, as this very interpreter would run it.

    Args:
        bin_folder: The folder, made when missing.

    Returns:
        The command.
    """
    bin_folder.mkdir(parents=True, exist_ok=True)
    command = bin_folder / "together-operator"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m together_operator "$@"\n')
    command.chmod(0o755)
    return command


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class Watch:
    """A `kubectl get --watch` in the background, whose rows are shown as they come.

    Args:
        process: It, with its output in a pipe.
        show: What to do with each line.
    """

    def __init__(self, process: subprocess.Popen[str], show: Callable[[str], None]) -> None:
        self._process = process
        self._show = show
        self._news = threading.Condition()
        self._last = ""
        self._thread = threading.Thread(target=self._read, name="watch", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - asked for by its maker
        for line in self._process.stdout:
            self._show(line)
            with self._news:
                self._last = line
                self._news.notify_all()

    def shows(self, *words: str, within: float = 5.0) -> bool:
        """Wait until the newest row has these words.

        The resource itself is the judge of what is true; this only lets the audience see it
        before the story goes on.

        Args:
            words: Cells of the row.
            within: Seconds to wait.

        Returns:
            Whether it came.
        """
        with self._news:
            return self._news.wait_for(lambda: set(words) <= set(self._last.split()), within)

    def stop(self) -> None:
        """End it."""
        _end(self._process)
        self._process.wait()
        self._thread.join()
        if self._process.stdout is not None:
            self._process.stdout.close()


class Shell:
    """A terminal with kubectl and together-operator on its PATH.

    Args:
        screen: Where commands and their output are shown.
        env: The environment of every command.
    """

    def __init__(self, screen: Screen, env: Mapping[str, str]) -> None:
        self._screen = screen
        self._env = dict(env)
        self._turn = threading.Lock()

    def _start(self, command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["/bin/sh", "-c", command],
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A group of its own, so that all of a pipeline ends when the demo says so.
            start_new_session=True,
        )

    def quiet(self, command: str, timeout: float = _COMMAND_SECONDS) -> tuple[int, str]:
        """Run a command without showing it.

        Args:
            command: A shell command.
            timeout: Seconds until it is ended.

        Returns:
            Its exit code and what it printed.

        Raises:
            DemoError: It took too long.
        """
        with self._start(command) as process:
            try:
                text, _ = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                _end(process)
                raise DemoError(f"`{command}` did not end within {timeout:.0f} s") from None
            except BaseException:
                _end(process)
                raise
        return process.returncode, text

    def run(self, command: str, *, timeout: float = _COMMAND_SECONDS) -> str:
        """Show a command, run it and show what it printed.

        Rows of a watch that come in meanwhile are shown after it, so that cause comes before
        effect.

        Args:
            command: A shell command.
            timeout: Seconds until it is ended.

        Returns:
            What it printed.

        Raises:
            DemoError: It failed or took too long.
        """
        with self._turn:
            return self._typed(command, timeout)

    def run_beside(self, command: str, *, timeout: float = _COMMAND_SECONDS) -> str:
        """Do as `run` for a command that takes long: rows of a watch are shown meanwhile."""
        return self._typed(command, timeout)

    def _typed(self, command: str, timeout: float) -> str:
        self._screen.command(command)
        code, text = self.quiet(command, timeout)
        if text.strip():
            self._screen.output(text)
        if code != 0:
            raise DemoError(f"`{command}` failed with exit code {code}")
        return text

    @contextlib.contextmanager
    def watch(self, command: str) -> Iterator[Watch]:
        """Show a command and let its output come in during the block.

        Args:
            command: A shell command that prints until it is ended.
        """
        self._screen.command(f"{command} &")
        watch = Watch(self._start(f"exec {command}"), self._row)
        try:
            yield watch
        finally:
            watch.stop()

    def _row(self, line: str) -> None:
        with self._turn:
            self._screen.output(line)
