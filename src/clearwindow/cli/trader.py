"""``clearwindow trader``: simulated traders, who check settlements and dispute what is wrong."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clearwindow.cli.failures import CommandError

if TYPE_CHECKING:
    from clearwindow.sandbox.trader.trader import Access

TOKEN_VARIABLE: Final = "CLEARWINDOW_TOKEN"  # noqa: S105 - where a token is, and none


def trader(  # noqa: PLR0913 - one option each
    *,
    network: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The network file, as `clearwindow sandbox seed` writes it.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="A trader of the network file; may be given several times.  [default: all]"),
    ] = None,
    url: Annotated[
        str | None, typer.Option(help="Without a network file: the server, such as http://127.0.0.1:8080.")
    ] = None,
    enterprise: Annotated[str | None, typer.Option(help="Without a network file: the trader's enterprise.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help=f"Its token, in a file.  [default: {TOKEN_VARIABLE}]")
    ] = None,
    key_file: Annotated[Path | None, typer.Option(help="Its xprv, in a file.  [default: CLEARWINDOW_XPRV]")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on for webhooks.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 9201,
    public_url: Annotated[
        str | None, typer.Option(help="How the server reaches that address, where it is another one.")
    ] = None,
    seed: Annotated[str, typer.Option(help="Of the market, as the exchange has it, and of the faults.")] = "1",
    worth: Annotated[
        float, typer.Option(min=0, help="What to allocate of each currency on each connection, in dollars.")
    ] = 20_000,
    faults: Annotated[
        str,
        typer.Option(
            help="What to do wrong: all, or some of slow, error-500, garbage, timeout-after-work, drop, mistake."
        ),
    ] = "",
    fault_percent: Annotated[float, typer.Option(min=0, max=100, help="How often.")] = 20,
    slow_seconds: Annotated[float, typer.Option(min=0, help="How long slow takes.")] = 2,
    late_seconds: Annotated[
        float, typer.Option(min=0, help="How late timeout-after-work answers: more than the network waits.")
    ] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")] = False,
) -> None:
    """Run traders until SIGTERM or Ctrl-C: they hear of settlements, check them, and dispute what is wrong."""
    import asyncio  # noqa: PLC0415 - with what follows, no other command should wait for it

    from clearwindow.client import ClearwindowError  # noqa: PLC0415
    from clearwindow.sandbox.trader.faults import parse_faults  # noqa: PLC0415
    from clearwindow.sandbox.trader.inbox import Pace  # noqa: PLC0415
    from clearwindow.sandbox.trader.reports import Reports  # noqa: PLC0415
    from clearwindow.sandbox.trader.running import CannotListenError, Place, trade_until_signal  # noqa: PLC0415
    from clearwindow.sandbox.trader.trader import Terms  # noqa: PLC0415

    try:
        kinds = parse_faults(faults)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from None
    terms = Terms(
        seed=seed,
        worth=Decimal(str(worth)),
        faults=kinds,
        fault_percent=fault_percent,
        pace=Pace(slow_seconds, late_seconds),
    )
    try:
        accesses = _of_file(network, name or []) if network else [_of_flags(url, enterprise, token_file, key_file)]
        reports = Reports(_print, as_json=as_json)
        asyncio.run(trade_until_signal(accesses, terms, reports, Place(host, port, public_url)))
    except (ClearwindowError, CannotListenError) as error:
        raise CommandError(str(error)) from None


def _of_file(path: Path, names: list[str]) -> list[Access]:
    from clearwindow.client import KeySigner  # noqa: PLC0415 - see above
    from clearwindow.sandbox.network.file import NetworkFileError, read_network  # noqa: PLC0415
    from clearwindow.sandbox.trader.trader import Access  # noqa: PLC0415

    try:
        network = read_network(path)
        found = [network.trader(name) for name in names] or network.traders
    except NetworkFileError as error:
        raise CommandError(str(error)) from None
    if not found:
        raise CommandError(f"The network in {path} has no traders.")
    return [
        Access(
            name=each.name,
            url=network.url,
            enterprise_id=each.enterprise_id,
            token=each.token,
            signer=KeySigner(each.xprv),
        )
        for each in found
    ]


def _of_flags(url: str | None, enterprise: str | None, token_file: Path | None, key_file: Path | None) -> Access:
    from clearwindow.client import KeySigner  # noqa: PLC0415 - see above
    from clearwindow.sandbox.trader.trader import Access  # noqa: PLC0415

    if url is None or enterprise is None:
        raise typer.BadParameter("give a network file, or the server and the enterprise", param_hint="--network")
    try:
        token = os.environ.get(TOKEN_VARIABLE, "") if token_file is None else token_file.read_text().strip()
    except OSError as error:
        raise CommandError(f"The token file {token_file} cannot be read: {error.strerror}.") from None
    if not token:
        raise CommandError(f"No token: name its file with --token-file, or set {TOKEN_VARIABLE}.")
    signer = KeySigner.from_environment() if key_file is None else KeySigner.from_file(key_file)
    return Access(name=enterprise, url=url, enterprise_id=enterprise, token=token, signer=signer)


def _print(line: str) -> None:
    typer.echo(line)
