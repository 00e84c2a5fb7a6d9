# Made from ../aio by `make sdk`: change it there.
"""Go Accounts with their keys, custody, and the currencies of the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

from clearwindow.client.answers.base import Balance
from clearwindow.client.answers.network import OwnGoAccount
from clearwindow.client.answers.operator import (
    Currency,
    CustodyMovement,
    GoAccount,
    GoAccountBalances,
    GoAccountKey,
)
from clearwindow.client.answers.operator_lists import ListedGoAccount, ListedGoAccountKey
from clearwindow.client.calls import nothing, value_of, values_of
from clearwindow.client.list_filters import GoAccountFilters, GoAccountKeyFilters
from clearwindow.client.requests import NewKey
from clearwindow.client.sync.operator_desk import OperatorDesk
from clearwindow.client.sync.pages import Pages
from clearwindow.client.text import Id, Quantity, fields, quantity_text


class OperatorGoAccounts:
    """Custody accounts. Amounts are base units under the network's names."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def create(
        self,
        enterprise_id: str,
        *,
        keys: Sequence[NewKey] = (),
        label: str | None = None,
        custodian_key: bool | None = None,
        require_intent: bool | None = None,
    ) -> GoAccount:
        """Opens an account. The first one of an enterprise is its default. Not repeated after a lost answer.

        Args:
            enterprise_id: of the owner.
            keys: the public keys that verify the owner's signatures.
            label: any name.
            custodian_key: whether the network also makes and holds a key, and signs with it on request.
            require_intent: whether the account's payloads must say what they are for.
        """
        path = self._desk.path("/enterprises/{}/go-accounts", enterprise_id)
        asked = fields(label=label, keys=[key.wire() for key in keys], custodian_key=custodian_key)
        asked |= fields(require_intent=require_intent)
        return self._desk.send("POST", path, value_of(GoAccount, "goAccount"), asked, repeatable=False)

    def list(self, **filters: Unpack[GoAccountFilters]) -> Pages[ListedGoAccount]:
        """Lists accounts, newest first."""
        return self._desk.pages("/go-accounts", "goAccounts", ListedGoAccount, filters)

    def get(self, go_account_id: Id) -> ListedGoAccount:
        """Returns one account, without its keys."""
        path = self._desk.path("/go-accounts/{}", go_account_id)
        return self._desk.get(path, value_of(ListedGoAccount, "goAccount"))

    def keys(self, **filters: Unpack[GoAccountKeyFilters]) -> Pages[ListedGoAccountKey]:
        """Lists the signing keys of accounts, newest first, the revoked ones too."""
        return self._desk.pages("/go-account-keys", "keys", ListedGoAccountKey, filters)

    def add_key(self, go_account_id: Id, key: NewKey) -> GoAccountKey:
        """Adds a signing key. The same key again changes nothing."""
        path = self._desk.path("/go-accounts/{}/keys", go_account_id)
        return self._desk.send("POST", path, value_of(GoAccountKey, "key"), key.wire(), repeatable=True)

    def add_custodian_key(self, go_account_id: Id) -> GoAccountKey:
        """Adds a key that the network makes and holds. Each request makes another one: it is not repeated."""
        path = self._desk.path("/go-accounts/{}/keys", go_account_id)
        asked = fields(custodian_key=True)
        return self._desk.send("POST", path, value_of(GoAccountKey, "key"), asked, repeatable=False)

    def revoke_key(self, go_account_id: Id, key_id: Id) -> None:
        """Revokes a signing key at once. This cannot be undone."""
        path = self._desk.path("/go-accounts/{}/keys/{}", go_account_id, key_id)
        self._desk.send("DELETE", path, nothing, repeatable=True)

    def turn_intent_off(self, go_account_id: Id) -> OwnGoAccount:
        """Lets an account's payloads be as the wire contract has them, not saying what they are for."""
        path = self._desk.path("/go-accounts/{}/require-intent", go_account_id)
        return self._desk.send("DELETE", path, value_of(OwnGoAccount, "goAccount"), repeatable=True)

    def deposit(self, go_account_id: Id, *, currency: str, quantity: Quantity, reference: str) -> CustodyMovement:
        """Records a deposit, once for each reference."""
        path = self._desk.path("/go-accounts/{}/deposits", go_account_id)
        asked = fields(currency=currency, quantity=quantity_text(quantity), reference=reference)
        return self._desk.send("POST", path, value_of(CustodyMovement), asked, repeatable=True)

    def withdraw(self, go_account_id: Id, *, currency: str, quantity: Quantity, reference: str) -> CustodyMovement:
        """Records a withdrawal of available money, once for each reference."""
        path = self._desk.path("/go-accounts/{}/withdrawals", go_account_id)
        asked = fields(currency=currency, quantity=quantity_text(quantity), reference=reference)
        return self._desk.send("POST", path, value_of(CustodyMovement), asked, repeatable=True)

    def balances(self, go_account_id: Id) -> dict[str, Balance]:
        """Returns what is available and held, per currency."""
        path = self._desk.path("/go-accounts/{}/balances", go_account_id)
        return (self._desk.get(path, value_of(GoAccountBalances))).balances


class OperatorCurrencies:
    """The currencies that the network knows."""

    def __init__(self, desk: OperatorDesk) -> None:
        self._desk = desk

    def list(self) -> tuple[Currency, ...]:
        """Returns all currencies; this list has no pages."""
        return self._desk.get(self._desk.path("/currencies"), values_of(Currency, "currencies"))

    def create(self, *, name: str, backing: str, decimals: int) -> Currency:
        """Adds a currency. The same request again returns the same currency."""
        asked = fields(name=name, backing=backing, decimals=decimals)
        read = value_of(Currency, "currency")
        return self._desk.send("POST", self._desk.path("/currencies"), read, asked, repeatable=True)
