"""Go Accounts, their keys, deposits, withdrawals, balances and currencies on the wire."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, model_validator

from clearwindow.api.schema import KeyText, LongText, RequestModel, ShortText, WireInteger, WireModel
from clearwindow.core.clock import wire_time
from clearwindow.core.money import PositiveBaseUnits
from clearwindow.core.text import present
from clearwindow.custody.models import (
    Currency,
    CustodyOutcome,
    CustodyRequest,
    GoAccount,
    GoAccountKey,
    NewGoAccount,
    OwnKey,
)
from clearwindow.ledger.models import Balance
from clearwindow.signing.keys import parse_public_key

MAX_KEYS: Final = 20
MAX_DECIMALS: Final = 36


def _public_key_text(text: str) -> str:
    parse_public_key(text)
    return text


PublicKeyText = Annotated[ShortText, AfterValidator(_public_key_text)]


class OwnKeyRequest(RequestModel):
    pub: PublicKeyText
    encrypted_prv: LongText | None = None

    def to_model(self) -> OwnKey:
        return OwnKey(self.pub, self.encrypted_prv)


class KeyRequest(RequestModel):
    """A key to add: the owner's own, or one that the custodian creates and holds."""

    pub: PublicKeyText | None = None
    encrypted_prv: LongText | None = None
    custodian_key: bool = False

    @model_validator(mode="after")
    def _require_one_holder(self) -> Self:
        if self.custodian_key and (self.pub or self.encrypted_prv):
            raise ValueError("must have either pub or custodianKey, not both")
        if not self.custodian_key and self.pub is None:
            raise ValueError("must have pub, unless custodianKey is true")
        return self

    def to_model(self) -> OwnKey | None:
        """Returns the owner's key, or None if the custodian shall create one."""
        return OwnKey(self.pub, self.encrypted_prv) if self.pub else None


class GoAccountRequest(RequestModel):
    label: ShortText | None = None
    keys: Annotated[list[OwnKeyRequest], Field(max_length=MAX_KEYS)] = Field(default_factory=list)
    custodian_key: bool = False

    def to_model(self) -> NewGoAccount:
        return NewGoAccount(self.label, [key.to_model() for key in self.keys], self.custodian_key)


class CustodyMovementRequest(RequestModel):
    currency: ShortText
    quantity: PositiveBaseUnits
    reference: KeyText

    def to_model(self) -> CustodyRequest:
        return CustodyRequest(self.currency, int(self.quantity), self.reference)


class CurrencyRequest(RequestModel):
    name: ShortText
    backing: ShortText
    decimals: Annotated[WireInteger, Field(ge=0, le=MAX_DECIMALS)]

    def to_model(self) -> Currency:
        return Currency(self.name, self.backing, self.decimals)


class KeyView(WireModel):
    """``verifiesFrom`` is there if the signatures of a further key do not count before."""

    id: str
    pub: str
    encrypted_prv: str | None = None
    custodian: bool | None = None
    created_at: str
    revoked_at: str | None = None
    verifies_from: str | None = None


class KeyAnswer(WireModel):
    key: KeyView


class GoAccountView(WireModel):
    id: str
    enterprise_id: str
    label: str | None = None
    is_default: bool
    keys: list[KeyView]
    created_at: str


class GoAccountAnswer(WireModel):
    go_account: GoAccountView


class CustodyEntryView(WireModel):
    id: str
    kind: str
    go_account_id: str
    currency: str
    quantity: str
    reference: str
    created_at: str


class BalanceView(WireModel):
    available: str
    held: str


class CurrencyBalanceView(BalanceView):
    currency: str


class CustodyAnswer(WireModel):
    entry: CustodyEntryView
    balance: CurrencyBalanceView


class BalancesAnswer(WireModel):
    balances: dict[str, BalanceView]


class CurrencyView(WireModel):
    name: str
    backing: str
    decimals: int


class CurrencyAnswer(WireModel):
    currency: CurrencyView


class CurrenciesAnswer(WireModel):
    currencies: list[CurrencyView]


def key_view(key: GoAccountKey) -> KeyView:
    fields = present(
        id=str(key.id),
        pub=key.pub,
        encrypted_prv=key.encrypted_prv,
        custodian=key.custodian or None,
        created_at=wire_time(key.created_at),
        revoked_at=wire_time(key.revoked_at) if key.revoked_at else None,
        verifies_from=wire_time(key.verifies_from) if key.verifies_from > key.created_at else None,
    )
    return KeyView.model_validate(fields)


def go_account_answer(account: GoAccount, keys: Sequence[GoAccountKey]) -> GoAccountAnswer:
    fields = present(
        id=account.id.hex,
        enterprise_id=account.enterprise_id,
        label=account.label,
        is_default=account.is_default,
        keys=[key_view(key) for key in keys],
        created_at=wire_time(account.created_at),
    )
    return GoAccountAnswer(go_account=GoAccountView.model_validate(fields))


def custody_answer(outcome: CustodyOutcome) -> CustodyAnswer:
    movement = outcome.movement
    entry = CustodyEntryView(
        id=str(movement.entry_id),
        kind=movement.kind,
        go_account_id=movement.key.account_id.hex,
        currency=movement.key.currency,
        quantity=str(movement.quantity),
        reference=movement.reference,
        created_at=wire_time(movement.created_at),
    )
    balance = CurrencyBalanceView(
        currency=movement.key.currency,
        available=str(outcome.balance.available),
        held=str(outcome.balance.held),
    )
    return CustodyAnswer(entry=entry, balance=balance)


def balances_answer(balances: Mapping[str, Balance]) -> BalancesAnswer:
    return BalancesAnswer(
        balances={
            currency: BalanceView(available=str(balance.available), held=str(balance.held))
            for currency, balance in balances.items()
        }
    )


def currency_view(currency: Currency) -> CurrencyView:
    return CurrencyView(name=currency.name, backing=currency.backing, decimals=currency.decimals)
