"""Ask the endpoint something, as an application would: by the address in the resource's status."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from together_local.demo.errors import DemoError
from together_local.demo.screen import Screen
from together_local.demo.shell import API_KEY

_SECONDS = 30.0
_QUESTION = "Are you there?"


def chat(screen: Screen, inference: Mapping[str, str]) -> None:
    """Send one chat completion and show the answer.

    Args:
        screen: Where to show it.
        inference: The resource's `status.inference`.

    Raises:
        DemoError: The endpoint did not answer.
    """
    url = f"{inference['baseURL']}/chat/completions"
    body: dict[str, Any] = {
        "model": inference["model"],
        "messages": [{"role": "user", "content": _QUESTION}],
    }
    screen.say(f"POST {url}")
    screen.output(json.dumps(body))
    try:
        with httpx.Client(trust_env=False, timeout=_SECONDS) as http:
            answer = http.post(url, json=body, headers={"Authorization": f"Bearer {API_KEY}"})
    except httpx.TransportError as error:
        raise DemoError(f"No answer from {url}: {error}") from error
    if not answer.is_success:
        raise DemoError(f"The endpoint answered {answer.status_code}: {answer.text}")
    screen.say(f"{answer.status_code} {answer.reason_phrase}")
    screen.output(answer.json()["choices"][0]["message"]["content"])
