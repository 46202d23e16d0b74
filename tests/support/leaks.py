"""What nobody may ever read: an API key, in any spelling that gives it away (I6).

One judge for all tests. A key can slip out whole, quoted, escaped, encoded as a Secret encodes it,
within something else that is encoded, or cut; each of these is a text that is searched for in
everything that the operator tells anybody.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

SHORTEST = 8
"""Characters. What is shorter is no key, and is found in any text."""

TELLING = 12
"""Characters from which on the beginning of a key gives it away."""


def spellings(key: str) -> dict[str, str]:
    """The texts by which a key is found, each with what it would be.

    Args:
        key: The key, or whatever a person put in its place.
    """
    raw = key.encode()
    found = {
        key: "the key",
        repr(key)[1:-1]: "the key as Python quotes it",
        json.dumps(key)[1:-1]: "the key as JSON quotes it",
        json.dumps(key, ensure_ascii=False)[1:-1]: "the key as JSON quotes it",
        quote(key, safe=""): "the key in a URL",
        quote(key): "the key in a URL",
        quote_plus(key): "the key in a query",
        raw.hex(): "the key in hexadecimal",
    }
    if len(key) > TELLING:
        found[key[:TELLING]] = "the beginning of the key"
    # Wherever the key begins within what is encoded, one of three texts must appear.
    head = raw[:TELLING]
    for lead in range(3):
        plain = base64.b64encode(b"\0" * lead + head).decode()
        inner = plain[(0, 2, 3)[lead] : (lead + len(head)) * 8 // 6]
        found[inner] = "the key in base64"
        found[inner.replace("+", "-").replace("/", "_")] = "the key in base64 of URLs"
    return {text: what for text, what in found.items() if text.strip()}


def leaks(told: Mapping[str, str], keys: Iterable[str]) -> Iterator[str]:
    """Where a key is found, with a little of what surrounds it.

    Args:
        told: Everything that was told, by where.
        keys: The keys, and whatever else was in a Secret as one.
    """
    needles: dict[str, str] = {}
    for key in keys:
        if len(key) >= SHORTEST:
            needles |= spellings(key)
    for where, text in told.items():
        for needle, what in needles.items():
            at = text.find(needle)
            if at >= 0:
                yield f"{where} shows {what}: …{text[max(0, at - 120) : at + 160]!r}…"


def assert_no_key(told: Mapping[str, str], keys: Iterable[str]) -> None:
    """Fail if a key is found anywhere; arguments as for `leaks`."""
    found = list(leaks(told, keys))
    assert not found, "\n".join(found[:5])
