"""Prints any answer of the SDK for people: lists as tables, one thing field by field, amounts with their unit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from clearwindow.cli.people.output import Column, Format, document
from clearwindow.cli.people.reading import first
from clearwindow.client import Pages, Value

if TYPE_CHECKING:
    from clearwindow.cli.people.coins import Coins
    from clearwindow.cli.people.session import Session

_AMOUNTS: Final = frozenset({"quantity", "available", "held", "threshold"})
_LONG: Final = frozenset(
    {"request", "target", "result", "details", "payload", "signature", "encrypted_prv", "postings"}
)
"""Fields that need lines of their own: tables leave them out."""


def render(session: Session, name: str, result: object, limit: int) -> None:
    """Prints what a method of an operator returned."""
    output = session.output
    if result is None:
        output.note("Done.")
    elif isinstance(result, Pages | tuple):
        _table(session, name, first(result, limit))
    elif isinstance(result, Mapping):
        _balances(session, name, result)
    elif output.form is Format.JSON or not isinstance(result, Value):
        output.record(result, {})
    else:
        output.record(result, _record(session, result))


def _table(session: Session, name: str, found: Iterable[Any]) -> None:
    items = list(found)
    shown = [
        field
        for field in (type(items[0]).model_fields if items else ())
        if field not in _LONG and any(getattr(item, field) is not None for item in items)
    ]
    columns: list[Column[Any]] = [
        Column(field.replace("_", " "), partial(_field, session, field), right=field in _AMOUNTS) for field in shown
    ]
    session.output.table(name, items, columns)


def _record(session: Session, value: Value) -> dict[str, object]:
    shown: dict[str, object] = {}
    for field in type(value).model_fields:
        inner = getattr(value, field)
        title = field.replace("_", " ")
        if isinstance(inner, Value):
            shown |= {f"{title}: {name}": text for name, text in _record(session, inner).items()}
        elif isinstance(inner, tuple) and any(isinstance(each, Value) for each in inner):
            shown |= {
                f"{title} {number}: {name}": text
                for number, each in enumerate(inner, start=1)
                for name, text in _record(session, each).items()
            }
        else:
            shown[title] = _field(session, field, value)
    return shown


def _field(session: Session, field: str, value: Any) -> object:  # noqa: ANN401 - any answer
    inner = getattr(value, field)
    currency = getattr(value, "currency", None)
    if isinstance(inner, bool | datetime | None):
        return inner
    if isinstance(inner, int) and field in _AMOUNTS and isinstance(currency, str):
        return session.operator_coins.text(currency, inner)
    if isinstance(inner, Mapping):
        return _mapping(session.operator_coins, inner) if inner else None
    if isinstance(inner, Value):
        return ", ".join(f"{text}" for text in _record(session, inner).values() if text is not None)
    if isinstance(inner, tuple):
        return ", ".join(str(document(each)) for each in inner) or None
    return inner


def _mapping(coins: Coins, given: Mapping[str, Any]) -> str:
    if all(isinstance(quantity, int) and not isinstance(quantity, bool) for quantity in given.values()):
        return ", ".join(coins.text(name, quantity) for name, quantity in given.items())
    return json.dumps(document(given))


def _balances(session: Session, name: str, balances: Mapping[str, Any]) -> None:
    if session.output.form is Format.JSON:
        session.output.record({name: balances}, {})
        return
    coins = session.operator_coins
    session.output.table(
        name,
        sorted(balances.items()),
        [
            Column("available", lambda row: coins.text(row[0], row[1].available), right=True),
            Column("held", lambda row: coins.text(row[0], row[1].held), right=True),
        ],
    )
