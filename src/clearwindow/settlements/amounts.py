"""The amounts of a settlement request: from the partner's names and unit to transfers in ours.

The per-amount work is PostgreSQL's: Python only looks up each connection and currency once and writes one text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast
from uuid import UUID

from clearwindow.database.pool import Transaction
from clearwindow.errors import InvalidRequestError
from clearwindow.network import lookups
from clearwindow.network import service as network
from clearwindow.network.values import Partner
from clearwindow.runtime import Limits
from clearwindow.transfers import service as transfers
from clearwindow.transfers.values import UnfitAmount

Flat = Mapping[str, Mapping[str, str]]
"""``{connectionId: {currency: amount}}``; + the connection gains."""
Nested = Mapping[str, Flat]
"""``{sourceConnectionId: {destinationConnectionId: {currency: amount}}}``; + the destination gains; for brokers."""
Amounts = Flat | Nested
Group = tuple[tuple[str, ...], Mapping[str, str]]
"""The amounts of one connection, or of one pair of source and destination, with the path to them."""
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


def as_nested(amounts: Amounts) -> Nested | None:
    """The amounts, where they are between two connections; the request's shape says that they are all alike."""
    first = next((value for given in amounts.values() for value in given.values()), None)
    return cast("Nested", amounts) if isinstance(first, Mapping) else None


def require_within_limits(amounts: Amounts, limits: Limits) -> int:
    """How many amounts there are.

    Raises:
        InvalidRequestError: too many connections or amounts, or a connection without any.
    """
    given = _groups(amounts)
    connections = {connection_id for path, _ in given for connection_id in path}
    count = sum(len(quantities) for _, quantities in given)
    for name, number, limit in (
        ("connections", len(connections), limits.connections_per_settlement),
        ("amounts", count, limits.amounts_per_settlement),
    ):
        if number > limit:
            raise InvalidRequestError(
                f"too_many_{name}",
                f"settlementAmounts: {number} {name}, the limit is {limit}: split the settlement",
            )
    empty = [path for path, quantities in given if not quantities]
    if empty:
        raise InvalidRequestError("amounts_missing", f"{_entry(empty[0])}: has no amounts")
    return count


def _groups(amounts: Amounts) -> list[Group]:
    nested = as_nested(amounts)
    if nested is None:
        return [((connection_id,), given) for connection_id, given in cast("Flat", amounts).items()]
    return [
        ((source, destination), given)
        for source, destinations in nested.items()
        for destination, given in destinations.items()
    ] + [((source,), {}) for source, destinations in nested.items() if not destinations]


def _entry(path: Iterable[str]) -> str:
    return ".".join(("settlementAmounts", *path))


def stage(tx: Transaction, partner: Partner, amounts: Amounts, count: int) -> StagedAmounts:
    """Puts the amounts into the transaction's temporary table, once every one of them can be a transfer.

    Raises:
        InvalidRequestError: naming the unknown or foreign connections, the unmapped currencies, or the amounts
            that are zero, too large or too fine.
    """
    groups = _groups(amounts)
    between_connections = as_nested(amounts) is not None
    if between_connections:
        _require_trades(partner, groups)
    accounts = _network_accounts(tx, partner, groups)
    names = sorted(set().union(*(given for _, given in groups)))
    currency_map = network.currency_map(tx, partner)
    mapped = {name: currency_map.to_ours(name) for name in names}
    unmapped = [name for name, found in mapped.items() if found is None]
    if unmapped:
        _refuse_unmapped(groups, unmapped)
    ours = [found for found in mapped.values() if found is not None]
    in_base_units = currency_map.unit == "base"
    staged = StagedAmounts(
        currencies=[currency for currency, _ in ours],
        decimals=[0 if in_base_units else decimals for _, decimals in ours],
    )
    lines = _lines(groups, accounts, names)
    transfers.stage_amounts(tx, lines, count, between_connections=between_connections)
    _require_fit(tx, staged, names)
    if partner.broker and not between_connections:
        _require_net_zero(tx, staged, names)
    return staged


def _require_trades(partner: Partner, groups: Sequence[Group]) -> None:
    """Amounts between two connections are trades of two clients, which a broker settles."""
    if not partner.broker:
        raise InvalidRequestError(
            "amounts_not_flat",
            f"{_entry(groups[0][0])}: only a broker settles between two connections:"
            " send {connectionId: {currency: amount}}, each as the connection's gain or loss",
        )
    for path, _ in groups:
        source, destination = path
        if source == destination:
            raise InvalidRequestError(
                "connection_with_itself", f"{_entry(path)}: source and destination are the same connection"
            )


def _require_fit(tx: Transaction, staged: StagedAmounts, names: Sequence[str]) -> None:
    unfit = transfers.unfit_amounts(tx, staged.decimals)
    if unfit:
        entries = [
            {
                "entry": _entry((*_path(amount), names[amount.currency_number - 1])),
                "problem": f"{amount.amount:f} {_PROBLEMS[amount.problem]}",
            }
            for amount in unfit
        ]
        raise InvalidRequestError(
            "amount_unfit", f"{entries[0]['entry']}: {entries[0]['problem']}", {"problems": entries}
        )


def _path(amount: UnfitAmount) -> tuple[str, ...]:
    source = amount.counterparty_connection_id
    return (str(amount.connection_id),) if source is None else (str(source), str(amount.connection_id))


def _require_net_zero(tx: Transaction, staged: StagedAmounts, names: Sequence[str]) -> None:
    # A broker stands between its clients and has no part of its own in what they trade.
    unbalanced = transfers.unbalanced_currencies(tx, staged.currencies)
    if unbalanced:
        # The names that were written; two of them may mean one currency of ours.
        written: dict[str, list[str]] = {}
        for name, currency in zip(names, staged.currencies, strict=True):
            written.setdefault(currency, []).append(name)
        sums = {" and ".join(written[currency]): f"{quantity:f}" for currency, quantity in unbalanced.items()}
        currency, quantity = next(iter(sums.items()))
        raise InvalidRequestError(
            "amounts_not_net_zero",
            f"settlementAmounts: a broker's amounts must sum to zero, those of {currency} sum to {quantity}",
            {"sums": sums},
        )


def _network_accounts(tx: Transaction, partner: Partner, groups: Sequence[Group]) -> dict[str, UUID]:
    places = {path[depth - 1]: path[:depth] for path, _ in reversed(groups) for depth in range(1, len(path) + 1)}
    wanted = {connection_id: UUID(connection_id) for connection_id in sorted(places, key=places.__getitem__)}
    own = lookups.accounts_of_connections(tx, partner.id, wanted.values())
    missing = [connection_id for connection_id, key in wanted.items() if key not in own]
    if missing:
        raise InvalidRequestError(
            "connection_unknown",
            f"{_entry(places[missing[0]])}: you have no such connection",
            {"connectionIds": missing[:_ENTRIES_NAMED], "connectionCount": len(missing)},
        )
    return {connection_id: own[key] for connection_id, key in wanted.items()}


def _refuse_unmapped(groups: Sequence[Group], unmapped: list[str]) -> None:
    where = next(path for path, given in groups if unmapped[0] in given)
    raise InvalidRequestError(
        "currency_unmapped",
        f"{_entry((*where, unmapped[0]))}: your configuration maps no such currency",
        {"currencies": unmapped[:_ENTRIES_NAMED], "currencyCount": len(unmapped)},
    )


def _lines(groups: Sequence[Group], accounts: Mapping[str, UUID], names: list[str]) -> Iterator[str]:
    numbers = {name: str(number) for number, name in enumerate(names, start=1)}
    for path, given in groups:
        head = "".join(f"{connection_id}\t{accounts[connection_id]}\t" for connection_id in path)
        for name, amount in given.items():
            yield f"{head}{numbers[name]}\t{amount}\n"
