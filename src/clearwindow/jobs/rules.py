"""Where a sandbox's clock may be moved to. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from clearwindow.core.clock import after_minutes, whole_milliseconds, wire_time
from clearwindow.core.errors import ConflictError, InvalidRequestError

LONGEST_MOVE: Final = timedelta(days=366)
LAST_YEAR: Final = 9000
"""In later years, deadlines could not be stored."""


def target(
    now: datetime, last_target: datetime | None, *, wanted: datetime | None, minutes: Decimal | None
) -> datetime:
    """Returns the moment that a request means: a moment, or so many minutes from now.

    The last target may be asked for again, whether the clock has reached it or was held up.

    Raises:
        InvalidRequestError: both or none are given, or the moment is too far.
        ConflictError: the moment has passed.
    """
    if (wanted is None) == (minutes is None):
        raise InvalidRequestError("clock_request_unclear", "give either now or advanceMinutes")
    if minutes is not None:
        if minutes < 0:
            raise InvalidRequestError(
                "clock_backwards", f"advanceMinutes: {minutes} is below 0, and the clock only goes forward"
            )
        if minutes > LONGEST_MOVE / timedelta(minutes=1):
            raise _too_far(now)
        moment = after_minutes(now, minutes)
    else:
        moment = whole_milliseconds(wanted or now)
        if moment == last_target:
            return moment
        if moment < now:
            raise ConflictError(
                "clock_backwards",
                f"now: {wire_time(moment)} has passed: it is {wire_time(now)}, and the clock only goes forward",
                {"now": wire_time(now), "asked": wire_time(moment)},
            )
    if moment - now > LONGEST_MOVE or moment.year > LAST_YEAR:
        raise _too_far(now)
    return moment


def _too_far(now: datetime) -> InvalidRequestError:
    return InvalidRequestError(
        "clock_too_far",
        f"one request moves the clock by at most {LONGEST_MOVE.days} days, and never beyond the year {LAST_YEAR}:"
        f" it is {wire_time(now)}",
    )
