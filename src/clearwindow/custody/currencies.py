"""Operators add and list the network's currencies."""

from __future__ import annotations

from dataclasses import replace

from clearwindow.core.errors import ConflictError, InvalidRequestError
from clearwindow.core.money import canonical_currency, is_currency_name
from clearwindow.core.text import quoted
from clearwindow.custody import store
from clearwindow.custody.models import Currency
from clearwindow.identity import audit
from clearwindow.identity.models import Operator
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Runtime


def add_currency(runtime: Runtime, actor: Operator, asked: Currency) -> Currency:
    """Adds a currency. The same currency again changes nothing.

    Raises:
        InvalidRequestError: the name is malformed.
        ConflictError: the name belongs to a currency with another backing or other decimals.
    """
    wanted = replace(asked, name=canonical_currency(asked.name))
    if not is_currency_name(wanted.name):
        raise InvalidRequestError(
            "currency_name_malformed", "name: must be ofc and 1 to 60 lower case letters, digits, or : . -"
        )
    with runtime.transaction() as tx:
        if store.insert_currency(tx, wanted):
            audit.record(tx, actor, "currency.added", wanted.name, backing=wanted.backing, decimals=wanted.decimals)
        elif store.currencies(tx, [wanted.name]) != {wanted.name: wanted}:
            raise ConflictError(
                "currency_differs", f"the currency {wanted.name} exists already with another backing or decimals"
            )
    return wanted


def list_currencies(runtime: Runtime) -> list[Currency]:
    with runtime.transaction() as tx:
        return list(store.currencies(tx).values())


def require_currency(tx: Transaction, name: str) -> str:
    """Returns the network's own spelling of a currency's name."""
    ours = canonical_currency(name)
    if not store.currencies(tx, [ours]):
        raise InvalidRequestError(
            "currency_unknown", f"currency: {quoted(name)} is not known here: see GET /api/operator/v1/currencies"
        )
    return ours
