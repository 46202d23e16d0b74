"""The ways a local cluster can fail, each with the next step in its message.

They share one base so that a command line can print the message alone: the
reader needs what to do, not a traceback.
"""

from __future__ import annotations

from collections.abc import Sequence


class ClusterError(Exception):
    """Something about the local cluster went wrong; the message says what to do."""


class PrerequisiteError(ClusterError):
    """A tool or a resource of the machine is missing; the message names how to get it."""


class BuildError(ClusterError):
    """A binary did not compile; the message ends with the last lines of the compiler."""


class StartError(ClusterError):
    """A component ended or did not become ready; the message ends with its log."""


class InUseError(ClusterError):
    """Another process owns the state folder."""


class CommandError(ClusterError):
    """A command such as kubectl returned non-zero.

    Args:
        args: The command line.
        returncode: Its exit code.
        stdout: What it printed.
        stderr: What it complained about.
    """

    def __init__(self, args: Sequence[str], returncode: int, stdout: str, stderr: str) -> None:
        self.command = list(args)
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr
        said = (stderr or stdout).strip()
        super().__init__(f"{' '.join(args)}\nreturned {returncode}: {said}")
