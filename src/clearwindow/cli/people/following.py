"""Follows a settlement to its end, with a countdown on a terminal and a line for each change elsewhere."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import typer

from clearwindow.cli.people.harmless import harmless
from clearwindow.cli.people.moments import left_text, moment_text
from clearwindow.cli.people.output import Format
from clearwindow.cli.people.problems import NOT_YET, UNREACHABLE, EndError
from clearwindow.cli.people.reading import next_deadline, settlement_state

if TYPE_CHECKING:
    from clearwindow.cli.people.session import Session
    from clearwindow.client.answers.settlements import Settlement

_EVERY_SECONDS: Final = 1.0
_MOST_FAILURES: Final = 5
"""So many questions in a row may stay unanswered; each has its own repeats."""


def follow(session: Session, staged: Settlement, ahead: timedelta) -> Settlement:
    """Returns the settlement at its end.

    Args:
        session: of the partner.
        staged: a settlement of it.
        ahead: how far the network's clock is before ours, as in a sandbox.

    Raises:
        EndError: the person stopped, or the server does not answer. The settlement goes on.
    """
    from clearwindow.client import NoAnswerError, ServerError  # noqa: PLC0415 - a slow import

    live = session.output.form is Format.PEOPLE and sys.stderr.isatty()
    failures, told = 0, ""
    goes_on = f"{staged.external_id} is staged and goes on. The same command follows it again."
    try:
        while True:
            try:
                staged = session.partner.settlements.get(staged.id, page_size=1).settlement
                failures = 0
            except (NoAnswerError, ServerError) as error:
                failures += 1
                if failures == _MOST_FAILURES:
                    raise EndError(f"{error}\n{goes_on}", UNREACHABLE) from None
                session.output.note("The server does not answer. Asking again.")
            if staged.status != "pending":
                return staged
            state = settlement_state(staged)
            if live:
                _write(f"{staged.external_id}: {state}{_countdown(staged, ahead)}")
            elif state != told:
                ends = next_deadline(staged)
                session.output.note(
                    f"{staged.external_id}: {state}{'' if ends is None else f', until {moment_text(ends)}'}"
                )
                told = state
            time.sleep(_EVERY_SECONDS)
    except KeyboardInterrupt:
        raise EndError(f"Stopped following. {goes_on}", NOT_YET) from None
    finally:
        if live:
            _write("")


def _countdown(staged: Settlement, ahead: timedelta) -> str:
    ends = next_deadline(staged)
    return "" if ends is None else f", {left_text(ends - datetime.now(UTC) - ahead)} left"


def _write(line: str) -> None:
    # One line that is written over: to its beginning, and away with the rest of it.
    typer.echo(f"\r{harmless(line)}\x1b[K", nl=False, err=True)
