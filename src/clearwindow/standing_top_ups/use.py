"""What an execution does with standing top-ups. Protocol §5.

It finds what may be used before it locks balances, because pauses come before balances in the order of locks.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import Balance, BalanceKey, Entry, EntryKind, Movement
from clearwindow.network.models import Partner
from clearwindow.pauses import store as pauses
from clearwindow.postgres.pool import Transaction
from clearwindow.standing_top_ups import events, store
from clearwindow.standing_top_ups.models import Source, StandingTopUp, TopUp


def usable(tx: Transaction, partner: Partner, currencies: Collection[str]) -> list[StandingTopUp]:
    """Returns the partner's instructions for these currencies whose Go Account is not paused."""
    return [
        one
        for one in store.active_of(tx, partner.id, currencies)
        if not pauses.standing_for_account(tx, one.go_account_id, one.currency)
    ]


def seen_usable(tx: Transaction, partner: Partner) -> dict[str, Source]:
    """Returns by currency what may be used now, for those who only read."""
    standing = store.all_active_of(tx, partner.id)
    balances = ledger.balances_of(tx, {one.go_account_id for one in standing})
    return {
        one.currency: Source(one, balances[one.go_account_id].get(one.currency, Balance(0, 0)).available)
        for one in standing
        if not any(
            pause.currency in (None, one.currency) for pause in pauses.seen_for_account(tx, one.go_account_id)
        )
    }


def make(
    tx: Transaction,
    partner: Partner,
    settlement_id: UUID,
    top_ups: Sequence[TopUp],
    locked: Mapping[BalanceKey, Balance],
) -> None:
    """Moves the money to the partner's account, by one journal entry. The caller has locked the balances."""
    entry = Entry(tx.new_id(), EntryKind.TOP_UP, settlement_id, partner.id)
    movements = []
    for one in top_ups:
        currency = one.standing.currency
        movements.append(Movement(BalanceKey(one.standing.go_account_id, currency), available=-one.quantity))
        movements.append(Movement(BalanceKey(partner.go_account_id, currency), available=one.quantity))
    ledger.post(tx, entry, movements)
    store.insert_top_ups(tx, settlement_id, top_ups)
    events.record_made(tx, partner, settlement_id, entry, top_ups, locked)
