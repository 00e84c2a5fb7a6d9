"""Time is injected: rules get it as a value, services read it once from the transaction they run in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present in UTC, in whole milliseconds, as the wire shows it."""
        ...


class SystemClock:
    def now(self) -> datetime:
        return whole_milliseconds(datetime.now(UTC))


class ManualClock:
    """A clock that stands still until it is moved; it only moves forward."""

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
    """The moment ``minutes`` (may be a fraction) later, in whole milliseconds."""
    return moment + timedelta(milliseconds=int(minutes * 60_000))


def wire_time(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds, as in ``2026-11-22T09:30:00.000Z``."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
