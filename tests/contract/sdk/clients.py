"""The official clients as a test uses them: a library or a command line.

Why: both run in their own environment and as their own process, with nothing set
but the base URL and the key, and with no way to any host but this machine.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.venvs import Venv

_DRIVER = Path(__file__).with_name("driver.py")
_TIMEOUT = 180
_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\]8;[^\x1b]*\x1b\\")


def environment(base_url: str, key: str, home: Path) -> dict[str, str]:
    """Return the whole environment of an official client.

    Args:
        base_url: The simulator's base URL.
        key: The API key.
        home: An empty folder, so that no stored login is found.
    """
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TOGETHER_BASE_URL": base_url,
        "TOGETHER_API_KEY": key,
        # The clients would report usage and ask for newer versions elsewhere.
        "TOGETHER_TELEMETRY_DISABLED": "1",
        "TOGETHER_DISABLE_VERSION_CHECK": "1",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
        "COLUMNS": "250",
        "PYTHONWARNINGS": "ignore",
    }


@dataclass(frozen=True)
class Finished:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)


class Cli:
    """An official command line.

    Args:
        venv: Where it is installed.
        env: Its environment.
    """

    def __init__(self, venv: Venv, env: Mapping[str, str]) -> None:
        self._command = venv.script("together")
        self._env = dict(env)

    def run(self, *arguments: str) -> Finished:
        """Run one command to its end."""
        done = subprocess.run(
            [self._command, *arguments],
            env=self._env,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        return Finished(done.returncode, _STYLE.sub("", done.stdout), _STYLE.sub("", done.stderr))

    def ok(self, *arguments: str) -> Finished:
        """Run one command that must succeed."""
        done = self.run(*arguments)
        assert done.code == 0, f"{arguments} ended with {done.code}:\n{done.out}\n{done.err}"
        return done


class SdkError(Exception):
    """What the library raised.

    Attributes:
        kind: Name of the exception's class.
        status: HTTP status, where there was one.
        message: The exception's text.
    """

    def __init__(self, kind: str, status: int | None, message: str) -> None:
        super().__init__(f"{kind} ({status}): {message}")
        self.kind = kind
        self.status = status
        self.message = message


class Library:
    """An official client library in its own process; a context manager.

    Args:
        venv: Where it is installed.
        env: Its environment.
        mode: ``sync`` or ``async`` client.
    """

    def __init__(self, venv: Venv, env: Mapping[str, str], mode: str = "sync") -> None:
        self._process = subprocess.Popen(
            [venv.python, str(_DRIVER), mode],
            env=dict(env),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call ``client.<method>`` and return what it returned.

        Raises:
            SdkError: The library raised.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"call": method, "args": args, "kwargs": kwargs}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the library's process ended with {self._process.wait()}"
        reply = json.loads(line)
        if "error" in reply:
            raise SdkError(reply["error"], reply["status"], reply["message"])
        return reply["result"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
