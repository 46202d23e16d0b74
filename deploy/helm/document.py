"""Writes the table of values into the chart's README.

Why: the comments in values.yaml are what `helm show values` shows; a table kept by hand beside
them would soon say something else. Run as ``python deploy/helm/document.py`` (``make chart``);
with ``--check`` it only says whether README.md is up to date.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parent / "together-operator"
BEGIN = "<!-- values: written by `make chart` from the comments in values.yaml -->\n"
END = "<!-- /values -->\n"

_KEY = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z]+):")


def descriptions(text: str) -> dict[str, str]:
    """Return the ``# --`` comment of each documented value, by its dotted path.

    Args:
        text: The text of values.yaml.
    """
    found: dict[str, str] = {}
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("#") and comment:
            comment.append(stripped.removeprefix("#").strip())
        elif match := _KEY.match(line):
            path = [*path[: len(match["indent"]) // 2], match["key"]]
            if comment:
                found[".".join(path)] = " ".join(comment)
            comment = []
        else:
            comment = []
    return found


def _leaves(values: dict[str, Any], documented: dict[str, str], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        path = f"{prefix}{key}"
        default = json.dumps(value)
        if isinstance(value, dict) and value:
            yield from _leaves(value, documented, f"{path}.")
        else:
            yield f"| `{path}` | `{default}` | {documented.get(path, '')} |\n"


def table() -> str:
    """Return the table of all values as Markdown."""
    text = (CHART / "values.yaml").read_text()
    rows = _leaves(yaml.safe_load(text), descriptions(text))
    return "| Value | Default | Meaning |\n|---|---|---|\n" + "".join(rows)


def document(readme: str) -> str:
    """Return a README with its table renewed.

    Args:
        readme: The README's text, with both markers.
    """
    head, _, rest = readme.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + table() + END + tail


def main() -> None:
    """Write the README, or with ``--check`` end with 1 if it is stale."""
    path = CHART / "README.md"
    before = path.read_text()
    after = document(before)
    if sys.argv[1:] != ["--check"]:
        path.write_text(after)
    elif before != after:
        sys.exit(f"{path} is stale: run `make chart`")


if __name__ == "__main__":
    main()
