"""``together-operator demo``: everything at once, with one command and without a bill."""

from __future__ import annotations

import shlex
import signal
import time
from types import FrameType
from typing import Annotated

import typer

from together_local.cluster.errors import ClusterError
from together_local.cluster.progress import duration
from together_local.demo.errors import DemoError
from together_local.demo.screen import Screen
from together_local.demo.stage import Api, Stage, staged
from together_local.demo.tour import Tour
from together_local.simulator import Options, Profile, SimulatorStartError

_INTERRUPTED = 130


def demo(
    profile: Annotated[
        Profile,
        typer.Option(
            help="classic: an account that still has API v1. retired: one for which Together has "
            "closed it, so that the operator moves to API v2 by itself."
        ),
    ] = Profile.CLASSIC,
    api: Annotated[
        Api,
        typer.Option(help="Which API the operator tries first.", case_sensitive=False),
    ] = Api.V1,
    speed: Annotated[
        float,
        typer.Option(
            help="Simulated seconds per second: with 60 a minute of an endpoint's life lasts "
            "a second.",
            min=0.1,
            max=600,
        ),
    ] = 60.0,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep",
            help="Leave the deletion out, or stay after a failure: everything keeps running, to "
            "look around, until Ctrl-C.",
        ),
    ] = False,
) -> None:
    """Show the whole life of an endpoint, live, on this machine: no key, no bill.

    It brings up a Kubernetes control plane, a simulated Together and the
    operator, and then types what a person would type. The first time it
    builds the control plane, which takes some minutes. It leaves nothing
    behind.
    """
    screen = Screen()
    began = time.monotonic()
    for number in (signal.SIGTERM, signal.SIGHUP):
        # `nohup` has SIGHUP ignored, and means it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        with staged(screen, Options(profile=profile, speed=speed), api) as stage:
            try:
                Tour(stage, screen, speed).show(profile, api, keep=keep)
            except DemoError as error:
                if keep:
                    screen.failure(f"Error: {error}")
                    _wait_for_interrupt(stage, screen)
                raise
            if keep:
                _wait_for_interrupt(stage, screen)
            screen.chapter("The end")
            screen.say("Ending the operator, the simulated Together and the control plane.")
    except KeyboardInterrupt:
        screen.chapter("Interrupted")
        screen.say("All that was started has ended.")
        raise typer.Exit(_INTERRUPTED) from None
    except (DemoError, ClusterError, SimulatorStartError) as error:
        screen.chapter("The demo failed")
        screen.failure(f"Error: {error}")
        raise typer.Exit(1) from None
    screen.success(f"Done in {duration(time.monotonic() - began)}. Nothing is left running.")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _wait_for_interrupt(stage: Stage, screen: Screen) -> None:
    """Tell how to use what runs, and leave it running until Ctrl-C."""
    screen.chapter("All of it keeps running until Ctrl-C; in another terminal:")
    screen.output(
        "\n".join(
            (
                f"export KUBECONFIG={shlex.quote(str(stage.plane.kubeconfig))}",
                f'export PATH={shlex.quote(str(stage.plane.bin))}:"$PATH"',
                "kubectl get tep",
            )
        )
    )
    screen.table(
        ("WHAT", "WHERE"),
        [
            ("Together", f"{stage.simulator.base_url} (any key is accepted)"),
            ("the books", f"{stage.simulator.url}/_sim/ledger"),
            ("operator's log", str(stage.log)),
            ("its health", f"{stage.health}/readyz"),
            ("its metrics", f"{stage.metrics}/metrics"),
        ],
    )
    try:
        while True:
            signal.pause()
    except KeyboardInterrupt:
        return
