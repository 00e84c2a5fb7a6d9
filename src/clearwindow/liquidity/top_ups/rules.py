"""What an account must be given so that every open settlement executes as soon as it can. Pure. Protocol §5."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from clearwindow.liquidity.forecasts.models import Pending
from clearwindow.liquidity.top_ups.models import TopUp
from clearwindow.settlements import rules
from clearwindow.settlements.models import SettlementState
from clearwindow.standing_top_ups.models import Source
from clearwindow.standing_top_ups.rules import cover


def needed(
    pending: Iterable[Pending], available: Mapping[str, int], now: datetime, sources: Mapping[str, Source]
) -> list[TopUp]:
    """Returns what must be topped up, in the order in which the settlements execute if it is.

    Whoever deposits each by its time has every settlement execute at the first moment at which it may. Then more
    money, or earlier money, changes nothing. What is paused is left out: nobody knows when it executes.

    Args:
        pending: the partner's open settlements, which share its account.
        available: what the account has now, by currency, in base units.
        now: the present moment.
        sources: what standing top-ups may bring, by currency. What they cover is not listed.
    """
    left, totals, reserve = dict(available), dict[str, int](), dict(sources)
    found: list[TopUp] = []
    for one in sorted((each for each in pending if not each.paused), key=lambda each: _turn(each, now)):
        gaps = rules.funding_gaps(left, one.change)
        for brought in cover({gap.currency: gap.shortfall for gap in gaps}, reserve):
            currency = brought.standing.currency
            source = reserve[currency]
            reserve[currency] = replace(source, available=source.available - brought.quantity)
            left[currency] = left.get(currency, 0) + brought.quantity
        for gap in rules.funding_gaps(left, one.change):
            totals[gap.currency] = totals.get(gap.currency, 0) + gap.shortfall
            left[gap.currency] = left.get(gap.currency, 0) + gap.shortfall
            found.append(TopUp(one.id, gap.currency, gap.shortfall, totals[gap.currency], _last_moment(one, now)))
        for currency, quantity in one.change.items():
            left[currency] = left.get(currency, 0) + quantity
    return _earlier_first(found)


def _turn(one: Pending, now: datetime) -> tuple[datetime, datetime, UUID]:
    """Returns what settlements are sorted by when each executes at the first moment at which it may."""
    at = now
    if one.closures_wait:
        at = one.due_at or now
    elif one.state is SettlementState.DISPUTE_WINDOW:
        at = one.top_up_deadline_at
        if one.execute_when_funded and one.due_at is not None:
            at = one.due_at
    elif one.state is SettlementState.TOP_UP_WINDOW and not one.execute_when_funded:
        at = one.top_up_deadline_at
    return max(at, now), one.created_at, one.id


def _last_moment(one: Pending, now: datetime) -> datetime:
    """Returns when the settlement fails, or failed, if it is short."""
    return (one.due_at or now) if one.closures_wait else one.top_up_deadline_at


def _earlier_first(found: Sequence[TopUp]) -> list[TopUp]:
    """Takes care that what executes first is topped up no later than what executes after it."""
    moved: list[TopUp] = []
    for one in reversed(found):
        moved.append(replace(one, by=min(one.by, moved[-1].by)) if moved else one)
    return moved[::-1]
