"""Applications that use an endpoint all the time, and notice every request that fails."""

from __future__ import annotations

import itertools
import threading
from types import TracebackType
from typing import Any, Self

import httpx


class Load:
    """Sends inference requests to an endpoint, one after the other, until it is left.

    Each is of another user, so that they are spread over whatever answers under the name.

    Args:
        base_url: Where inference is answered.
        model: The endpoint's name.
        key: The API key.
        pause: Seconds between two requests.
    """

    def __init__(self, base_url: str, model: str, key: str, *, pause: float = 0.02) -> None:
        self._url = f"{base_url}/chat/completions"
        self._model = model
        self._headers = {"Authorization": f"Bearer {key}"}
        self._pause = pause
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self.failed: list[str] = []
        self.answers: list[str] = []

    @classmethod
    def of(cls, team: Any, found: dict[str, Any]) -> Self:
        """The load on a resource that serves, as an application finds it in the status."""
        inference = found["status"]["inference"]
        return cls(inference["baseURL"], inference["model"], team.key)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ends.set()
        self._thread.join(timeout=30)
        if error is None:
            assert not self.failed, f"{len(self.failed)} failed: {self.failed[:3]}"
            assert len(self.answers) > 20, "there was hardly any load"

    def _send(self) -> None:
        with httpx.Client(trust_env=False, timeout=20) as client:
            for number in itertools.count():
                body = {
                    "model": self._model,
                    "messages": [{"role": "user", "content": "Are you there?"}],
                    "user": f"user-{number}",
                }
                try:
                    answer = client.post(self._url, json=body, headers=self._headers)
                except httpx.HTTPError as error:
                    self.failed.append(repr(error))
                else:
                    if answer.status_code == 200:
                        self.answers.append(answer.json()["choices"][0]["message"]["content"])
                    else:
                        self.failed.append(f"{answer.status_code} {answer.text}")
                if self._ends.wait(self._pause):
                    return

    def answered_by(self, deployment_id: str) -> int:
        """How many requests a deployment has answered.

        Args:
            deployment_id: Together's id.
        """
        return sum(deployment_id in text for text in self.answers)
