"""The order in which a client tries a wallet's keys, and what custodian keys may sign on a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from clearwindow.core.errors import InvalidRequestError, UnprocessableError
from clearwindow.core.money import AmountUnit, canonical_currency, from_partner_amount
from clearwindow.core.text import quoted
from clearwindow.custody.models import GoAccountKey
from clearwindow.custody.wallets.models import DaySum, Names, PartnerCurrency, TextAmount


def keys_to_try(keys: Iterable[GoAccountKey]) -> tuple[GoAccountKey, ...]:
    """Returns the active keys. A client uses the first one and decrypts its ciphertext to sign."""
    active = [key for key in keys if key.revoked_at is None]
    return tuple(sorted(active, key=lambda key: (key.custodian, key.encrypted_prv is None, key.created_at)))


def quantities(
    amounts: Iterable[TextAmount], known: Collection[str], partners: Mapping[str, PartnerCurrency]
) -> dict[str, int]:
    """Returns the sum of a text's amounts in base units, by our name of the currency.

    Args:
        amounts: of the text.
        known: our names of the network's currencies.
        partners: the enterprise's own names as a partner.

    Raises:
        InvalidRequestError: a currency is unknown, or an amount has too many decimals for it.
    """
    sums: Counter[str] = Counter()
    for amount in amounts:
        if amount.names is Names.OURS:
            currency = canonical_currency(amount.currency)
            if currency not in known:
                raise InvalidRequestError(
                    "currency_unknown", f"payload: the network does not know {quoted(amount.currency)}"
                )
            sums[currency] += int(amount.quantity)
        else:
            mapped = partners.get(amount.currency)
            if mapped is None:
                raise InvalidRequestError(
                    "currency_unmapped", f"payload: your configuration maps no {quoted(amount.currency)}"
                )
            sums[mapped.currency] += _base_units(amount, mapped)
    return dict(sums)


def require_within_limits(sums: Iterable[DaySum], added: Mapping[str, int]) -> None:
    """Requires that what was signed today, with this text, is within the enterprise's limits.

    Raises:
        UnprocessableError: a limit is exceeded.
    """
    for day in sums:
        if day.limit is not None and day.quantity > day.limit:
            raise UnprocessableError(
                "custodian_limit_exceeded",
                f"payload: with this text, custodian keys would have signed {day.quantity} of {day.currency} today,"
                f" and your limit is {day.limit}: wait until the next UTC day, or have the limit raised",
                {
                    "currency": day.currency,
                    "limit": str(day.limit),
                    "signedToday": str(day.quantity - added[day.currency]),
                    "quantity": str(added[day.currency]),
                },
            )


def _base_units(amount: TextAmount, mapped: PartnerCurrency) -> int:
    unit = AmountUnit.BASE if amount.names is Names.PARTNERS_IN_BASE_UNITS else mapped.amount_unit
    quantity = from_partner_amount(amount.quantity, unit, mapped.decimals)
    if quantity is None:
        raise InvalidRequestError(
            "amount_unfit",
            f"payload: {quoted(amount.quantity)} cannot be an amount of {quoted(amount.currency)} in your unit",
        )
    return quantity
