"""What other nouns may do with money: open accounts, move, hold. Every movement is a journal entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from clearwindow.accounts import rules, store
from clearwindow.accounts.store import Currency, GoAccount, GoAccountKey
from clearwindow.accounts.values import Balance, BalanceKey, Balances, Entry, Hold, Movement
from clearwindow.database.pool import Transaction

__all__ = ["Currency", "GoAccount", "GoAccountKey"]


def open_network_account(tx: Transaction, account_id: UUID, partner_id: UUID) -> None:
    """An account for the funds that one connection has allocated to a partner."""
    store.insert_account(tx, account_id, "network", partner_id)


def default_go_account(tx: Transaction, enterprise_id: str) -> GoAccount | None:
    return store.find_default_go_account(tx, enterprise_id)


def active_keys(tx: Transaction, go_account_id: UUID) -> list[bytes]:
    """The compressed public keys any of which may sign for the Go Account. Protocol §3."""
    return [key.public_key for key in store.list_keys(tx, go_account_id) if key.revoked_at is None]


def currencies(tx: Transaction, names: Sequence[str] | None = None) -> dict[str, Currency]:
    """The known currencies by our name; all of them, or those among ``names``."""
    return {currency.name: currency for currency in store.list_currencies(tx, names)}


def balances_of(tx: Transaction, account_ids: Iterable[UUID]) -> dict[UUID, dict[str, Balance]]:
    """Per account, its balances by currency; an account without any has an empty record."""
    wanted = list(account_ids)
    found: dict[UUID, dict[str, Balance]] = {account_id: {} for account_id in wanted}
    for key, balance in store.balances_of(tx, wanted).items():
        found[key.account_id][key.currency] = balance
    return found


def lock_balances(tx: Transaction, keys: Iterable[BalanceKey]) -> Balances:
    """The balances, locked until the transaction ends; lock all that one decision needs in one call."""
    return store.lock_balances(tx, keys)


def post(tx: Transaction, entry: Entry, movements: Sequence[Movement], holds: Sequence[Hold] = ()) -> None:
    """Writes one journal entry, moves the balances by it and sets the holds that explain it.

    The caller has locked the balances. A balance that would become negative is refused by the database.
    """
    rules.require_zero_sum(movements)
    store.insert_entry(tx, entry)
    store.post_movements(tx, entry, movements)
    for hold in holds:
        store.put_hold(tx, hold)


def holds_of(tx: Transaction, cause_ids: Iterable[UUID]) -> dict[BalanceKey, int]:
    return store.holds_of(tx, cause_ids)
