"""Statements of accounts. All amounts are base units in our names."""

from __future__ import annotations

from pydantic import AwareDatetime

from clearwindow.client.answers.base import Balance, BaseUnits, Value


class StatedAccount(Value):
    """The account. ``enterprise_id`` is whose it is; only operators read it."""

    id: str
    kind: str
    label: str | None = None
    connection_id: str | None = None
    enterprise_id: str | None = None


class StatedBalances(Value):
    """The balances of one currency at both ends of a period: ``opening`` and ``change`` make ``closing``."""

    opening: Balance
    change: Balance
    closing: Balance


class HeldAmount(Value):
    """An amount that is held, and what for. ``description`` says it in words."""

    cause: str
    cause_id: str
    description: str
    settlement_id: str | None = None
    dispute_id: str | None = None
    external_id: str | None = None
    partner_name: str | None = None
    currency: str
    quantity: BaseUnits


class Statement(Value):
    """An account over a period. ``held`` is None if the period ended before it was read."""

    account: StatedAccount
    created_on_or_after: AwareDatetime | None = None
    created_before: AwareDatetime | None = None
    read_at: AwareDatetime
    balances: dict[str, StatedBalances]
    held: tuple[HeldAmount, ...] | None = None
    held_total: int | None = None


class StatementEntry(Value):
    """What one entry of the journal changed of one currency. ``description`` says it in words."""

    id: str
    created_at: AwareDatetime
    kind: str
    description: str
    cause_id: str
    settlement_id: str | None = None
    dispute_id: str | None = None
    external_id: str | None = None
    partner_name: str | None = None
    reference: str | None = None
    currency: str
    available: BaseUnits
    held: BaseUnits


class NetOrder(Value):
    """Who pays whom how much of one currency. ``payer`` and ``payee`` say what kind of side it is."""

    payer: str
    payer_connection_id: str | None = None
    payer_account_id: str | None = None
    payee: str
    payee_connection_id: str | None = None
    payee_account_id: str | None = None
    currency: str
    quantity: BaseUnits
    transfer_count: int
