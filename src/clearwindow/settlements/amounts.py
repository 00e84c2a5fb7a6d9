"""The amounts of a settlement request: from the partner's names and unit to transfers in ours.

The per-amount work is PostgreSQL's: Python only looks up each connection and currency once and writes one text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from clearwindow.database.pool import Transaction
from clearwindow.errors import InvalidRequestError
from clearwindow.network import lookups
from clearwindow.network import service as network
from clearwindow.network.values import Partner
from clearwindow.runtime import Limits
from clearwindow.transfers import service as transfers

Amounts = Mapping[str, Mapping[str, str]]
_ENTRIES_NAMED: Final = 20
_PROBLEMS: Final = {
    "zero": "is zero",
    "too_large": "has more than 78 digits in base units",
    "too_fine": "has more decimals than the currency, or decimals where your amounts are in base units",
}


@dataclass(frozen=True, slots=True)
class StagedAmounts:
    """What was staged: the currencies by number (counted from 1), as ours, with the decimals to scale by."""

    currencies: list[str]
    decimals: list[int]


def require_within_limits(amounts: Amounts, limits: Limits) -> int:
    """How many amounts there are.

    Raises:
        InvalidRequestError: too many connections or amounts, or a connection without any.
    """
    count = sum(map(len, amounts.values()))
    for name, number, limit in (
        ("connections", len(amounts), limits.connections_per_settlement),
        ("amounts", count, limits.amounts_per_settlement),
    ):
        if number > limit:
            raise InvalidRequestError(
                f"too_many_{name}",
                f"settlementAmounts: {number} {name}, the limit is {limit}: split the settlement",
            )
    empty = [connection_id for connection_id, given in amounts.items() if not given]
    if empty:
        raise InvalidRequestError("amounts_missing", f"settlementAmounts.{empty[0]}: has no amounts")
    return count


def stage(tx: Transaction, partner: Partner, amounts: Amounts, count: int) -> StagedAmounts:
    """Puts the amounts into the transaction's temporary table, once every one of them can be a transfer.

    Raises:
        InvalidRequestError: naming the unknown or foreign connections, the unmapped currencies, or the amounts
            that are zero, too large or too fine.
    """
    accounts = _network_accounts(tx, partner, amounts)
    names = sorted(set().union(*amounts.values()))
    currency_map = network.currency_map(tx, partner)
    mapped = {name: currency_map.to_ours(name) for name in names}
    unmapped = [name for name, found in mapped.items() if found is None]
    if unmapped:
        _refuse_unmapped(amounts, unmapped)
    ours = [found for found in mapped.values() if found is not None]
    in_base_units = currency_map.unit == "base"
    staged = StagedAmounts(
        currencies=[currency for currency, _ in ours],
        decimals=[0 if in_base_units else decimals for _, decimals in ours],
    )
    transfers.stage_amounts(tx, _lines(amounts, accounts, names), count)
    unfit = transfers.unfit_amounts(tx, staged.decimals)
    if unfit:
        entries = [
            {
                "entry": f"settlementAmounts.{amount.connection_id}.{names[amount.currency_number - 1]}",
                "problem": f"{amount.amount:f} {_PROBLEMS[amount.problem]}",
            }
            for amount in unfit
        ]
        raise InvalidRequestError(
            "amount_unfit", f"{entries[0]['entry']}: {entries[0]['problem']}", {"problems": entries}
        )
    if partner.broker:
        _require_net_zero(tx, staged)
    return staged


def _require_net_zero(tx: Transaction, staged: StagedAmounts) -> None:
    # A broker stands between its clients and has no part of its own in what they trade.
    unbalanced = transfers.unbalanced_currencies(tx, staged.currencies)
    if unbalanced:
        sums = {currency: f"{quantity:f}" for currency, quantity in unbalanced.items()}
        currency, quantity = next(iter(sums.items()))
        raise InvalidRequestError(
            "amounts_not_net_zero",
            f"settlementAmounts: a broker's amounts must sum to zero, those of {currency} sum to {quantity}",
            {"sums": sums},
        )


def _network_accounts(tx: Transaction, partner: Partner, amounts: Amounts) -> dict[str, UUID]:
    wanted = {connection_id: UUID(connection_id) for connection_id in amounts}
    own = lookups.accounts_of_connections(tx, partner.id, wanted.values())
    missing = [connection_id for connection_id, key in wanted.items() if key not in own]
    if missing:
        raise InvalidRequestError(
            "connection_unknown",
            f"settlementAmounts.{missing[0]}: you have no such connection",
            {"connectionIds": missing[:_ENTRIES_NAMED], "connectionCount": len(missing)},
        )
    return {connection_id: own[key] for connection_id, key in wanted.items()}


def _refuse_unmapped(amounts: Amounts, unmapped: list[str]) -> None:
    where = next(connection_id for connection_id, given in amounts.items() if unmapped[0] in given)
    raise InvalidRequestError(
        "currency_unmapped",
        f"settlementAmounts.{where}.{unmapped[0]}: your configuration maps no such currency",
        {"currencies": unmapped[:_ENTRIES_NAMED], "currencyCount": len(unmapped)},
    )


def _lines(amounts: Amounts, accounts: Mapping[str, UUID], names: list[str]) -> Iterator[str]:
    numbers = {name: str(number) for number, name in enumerate(names, start=1)}
    for connection_id, given in amounts.items():
        head = f"{connection_id}\t{accounts[connection_id]}\t"
        for name, amount in given.items():
            yield f"{head}{numbers[name]}\t{amount}\n"
