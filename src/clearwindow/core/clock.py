"""Clocks, and moments on the wire. Rules take the time as a value; use cases read it from their transaction."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Returns the present in UTC, in whole milliseconds, as the wire shows it."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return whole_milliseconds(datetime.now(UTC))


class ManualClock:
    """A clock that stands still until it is moved. It only moves forward."""

    def __init__(self, start: datetime) -> None:
        self._now = whole_milliseconds(start)

    def now(self) -> datetime:
        return self._now

    def advance(self, *, minutes: float) -> None:
        if minutes < 0:
            raise ValueError("a clock only moves forward")
        self._now = whole_milliseconds(self._now + timedelta(minutes=minutes))


def whole_milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def after_minutes(moment: datetime, minutes: Decimal) -> datetime:
    """Returns the moment so many minutes later, in whole milliseconds. The minutes may be a fraction."""
    return moment + timedelta(milliseconds=int(minutes * 60_000))


_RFC_3339: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:)([0-9]{2})(\.[0-9]+)?(?:[Zz]|([+-][0-9]{2}:[0-5][0-9]))"
)
_LEAP_SECOND: Final = "60"
_MICROSECOND_DIGITS: Final = len(".000000")
EARLIEST_YEAR: Final = 1970
LATEST_YEAR: Final = 9998


def parse_moment(text: str) -> datetime | None:
    """Returns a moment of the wire in UTC, or None if the text is none: RFC 3339 in the years 1970 to 9998."""
    moment = parse_rfc3339(text)
    return moment if moment is not None and EARLIEST_YEAR <= moment.year <= LATEST_YEAR else None


def parse_rfc3339(text: str) -> datetime | None:
    """Returns the moment in UTC, or None if the text is not a date and time of RFC 3339 in the years 1 to 9999.

    Digits beyond microseconds are cut off. Second 60 means the first instant of the next minute.
    """
    parts = _RFC_3339.fullmatch(text)
    if parts is None:
        return None
    date, minute, second, fraction, offset = parts.groups()
    leaps = second == _LEAP_SECOND
    exact = f"{date}T{minute}59" if leaps else f"{date}T{minute}{second}{(fraction or '')[:_MICROSECOND_DIGITS]}"
    try:
        moment = datetime.fromisoformat(exact + (offset or "+00:00"))
        return (moment + timedelta(seconds=1) if leaps else moment).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def wire_time(moment: datetime) -> str:
    """Returns ISO 8601 in UTC with milliseconds, such as ``2026-11-22T09:30:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
