"""The arithmetic of a statement, and its words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from clearwindow.ledger.models import Balance, EntryKind, HoldCause
from clearwindow.statements.models import Cause, Moved, Period, StatedBalances

NOTHING: Final = Balance(0, 0)

_ENTRIES: Final[Mapping[EntryKind, str]] = {
    EntryKind.DEPOSIT: "deposit",
    EntryKind.TOP_UP: "standing top-up for settlement {name}",
    EntryKind.WITHDRAWAL: "withdrawal",
    EntryKind.WITHDRAWAL_RESERVED: "withdrawal proposed: held",
    EntryKind.WITHDRAWAL_RELEASED: "proposed withdrawal ended: no longer held for it",
    EntryKind.ALLOCATION_RESERVED: "allocation {name}: held",
    EntryKind.ALLOCATION_CLEARED: "allocation {name}: moved",
    EntryKind.ALLOCATION_RELEASED: "allocation {name}: did not happen, available again",
    EntryKind.DEALLOCATION_RESERVED: "deallocation {name}: held",
    EntryKind.DEALLOCATION_CLEARED: "deallocation {name}: moved",
    EntryKind.DEALLOCATION_RELEASED: "deallocation {name}: did not happen, available again",
    EntryKind.SETTLEMENT_HELD: "settlement {name}: held, the most that it can take",
    EntryKind.SETTLEMENT_EXECUTED: "settlement {name}: executed",
    EntryKind.SETTLEMENT_REJECTED: "settlement {name}: rejected or withdrawn, available again",
    EntryKind.DISPUTE_CLOSURE_HELD: "closed dispute of settlement {name}: held, what its transfers take",
    EntryKind.DISPUTE_CLOSURE_CANCELLED: "closed dispute of settlement {name}: cancelled",
    EntryKind.ONCHAIN_LOSS_PAID: "settlement {name}: loss paid on chain",
    EntryKind.ONCHAIN_GAIN_PAID: "settlement {name}: gain paid on chain",
    EntryKind.ONCHAIN_DEPOSIT_CREDITED: "deposit on chain for settlement {name}: held for it",
    EntryKind.ONCHAIN_DEPOSIT_RELEASED: "deposits on chain for settlement {name}: available again",
}
_HOLDS: Final[Mapping[HoldCause, str]] = {
    HoldCause.ALLOCATION: "allocation {name}, until the partner has answered",
    HoldCause.DEALLOCATION: "deallocation {name}, until the partner has answered",
    HoldCause.SETTLEMENT: "settlement {name}, the most that it can take",
    HoldCause.DISPUTE: "dispute of settlement {name}",
    HoldCause.ONCHAIN_DEPOSIT: "deposit on chain for settlement {name}",
    HoldCause.WITHDRAWAL: "proposed withdrawal, until operators have decided",
}


def balances_over(now: Mapping[str, Balance], moved: Iterable[Moved], period: Period) -> dict[str, StatedBalances]:
    """Returns the balances at both ends of a period, by currency.

    They are found from the end: what is there now, less what entries have changed since. So a short period is cheap
    however long the account's history is, and a statement up to now closes with the balances themselves.

    Args:
        now: the balances now.
        moved: what was changed since the period's beginning, and since its end. Of a currency that is not among
            them, nothing was. Without a beginning, everything was.
        period: the period.
    """
    changes = {one.currency: one for one in moved}
    stated = {}
    for currency, balance in now.items():
        change = changes.get(currency)
        closing = _less(balance, change.since_closing) if change else balance
        if period.on_or_after is None:
            opening = NOTHING
        else:
            opening = _less(balance, change.since_opening) if change else balance
        stated[currency] = StatedBalances(opening, _less(closing, opening), closing)
    return stated


def entry_text(kind: EntryKind, cause: Cause | None, reference: str | None) -> str:
    """Returns in words what an entry is about."""
    text = _ENTRIES[kind].format(name=_name(cause))
    named = cause is not None and cause.external_id == reference
    return text if reference is None or named else f"{text} ({reference})"


def hold_text(reason: HoldCause, cause: Cause | None) -> str:
    """Returns in words what an amount is held for."""
    return _HOLDS[reason].format(name=_name(cause))


def _less(balance: Balance, change: Balance) -> Balance:
    return Balance(balance.available - change.available, balance.held - change.held)


def _name(cause: Cause | None) -> str:
    if cause is None:
        return "(unknown)"
    at = f" at {cause.partner_name}" if cause.partner_name else ""
    return f"{cause.external_id or cause.id}{at}"
