"""``together-operator simulate``: a simulated Together on this machine.

Why: anybody can try the operator, or rehearse what a cluster would do, without a
key and without a bill.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Annotated

import typer
from rich.console import Console as Terminal
from rich.table import Table

from together_local.simulator.assumptions import AssumptionError, Assumptions, parse_assumption
from together_local.simulator.server import PortTakenError, Simulator
from together_local.simulator.world import Options, Profile


def simulate(
    port: Annotated[
        int, typer.Option(help="TCP port on loopback; 0 takes a free one.", min=0, max=65535)
    ] = 8900,
    profile: Annotated[
        Profile,
        typer.Option(
            help="classic: API v1 is open. retired: v1 create and restart answer 403. API v2 is "
            "open in both."
        ),
    ] = Profile.CLASSIC,
    speed: Annotated[
        float,
        typer.Option(
            help="Simulated seconds per second: with 60 a minute of an endpoint's life lasts "
            "a second. 0: only POST /_sim/advance moves the clock.",
            min=0,
        ),
    ] = 1.0,
    seed: Annotated[
        int | None, typer.Option(help="Repeat ids and random faults of an earlier run.")
    ] = None,
    deny_key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Answer this key with 401; may be repeated."),
    ] = None,
    project: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=PROJECT",
            help="Put a key into a project; may be repeated. Other keys share one project.",
        ),
    ] = None,
    fault_rate: Annotated[
        float,
        typer.Option(help="Share of API requests that meet a random fault.", min=0, max=1),
    ] = 0.0,
    assume: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="Switch what is taken to be true where the real API is not documented; "
            "may be repeated. --list-assumptions shows all.",
        ),
    ] = None,
    list_assumptions: Annotated[
        bool, typer.Option("--list-assumptions", help="Show all assumptions and end.")
    ] = False,
    stop_with_stdin: Annotated[
        bool, typer.Option("--stop-with-stdin", help="End when standard input ends.", hidden=True)
    ] = False,
) -> None:
    """Run a simulated Together AI on this machine: same API, no key, no bill.

    Any API key is accepted. Point a client of API v1 at the printed address, or the
    operator with --base-url; clients of API v2, such as together 3.x, get the same address
    without /v1. Both see the same keys and hardware. GET /_sim/ledger shows every request,
    every endpoint and deployment, and what it would have cost. Rollouts, experiments and
    adapters of API v2 are not simulated.
    """
    if list_assumptions:
        _show_assumptions()
        return
    try:
        values = dict(parse_assumption(text) for text in assume or [])
        if fault_rate:
            values["fault_rate"] = fault_rate
        options = Options(
            profile=profile,
            speed=speed,
            seed=seed,
            denied_keys=tuple(deny_key or []),
            projects=dict(_project(text) for text in project or []),
            assumptions=values,
        )
        simulator = Simulator(options, port)
    except AssumptionError as error:
        raise typer.BadParameter(str(error), param_hint="--assume") from None
    try:
        asyncio.run(_serve(simulator, stop_with_stdin=stop_with_stdin))
    except PortTakenError as error:
        advice = "choose another with --port (0 takes a free one)"
        raise typer.BadParameter(f"{error}; {advice}", param_hint="--port") from None


async def _serve(simulator: Simulator, *, stop_with_stdin: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with simulator:
        if stop_with_stdin:
            loop.add_reader(sys.stdin.fileno(), _read_on, stop)
        options = simulator.world.options
        print(
            f"Simulated Together on {simulator.base_url} "
            f"(profile {options.profile.value}, speed {options.speed:g})",
            flush=True,
        )
        await stop.wait()


def _read_on(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        stop.set()


def _project(text: str) -> tuple[str, str]:
    key, _, name = text.partition("=")
    if not key or not name:
        raise typer.BadParameter("expected KEY=PROJECT", param_hint="--project")
    return key, name


def _show_assumptions() -> None:
    table = Table("Name", "Default", "Meaning", title="Where the real API is not documented")
    for name, default, meaning in Assumptions.described():
        table.add_row(name, str(default), meaning)
    Terminal().print(table)
