"""``clearwindow sandbox day``: a day of settlements with disputes, replayed on a seeded network."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated, Final

import typer

from clearwindow.cli.failures import FAILED, CommandError
from clearwindow.cli.options import JsonOption

_MOST_ROUNDS: Final = 1_440


def day(
    *,
    network: Annotated[
        Path, typer.Option(metavar="FILE", help="The network file that `clearwindow sandbox seed` wrote.")
    ] = Path("network.json"),
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds-per-day",
            min=1,
            max=_MOST_ROUNDS,
            help="How often each exchange settles; the last has no disputes.",
        ),
    ] = 24,
    disputes_percent: Annotated[
        float, typer.Option(min=0, max=100, help="How many of the connections in a settlement dispute it.")
    ] = 2,
    seed: Annotated[int, typer.Option(help="Trades, and who disputes, follow from it.")] = 1,
    at_once: Annotated[int, typer.Option(min=1, max=100, help="How many are acting at a time.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Replay a day on a sandbox: settlements, disputes, closures by two, top-ups; then hold the books against it.

    The server must run with CLEARWINDOW_SANDBOX=1, because its clock is moved.
    """
    from clearwindow.client import ClearwindowError  # noqa: PLC0415 - no other command should wait for it
    from clearwindow.sandbox.day import report  # noqa: PLC0415
    from clearwindow.sandbox.day.plan import DayError, DayPlan  # noqa: PLC0415
    from clearwindow.sandbox.day.play import play  # noqa: PLC0415
    from clearwindow.sandbox.network.file import NetworkFileError, read_network  # noqa: PLC0415
    from clearwindow.sandbox.progress import Meter  # noqa: PLC0415
    from clearwindow.sandbox.screen import Screen  # noqa: PLC0415

    try:
        known = read_network(network)
        plan = DayPlan(known, seed=seed, rounds=rounds, disputes_percent=disputes_percent)
        played = asyncio.run(play(known, plan, Meter(), at_once=at_once))
    except (ClearwindowError, DayError, NetworkFileError, ValueError) as error:
        raise CommandError(str(error)) from None
    if as_json:
        typer.echo(json.dumps(report.as_json(played)))
    else:
        report.show(Screen(), known, played, rounds)
    if played.outcome.wrong:
        raise typer.Exit(FAILED)
