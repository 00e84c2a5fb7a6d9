"""``clearwindow sandbox day``: a simulated day of settlements with disputes."""

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
            help="How often each exchange settles. The last round has no disputes.",
        ),
    ] = 24,
    disputes_percent: Annotated[
        float, typer.Option(min=0, max=100, help="The percentage of connections that dispute a settlement.")
    ] = 2,
    seed: Annotated[int, typer.Option(help="The same seed gives the same trades and disputes.")] = 1,
    at_once: Annotated[int, typer.Option(min=1, max=100, help="The largest number of concurrent requests.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Simulate a day on a sandbox: settlements, disputes, reviewed closures, deposits. Then check all balances.

    The server must run with CLEARWINDOW_SANDBOX=1, because the command moves its clock.
    """
    from clearwindow.client import ClearwindowError  # noqa: PLC0415 - a slow import that other commands do not need
    from clearwindow.simulator.day import report  # noqa: PLC0415
    from clearwindow.simulator.day.plan import DayError, DayPlan  # noqa: PLC0415
    from clearwindow.simulator.day.run import run_day  # noqa: PLC0415
    from clearwindow.simulator.network.file import NetworkFileError, read_network  # noqa: PLC0415
    from clearwindow.simulator.progress import Meter  # noqa: PLC0415
    from clearwindow.simulator.screen import Screen  # noqa: PLC0415

    try:
        known = read_network(network)
        plan = DayPlan(known, seed=seed, rounds=rounds, disputes_percent=disputes_percent)
        simulated = asyncio.run(run_day(known, plan, Meter(), at_once=at_once))
    except (ClearwindowError, DayError, NetworkFileError, ValueError) as error:
        raise CommandError(str(error)) from None
    if as_json:
        typer.echo(json.dumps(report.as_json(simulated)))
    else:
        report.show(Screen(), known, simulated, rounds)
    if simulated.outcome.wrong:
        raise typer.Exit(FAILED)
