"""A git repository on this disk, for what syncs from git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class GitRepository:
    """A git repository on this disk, with a work tree to write into.

    Args:
        path: Its folder, made here.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")

    @property
    def url(self) -> str:
        """Its address for Argo CD."""
        return self.path.as_uri()

    def write(self, name: str, content: str) -> None:
        """Write a file; `commit` publishes it."""
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)

    def remove(self, name: str) -> None:
        """Remove a file; `commit` publishes it."""
        (self.path / name).unlink()

    def commit(self, message: str) -> str:
        """Publish all changes and return the revision."""
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", message)
        return self._git("rev-parse", "HEAD")

    def _git(self, *args: str) -> str:
        identity = {
            f"GIT_{role}_{field}": value
            for role in ("AUTHOR", "COMMITTER")
            for field, value in (("NAME", "test"), ("EMAIL", "test@example.com"))
        }
        # Nothing of the person's own configuration, such as signing, takes part.
        alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        done = subprocess.run(
            ["git", *args],
            cwd=self.path,
            env={**os.environ, **identity, **alone},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()
