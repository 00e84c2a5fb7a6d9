"""``clearwindow sandbox``: networks to rehearse in, whose time is in one's own hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption
from clearwindow.cli.sandbox_day import day
from clearwindow.cli.sandbox_seed import seed
from clearwindow.cli.signals import interrupt, on_stop
from clearwindow.clock import wire_time

if TYPE_CHECKING:
    from clearwindow.operator.clock_wire import ClockAnswer
    from clearwindow.runtime import Runtime
    from clearwindow.work.moving import ClockHeldUpError

_SHOW_SECONDS: Final = 0.5
_REPORT_SECONDS: Final = 30
"""So long the clock is moved until it is said what it waits for, and it goes on."""

sandbox_app: Final = typer.Typer(
    help="Rehearse in a network whose clock is in your hand.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
sandbox_app.command("seed")(seed)
sandbox_app.command("day")(day)


@sandbox_app.callback()
def _sandbox() -> None:
    """A sandbox is what `clearwindow serve` makes of an empty database with CLEARWINDOW_SANDBOX=1."""


@sandbox_app.command("clock")
def clock(
    *,
    advance_minutes: Annotated[
        float | None, typer.Option(metavar="MINUTES", help="Go on by so many minutes; may be a fraction.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="TIME", help="Go to this moment, such as 2026-11-22T09:30:00Z.")
    ] = None,
    data: DataOption = None,
    database_url: DatabaseUrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the network's time, or move it forwards; what falls due on the way is done in order."""
    from clearwindow import bootstrap  # noqa: PLC0415 - the web framework takes a while to import
    from clearwindow.logs import configure_logging  # noqa: PLC0415
    from clearwindow.operator import clock as network_clock  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    configure_logging(settings.log_level)
    on_stop(interrupt)
    with bootstrap.opened_runtime(settings, share_running=True, as_marked=True) as runtime:
        if advance_minutes is None and to is None:
            seen = network_clock.read(runtime)
        else:
            seen = _move(runtime, advance_minutes, to)
    if as_json:
        typer.echo(seen.model_dump_json(by_alias=True, exclude_unset=True))
    else:
        typer.echo(f"It is {seen.now} in the {'sandbox' if seen.sandbox else 'network'}, {seen.wall} in the world.")


@sandbox_app.command("reset")
def reset(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: DataOption = None,
    database_url: DatabaseUrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Empty a sandbox and put its clock back. Operators, their tokens and the currencies stay."""
    from clearwindow import bootstrap  # noqa: PLC0415 - the web framework takes a while to import
    from clearwindow.cli.issuing import command_line_operator  # noqa: PLC0415
    from clearwindow.logs import configure_logging  # noqa: PLC0415
    from clearwindow.operator import clock as network_clock  # noqa: PLC0415
    from clearwindow.operator import resetting  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    configure_logging(settings.log_level)
    on_stop(interrupt)
    with bootstrap.opened_runtime(settings, share_running=True, as_marked=True) as runtime:
        network_clock.require_sandbox(runtime)
        if not yes:
            typer.confirm("Remove all enterprises, balances and settlements of this sandbox?", abort=True, err=True)
        seen = resetting.reset(runtime, command_line_operator(runtime))
    if as_json:
        typer.echo(seen.model_dump_json(by_alias=True, exclude_unset=True))
    else:
        typer.echo(f"The sandbox is empty, and it is {seen.now}.")


def _move(runtime: Runtime, advance_minutes: float | None, to: str | None) -> ClockAnswer:
    from clearwindow import bootstrap  # noqa: PLC0415 - see above
    from clearwindow.cli.issuing import command_line_operator  # noqa: PLC0415
    from clearwindow.http.bodies import validate  # noqa: PLC0415
    from clearwindow.http.wire import present  # noqa: PLC0415
    from clearwindow.operator import clock as network_clock  # noqa: PLC0415
    from clearwindow.operator.clock_wire import ClockRequest  # noqa: PLC0415

    minutes = None if advance_minutes is None else Decimal(str(advance_minutes))
    asked = validate(present(advanceMinutes=minutes, now=to), ClockRequest)
    operator = command_line_operator(runtime)
    mover = bootstrap.build_mover(runtime, longest_seconds=_REPORT_SECONDS)
    return network_clock.reach(runtime, operator, asked, mover, _progress(), _show_hold_up)


def _show_hold_up(error: ClockHeldUpError) -> None:
    waits = f", waits for work ({', '.join(error.awaited)})" if error.awaited else ""
    typer.echo(f"  {wire_time(error.now)}{waits}; it goes on to {wire_time(error.target)}", err=True)


def _progress() -> Callable[[datetime], None]:
    """Shows on the way where the clock is, now and then."""
    next_at = time.monotonic() + _SHOW_SECONDS

    def show(now: datetime) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + _SHOW_SECONDS
            typer.echo(f"  {wire_time(now)}", err=True)

    return show
