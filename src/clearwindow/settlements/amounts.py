"""The amounts of a request: how many there are, what is wrong with them, and the arrays in which they travel.

PostgreSQL checks the single amounts. Python looks up each connection and each currency once and writes arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, cast
from uuid import UUID

from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.money import AmountUnit
from clearwindow.network import store as network
from clearwindow.network.models import CurrencyMap, Partner
from clearwindow.postgres.asking import Later
from clearwindow.postgres.pool import Transaction
from clearwindow.runtime import Limits
from clearwindow.settlements.models import Amounts, FlatAmounts, NestedAmounts, StagedAmounts
from clearwindow.settlements.transfers import store as transfers
from clearwindow.settlements.transfers.models import AmountArrays, UnfitAmount

Group = tuple[tuple[str, ...], Mapping[str, str]]
"""The amounts of one connection, or of one source and destination, with the path to them in the request."""
_ENTRIES_NAMED: Final = 20
_PROBLEMS: Final = {
    "zero": "is zero",
    "too_large": "has more than 78 digits in base units",
    "too_fine": "has more decimals than the currency, or decimals where your amounts are in base units",
}


@dataclass(frozen=True, slots=True)
class CheckedAmounts:
    """The amounts of a request, and what is wrong with them, in the order in which it is told.

    If something is wrong, ``staged`` is not complete, and nothing may be made of it.
    """

    staged: StagedAmounts
    problems: Sequence[InvalidRequestError]


def require_within_limits(amounts: Amounts, limits: Limits) -> int:
    """Returns the number of amounts.

    Raises:
        InvalidRequestError: there are too many connections or amounts, or a connection has no amount.
    """
    given = _groups(amounts)
    connections = {connection_id for path, _ in given for connection_id in path}
    count = sum(len(quantities) for _, quantities in given)
    if len(connections) > limits.connections_per_settlement:
        text = _too_many(len(connections), "connections", limits.connections_per_settlement)
        raise InvalidRequestError("too_many_connections", text)
    if count > limits.amounts_per_settlement:
        text = _too_many(count, "amounts", limits.amounts_per_settlement)
        raise InvalidRequestError("too_many_amounts", text)
    empty = [path for path, quantities in given if not quantities]
    if empty:
        raise InvalidRequestError("amounts_missing", f"{_entry(empty[0])}: has no amounts")
    return count


def ask_check(
    tx: Transaction, partner: Partner, currency_map: CurrencyMap, amounts: Amounts
) -> Later[CheckedAmounts]:
    """Returns the amounts later, with all that is wrong with them. Asks what it needs of the database at once.

    What can be wrong: a connection is unknown or another partner's, a currency is unmapped, an amount is zero, too
    large or too fine, or a broker's amounts do not sum to zero.

    Raises:
        InvalidRequestError: at once, if amounts are between two connections and may not be.
    """
    groups = _groups(amounts)
    between_connections = as_nested(amounts) is not None
    if between_connections:
        _require_trades(partner, groups)
    paths = _paths(groups)
    names = sorted(set().union(*(given for _, given in groups)))
    ours = {name: currency_map.to_ours(name) for name in names}
    mapped = [found for found in ours.values() if found is not None]
    in_base_units = currency_map.unit is AmountUnit.BASE
    staged = StagedAmounts(
        names=names,
        currencies=[currency for currency, _ in mapped],
        decimals=[0 if in_base_units else decimals for _, decimals in mapped],
        digits_only=in_base_units,
        amounts=_arrays(groups, paths, names, between_connections=between_connections),
    )
    unmapped = [name for name, found in ours.items() if found is None]
    accounts = network.accounts_of_connections(tx, partner.id, staged.amounts.connection_ids)
    unfit, unbalanced = None, None
    if not unmapped:
        unfit = transfers.unfit_amounts(tx, staged.amounts, staged.decimals, digits_only=staged.digits_only)
    if not unmapped and partner.broker and not between_connections:
        unbalanced = transfers.unbalanced_currencies(tx, staged.amounts, staged.currencies)

    def check() -> CheckedAmounts:
        own = accounts()
        found = [
            _unknown(paths, own),
            _unmapped(groups, unmapped) if unmapped else None,
            _unfit(staged, unfit()) if unfit else None,
            _unbalanced(staged, unbalanced()) if unbalanced else None,
        ]
        account_ids = [own[key] for key in staged.amounts.connection_ids if key in own]
        problems = [problem for problem in found if problem is not None]
        return CheckedAmounts(replace(staged, amounts=replace(staged.amounts, account_ids=account_ids)), problems)

    return Later(check)


def as_nested(amounts: Amounts) -> NestedAmounts | None:
    """Returns the amounts if they are between two connections. The schema has checked that all have one form."""
    first = next((value for given in amounts.values() for value in given.values()), None)
    return cast("NestedAmounts", amounts) if isinstance(first, Mapping) else None


def _too_many(number: int, what: str, limit: int) -> str:
    return f"settlementAmounts: {number} {what}, the limit is {limit}: split the settlement"


def _groups(amounts: Amounts) -> list[Group]:
    nested = as_nested(amounts)
    if nested is None:
        return [((connection_id,), given) for connection_id, given in cast("FlatAmounts", amounts).items()]
    return [
        ((source, destination), given)
        for source, destinations in nested.items()
        for destination, given in destinations.items()
    ] + [((source,), {}) for source, destinations in nested.items() if not destinations]


def _entry(path: Iterable[str]) -> str:
    return ".".join(("settlementAmounts", *path))


def _require_trades(partner: Partner, groups: Sequence[Group]) -> None:
    """Requires a broker and two different connections: the amounts are trades between two clients."""
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


def _unfit(staged: StagedAmounts, unfit: Sequence[UnfitAmount]) -> InvalidRequestError | None:
    if not unfit:
        return None
    entries = [
        {
            "entry": _entry((*_path(amount), staged.names[amount.currency_number - 1])),
            "problem": f"{amount.amount:f} {_PROBLEMS[amount.problem]}",
        }
        for amount in unfit
    ]
    return InvalidRequestError(
        "amount_unfit", f"{entries[0]['entry']}: {entries[0]['problem']}", {"problems": entries}
    )


def _path(amount: UnfitAmount) -> tuple[str, ...]:
    source = amount.counterparty_connection_id
    return (str(amount.connection_id),) if source is None else (str(source), str(amount.connection_id))


def _unbalanced(staged: StagedAmounts, unbalanced: Mapping[str, Decimal]) -> InvalidRequestError | None:
    # A broker settles the trades of its clients with each other and keeps nothing of them.
    if not unbalanced:
        return None
    # The partner's names. Two of them may map to one currency of ours.
    written: dict[str, list[str]] = {}
    for name, currency in zip(staged.names, staged.currencies, strict=True):
        written.setdefault(currency, []).append(name)
    sums = {" and ".join(written[currency]): f"{quantity:f}" for currency, quantity in unbalanced.items()}
    currency, quantity = next(iter(sums.items()))
    return InvalidRequestError(
        "amounts_not_net_zero",
        f"settlementAmounts: a broker's amounts must sum to zero, those of {currency} sum to {quantity}",
        {"sums": sums},
    )


def _paths(groups: Sequence[Group]) -> dict[str, tuple[str, ...]]:
    """Returns each connection once, with the path of its first amounts, in the order of these paths."""
    paths = {path[depth - 1]: path[:depth] for path, _ in reversed(groups) for depth in range(1, len(path) + 1)}
    return dict(sorted(paths.items(), key=lambda found: found[1]))


def _unknown(paths: Mapping[str, tuple[str, ...]], own: Mapping[UUID, UUID]) -> InvalidRequestError | None:
    """Returns what is wrong if not all connections are the partner's."""
    missing = [connection_id for connection_id in paths if UUID(connection_id) not in own]
    if not missing:
        return None
    return InvalidRequestError(
        "connection_unknown",
        f"{_entry(paths[missing[0]])}: you have no such connection",
        {"connectionIds": missing[:_ENTRIES_NAMED], "connectionCount": len(missing)},
    )


def _unmapped(groups: Sequence[Group], unmapped: list[str]) -> InvalidRequestError:
    where = next(path for path, given in groups if unmapped[0] in given)
    return InvalidRequestError(
        "currency_unmapped",
        f"{_entry((*where, unmapped[0]))}: your configuration maps no such currency",
        {"currencies": unmapped[:_ENTRIES_NAMED], "currencyCount": len(unmapped)},
    )


def _arrays(
    groups: Sequence[Group], connection_ids: Iterable[str], names: list[str], *, between_connections: bool
) -> AmountArrays:
    """Returns the amounts as the database takes them, still without the accounts of their connections."""
    places = {connection_id: str(place) for place, connection_id in enumerate(connection_ids, start=1)}
    numbers = {name: str(number) for number, name in enumerate(names, start=1)}
    sides = [(places[path[0]], places[path[-1]], given) for path, given in groups]
    return AmountArrays(
        connection_ids=[UUID(connection_id) for connection_id in places],
        account_ids=(),
        places=[place for _, place, given in sides for _ in given],
        sources=[source for source, _, given in sides for _ in given] if between_connections else None,
        currency_numbers=[numbers[name] for _, given in groups for name in given],
        amounts=[amount for _, given in groups for amount in given.values()],
    )
