"""``clearwindow sandbox``: networks for tests, with a clock that you can move."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Final

import typer

from clearwindow.cli.options import DatabaseUrlOption, DataOption, JsonOption, require_database
from clearwindow.cli.people.joining import member
from clearwindow.cli.sandbox_day import day
from clearwindow.cli.sandbox_seed import seed
from clearwindow.cli.signals import interrupt, on_stop
from clearwindow.cli.terminal import echo_json
from clearwindow.core.clock import wire_time

if TYPE_CHECKING:
    from clearwindow.jobs.clock_mover import ClockHeldUpError
    from clearwindow.jobs.models import ClockReading
    from clearwindow.runtime import Runtime

_SHOW_SECONDS: Final = 0.5
_REPORT_SECONDS: Final = 30
"""While the clock is being moved, how often the command prints what it waits for."""

sandbox_app: Final = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
sandbox_app.command("seed")(seed)
sandbox_app.command("day")(day)
sandbox_app.command("member")(member)


@sandbox_app.callback()
def _sandbox() -> None:
    """Work with a sandbox: a network for tests, with a clock that you can move.

    `clearwindow serve` with CLEARWINDOW_SANDBOX=1 makes a sandbox of an empty database.
    """


@sandbox_app.command("clock")
def clock(
    *,
    advance_minutes: Annotated[
        float | None,
        typer.Option(metavar="MINUTES", help="Move the clock forward by this many minutes; fractions are allowed."),
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="TIME", help="Move the clock to this time, such as 2026-11-22T09:30:00Z.")
    ] = None,
    data: DataOption = None,
    database_url: DatabaseUrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the network's clock, or move it forward. Work that becomes due on the way is done in order."""
    from clearwindow import bootstrap  # noqa: PLC0415 - a slow import that other commands do not need
    from clearwindow.core.logs import configure_logging  # noqa: PLC0415
    from clearwindow.jobs import clock as network_clock  # noqa: PLC0415
    from clearwindow.jobs.schemas import clock_answer  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    require_database(settings)
    configure_logging(settings.log_level)
    on_stop(interrupt)
    with bootstrap.opened_runtime(settings, share_running=True, as_marked=True) as runtime:
        if advance_minutes is None and to is None:
            seen = network_clock.read(runtime)
        else:
            seen = _move(runtime, advance_minutes, to)
    if as_json:
        echo_json(clock_answer(seen).model_dump_json(by_alias=True, exclude_unset=True))
    else:
        place = "sandbox" if seen.sandbox else "network"
        typer.echo(f"Clock of the {place}: {wire_time(seen.now)}. Real time: {wire_time(seen.wall)}.")


@sandbox_app.command("reset")
def reset(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    data: DataOption = None,
    database_url: DatabaseUrlOption = None,
    as_json: JsonOption = False,
) -> None:
    """Empty a sandbox and set its clock to real time. Operators, their tokens and the currencies stay."""
    from clearwindow import bootstrap  # noqa: PLC0415 - a slow import that other commands do not need
    from clearwindow.cli.token_issue import command_line_operator  # noqa: PLC0415
    from clearwindow.core.logs import configure_logging  # noqa: PLC0415
    from clearwindow.jobs import clock as network_clock  # noqa: PLC0415
    from clearwindow.jobs import reset  # noqa: PLC0415
    from clearwindow.jobs.schemas import clock_answer  # noqa: PLC0415
    from clearwindow.settings import load_settings  # noqa: PLC0415

    settings = load_settings(data_dir=data, database_url=database_url)
    require_database(settings)
    configure_logging(settings.log_level)
    on_stop(interrupt)
    with bootstrap.opened_runtime(settings, share_running=True, as_marked=True) as runtime:
        network_clock.require_sandbox(runtime)
        if not yes:
            typer.confirm("Delete all enterprises, balances and settlements of this sandbox?", abort=True, err=True)
        seen = reset.reset(runtime, command_line_operator(runtime))
    if as_json:
        echo_json(clock_answer(seen).model_dump_json(by_alias=True, exclude_unset=True))
    else:
        typer.echo(f"The sandbox is empty. Its clock is at {wire_time(seen.now)}.")


def _move(runtime: Runtime, advance_minutes: float | None, to: str | None) -> ClockReading:
    from clearwindow import bootstrap  # noqa: PLC0415 - see above
    from clearwindow.api.bodies import validate  # noqa: PLC0415
    from clearwindow.cli.token_issue import command_line_operator  # noqa: PLC0415
    from clearwindow.core.text import present  # noqa: PLC0415
    from clearwindow.jobs import clock as network_clock  # noqa: PLC0415
    from clearwindow.jobs.schemas import ClockRequest  # noqa: PLC0415

    minutes = None if advance_minutes is None else Decimal(str(advance_minutes))
    asked = validate(present(advanceMinutes=minutes, now=to), ClockRequest).to_model()
    operator = command_line_operator(runtime)
    mover = bootstrap.build_mover(runtime, longest_seconds=_REPORT_SECONDS)
    return network_clock.reach(runtime, operator, asked, mover, _progress(), _show_hold_up)


def _show_hold_up(error: ClockHeldUpError) -> None:
    waits = f", waiting for work ({', '.join(error.awaited)})" if error.awaited else ""
    typer.echo(f"  {wire_time(error.now)}{waits}; moving on to {wire_time(error.target)}", err=True)


def _progress() -> Callable[[datetime], None]:
    """Returns a function that prints the clock's time from time to time."""
    next_at = time.monotonic() + _SHOW_SECONDS

    def show(now: datetime) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            next_at = time.monotonic() + _SHOW_SECONDS
            typer.echo(f"  {wire_time(now)}", err=True)

    return show
