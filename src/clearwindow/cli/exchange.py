"""``clearwindow exchange``: a simulated exchange beside a network."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

import typer

from clearwindow.cli.acting import (
    BY_ITSELF,
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
from clearwindow.cli.failures import CommandError
from clearwindow.cli.signals import STOP_SIGNALS

if TYPE_CHECKING:
    from clearwindow.sandbox.exchange.events import Say
    from clearwindow.sandbox.exchange.faults import Fault
    from clearwindow.sandbox.exchange.running import Access, Terms

_DEFAULT_PORT: Final = 9101
_IN_A_FILE: Final = "One of a network file's"

NetworkOption = Annotated[
    Path | None,
    typer.Option("--network", metavar="FILE", help="It has address, token and key.", rich_help_panel=_IN_A_FILE),
]
NameOption = Annotated[
    str | None, typer.Option("--name", help="Which exchange in the file.", rich_help_panel=_IN_A_FILE)
]
AmountUnitOption = Annotated[
    Literal["decimal", "base"],
    typer.Option("--amount-unit", help="What its amounts count, as it is configured.", rich_help_panel=BY_ITSELF),
]
CallbackOption = Annotated[
    str | None,
    typer.Option(
        "--callback-url", metavar="URL", help="Its address as it is configured.  (default: where it listens)"
    ),
]
KeySetOption = Annotated[
    str | None,
    typer.Option(
        "--key-set-url",
        metavar="URL",
        help="The keys that calls are signed with, such as partner-check's. (default: the network's)",
    ),
]
HostOption = Annotated[str, typer.Option("--host", help="The address to listen on.")]
PortOption = Annotated[
    int | None,
    typer.Option("--port", help=f"The port. (default: the callback address's, else {_DEFAULT_PORT})"),
]
EveryOption = Annotated[float, typer.Option("--every-seconds", min=0.1, help="From one round to the next.")]
RoundsOption = Annotated[
    int | None,
    typer.Option("--rounds", min=0, help="How many to settle; it answers calls on. (default: no end)"),
]
LaterOption = Annotated[
    float | None,
    typer.Option(
        "--answers-later",
        metavar="SECONDS",
        min=0,
        help="Acknowledge what is asked and decide so much later, as a partner with asyncAllocations.",
    ),
]
SeedOption = Annotated[str, typer.Option("--seed", help="Of all trades: who has it knows them.")]
PrefixOption = Annotated[
    str | None, typer.Option("--prefix", help="Settlements are called PREFIX-round-1. (default: its name)")
]
FaultsOption = Annotated[
    str,
    typer.Option(
        "--faults",
        metavar="LIST",
        help="all, or some with commas: slow, error-500, garbage, timeout-after-work, wrong-settlement.",
        rich_help_panel=FAULTS,
    ),
]
PercentOption = Annotated[
    int, typer.Option("--fault-percent", min=0, max=100, help="How often.", rich_help_panel=FAULTS)
]
LateOption = Annotated[
    float,
    typer.Option("--late-seconds", min=0, help="When a call is cut off after its work.", rich_help_panel=FAULTS),
]


def exchange(  # noqa: PLR0913 - one for each option
    *,
    network: NetworkOption = None,
    name: NameOption = None,
    url: UrlOption = None,
    enterprise: EnterpriseOption = None,
    token_file: TokenFileOption = None,
    key_file: KeyFileOption = None,
    amount_unit: AmountUnitOption = "decimal",
    callback_url: CallbackOption = None,
    key_set_url: KeySetOption = None,
    host: HostOption = "127.0.0.1",
    port: PortOption = None,
    every_seconds: EveryOption = 30,
    rounds: RoundsOption = None,
    answers_later: LaterOption = None,
    seed: SeedOption = "1",
    prefix: PrefixOption = None,
    faults: FaultsOption = "",
    fault_percent: PercentOption = 20,
    slow_seconds: SlowOption = 3,
    late_seconds: LateOption = 12,
    as_json: EventsOption = False,
) -> None:
    """Run a simulated exchange: it answers the network's calls, trades from a seed, and settles in rounds.

    It goes on until SIGTERM or Ctrl-C, and keeps nothing: at its start it asks the network what it must know.
    """
    # The web server takes a while to import, which no other command should wait for.
    from clearwindow.sandbox.exchange.faults import Faults  # noqa: PLC0415
    from clearwindow.sandbox.exchange.running import Terms  # noqa: PLC0415
    from clearwindow.sandbox.exchange.settling import Plan  # noqa: PLC0415

    if network is not None and name is not None:
        access, called = _from_file(network, name), name
    elif url is not None and enterprise is not None:
        access, called = _by_itself(url, enterprise, token_file, key_file), enterprise
        access = replace(access, amount_unit=amount_unit)
    else:
        raise typer.BadParameter("Say which exchange: --network and --name, or --url and --enterprise.")
    wrong = Faults(seed, _kinds(faults), fault_percent, slow_seconds, late_seconds)
    plan = Plan(prefix or called, every_seconds, wrong, rounds)
    where = callback_url or access.callback_url
    listens_on = port if port is not None else (where and urlsplit(where).port) or _DEFAULT_PORT
    terms = Terms(
        access=replace(access, callback_url=where, key_set_url=key_set_url),
        plan=plan,
        seed=seed,
        host=host,
        port=listens_on,
        answers_later_seconds=answers_later,
    )
    _run(terms, as_json=as_json)


def _run(terms: Terms, *, as_json: bool) -> None:
    from clearwindow.client import ClearwindowError  # noqa: PLC0415 - as above
    from clearwindow.sandbox.exchange.events import json_lines, readable_lines  # noqa: PLC0415
    from clearwindow.sandbox.exchange.running import NotAPartnerError  # noqa: PLC0415

    try:
        asyncio.run(_until_stopped(terms, json_lines() if as_json else readable_lines()))
    except (ClearwindowError, NotAPartnerError) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        said = (
            f"Cannot listen on {terms.host}, port {terms.port}: {error.strerror}. Choose another one with --port."
        )
        raise CommandError(said) from None


async def _until_stopped(terms: Terms, say: Say) -> None:
    from clearwindow.sandbox.exchange.running import run  # noqa: PLC0415 - as above

    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(terms, say, stop)


def _from_file(path: Path, name: str) -> Access:
    from clearwindow.sandbox.exchange.running import Access  # noqa: PLC0415 - as above
    from clearwindow.sandbox.network.file import NetworkFileError, read_network  # noqa: PLC0415

    try:
        network = read_network(path)
        found = network.exchange(name)
    except NetworkFileError as error:
        raise CommandError(str(error)) from None
    return Access(
        url=network.url,
        enterprise_id=found.enterprise_id,
        token=found.token,
        signer=signer_of(name, found.xprv),
        callback_url=found.callback_url,
        currencies=found.currencies,
        amount_unit=found.amount_unit,
    )


def _by_itself(url: str, enterprise_id: str, token_file: Path | None, key_file: Path | None) -> Access:
    from clearwindow.sandbox.exchange.running import Access  # noqa: PLC0415 - as above

    return Access(
        url=url, enterprise_id=enterprise_id, token=member_token(token_file), signer=member_signer(key_file)
    )


def _kinds(listed: str) -> frozenset[Fault]:
    from clearwindow.sandbox.exchange.faults import Fault  # noqa: PLC0415 - as above

    if listed == "all":
        return frozenset(Fault)
    try:
        return frozenset(Fault(kind.strip()) for kind in listed.split(",") if kind.strip())
    except ValueError:
        known = ", ".join(Fault)
        raise typer.BadParameter(f"--faults: there are {known}; or all.") from None
