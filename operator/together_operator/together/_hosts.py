"""Where inference for endpoints of API v2 goes.

Together has a host of its own for it. Whoever set another base URL, a proxy or a simulator, meant
all requests, so then there is only the one host: the key never goes anywhere that was not set.
"""

from __future__ import annotations

from typing import Final

PUBLIC: Final = "https://api.together.ai/v1"
"""The base URL of everybody who sets none."""

PUBLIC_INFERENCE: Final = "https://api-inference.together.ai/v1"


def inference_base_url(base_url: str) -> str:
    """Tell which base URL answers inference for endpoints of API v2.

    Args:
        base_url: The one for management, with `/v1`.
    """
    return PUBLIC_INFERENCE if base_url.rstrip("/") == PUBLIC else base_url
