"""Reads a settlement from a file of a person: CSV as a spreadsheet writes it, or JSON as the API takes it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from clearwindow.cli.people.coins import AmountError, Coins, digits, parse_number
from clearwindow.cli.people.moments import parse_moment
from clearwindow.cli.people.problems import usage

MOST_BYTES: Final = 64 * 1024 * 1024
"""More than 100 000 amounts need. A larger file is refused before it is parsed."""

_CONNECTION: Final = "connection"
_COUNTERPARTY: Final = "counterparty"
_CURRENCY: Final = "currency"
_AMOUNT: Final = "amount"
_BASE_AMOUNT: Final = "amount in base units"
_COLUMNS: Final = frozenset({_CONNECTION, _COUNTERPARTY, _CURRENCY, _AMOUNT, _BASE_AMOUNT})
_WANTED: Final = f"it needs the columns {_CONNECTION}, {_CURRENCY} and {_AMOUNT} (or {_BASE_AMOUNT})"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Row:
    """One amount in base units: + the connection gains. ``place`` is where it stands in the file."""

    place: str
    connection: str
    counterparty: str | None
    currency: str
    quantity: int


@dataclass(frozen=True, slots=True)
class SettlementFile:
    """What a file asks for. ``external_id``, ``cutoff_at`` and ``notes`` only if it says them."""

    rows: tuple[Row, ...]
    external_id: str | None = None
    cutoff_at: datetime | None = None
    notes: str | None = None


def read_file(path: Path, coins: Coins) -> SettlementFile:
    """Reads the file.

    Raises:
        EndError: it is none; the message names the line.
    """
    text = _text_of(path)
    found = _json(text, coins, path) if text.lstrip()[:1] in ("{", "[") else _csv(text, coins, path)
    if not found.rows:
        raise usage(f"{path} has no amounts.")
    _require_each_once(found.rows, path)
    return found


def _text_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise usage(f"{path} cannot be read: {error.strerror}.") from None
    if len(raw) > MOST_BYTES:
        raise usage(f"{path} has more than {MOST_BYTES // (1024 * 1024)} MiB: divide it into several settlements.")
    try:
        text = raw.decode("utf-16" if raw.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise usage(f"{path}, line {line}: is not UTF-8. Save the file as UTF-8.") from None
    if "\x00" in text:
        raise usage(f"{path} is not a text file.")
    return text


def _csv(text: str, coins: Coins, path: Path) -> SettlementFile:
    head, _, _ = text.partition("\n")
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        _require_columns(names, path)
        rows = tuple(
            _csv_row(names, cells, coins, f"{path}, line {reader.line_num}")
            for cells in reader
            if any(cell.strip() for cell in cells)
        )
    except csv.Error as error:
        raise usage(f"{path}, line {reader.line_num}: {error}.") from None
    return SettlementFile(rows)


def _require_columns(names: list[str], path: Path) -> None:
    unknown = [name for name in names if name not in _COLUMNS]
    if unknown or len(set(names)) < len(names):
        shown = ", ".join(repr(name[:40]) for name in (unknown or names)[:5])
        raise usage(f"{path}, line 1: has the columns {shown}, but {_WANTED}, each once.")
    if not {_CONNECTION, _CURRENCY} <= set(names) or (_AMOUNT in names) == (_BASE_AMOUNT in names):
        raise usage(f"{path}, line 1: {_WANTED}.")


def _csv_row(names: list[str], cells: list[str], coins: Coins, place: str) -> Row:
    if len(cells) != len(names):
        raise usage(
            f"{place}: has {len(cells)} cells instead of {len(names)}. Write decimals with a point, not a comma."
        )
    values = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
    in_base = _BASE_AMOUNT in values
    return _row(
        place,
        (values[_CONNECTION], values.get(_COUNTERPARTY) or None),
        values[_CURRENCY],
        values[_BASE_AMOUNT if in_base else _AMOUNT],
        coins,
        in_base=in_base,
    )


def _row(
    place: str, sides: tuple[str, str | None], currency: str, amount: str, coins: Coins, *, in_base: bool
) -> Row:
    connection, counterparty = sides
    if not connection:
        raise usage(f"{place}: has no connection.")
    try:
        coin = coins.theirs(currency)
        quantity = parse_number(amount, 0 if in_base else coin.decimals)
    except AmountError as error:
        raise usage(f"{place}: {error}.") from None
    if quantity == 0:
        raise usage(f"{place}: the amount is 0. Leave the line out.")
    return Row(place, connection, counterparty, currency, quantity)


def _json(text: str, coins: Coins, path: Path) -> SettlementFile:
    from clearwindow.core.strict_json import JsonError, parse_json  # noqa: PLC0415 - CSV does not need it

    try:
        found = parse_json(text.encode(), what="file")
    except JsonError as error:
        raise usage(f"{path}: {error.message}") from None
    amounts = found.get("settlementAmounts") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(amounts, dict):
        raise usage(f"{path}: must be a JSON object with settlementAmounts, as the API takes it.")
    known = {"settlementAmounts", "externalId", "cutoffAt", "notes", "amountUnit"}
    unknown = sorted(set(found) - known)
    if unknown:
        raise usage(f"{path}: has {unknown[0][:40]!r}, but may have only {', '.join(sorted(known))}.")
    unit = found.get("amountUnit")
    if unit not in ("decimal", "base"):
        raise usage(f'{path}: must have amountUnit, "decimal" for coins or "base" for base units.')
    cutoff = found.get("cutoffAt")
    if cutoff is not None and not isinstance(cutoff, str):
        raise usage(f"{path}: cutoffAt must be a text such as 2026-11-22T09:30:00Z.")
    rows = tuple(_json_rows(amounts, coins, path, in_base=unit == "base"))
    try:
        cutoff_at = None if cutoff is None else parse_moment(cutoff)
    except ValueError as error:
        raise usage(f"{path}: cutoffAt: {error}.") from None
    return SettlementFile(rows, _text(found, "externalId", path), cutoff_at, _text(found, "notes", path))


def _json_rows(amounts: Mapping[str, Any], coins: Coins, path: Path, *, in_base: bool) -> Iterator[Row]:
    for connection, given in amounts.items():
        if not isinstance(given, dict):
            raise usage(f"{path}: settlementAmounts.{connection[:60]} must be an object of amounts.")
        for name, inner in given.items():
            place = f"{path}: settlementAmounts.{connection[:60]}.{name[:60]}"
            if isinstance(inner, dict):
                # For a broker: from one connection to another; + the second one gains.
                for currency, amount in inner.items():
                    yield _row(
                        place, (connection, name), currency, _json_amount(amount, place), coins, in_base=in_base
                    )
            else:
                yield _row(place, (connection, None), name, _json_amount(inner, place), coins, in_base=in_base)


def _json_amount(amount: object, place: str) -> str:
    if not isinstance(amount, str):
        raise usage(f'{place}: must be a text, such as "-1.5", because a number of JSON may lose digits.')
    return amount


def _text(found: Mapping[str, Any], name: str, path: Path) -> str | None:
    given = found.get(name)
    if given is not None and not isinstance(given, str):
        raise usage(f"{path}: {name} must be a text.")
    return given


def _require_each_once(rows: tuple[Row, ...], path: Path) -> None:
    seen: dict[tuple[str, str | None, str], str] = {}
    for row in rows:
        first = seen.setdefault((row.connection, row.counterparty, row.currency), row.place)
        if first != row.place:
            shown = row.place.removeprefix(f"{path}, ")
            raise usage(f"{first}: {row.connection} has {row.currency} there and again in {shown}. Add them up.")


def wire_amounts(rows: tuple[Row, ...], ids: Mapping[str, str], coins: Coins) -> dict[str, Any]:
    """Returns the amounts as the API takes them, in the partner's unit; ``ids`` has the connections by their names.

    Raises:
        EndError: two names mean one connection.
    """
    made: dict[str, Any] = {}
    for row in rows:
        coin = coins.theirs(row.currency)
        text = str(row.quantity) if coins.amount_unit == "base" else digits(row.quantity, coin.decimals)
        place = made.setdefault(ids[row.connection], {})
        if row.counterparty is not None:
            place = place.setdefault(ids[row.counterparty], {})
        if row.currency in place:
            raise usage(f"{row.place}: the connection {ids[row.connection]} has {row.currency} twice. Add them up.")
        place[row.currency] = text
    return made
