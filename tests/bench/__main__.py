"""`make bench`: measure, print a table, and write JSON if asked to."""

from __future__ import annotations

import os
import platform
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.bench import scenarios
from tests.bench.figures import Figure, as_json, show
from tests.bench.stage import staged
from together_operator import __version__


def main(
    json_file: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write JSON there, not to standard output."),
    ] = None,
    resources: Annotated[
        int, typer.Option(help="How many resources there are in the end.", min=10, max=10_000)
    ] = 200,
    seconds: Annotated[int, typer.Option(help="How long idleness is watched.", min=10)] = 30,
) -> None:
    """Measure what the operator costs and how soon it acts, on a control plane of its own.

    Nothing fails by a slow machine: compare figures of one run, or of one machine.
    """
    parts = {
        "what a create costs": scenarios.create,
        "many creates at once": lambda stage: scenarios.burst(stage, resources),
        "edits": scenarios.edits,
        "idleness": lambda stage: scenarios.idle(stage, seconds),
        "a restart": scenarios.restart,
    }
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder, staged(Path(folder)) as stage:
        for name, scenario in parts.items():
            with stage.progress.task(f"Measuring {name}"):
                figures += scenario(stage)
    show(figures)
    machine = {
        "version": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "processors": os.cpu_count(),
    }
    text = as_json(figures, machine)
    if json_file is None:
        typer.echo(text)
    else:
        json_file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
