"""``clearwindow sandbox seed``: a network of a given size, made over HTTP."""

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
    from clearwindow.sandbox.network.plan import Plan
    from clearwindow.sandbox.network.seeding import Seeded

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
            metavar="FILE", help="The network file, readable by you only; an existing one is gone on with."
        ),
    ] = Path("network.json"),
    number: Annotated[int, typer.Option("--seed", help="Amounts follow from it.")] = 1,
    operator_token: Annotated[
        str | None,
        typer.Option(
            metavar="TOKEN",
            help=f"Any operator's, for the first time. Better set in {_TOKEN_VARIABLE}: "
            "arguments show in the process list.",
        ),
    ] = None,
    callback_urls: Annotated[
        str | None,
        typer.Option(metavar="URL,…", help="Where the endpoints of the exchanges are, in their order."),
    ] = None,
    callback_base_port: Annotated[
        int | None,
        typer.Option(min=1, max=_HIGHEST_PORT, help="The same on this machine, each at the next port."),
    ] = None,
    dispute_minutes: Annotated[float, typer.Option(min=0, help="How long clients may dispute.")] = 30,
    top_up_minutes: Annotated[float, typer.Option(min=0, help="How long exchanges may then take to fund.")] = 15,
    at_once: Annotated[int, typer.Option(min=1, max=100, help="How many requests are under way at a time.")] = 8,
    as_json: JsonOption = False,
) -> None:
    """Make a network of a given size: operators, exchanges, traders, their connections and first allocations.

    Run it again with the same file to go on where it was stopped, or to make the network larger.
    """
    from clearwindow.client import ClearwindowError  # noqa: PLC0415 - no other command should wait for it
    from clearwindow.sandbox.network import seeding  # noqa: PLC0415
    from clearwindow.sandbox.network.file import NetworkFileError  # noqa: PLC0415
    from clearwindow.sandbox.network.plan import Plan, Windows  # noqa: PLC0415
    from clearwindow.sandbox.progress import Meter  # noqa: PLC0415

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
        seeded = asyncio.run(seeding.seed(url, plan, out, Meter(), operator_token=token, at_once=at_once))
    except (ClearwindowError, NetworkFileError, ValueError) as error:
        raise CommandError(str(error)) from None
    _show(seeded, plan, out, time.monotonic() - started, as_json=as_json)


def _callback_urls(listed: str | None, base_port: int | None, exchanges: int) -> tuple[str, ...]:
    if listed is not None and base_port is not None:
        raise CommandError("Say --callback-urls or --callback-base-port, not both.")
    if base_port is not None:
        if base_port + exchanges - 1 > _HIGHEST_PORT:
            raise CommandError(
                f"--callback-base-port: {exchanges} ports from {base_port} on go beyond {_HIGHEST_PORT}."
            )
        return tuple(f"http://127.0.0.1:{base_port + number}" for number in range(exchanges))
    return tuple(url.strip() for url in listed.split(",")) if listed is not None else ()


def _show(seeded: Seeded, plan: Plan, out: Path, seconds: float, *, as_json: bool) -> None:
    network = seeded.network
    there = {
        "operators": len(network.operators),
        "exchanges": len(network.exchanges),
        "traders": len(network.traders),
        "connections": sum(len(trader.connections) for trader in network.traders),
    }
    if as_json:
        report = {
            **there,
            "made": dict(seeded.made),
            "seed": plan.seed,
            "network": str(out),
            "seconds": round(seconds, 1),
        }
        typer.echo(json.dumps(report))
        return
    listed = ", ".join(f"{count} {kind}" for kind, count in there.items())
    made = ", ".join(f"{count} {kind}" for kind, count in seeded.made.items() if count) or "nothing"
    typer.echo(f"{network.url} has {listed}.")
    typer.echo(f"Made just now: {made}; in {seconds:.1f} s.")
    typer.echo(f"{out} has the tokens and keys of all of them: whoever reads it can act for them.")
