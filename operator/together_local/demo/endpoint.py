"""The TogetherEndpoint of the demo: what it says of itself, and waiting for it to say something."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from together_local.demo.errors import DemoError
from together_local.demo.shell import Shell

_LOOK_SECONDS = 3


class Endpoint:
    """One resource, as kubectl shows it.

    Args:
        shell: Where kubectl is run.
        name: The resource's name.
        check: Called during waits; raises when waiting makes no sense any more.
    """

    def __init__(self, shell: Shell, name: str, check: Callable[[], None]) -> None:
        self.name = name
        self._shell = shell
        self._check = check

    def read(self) -> dict[str, Any] | None:
        """The resource; None when there is none."""
        code, text = self._shell.quiet(f"kubectl get tep {self.name} -o json --ignore-not-found")
        if code != 0:
            raise DemoError(f"kubectl could not read tep/{self.name}: {text.strip()}")
        return json.loads(text) if text.strip() else None

    def status(self) -> dict[str, Any]:
        """Its status; empty when there is none."""
        found = self.read()
        return dict(found.get("status", {})) if found else {}

    def condition(self, kind: str) -> dict[str, Any]:
        """One of its conditions; empty when it is not there."""
        return next((c for c in self.status().get("conditions", []) if c["type"] == kind), {})

    def until(self, kind: str, within: float) -> dict[str, Any]:
        """Wait until a condition is True for what the spec says now.

        Args:
            kind: The condition's type.
            within: Seconds until that is given up.

        Returns:
            The Ready condition then.

        Raises:
            DemoError: It stalled instead, or the time is over.
        """
        deadline = time.monotonic() + within
        # kubectl itself holds back while a condition is about an older generation.
        wait = f"kubectl wait --for=condition={kind} tep/{self.name} --timeout={_LOOK_SECONDS}s"
        while self._shell.quiet(wait)[0] != 0:
            self._check()
            stalled = self.condition("Stalled")
            if stalled.get("status") == "True" and kind != "Stalled":
                raise DemoError(f"tep/{self.name} is stalled: {stalled['message']}")
            if time.monotonic() > deadline:
                raise DemoError(f"tep/{self.name} was not {kind} within {within:.0f} s")
        return self.condition("Ready")
