"""An API key that cannot slip out.

A key spends money, so it is held where no `repr`, log line, traceback or answer of the remote
side can show it: only this module ever sees the bare text.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Generator
from typing import Final
from urllib.parse import quote

import httpx
from pydantic import SecretStr

LONGEST_KEY: Final = 1024
"""Characters. Real keys are far shorter; a longer text is a file that was mixed up."""

SHORTEST_REDACTED: Final = 4
"""Characters. Below it a text is no secret, and to blank it out would only garble messages."""

_IDENTITY_DIGITS: Final = 16


class InvalidKey(ValueError):  # noqa: N818 - it names what the value is, as its callers read it
    """The text cannot be an API key. The message says what to do and never shows the text."""


class Credential(httpx.Auth):
    """One API key.

    Args:
        key: The key, exactly as Together issued it.

    Raises:
        InvalidKey: If the text cannot be sent as a bearer token.
    """

    def __init__(self, key: str | bytes) -> None:
        problem = _problem(key)
        if problem is not None:
            del key  # so that a traceback with local variables has nothing to show
            raise InvalidKey(problem)
        self._secret = SecretStr(key if isinstance(key, str) else key.decode("ascii"))

    def __repr__(self) -> str:
        return "Credential('**********')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Credential) and hmac.compare_digest(
            self._secret.get_secret_value(), other._secret.get_secret_value()
        )

    def __hash__(self) -> int:
        return hash(self._secret)

    def identity(self, cluster_id: str) -> str:
        """Name the credential without revealing it.

        Args:
            cluster_id: The id of the cluster, so that identities cannot be compared across
                clusters.

        Returns:
            16 hexadecimal digits of HMAC-SHA256(cluster id, key).
        """
        key = self._secret.get_secret_value().encode("ascii")
        return hmac.new(cluster_id.encode(), key, hashlib.sha256).hexdigest()[:_IDENTITY_DIGITS]

    def redact(self, text: str) -> str:
        """Blank the key out of a text that came from outside.

        Args:
            text: For example an error message that quotes the key which it refuses.

        Returns:
            The text without the key, whether it stood there bare, as JSON or in a URL.
        """
        key = self._secret.get_secret_value()
        if len(key) < SHORTEST_REDACTED:
            return text
        for spelling in {key, json.dumps(key)[1:-1], quote(key, safe="")}:
            text = text.replace(spelling, "[key]")
        return text

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Put the key on a request; httpx calls this."""
        request.headers["Authorization"] = f"Bearer {self._secret.get_secret_value()}"
        yield request


def _problem(key: str | bytes) -> str | None:
    if not key:
        return "The API key is empty. Put the key from Together's settings into the Secret."
    if len(key) > LONGEST_KEY:
        return (
            f"The API key is longer than {LONGEST_KEY} characters, so it is probably another file."
            " Put only the key into the Secret."
        )
    if not key.isascii():
        return "The API key has characters beyond ASCII. Copy it again from Together's settings."
    text = key if isinstance(key, str) else key.decode("ascii")
    if text != text.rstrip("\r\n"):
        return (
            "The API key ends with a line break. Create the Secret with --from-literal, or write"
            " the file with printf instead of echo."
        )
    if not all("!" <= character <= "~" for character in text):
        return (
            "The API key contains a space, a line break or a control character. Copy it again from"
            " Together's settings, nothing before or after it."
        )
    return None
