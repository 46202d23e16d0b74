"""The admin routes as methods, for other processes.

Why: tests and the demo would otherwise each spell the same URLs and bodies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import httpx


class AdminError(RuntimeError):
    """The simulator refused an admin request; the message says why."""


class AdminClient:
    """Talks to the admin routes of a running simulator.

    Args:
        url: The server's root, without ``/v1``.
    """

    def __init__(self, url: str) -> None:
        # Proxies are for the world outside; the simulator is on this machine.
        self._http = httpx.Client(base_url=f"{url}/_sim", timeout=30, trust_env=False)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def ledger(self, since: float | None = None) -> dict[str, Any]:
        """Return the ledger; ``since`` (real unix seconds) limits the requests."""
        params = None if since is None else {"since": str(since)}
        return dict(self._ask("GET", "/ledger", params=params))

    def requests(
        self, method: str | None = None, path: str | None = None, since: float | None = None
    ) -> list[dict[str, Any]]:
        """Return the recorded API requests, optionally of one method and exact path."""
        return [
            entry
            for entry in self.ledger(since)["requests"]
            if method in (None, entry["method"]) and path in (None, entry["path"])
        ]

    def endpoints(self) -> list[dict[str, Any]]:
        """Return every endpoint of the ledger, deleted ones too."""
        return list(self.ledger()["endpoints"])

    def live(self) -> list[dict[str, Any]]:
        """Return the endpoints of the ledger that are not deleted."""
        return [entry for entry in self.endpoints() if entry["deleted_at"] is None]

    def arm(self, *faults: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Arm faults, in the words of ``POST /_sim/faults``, and return all of them."""
        return list(self._ask("POST", "/faults", json=[dict(fault) for fault in faults]))

    def faults(self) -> list[dict[str, Any]]:
        """Return the armed faults with their hits."""
        return list(self._ask("GET", "/faults"))

    def clear_faults(self) -> None:
        """Remove all faults."""
        self._ask("DELETE", "/faults")

    def v2_endpoints(self) -> list[dict[str, Any]]:
        """Return the endpoints of v2, whose deployments :meth:`endpoints` lists."""
        return list(self.ledger()["v2_endpoints"])

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an endpoint as a person in the console would; ``project`` beside the body.

        Of v2: with a ``name`` an endpoint, with an ``endpointId`` too a deployment.
        """
        return dict(self._ask("POST", "/endpoints", json=dict(body)))

    def force(self, endpoint_id: str, **fields: Any) -> dict[str, Any]:
        """Change any field of an endpoint, such as ``state="ERROR"``."""
        return dict(self._ask("POST", f"/endpoints/{endpoint_id}", json=fields))

    def delete(self, endpoint_id: str) -> None:
        """Delete an endpoint as a person in the console would."""
        self._ask("DELETE", f"/endpoints/{endpoint_id}")

    def add_model(self, name: str, base_model: str, **more: Any) -> dict[str, Any]:
        """Give a project a model of its own, for v2.

        Args:
            name: Its bare name; of one that the project has: a new revision of it.
            base_model: What it derives from: a name, an id or a resource name.
            more: ``project``, and ``validation`` where it is not SUCCESS.
        """
        return dict(
            self._ask("POST", "/models", json={"name": name, "base_model": base_model, **more})
        )

    def keys(
        self,
        deny: Iterable[str] = (),
        allow: Iterable[str] = (),
        projects: Mapping[str, str] | None = None,
    ) -> None:
        """Deny keys, allow them again, or move them into projects."""
        body = {"deny": list(deny), "allow": list(allow), "projects": dict(projects or {})}
        self._ask("POST", "/keys", json=body)

    def capacity(self, totals: Mapping[str, int | None]) -> dict[str, int]:
        """Limit the replicas per hardware id; None lifts a limit."""
        return dict(self._ask("POST", "/capacity", json=dict(totals)))

    def advance(self, seconds: float) -> float:
        """Move simulated time forward and return it in unix seconds."""
        return float(self._ask("POST", "/advance", json={"seconds": seconds})["now"])

    def profile(self, profile: str) -> None:
        """Switch to ``classic`` or ``retired``."""
        self._ask("POST", "/profile", json={"profile": profile})

    def assumptions(self) -> dict[str, Any]:
        """Return all assumptions."""
        return dict(self._ask("GET", "/assumptions"))

    def assume(self, **values: Any) -> dict[str, Any]:
        """Switch assumptions by name and return all of them."""
        return dict(self._ask("POST", "/assumptions", json=values))

    def reset(self) -> None:
        """Forget everything and begin as at the start."""
        self._ask("POST", "/reset")

    def health(self) -> dict[str, Any]:
        """Return that it lives, and how it is set."""
        return dict(self._ask("GET", "/healthz"))

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        response = self._http.request(method, path, **more)
        if response.is_error:
            raise AdminError(f"{method} /_sim{path}: {response.status_code} {response.text}")
        return response.json()
