"""How limits of loss change: lower ones at once, higher ones after a while. Pure. Protocol §5."""

from __future__ import annotations

from datetime import datetime

from clearwindow.loss_limits.models import COOL_OFF, Limits, Standing


def at(standing: Standing, now: datetime) -> Standing:
    """Returns what is in force now, and what still waits."""
    if standing.next_limits is None or standing.next_from is None or now < standing.next_from:
        return standing
    return Standing(standing.next_limits)


def changed(standing: Standing, wanted: Limits, now: datetime) -> Standing:
    """Returns the limits after a change. What is lower applies at once; what is higher applies after the cool-off.

    The same wish again does not start the cool-off anew.
    """
    current = at(standing, now)
    lower = Limits(
        _stricter(current.limits.per_settlement, wanted.per_settlement),
        _stricter(current.limits.per_day, wanted.per_day),
    )
    if lower == wanted:
        return Standing(wanted)
    if current.next_limits == wanted:
        return Standing(lower, wanted, current.next_from)
    return Standing(lower, wanted, now + COOL_OFF)


def _stricter(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
