"""How pages write amounts, times and ids. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from clearwindow.core.clock import parse_moment
from clearwindow.core.money import format_decimal

SHORT_ID: Final = 8
_GROUP: Final = 3
_THIN_SPACE: Final = "\u202f"
_MINUS: Final = "\u2212"
_SHORT: Final = re.compile(
    r"(?P<lacks_there>[0-9]+) base units of (?P<of_connection>[\w:-]+)"
    r"|(?P<currency>[\w:-]+) by (?P<lacks>[0-9]+) \(needs (?P<needs>[0-9]+), has (?P<has>[0-9]+)\)"
)
"""What is short, in the words of ``settlements.rules.failure_reason`` and ``settlements.funding.in_words``."""
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class Unit:
    """A currency as people name it, and its decimals."""

    ticker: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Amounts:
    """Writes base units as coins. The base units are the title."""

    units: Mapping[str, Unit]

    def __call__(self, quantity: int | str, currency: str, *, signed: bool = False) -> Markup:
        number = int(quantity)
        unit = self.units.get(currency)
        text = grouped(format_decimal(abs(number), unit.decimals if unit else 0))
        sign = _MINUS if number < 0 else "+" if signed and number > 0 else ""
        tone = "loss" if number < 0 else "gain" if signed and number > 0 else "even"
        ticker = unit.ticker if unit else currency
        return Markup(
            '<data class="amount {tone}" value="{number}" title="{number} base units of {currency}">'
            '{sign}{text}<span class="unit">{ticker}</span></data>'
        ).format(tone=tone, number=number, currency=currency, sign=sign, text=text, ticker=ticker)

    def in_text(self, text: str) -> Markup:
        """Writes the amounts of a settlement's reason as coins. The API says them in base units, to be exact."""
        parts, end = [], 0
        for found in _SHORT.finditer(text):
            currency = found["currency"] or found["of_connection"]
            if currency not in self.units:
                continue
            # A connection's shortfall stands before its currency, and the partner's after it.
            for name in ("lacks_there", "lacks", "needs", "has"):
                if found[name]:
                    parts += [Markup.escape(text[end : found.start(name)]), self(found[name], currency)]
                    end = found.end(name)
            if found["of_connection"]:
                end = found.end()
        return Markup("").join([*parts, Markup.escape(text[end:])])


def amounts_of(currencies: Iterable[tuple[str, str, int]]) -> Amounts:
    """Returns what writes amounts of these currencies: name, backing and decimals of each."""
    return Amounts({name: Unit(backing.upper(), decimals) for name, backing, decimals in currencies})


def grouped(number: str) -> str:
    """Returns a decimal number with its whole digits in groups of three."""
    whole, point, fraction = number.partition(".")
    first = len(whole) % _GROUP or _GROUP
    parts = [whole[:first], *(whole[start : start + _GROUP] for start in range(first, len(whole), _GROUP))]
    return _THIN_SPACE.join(parts) + point + fraction


def moment(text: str | datetime | None) -> Markup:
    """Writes a moment of the wire in UTC. The page's module adds the reader's own time."""
    at = text if isinstance(text, datetime) else parse_moment(text) if text else None
    if at is None:
        return Markup('<span class="none">\N{EN DASH}</span>')
    shown = at.astimezone(UTC)
    return Markup('<time datetime="{wire}" title="{full}">{day} {hour}<span class="zone">UTC</span></time>').format(
        wire=shown.isoformat().replace("+00:00", "Z"),
        full=f"{shown:%Y-%m-%d %H:%M:%S} UTC",
        day=f"{shown.day} {shown:%b %Y}",
        hour=f"{shown:%H:%M:%S}",
    )


def utc(text: str | None) -> str:
    """Writes a moment of the wire in UTC, whatever the page's module shows beside it."""
    at = parse_moment(text) if text else None
    return "" if at is None else f"{at.astimezone(UTC):%H:%M} UTC"


def countdown(text: str | None, now: datetime) -> Markup:
    """Writes how long it is until a moment, or since it. The page's module keeps it up to date."""
    at = parse_moment(text) if text else None
    if at is None:
        return Markup('<span class="none">\N{EN DASH}</span>')
    seconds = (at - now).total_seconds()
    shown = at.astimezone(UTC)
    return Markup(
        '<time class="countdown" data-until="{wire}" datetime="{wire}" title="{full}">{text}</time>'
    ).format(
        wire=shown.isoformat().replace("+00:00", "Z"),
        full=f"{shown:%Y-%m-%d %H:%M:%S} UTC",
        text=f"in {duration(seconds)}" if seconds >= 0 else f"{duration(-seconds)} ago",
    )


def duration(seconds: float) -> str:
    """Returns a span in its two largest units, such as ``2 h 05 min``."""
    whole = int(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR} h"


def short(text: str) -> str:
    """Returns the beginning of an id, which tells it from others on a page."""
    return text if len(text) <= SHORT_ID + 4 else f"{text[:SHORT_ID]}\N{HORIZONTAL ELLIPSIS}"


def words(name: str) -> str:
    """Returns a name of the wire as words: ``dispute_window`` is ``dispute window``."""
    return name.replace("_", " ").replace(".", " \N{MIDDLE DOT} ")
