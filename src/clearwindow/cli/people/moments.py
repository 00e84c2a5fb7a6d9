"""Moments as people read them: in the machine's own zone with its name, and in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_SECONDS_OF_AN_HOUR: Final = 3600


def moment_text(moment: datetime) -> str:
    """Returns ``2026-11-30 06:30:12 CET (05:30:12 UTC)``, with the date in UTC if it is another one."""
    local, utc = moment.astimezone(), moment.astimezone(UTC)
    here = f"{local:%Y-%m-%d %H:%M:%S} {local.tzname() or 'UTC'}"
    if local.utcoffset() == timedelta(0):
        return f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    return f"{here} ({utc:%H:%M:%S} UTC)" if local.date() == utc.date() else f"{here} ({utc:%Y-%m-%d %H:%M:%S} UTC)"


def left_text(left: timedelta) -> str:
    """Returns how long it takes until then, as ``1:02:03``; nothing is left of the past."""
    seconds = max(0, int(left.total_seconds()))
    hours, rest = divmod(seconds, _SECONDS_OF_AN_HOUR)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"


def parse_moment(text: str) -> datetime:
    """Reads a moment such as ``2026-11-22T09:30:00Z``.

    Raises:
        ValueError: it is none, or has no zone.
    """
    from clearwindow.core.clock import parse_moment as parse  # noqa: PLC0415 - most commands read no moment

    found = parse(text)
    if found is None:
        raise ValueError(f"{text!r} is no moment with its zone, such as 2026-11-22T09:30:00Z")
    return found
