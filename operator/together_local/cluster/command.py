"""The commands `together-operator local up|down|status`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from together_local.cluster import local
from together_local.cluster.errors import ClusterError
from together_local.cluster.progress import ConsoleProgress

_NOT_RUNNING = 3

app = typer.Typer(
    no_args_is_help=True,
    help="A Kubernetes control plane on this machine: etcd, kube-apiserver and its controllers. "
    "It has no nodes, so no pod ever runs in it.",
)

Directory = Annotated[
    Path | None,
    typer.Option(
        "--dir", help="The folder of its state. [default: the user's state folder]", metavar="DIR"
    ),
]


def _folder(chosen: Path | None) -> Path:
    return (chosen or platformdirs.user_state_path("together-operator") / "local").absolute()


def _fail(error: ClusterError) -> typer.Exit:
    typer.secho(f"Error: {error}", err=True, fg=typer.colors.RED)
    return typer.Exit(1)


@app.command()
def up(directory: Directory = None) -> None:
    """Start it, or find it running; prints how to point kubectl at it.

    The first start builds the binaries, which takes some minutes. Use it by
    `eval "$(together-operator local up)"`.
    """
    progress = ConsoleProgress()
    try:
        state = local.up(_folder(directory), progress)
    except ClusterError as error:
        raise _fail(error) from error
    progress.say(f"kubectl {state.version} and helm are in {state.bin}")
    typer.echo(f"export KUBECONFIG={shlex.quote(str(state.kubeconfig))}")


@app.command()
def down(directory: Directory = None) -> None:
    """Stop it. What it stores stays, for the next `up` with the same folder."""
    folder = _folder(directory)
    try:
        stopped = local.down(folder, ConsoleProgress())
    except ClusterError as error:
        raise _fail(error) from error
    if not stopped:
        typer.echo(f"Nothing runs in {folder}", err=True)


@app.command()
def status(directory: Directory = None) -> None:
    """Say what runs, where, and where its commands are; exits with 3 when it is not running."""
    folder = _folder(directory)
    state = local.status(folder)
    rows = [("state", state.condition), ("folder", str(folder))]
    rows += [
        (
            part.name,
            f"{part.version}  pid {part.pid}  port {part.port}  {part.condition}"
            if part.pid
            else f"{part.version}  stopped",
        )
        for part in state.parts
    ]
    rows += [("kubeconfig", str(state.kubeconfig)), ("bin", str(state.bin))]
    for name, value in rows:
        typer.echo(f"{name + ':':<25}{value}")
    if not state.running:
        raise typer.Exit(_NOT_RUNNING)
