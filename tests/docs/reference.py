"""The parts of README.md that are made from the code, so that neither can say something else.

`python -m tests.docs.reference` (`make docs`) writes them; a test fails when they are stale.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from prometheus_client.metrics_core import Metric

from tests.docs.markdown import README
from together_operator.core.table import GRACED, ROWS, Row
from together_operator.metrics import Metrics
from together_operator.resource.catalogue import REASONS
from together_operator.resource.crd import crd
from together_operator.resource.reasons import Reason
from together_operator.settings import table as settings_table

_BLOCK: Final = re.compile(
    r"(?P<begin><!-- (?P<name>[a-z]+): written by `make docs` -->\n)"
    r".*?"
    r"(?P<end><!-- /(?P=name) -->)",
    re.DOTALL,
)

_OURS: Final = "together_operator_"

_GROUPS: Final[Mapping[Row, tuple[str, str]]] = {
    Row(ready=True, reconciling=False, stalled=False): (
        "As asked",
        "`Ready` is True: nothing is left to do.",
    ),
    Row(ready=False, reconciling=True, stalled=False): (
        "At work, or waiting",
        "`Ready` is False and `Reconciling` is True. Those marked with * become `Stalled` when they"
        " last for 15 minutes.",
    ),
    Row(ready=False, reconciling=False, stalled=True): (
        "A person must act",
        "`Ready` is False and `Stalled` is True.",
    ),
    Row(ready=False, reconciling=False, stalled=False): (
        "On hold, because `spec.suspend` is true",
        "`Ready` is False while something differs from what is asked for.",
    ),
}


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(_cell(cell) for cell in line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def fields() -> str:
    """Every field of the spec, from the CRD."""
    schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return _table(("Field", "Values", "Default", "Meaning"), _fields(schema, ""))


def _fields(schema: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in schema["properties"].items():
        path = f"{prefix}{name}"
        if "properties" in field:
            yield from _fields(field, f"{path}.")
            continue
        required = name in schema.get("required", ())
        yield (_code(path), _values(field), _default(field, required), field["description"])


def _values(field: Mapping[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(_code(value) for value in field["enum"])
    if field["type"] == "integer":
        return f"{field['minimum']} to {field['maximum']}"
    if field["type"] == "boolean":
        return "`true`, `false`"
    return f"text, at most {field['maxLength']} characters"


def _default(field: Mapping[str, Any], required: bool) -> str:
    if required:
        return "required"
    if "default" not in field:
        return ""
    default = field["default"]
    return _code(str(default).lower() if isinstance(default, bool) else str(default))


def reasons() -> str:
    """Every reason of a condition, in groups by what the conditions say."""
    parts = []
    for row, (title, introduction) in _GROUPS.items():
        lines = (
            (f"`{reason}`{' *' if reason in GRACED else ''}", text.meaning, text.next_step)
            for reason, text in REASONS.items()
            if ROWS[reason] == row
        )
        parts.append(f"**{title}.** {introduction}\n\n")
        parts.append(_table(("Reason", "Meaning", "What to do"), lines) + "\n")
    return "".join(parts).rstrip("\n") + "\n"


def settings() -> str:
    """Every setting of `together-operator run`."""
    return _table(
        ("Flag", "Environment", "Default", "Meaning"),
        ((_code(row.flag), _code(row.env), row.default, row.meaning) for row in settings_table()),
    )


def metrics() -> str:
    """Every metric of ours, as Prometheus shows it."""
    ours = (family for family in _fed().registry.collect() if family.name.startswith(_OURS))
    return _table(("Metric", "Kind", "Labels", "Meaning"), map(_metric, ours))


def _fed() -> Metrics:
    """Metrics that have counted each thing once: labels show only in what was counted."""
    fed = Metrics()
    fed.reconciled(["update"], "ok", 0.1)
    fed.queue_depth("person", lambda: 0.0)
    fed.waited("person", 0.1)
    fed.polled("ok")
    fed.remote_call("GET", "/endpoints", "200", 0.1)
    fed.kube_call("get", "togetherendpoints", "200")
    fed.watch_restarted()
    fed.orphans({("0123456789abcdef", "OwnerGone"): (1, Decimal(1))})
    fed.other_clusters("0123456789abcdef", "V1", 1)
    fed.v1_closed(lambda: ["0123456789abcdef"])
    fed.resource("default", "mixtral", Reason.SERVING.value, Decimal(1), "V1")
    return fed


def _metric(family: Metric) -> tuple[str, str, str, str]:
    suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
    labels = {label: None for sample in family.samples for label in sample.labels if label != "le"}
    return (
        _code(family.name + suffix),
        family.type,
        ", ".join(map(_code, labels)),
        family.documentation,
    )


BLOCKS: Final[Mapping[str, Callable[[], str]]] = {
    "fields": fields,
    "reasons": reasons,
    "settings": settings,
    "metrics": metrics,
}
"""What is made from the code, by the name in its markers."""


def document(text: str) -> str:
    """Renew what is made from the code.

    Args:
        text: A document with the markers.

    Raises:
        ValueError: A block is missing, there twice, or unknown.
    """
    found = [match["name"] for match in _BLOCK.finditer(text)]
    if sorted(found) != sorted(BLOCKS):
        raise ValueError(f"expected each of {sorted(BLOCKS)} once, found {sorted(found)}")
    return _BLOCK.sub(_renewed, text)


def _renewed(match: re.Match[str]) -> str:
    return f"{match['begin']}{BLOCKS[match['name']]()}{match['end']}"


def main() -> None:
    """Write README.md, or what it should be to another file."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--output", type=Path, default=README, metavar="FILE")
    output: Path = parser.parse_args().output
    output.write_text(document(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
