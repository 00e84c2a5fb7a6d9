"""What other nouns may do with money: open accounts, move, hold. Every movement is a journal entry."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from clearwindow.accounts import rules, store
from clearwindow.accounts.values import (
    Balance,
    BalanceKey,
    Balances,
    Currency,
    Entry,
    GoAccount,
    GoAccountKey,
    Hold,
    JournalEntry,
    Movement,
    SealedKey,
)
from clearwindow.database.pool import Transaction
from clearwindow.errors import ConflictError, InvalidRequestError, NotFoundError
from clearwindow.http.bodies import quoted
from clearwindow.ids import NIL
from clearwindow.money import canonical_currency, is_currency_name

__all__ = ["Currency", "GoAccount", "GoAccountKey"]


def open_network_account(tx: Transaction, account_id: UUID, partner_id: UUID) -> None:
    """An account for the funds that one connection has allocated to a partner."""
    store.insert_account(tx, account_id, "network", partner_id)


def open_go_account(tx: Transaction, account_id: UUID, enterprise_id: str, label: str | None) -> GoAccount:
    """A Go Account of the enterprise, whose row the caller has locked: it is the default if it is the first."""
    store.insert_account(tx, account_id, "go", NIL)
    return store.insert_go_account(tx, account_id, enterprise_id, label)


def go_account(tx: Transaction, account_id: UUID) -> GoAccount | None:
    return store.find_go_account(tx, account_id)


def require_go_account(tx: Transaction, account_id: UUID | None) -> GoAccount:
    account = store.find_go_account(tx, account_id) if account_id else None
    if account is None:
        raise NotFoundError("go_account_unknown", "there is no Go Account with this id")
    return account


def default_go_account(tx: Transaction, enterprise_id: str) -> GoAccount | None:
    return store.find_default_go_account(tx, enterprise_id)


def active_keys(tx: Transaction, go_account_id: UUID) -> list[bytes]:
    """The compressed public keys any of which may sign for the Go Account. Protocol §3."""
    return [key.public_key for key in store.list_keys(tx, go_account_id) if key.revoked_at is None]


def add_key(tx: Transaction, account_id: UUID, key: GoAccountKey) -> tuple[GoAccountKey, bool]:
    """The active key with these bytes, and whether it was added now.

    Raises:
        ConflictError: the account has the key already, under another text or with another ciphertext.
    """
    for found in store.list_keys(tx, account_id):
        if found.public_key == key.public_key and found.revoked_at is None:
            if (found.pub, found.encrypted_prv) != (key.pub, key.encrypted_prv):
                raise ConflictError("key_differs", "the Go Account has this key already, given in other words")
            return found, False
    store.insert_key(tx, account_id, key)
    return key, True


def custodian_key(tx: Transaction, account_id: UUID) -> SealedKey | None:
    """The key in force that we hold for the account, if it has one."""
    return store.find_sealed_key(tx, account_id)


def add_custodian_key(tx: Transaction, account_id: UUID, key: GoAccountKey, sealed_prv: bytes) -> None:
    store.insert_key(tx, account_id, key, sealed_prv)


def key_in_force(tx: Transaction, key_id: UUID) -> tuple[GoAccount, GoAccountKey] | None:
    """The key with its account; None where it is revoked as where there is none."""
    return store.find_key(tx, key_id)


def revoke_key(tx: Transaction, account_id: UUID, key_id: UUID) -> bool:
    """Whether the key was in force until now."""
    revoked = store.revoke_key(tx, account_id, key_id)
    if revoked is None:
        raise NotFoundError("key_unknown", "the Go Account has no key with this id")
    return revoked


def add_currency(tx: Transaction, wanted: Currency) -> tuple[Currency, bool]:
    """The currency of this name, and whether it was added now.

    Raises:
        InvalidRequestError: the name is not of the form that our names have.
        ConflictError: the name is taken by a currency that is not like this one.
    """
    if not is_currency_name(wanted.name):
        raise InvalidRequestError(
            "currency_name_malformed", "name: must be ofc and 1 to 60 lower case letters, digits, or : . -"
        )
    if store.insert_currency(tx, wanted):
        return wanted, True
    found = store.list_currencies(tx, [wanted.name])
    if found != [wanted]:
        raise ConflictError(
            "currency_differs", f"the currency {wanted.name} exists already with another backing or decimals"
        )
    return wanted, False


def require_currency(tx: Transaction, name: str) -> str:
    """Our name of a currency that is known here."""
    ours = canonical_currency(name)
    if not store.list_currencies(tx, [ours]):
        raise InvalidRequestError(
            "currency_unknown", f"currency: {quoted(name)} is not known here: see GET /api/operator/v1/currencies"
        )
    return ours


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
    if holds:
        store.put_holds(tx, holds)


def reduce_holds(tx: Transaction, cause_id: UUID, quantities: Mapping[BalanceKey, int]) -> None:
    """Takes these quantities, which an entry has moved, off what the cause holds."""
    covered = store.reduce_holds(tx, cause_id, quantities)
    if covered != len(quantities):
        raise AssertionError(f"{len(quantities)} holds had to cover a movement, {covered} did")


def put_holds(tx: Transaction, holds: Sequence[Hold]) -> None:
    """Holds for a cause what another cause has held until now: no balance changes."""
    store.put_holds(tx, holds)


def drop_holds(tx: Transaction, cause_ids: Iterable[UUID]) -> None:
    """Ends what these causes hold; the caller gives the balances back or holds them for another cause."""
    store.drop_holds(tx, cause_ids)


def holds_of(tx: Transaction, cause_ids: Iterable[UUID]) -> dict[UUID, dict[BalanceKey, int]]:
    """Per cause, what it holds on each balance."""
    return store.holds_of(tx, cause_ids)


def keys_of(tx: Transaction, go_account_id: UUID) -> list[GoAccountKey]:
    """All keys the Go Account ever had, the revoked ones with their moment."""
    return store.list_keys(tx, go_account_id)


def list_entries(
    tx: Transaction, *, cause_id: UUID | None, account_id: UUID | None, limit: int, offset: int
) -> list[JournalEntry]:
    """The journal, newest first."""
    return store.list_entries(tx, cause_id=cause_id, account_id=account_id, limit=limit, offset=offset)
