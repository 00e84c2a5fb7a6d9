"""The arithmetic of a statement, beside sums of the entries themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from clearwindow.ledger.models import Balance, EntryKind, HoldCause
from clearwindow.statements import rules
from clearwindow.statements.models import Cause, Moved, Period

START: Final = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ID: Final = UUID("7b4f2d1e-93a5-4c86-b0d7-1f6e8a2c5d39")
AMOUNTS: Final = st.integers(-(10**40), 10**40)
MINUTES: Final = st.integers(0, 20)
ENTRIES: Final = st.lists(st.tuples(MINUTES, st.sampled_from(["ofcbtc", "ofceth"]), AMOUNTS, AMOUNTS), max_size=30)


def moment(minutes: int | None) -> datetime | None:
    return None if minutes is None else START + timedelta(minutes=minutes)


def total(entries: list[tuple[int, str, int, int]], currency: str, since: int, before: int = 1_000) -> Balance:
    found = [entry for entry in entries if entry[1] == currency and since <= entry[0] < before]
    return Balance(sum(entry[2] for entry in found), sum(entry[3] for entry in found))


@given(ENTRIES, st.none() | MINUTES, st.none() | MINUTES)
def test_opening_and_entries_are_the_closing(
    entries: list[tuple[int, str, int, int]], since: int | None, before: int | None
) -> None:
    if since is not None and before is not None and before < since:
        since, before = before, since
    currencies = {currency for _, currency, _, _ in entries}
    now = {currency: total(entries, currency, 0) for currency in currencies}
    lower = since if since is not None else before
    moved = [
        Moved(
            currency,
            total(entries, currency, lower),
            total(entries, currency, 1_000 if before is None else before),
        )
        for currency in currencies
        if lower is not None and any(entry[1] == currency and entry[0] >= lower for entry in entries)
    ]
    stated = rules.balances_over(now, moved, Period(moment(since), moment(before)))
    assert set(stated) == currencies
    for currency, found in stated.items():
        assert found.opening == (Balance(0, 0) if since is None else total(entries, currency, 0, since)), (
            "what was there before the first entry"
        )
        assert found.change == total(entries, currency, since or 0, 1_000 if before is None else before)
        assert found.closing == total(entries, currency, 0, 1_000 if before is None else before)
        assert found.opening.available + found.change.available == found.closing.available
        assert found.opening.held + found.change.held == found.closing.held


def test_every_entry_and_hold_has_words() -> None:
    cause = Cause(ID, external_id="day-1", partner_name="Meridian")
    for kind in EntryKind:
        assert "(unknown)" not in rules.entry_text(kind, cause, None)
    for reason in HoldCause:
        assert "{" not in rules.hold_text(reason, cause)
    assert rules.entry_text(EntryKind.SETTLEMENT_EXECUTED, cause, None) == "settlement day-1 at Meridian: executed"
    assert rules.entry_text(EntryKind.DEPOSIT, None, "wire-1") == "deposit (wire-1)"
    # The reference of an allocation is its external id: it is not said twice.
    assert rules.entry_text(EntryKind.ALLOCATION_CLEARED, cause, "day-1") == "allocation day-1 at Meridian: moved"
