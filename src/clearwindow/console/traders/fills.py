"""A client's own fills, from a file that is read once, and their comparison with a settlement. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from clearwindow.console.coins import base_units
from clearwindow.core.errors import InvalidRequestError

MOST_LINES: Final = 20_000
_COLUMNS: Final = frozenset({"connection", "currency", "amount"})
_SHOWN: Final = 60


class Fill(NamedTuple):
    """One line: a connection by its name or id (empty if the file has none), a currency, + you receive."""

    connection: str
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Compared:
    """One currency on one side: what the settlement moves there, and what the fills say. + you receive."""

    side: str
    currency: str
    settled: int
    own: int

    @property
    def difference(self) -> int:
        return self.settled - self.own


def read(text: str, decimals: Mapping[str, int]) -> list[Fill]:
    """Returns the fills of a CSV file with the columns currency, amount and perhaps connection.

    Raises:
        InvalidRequestError: it is none, or has too many lines. The message names the line.
    """
    head, _, _ = text.partition("\n")
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=head.count), strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if len(set(names)) < len(names) or not {"currency", "amount"} <= set(names) <= _COLUMNS:
            raise _wrong(1, "must have the columns currency and amount, and may have connection, each once")
        return list(_fills(reader, names, decimals))
    except csv.Error as error:
        raise _wrong(reader.line_num, str(error)) from None


def _fills(reader: Iterator[list[str]], names: list[str], decimals: Mapping[str, int]) -> Iterator[Fill]:
    for number, cells in enumerate(reader, start=2):
        if number > MOST_LINES + 1:
            raise _wrong(number, f"more than {MOST_LINES} fills: divide the file")
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            raise _wrong(number, f"has {len(cells)} cells instead of {len(names)}: write decimals with a point")
        values = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
        currency = values["currency"]
        if currency not in decimals:
            raise _wrong(number, f"{currency[:_SHOWN]!r} is no currency of the network, such as ofcbtc")
        try:
            quantity = int(base_units(currency, values["amount"], decimals))
        except InvalidRequestError as error:
            raise _wrong(number, error.message) from None
        yield Fill(values.get("connection", ""), currency, quantity)


def compare(
    fills: list[Fill], settled: Mapping[str, Mapping[str, int]], sides: Mapping[str, str]
) -> list[Compared]:
    """Returns both sums for each side and currency, those that differ first.

    Args:
        fills: the client's own.
        settled: the settlement's sums by side and currency.
        sides: the sides that a file may name, by each of their names and ids.

    Raises:
        InvalidRequestError: a fill names a side that is none, or none though there are several.
    """
    own: dict[tuple[str, str], int] = {}
    only = next(iter(settled)) if len(settled) == 1 else None
    for fill in fills:
        side = sides.get(fill.connection) if fill.connection else only
        if side is None:
            raise InvalidRequestError(
                "request_invalid",
                f"file: {fill.connection[:_SHOWN]!r} is no connection of yours in this settlement"
                if fill.connection
                else "file: needs a column connection, because several connections of yours are in this settlement",
            )
        key = (side, fill.currency)
        own[key] = own.get(key, 0) + fill.quantity
    keys = {*own, *((side, currency) for side, sums in settled.items() for currency in sums)}
    rows = [
        Compared(side, currency, settled.get(side, {}).get(currency, 0), own.get((side, currency), 0))
        for side, currency in sorted(keys)
    ]
    return sorted(rows, key=lambda row: row.difference == 0)


def _wrong(line: int, why: str) -> InvalidRequestError:
    return InvalidRequestError("request_invalid", f"file, line {line}: {why}")
