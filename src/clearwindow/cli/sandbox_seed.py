"""``clearwindow sandbox seed``: creates a network of a given size over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clearwindow.cli.failures import CommandError
from clearwindow.cli.options import JsonOption

if TYPE_CHECKING:
    from clearwindow.simulator.network.plan import Plan
    from clearwindow.simulator.network.seed import Seeded

_TOKEN_VARIABLE: Final = "CLEARWINDOW_OPERATOR_TOKEN"  # noqa: S105 - the name of a variable
_MOST_OF_A_KIND: Final = 999
_HIGHEST_PORT: Final = 65_535


def seed(  # noqa: PLR0913 - each is an option of the command
    *,
    url: Annotated[str, typer.Option(help="The server's address.")] = "http://127.0.0.1:8080",
    exchanges: Annotated[int, typer.Option(min=1, max=_MOST_OF_A_KIND, help="How many exchanges.")] = 2,
    traders: Annotated[int, typer.Option(min=1, max=_MOST_OF_A_KIND, help="How many traders.")] = 5,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="The network file to write, readable by you only. An existing one is continued."
        ),
    ] = Path("network.json"),
    number: Annotated[int, typer.Option("--seed", help="The same seed gives the same amounts.")] = 1,
    operator_token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            help=f"The token of an operator, needed for a new file. Better set it in {_TOKEN_VARIABLE}: "
            "arguments are visible in the process list.",
        ),
    ] = None,
    callback_urls: Annotated[
        str | None,
        typer.Option(metavar="URL,…", help="The callback URLs of the exchanges, in order, separated by commas."),
    ] = None,
    callback_base_port: Annotated[
        int | None,
        typer.Option(min=1, max=_HIGHEST_PORT, help="Use callback URLs on this machine, from this port on."),
    ] = None,
    dispute_minutes: Annotated[float, typer.Option(min=0, help="The length of the dispute window.")] = 30,
    top_up_minutes: Annotated[float, typer.Option(min=0, help="The length of the top-up window after it.")] = 15,
    at_once: Annotated[int, typer.Option(min=1, max=100, help="The largest number of concurrent requests.")] = 8,
    as_json: JsonOption = False,
) -> None:
    """Create a network of a given size: operators, exchanges, traders, connections and first allocations.

    Run it again with the same file to continue after an interruption, or to make the network larger.
    """
    from clearwindow.client import ClearwindowError  # noqa: PLC0415 - a slow import that other commands do not need
    from clearwindow.simulator.network import seed  # noqa: PLC0415
    from clearwindow.simulator.network.file import NetworkFileError  # noqa: PLC0415
    from clearwindow.simulator.network.plan import Plan, Windows  # noqa: PLC0415
    from clearwindow.simulator.progress import Meter  # noqa: PLC0415

    plan = Plan(
        exchanges,
        traders,
        number,
        _callback_urls(callback_urls, callback_base_port, exchanges),
        Windows(dispute_minutes, top_up_minutes),
    )
    token = operator_token or os.environ.get(_TOKEN_VARIABLE) or None
    started = time.monotonic()
    try:
        seeded = asyncio.run(seed.seed(url, plan, out, Meter(), operator_token=token, at_once=at_once))
    except (ClearwindowError, NetworkFileError, ValueError) as error:
        raise CommandError(str(error)) from None
    _show(seeded, plan, out, time.monotonic() - started, as_json=as_json)


def _callback_urls(listed: str | None, base_port: int | None, exchanges: int) -> tuple[str, ...]:
    if listed is not None and base_port is not None:
        raise CommandError("Give --callback-urls or --callback-base-port, not both.")
    if base_port is not None:
        if base_port + exchanges - 1 > _HIGHEST_PORT:
            raise CommandError(
                f"--callback-base-port: {exchanges} ports from {base_port} on exceed {_HIGHEST_PORT}."
            )
        return tuple(f"http://127.0.0.1:{base_port + number}" for number in range(exchanges))
    return tuple(url.strip() for url in listed.split(",")) if listed is not None else ()


def _show(seeded: Seeded, plan: Plan, out: Path, seconds: float, *, as_json: bool) -> None:
    network = seeded.network
    counts = {
        "operators": len(network.operators),
        "exchanges": len(network.exchanges),
        "traders": len(network.traders),
        "connections": sum(len(trader.connections) for trader in network.traders),
    }
    if as_json:
        report = {
            **counts,
            "made": dict(seeded.made),
            "seed": plan.seed,
            "network": str(out),
            "seconds": round(seconds, 1),
        }
        typer.echo(json.dumps(report))
        return
    listed = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    made = ", ".join(f"{count} {kind}" for kind, count in seeded.made.items() if count) or "nothing"
    typer.echo(f"{network.url} has {listed}.")
    typer.echo(f"Created now: {made}, in {seconds:.1f} s.")
    typer.echo(f"{out} contains all tokens and keys. Keep it secret.")
