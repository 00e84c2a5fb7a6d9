"""A settlement from a file: CSV with amounts in coins, or JSON as the API takes it. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from clearwindow.console.coins import base_units
from clearwindow.core.errors import InvalidRequestError
from clearwindow.core.strict_json import JsonError, parse_json

MOST_LINES: Final = 10_000
_NEEDED: Final = frozenset({"connection", "currency", "amount"})
_SHOWN: Final = 60


class Unit(NamedTuple):
    """How the exchange writes amounts of one of its currencies: its decimals, and whether in base units."""

    decimals: int
    in_base_units: bool


def amounts_of(text: str, units: Mapping[str, Unit]) -> Mapping[str, Any]:
    """Returns the amounts of a file as the API takes them, by the connections that the file names.

    Args:
        text: CSV with the columns connection, currency and amount, in coins; or JSON with settlementAmounts, in the
            exchange's own unit.
        units: of the exchange's currencies, by its names of them.

    Raises:
        InvalidRequestError: it is neither, has too many lines, or names something twice. It names the line.
    """
    return _json(text) if text.lstrip()[:1] == "{" else _csv(text, units)


def with_ids(amounts: Mapping[str, Any], ids: Mapping[str, str]) -> dict[str, Any]:
    """Returns the amounts by the ids of the connections that the file names.

    Raises:
        InvalidRequestError: there is no such connection, or two names are of the same one.
    """
    made: dict[str, Any] = {}
    for name, given in amounts.items():
        if name not in ids:
            raise _wrong(f"{name[:_SHOWN]!r} is no connection of yours: write its id or your own id of it")
        if ids[name] in made:
            raise _wrong(f"{name[:_SHOWN]!r} is a connection that stands there already under its other name")
        made[ids[name]] = given
    return made


def _csv(text: str, units: Mapping[str, Unit]) -> dict[str, dict[str, str]]:
    head, _, _ = text.partition("\n")
    reader = csv.reader(io.StringIO(text), delimiter=max(",;\t", key=head.count), strict=True)
    made: dict[str, dict[str, str]] = {}
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if len(names) != len(_NEEDED) or set(names) != _NEEDED:
            raise _wrong("line 1: must have the columns connection, currency and amount, each once")
        for line, connection, currency, amount in _rows(reader, names, units):
            of_connection = made.setdefault(connection, {})
            if currency in of_connection:
                raise _wrong(f"line {line}: {connection[:_SHOWN]} has {currency[:_SHOWN]} twice: add them up")
            of_connection[currency] = amount
    except csv.Error as error:
        raise _wrong(f"line {reader.line_num}: {error}") from None
    if not made:
        raise _wrong("has no amounts")
    return made


def _rows(
    reader: Iterator[list[str]], names: list[str], units: Mapping[str, Unit]
) -> Iterator[tuple[int, str, str, str]]:
    for line, cells in enumerate(reader, start=2):
        if line > MOST_LINES + 1:
            raise _wrong(f"more than {MOST_LINES} amounts: use clearwindow settle FILE, or divide it")
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            raise _wrong(
                f"line {line}: has {len(cells)} cells instead of {len(names)}: write decimals with a point"
            )
        values = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
        currency = values["currency"]
        unit = units.get(currency)
        if unit is None:
            raise _wrong(f"line {line}: {currency[:_SHOWN]!r} is none of your currencies")
        yield line, values["connection"], currency, _amount(line, currency, values["amount"], unit)


def _amount(line: int, currency: str, raw: str, unit: Unit) -> str:
    try:
        number = int(base_units(currency, raw, {currency: unit.decimals}))
    except InvalidRequestError as error:
        raise _wrong(f"line {line}: {error.message}") from None
    if number == 0:
        raise _wrong(f"line {line}: the amount is 0: leave the line out")
    if unit.in_base_units:
        return str(number)
    digits = str(abs(number)).rjust(unit.decimals + 1, "0")
    whole, fraction = digits[: len(digits) - unit.decimals], digits[len(digits) - unit.decimals :].rstrip("0")
    return f"{'-' if number < 0 else ''}{whole}{'.' if fraction else ''}{fraction}"


def _json(text: str) -> Mapping[str, Any]:
    try:
        found = parse_json(text, what="file")
    except JsonError as error:
        raise _wrong(error.message) from None
    amounts = found.get("settlementAmounts") if isinstance(found, dict) else None
    if not isinstance(amounts, dict) or not amounts:
        raise _wrong("must be a JSON object with settlementAmounts, as the API takes it")
    return amounts


def _wrong(why: str) -> InvalidRequestError:
    return InvalidRequestError("request_invalid", f"file: {why}")
