"""``clearwindow exchange``: a simulated exchange."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal
from urllib.parse import urlsplit

import typer

from clearwindow.cli.failures import CommandError
from clearwindow.cli.member_options import (
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
from clearwindow.cli.signals import STOP_SIGNALS
from clearwindow.cli.terminal import stop_if_closed

if TYPE_CHECKING:
    from clearwindow.simulator.exchange.events import Emit, Event
    from clearwindow.simulator.exchange.faults import Fault
    from clearwindow.simulator.exchange.run import Access, Terms

_DEFAULT_PORT: Final = 9101
_IN_A_FILE: Final = "An exchange in a network file"

NetworkOption = Annotated[
    Path | None,
    typer.Option(
        "--network",
        metavar="FILE",
        help="The network file, with address, token and key.",
        rich_help_panel=_IN_A_FILE,
    ),
]
NameOption = Annotated[
    str | None, typer.Option("--name", help="The name of the exchange in the file.", rich_help_panel=_IN_A_FILE)
]
AmountUnitOption = Annotated[
    Literal["decimal", "base"],
    typer.Option(
        "--amount-unit", help="The unit of its amounts, as configured by the operator.", rich_help_panel=BY_ITSELF
    ),
]
CallbackOption = Annotated[
    str | None,
    typer.Option(
        "--callback-url",
        metavar="URL",
        help="Its callbackUrl as configured by the operator. (default: where it listens)",
    ),
]
KeySetOption = Annotated[
    str | None,
    typer.Option(
        "--key-set-url",
        metavar="URL",
        help="The key set that verifies calls, such as partner-check's. (default: the network's)",
    ),
]
HostOption = Annotated[str, typer.Option("--host", help="The address to listen on.")]
PortOption = Annotated[
    int | None,
    typer.Option(
        "--port", help=f"The port to listen on. (default: the port of the callback URL, else {_DEFAULT_PORT})"
    ),
]
EveryOption = Annotated[float, typer.Option("--every-seconds", min=0.1, help="The time between rounds.")]
RoundsOption = Annotated[
    int | None,
    typer.Option(
        "--rounds", min=0, help="How many rounds to settle; it answers calls after that too. (default: no limit)"
    ),
]
LaterOption = Annotated[
    float | None,
    typer.Option(
        "--answers-later",
        metavar="SECONDS",
        min=0,
        help="Acknowledge requests and decide them this much later, as a partner with asyncAllocations.",
    ),
]
SeedOption = Annotated[str, typer.Option("--seed", help="The seed of all trades; traders must use the same.")]
PrefixOption = Annotated[
    str | None,
    typer.Option(
        "--prefix", help="The external ids of settlements are PREFIX-round-1 and so on. (default: its name)"
    ),
]
FaultsOption = Annotated[
    str,
    typer.Option(
        "--faults",
        metavar="LIST",
        help="A comma-separated list of slow, error-500, garbage, timeout-after-work, wrong-settlement; or all.",
        rich_help_panel=FAULTS,
    ),
]
PercentOption = Annotated[
    int,
    typer.Option(
        "--fault-percent",
        min=0,
        max=100,
        help="The percentage of calls and of settled connections with a fault.",
        rich_help_panel=FAULTS,
    ),
]
LateOption = Annotated[
    float,
    typer.Option(
        "--late-seconds",
        min=0,
        help="The delay before the connection is closed without an answer (timeout-after-work).",
        rich_help_panel=FAULTS,
    ),
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
    """Run a simulated exchange: it answers the network's calls, makes trades from a seed, and settles in rounds.

    It runs until SIGTERM or Ctrl-C. It keeps no state: at the start it reads everything from the network.
    """
    # The web server is a slow import that other commands do not need.
    from clearwindow.simulator.exchange.faults import Faults  # noqa: PLC0415
    from clearwindow.simulator.exchange.run import Terms  # noqa: PLC0415
    from clearwindow.simulator.exchange.settlement import Plan  # noqa: PLC0415

    if network is not None and name is not None:
        access, called = _from_file(network, name), name
    elif url is not None and enterprise is not None:
        access, called = _by_itself(url, enterprise, token_file, key_file), enterprise
        access = replace(access, amount_unit=amount_unit)
    else:
        raise typer.BadParameter("Name the exchange: give --network and --name, or --url and --enterprise.")
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
    from clearwindow.simulator.exchange.events import json_lines, readable_lines  # noqa: PLC0415
    from clearwindow.simulator.exchange.run import NotAPartnerError  # noqa: PLC0415

    try:
        asyncio.run(_until_stopped(terms, _guarded(json_lines() if as_json else readable_lines())))
    except (ClearwindowError, NotAPartnerError, ValueError) as error:
        raise CommandError(str(error)) from None
    except OSError as error:
        sentence = (
            f"Cannot listen on {terms.host}, port {terms.port}: {error.strerror}. Choose another port with --port."
        )
        raise CommandError(sentence) from None


def _guarded(emit: Emit) -> Emit:
    def guarded(event: Event) -> None:
        with stop_if_closed():
            emit(event)

    return guarded


async def _until_stopped(terms: Terms, emit: Emit) -> None:
    from clearwindow.simulator.exchange.run import run  # noqa: PLC0415 - as above

    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(terms, emit, stop)


def _from_file(path: Path, name: str) -> Access:
    from clearwindow.simulator.exchange.run import Access  # noqa: PLC0415 - as above
    from clearwindow.simulator.network.file import NetworkFileError, read_network  # noqa: PLC0415

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
    from clearwindow.simulator.exchange.run import Access  # noqa: PLC0415 - as above

    return Access(
        url=url, enterprise_id=enterprise_id, token=member_token(token_file), signer=member_signer(key_file)
    )


def _kinds(listed: str) -> frozenset[Fault]:
    from clearwindow.simulator.exchange.faults import Fault  # noqa: PLC0415 - as above

    if listed == "all":
        return frozenset(Fault)
    kinds = [kind.strip() for kind in listed.split(",") if kind.strip()]
    for kind in kinds:
        if kind not in list(Fault):
            text = f"unknown fault {kind}; the faults are {', '.join(Fault)}; all turns on every fault"
            raise typer.BadParameter(text, param_hint="--faults")
    return frozenset(Fault(kind) for kind in kinds)
