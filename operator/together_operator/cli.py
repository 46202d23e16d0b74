"""The command line: `together-operator run`, `crd`, `version`, and what others add to it.

The flags of `run` are those of the settings model, so that flag, environment variable, validation
and documentation are one thing. What only a developer's machine has (the simulator, the control
plane, the demo) is found by entry point: the product does not import it.
"""

from __future__ import annotations

import asyncio
import sys
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from together_operator import __version__, logs
from together_operator.flags import InvalidSettings
from together_operator.options import give
from together_operator.resource import crd as definition
from together_operator.settings import API_KEY_VARIABLE, PREFIX, Settings

_COMMANDS: Final = "together_operator.commands"
_LOCAL: Final = {
    "simulate": "A simulated Together, over HTTP on this machine.",
    "local": "A local control plane: etcd, kube-apiserver and its controllers.",
    "demo": "The whole life of an endpoint, live, on this machine.",
}
_QUESTIONS: Final = ("orphans", "release")
_WRONG_USE: Final = 2

app = typer.Typer(
    name="together-operator",
    help="A Kubernetes operator for Together AI dedicated inference endpoints.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _fail(message: str, code: int = 1) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(code)


# -- run -----------------------------------------------------------------------------------------


def _run(**given: Any) -> None:
    from together_operator.controller import process
    from together_operator.controller.health import PortTakenError
    from together_operator.controller.kube_errors import KubeError
    from together_operator.controller.leadership import LeaseLost
    from together_operator.handlers import watch
    from together_operator.together import ConfigurationError

    values = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    try:
        settings = Settings.load(values)
    except InvalidSettings as error:
        raise _fail("\n".join(error.problems), _WRONG_USE) from None
    logs.configure(settings.log_format, settings.log_level)
    try:
        asyncio.run(process.run(settings, watch))
    except (KubeError, ConfigurationError, PortTakenError) as error:
        raise _fail(f"The operator cannot run: {error}") from None
    except LeaseLost as error:
        raise _fail(f"The operator ends: {error}") from None


give(_run)
app.command(
    "run",
    help="Run the operator until it is told to stop.\n\n"
    f"Each flag can be given as an environment variable too, {PREFIX}WORKERS for --workers, and "
    "a list with commas; the flag wins. The operator's own API key comes from "
    f"{API_KEY_VARIABLE} or a file: process lists show flags.",
)(_run)


# -- crd and version -----------------------------------------------------------------------------


@app.command()
def crd(
    output: Annotated[
        Path | None, typer.Option(help="Write the files into this folder.", metavar="DIR")
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(help="Fail if the files in this folder are not current.", metavar="DIR"),
    ] = None,
) -> None:
    """Print the CustomResourceDefinition, for `kubectl apply --server-side -f -`."""
    if check is not None:
        stale = definition.stale(check)
        if stale:
            raise _fail(f"Not current: {', '.join(stale)}; run `make crd`")
        return
    if output is not None:
        for path in definition.write(output):
            typer.echo(path)
        return
    typer.echo(definition.crd_yaml(), nl=False)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


# -- what a person asks for beside the operator ----------------------------------------------------


def _add_questions(wanted: str | None) -> None:
    """Add them; of those with a connection to a cluster only what is asked for is imported."""
    for name in _QUESTIONS:
        if wanted in (None, name):
            module = import_module(f"together_operator.commands.{name}")
            app.command(name, help=module.HELP)(getattr(module, name))


# -- what [local] adds ---------------------------------------------------------------------------


def _missing(name: str) -> None:
    def absent() -> None:
        raise _fail(
            f"`together-operator {name}` needs the extra [local]:"
            " pip install 'together-operator[local]'",
            _WRONG_USE,
        )

    app.command(
        name,
        help=f"{_LOCAL[name]} Not installed here: it comes with the extra `local`.",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )(absent)


def _load(entry: EntryPoint) -> None:
    try:
        command = entry.load()
    except ModuleNotFoundError as error:
        # The package may be absent; a part of it that is absent is a fault and not a choice.
        if (error.name or "").startswith(("together_local.", "together_operator")):
            raise
        _missing(entry.name)
        return
    if isinstance(command, typer.Typer):
        app.add_typer(command, name=entry.name, help=_LOCAL.get(entry.name))
    else:
        app.command(entry.name)(command)


def _add_commands(wanted: str | None) -> None:
    """Add the commands of [local]; only the one that is asked for is imported."""
    found = {entry.name: entry for entry in entry_points(group=_COMMANDS)}
    for name, words in _LOCAL.items():
        if name not in found:
            _missing(name)
        elif wanted in (None, name):
            _load(found[name])
        else:
            app.command(name, help=words)(lambda: None)


def main() -> None:
    """Run the command line."""
    wanted = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    _add_questions(wanted)
    _add_commands(wanted)
    app()
