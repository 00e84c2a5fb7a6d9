"""Follows a settlement to its end, with a countdown on a terminal and a line for each change elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import typer

from clearwindow.cli.people.harmless import harmless
from clearwindow.cli.people.moments import left_text, moment_text
from clearwindow.cli.people.output import Format
from clearwindow.cli.people.problems import NOT_YET, EndError, end_of
from clearwindow.cli.people.reading import next_deadline, settlement_state

if TYPE_CHECKING:
    from clearwindow.cli.people.session import Session
    from clearwindow.client.answers.settlements import Settlement

T = TypeVar("T")

_EVERY_SECONDS: Final = 1.0
_MOST_FAILURES: Final = 5
"""So many questions in a row may stay unanswered; each has its own repeats."""


class NetworkClock:
    """The network's time. It may be far from ours, as in a sandbox whose clock was moved."""

    def __init__(self, network_now: datetime) -> None:
        self._ahead = network_now - datetime.now(UTC)

    def until(self, moment: datetime) -> timedelta:
        """Returns how long it is until then."""
        return moment - datetime.now(UTC) - self._ahead


def follow(
    session: Session, staged: Settlement, clock: NetworkClock, told: str = "", *, to_the_end: bool = True
) -> Settlement:
    """Returns the settlement at its end.

    Args:
        session: of the partner.
        staged: a settlement of it.
        clock: for the countdown.
        told: what is said first.
        to_the_end: False looks at it once.

    Raises:
        EndError: the person stopped, or the server does not answer. The settlement goes on.
    """
    goes_on = f"{staged.external_id} is staged and goes on. The same command follows it again."
    try:
        if told:
            session.output.note(told)
        return _followed(session, staged, clock, to_the_end=to_the_end)
    except KeyboardInterrupt:
        raise EndError(f"Stopped following. {goes_on}", NOT_YET) from None
    except Exception as error:
        ends = end_of(error)
        if ends is None or isinstance(error, OSError):
            raise
        raise EndError(f"{ends}\n{goes_on}", ends.code) from None


def patient(session: Session) -> Callable[[Callable[[], T]], T | None]:
    """Returns a function that asks the server, and answers None as long as it does not answer.

    The function raises the error of the last one of too many questions in a row that stayed unanswered.
    """
    from clearwindow.client import NoAnswerError, ServerError  # noqa: PLC0415 - a slow import

    failures = 0

    def ask(question: Callable[[], T]) -> T | None:
        nonlocal failures
        try:
            answer = question()
        except (NoAnswerError, ServerError):
            failures += 1
            if failures == _MOST_FAILURES:
                raise
            session.output.note("The server does not answer. Asking again.")
            return None
        failures = 0
        return answer

    return ask


def _followed(session: Session, staged: Settlement, clock: NetworkClock, *, to_the_end: bool) -> Settlement:
    live = session.output.form is Format.PEOPLE and sys.stderr.isatty()
    told, read = "", patient(session)
    try:
        while True:
            found = read(partial(session.partner.settlements.get, staged.id, page_size=1))
            staged = staged if found is None else found.settlement
            if staged.status != "pending" or not to_the_end:
                return staged
            state, ends = settlement_state(staged), next_deadline(staged)
            if live:
                left = "" if ends is None else f", {left_text(clock.until(ends))} left"
                _write(f"{staged.external_id}: {state}{left}")
            elif state != told:
                until = "" if ends is None else f", until {moment_text(ends)}"
                session.output.note(f"{staged.external_id}: {state}{until}")
                told = state
            pause()
    finally:
        if live:
            _write("")


def pause() -> None:
    """Waits before the server is asked again."""
    time.sleep(_EVERY_SECONDS)


def _write(line: str) -> None:
    # One line that is written over: to its beginning, and away with the rest of it.
    typer.echo(f"\r{harmless(line)}\x1b[K", nl=False, err=True)
