"""``clearwindow trader``: simulated traders that check settlements and dispute wrong ones."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clearwindow.cli.failures import CommandError
from clearwindow.cli.member_options import (
    FAULTS,
    EnterpriseOption,
    EventsOption,
    KeyFileOption,
    SlowOption,
    TokenFileOption,
    UrlOption,
    member_signer,
    member_token,
    signer_of,
)
from clearwindow.cli.terminal import stopping_if_closed

if TYPE_CHECKING:
    from clearwindow.simulator.trader.run import ListenAddress
    from clearwindow.simulator.trader.trader import Access, Terms

_DEFAULT_PORT: Final = 9201
_IN_A_FILE: Final = "Traders in a network file"

NetworkOption = Annotated[
    Path | None,
    typer.Option(
        "--network",
        metavar="FILE",
        help="The network file, with address, tokens and keys.",
        rich_help_panel=_IN_A_FILE,
    ),
]
NamesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--name", help="The name of a trader in the file; repeatable. (default: all)", rich_help_panel=_IN_A_FILE
    ),
]
HostOption = Annotated[str, typer.Option("--host", help="The address to listen on for webhooks.")]
PortOption = Annotated[
    int, typer.Option("--port", min=0, max=65535, help="The port to listen on; 0 takes a free one.")
]
PublicUrlOption = Annotated[
    str | None,
    typer.Option("--public-url", metavar="URL", help="That address as the network reaches it, if it differs."),
]
SeedOption = Annotated[str, typer.Option("--seed", help="The seed of all trades; the exchange must use the same.")]
WorthOption = Annotated[
    float,
    typer.Option("--worth", min=0, help="The value in dollars to allocate of each currency on each connection."),
]
FaultsOption = Annotated[
    str,
    typer.Option(
        "--faults",
        metavar="LIST",
        help="A comma-separated list of slow, error-500, garbage, timeout-after-work, drop, mistake; or all.",
        rich_help_panel=FAULTS,
    ),
]
PercentOption = Annotated[
    float,
    typer.Option(
        "--fault-percent",
        min=0,
        max=100,
        help="The percentage of deliveries and decisions with a fault.",
        rich_help_panel=FAULTS,
    ),
]
LateOption = Annotated[
    float,
    typer.Option(
        "--late-seconds",
        min=0,
        help="The delay of an answer after its work (timeout-after-work).",
        rich_help_panel=FAULTS,
    ),
]


def trader(  # noqa: PLR0913 - one for each option
    *,
    network: NetworkOption = None,
    name: NamesOption = None,
    url: UrlOption = None,
    enterprise: EnterpriseOption = None,
    token_file: TokenFileOption = None,
    key_file: KeyFileOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = _DEFAULT_PORT,
    public_url: PublicUrlOption = None,
    seed: SeedOption = "1",
    worth: WorthOption = 20_000,
    faults: FaultsOption = "",
    fault_percent: PercentOption = 20,
    slow_seconds: SlowOption = 2,
    late_seconds: LateOption = 20,
    as_json: EventsOption = False,
) -> None:
    """Run simulated traders: they get settlements by webhook, check them, and dispute wrong ones.

    They run until SIGTERM or Ctrl-C. They keep no state: at the start they read everything from the network.
    """
    from clearwindow.simulator.trader.faults import parse_faults  # noqa: PLC0415 - a slow import that other commands do not need
    from clearwindow.simulator.trader.inbox import FaultDurations  # noqa: PLC0415
    from clearwindow.simulator.trader.run import ListenAddress  # noqa: PLC0415
    from clearwindow.simulator.trader.trader import Terms  # noqa: PLC0415

    try:
        kinds = parse_faults(faults)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from None
    terms = Terms(
        seed=seed,
        worth=Decimal(str(worth)),
        faults=kinds,
        fault_percent=fault_percent,
        fault_durations=FaultDurations(slow_seconds, late_seconds),
    )
    accesses = _of_file(network, name or []) if network else [_by_itself(url, enterprise, token_file, key_file)]
    _run(accesses, terms, ListenAddress(host, port, public_url), as_json=as_json)


def _run(accesses: list[Access], terms: Terms, listen_address: ListenAddress, *, as_json: bool) -> None:
    from clearwindow.client import ClearwindowError  # noqa: PLC0415 - as above
    from clearwindow.simulator.trader.reports import Reports  # noqa: PLC0415
    from clearwindow.simulator.trader.run import CannotListenError, trade_until_signal  # noqa: PLC0415

    try:
        asyncio.run(
            trade_until_signal(
                accesses, terms, Reports(stopping_if_closed(_print), as_json=as_json), listen_address
            )
        )
    except (ClearwindowError, CannotListenError, ValueError) as error:
        raise CommandError(str(error)) from None


def _of_file(path: Path, names: list[str]) -> list[Access]:
    from clearwindow.simulator.network.file import NetworkFileError, read_network  # noqa: PLC0415 - as above
    from clearwindow.simulator.trader.trader import Access  # noqa: PLC0415

    try:
        network = read_network(path)
        found = [network.trader(name) for name in names] or network.traders
    except NetworkFileError as error:
        raise CommandError(str(error)) from None
    if not found:
        raise CommandError(f"The network file {path} has no traders.")
    return [
        Access(
            name=each.name,
            url=network.url,
            enterprise_id=each.enterprise_id,
            token=each.token,
            signer=signer_of(each.name, each.xprv),
        )
        for each in found
    ]


def _by_itself(url: str | None, enterprise: str | None, token_file: Path | None, key_file: Path | None) -> Access:
    from clearwindow.simulator.trader.trader import Access  # noqa: PLC0415 - as above

    if url is None or enterprise is None:
        raise typer.BadParameter("Name the traders: give --network, or --url and --enterprise.")
    return Access(
        name=enterprise,
        url=url,
        enterprise_id=enterprise,
        token=member_token(token_file),
        signer=member_signer(key_file),
    )


def _print(line: str) -> None:
    typer.echo(line)
