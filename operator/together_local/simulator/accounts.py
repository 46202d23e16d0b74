"""Whose key it is.

Why: keys belong to projects and see nothing of other projects; denied keys are
refused. Keys themselves are secrets and leave this module only as a short hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from together_local.simulator.errors import invalid_key

DEFAULT_PROJECT = "default"


def key_id(key: str) -> str:
    """Return the name under which a key appears in the ledger."""
    return hashlib.sha256(key.encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Caller:
    """Who sent a request: the key's hash and its project."""

    key_id: str
    project: str


class Accounts:
    """Keys, their projects, and those that are denied."""

    def __init__(self, denied: Iterable[str] = (), projects: Mapping[str, str] | None = None):
        self._denied = set(denied)
        self._projects = dict(projects or {})

    def authenticate(self, key: str | None) -> Caller:
        """Return the caller behind a bearer key.

        Raises:
            ApiError: 401, when there is no key or it is denied.
        """
        if not key or key in self._denied:
            raise invalid_key()
        return Caller(key_id(key), self._projects.get(key, DEFAULT_PROJECT))

    def deny(self, keys: Iterable[str]) -> None:
        """Refuse these keys from now on."""
        self._denied.update(keys)

    def allow(self, keys: Iterable[str]) -> None:
        """Accept these keys again."""
        self._denied.difference_update(keys)

    def assign(self, projects: Mapping[str, str]) -> None:
        """Move keys into projects."""
        self._projects.update(projects)
