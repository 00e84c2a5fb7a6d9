"""The entries of settlements that move an account are those of its connection's or its partner's settlements."""

from __future__ import annotations

from uuid import UUID, uuid4

from clearwindow.core.ids import NIL
from clearwindow.ledger import store
from clearwindow.ledger.models import AccountKind, BalanceKey, Entry, EntryFilter, EntryKind, Movement
from clearwindow.postgres.paging import FIRST_PAGE
from clearwindow.postgres.pool import Transaction
from tests.settlements.statements import rows

PARTNER, OTHER_PARTNER, GO_ACCOUNT, ANN, BOB = (UUID(int=number) for number in range(1, 6))


def entries(tx: Transaction, account_id: UUID) -> set[UUID]:
    wanted = EntryFilter(cause_id=None, account_id=account_id, created_on_or_after=None, created_before=None)
    return {each.id for each in store.list_entries(tx, wanted, FIRST_PAGE).items}


def posted(tx: Transaction, cause_id: UUID, account_id: UUID, kind: EntryKind = EntryKind.SETTLEMENT_HELD) -> UUID:
    """Posts an entry that moves this account and a new one, and returns its id."""
    entry, other = Entry(uuid4(), kind, cause_id, PARTNER), uuid4()
    store.insert_account(tx, other, AccountKind.NETWORK, PARTNER)
    keys = [BalanceKey(account, name) for account in (account_id, other) for name in ("ofcbtc", "ofceth")]
    store.lock_balances(tx, keys)
    tx.connection.execute("UPDATE balance SET available = 100 WHERE account_id = %s", [other])
    store.post(tx, entry, [Movement(key, 5 if key.account_id == account_id else -5, 0) for key in keys])
    return entry.id


def test_entries_of_settlements_are_those_that_move_the_account(tx: Transaction) -> None:
    for account, kind in ((GO_ACCOUNT, AccountKind.GO), (ANN, AccountKind.NETWORK), (BOB, AccountKind.NETWORK)):
        store.insert_account(tx, account, kind, NIL if kind is AccountKind.GO else PARTNER)
    rows.partner(tx, PARTNER, "exchange")
    tx.connection.execute("UPDATE partner SET go_account_id = %s WHERE id = %s", [GO_ACCOUNT, PARTNER])
    rows.partner(tx, OTHER_PARTNER, "other")
    settlement, other = rows.settlement(tx, PARTNER), rows.settlement(tx, OTHER_PARTNER)
    for connection in (ANN, BOB):
        rows.connection(tx, connection, uuid4())
        rows.party(tx, settlement, connection)
    rows.party(tx, other, BOB)
    of_ann, of_bob = posted(tx, settlement, ANN), posted(tx, settlement, BOB)
    of_other = posted(tx, other, BOB)
    of_partner = posted(tx, settlement, GO_ACCOUNT)
    posted(tx, other, ANN)
    posted(tx, other, GO_ACCOUNT)
    deposit = posted(tx, uuid4(), ANN, EntryKind.DEPOSIT)
    assert entries(tx, ANN) == {of_ann, deposit}
    assert entries(tx, BOB) == {of_bob, of_other}
    assert entries(tx, GO_ACCOUNT) == {of_partner}
