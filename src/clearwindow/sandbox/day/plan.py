"""What happens on a day: who trades what, what is settled wrongly, who disputes. Pure; it follows from the seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from clearwindow.sandbox.market import Market
from clearwindow.sandbox.network.file import Exchange, Network

MINUTES_OF_A_DAY: Final = 24 * 60
_SKIMMED: Final = Decimal("0.1")
_PERCENT: Final = 100

Amounts = Mapping[str, Decimal]
"""What a client gains and loses, by the exchange's names and in its unit."""


class DayError(RuntimeError):
    """A day cannot be played on this network; the message says why, and what to do."""


class Course(StrEnum):
    """What becomes of a dispute. Only in the first two was the exchange wrong."""

    PUT_RIGHT = "closed as the client said"
    SENT_BACK = "closed wrongly, sent back by the second operator, closed as the client said"
    GIVEN_UP = "given up by the client after the window"
    RETRACTED = "retracted inside the window"

    @property
    def exchange_was_wrong(self) -> bool:
        return self in (Course.PUT_RIGHT, Course.SENT_BACK)


_TURNS: Final = (
    Course.PUT_RIGHT,
    Course.RETRACTED,
    Course.GIVEN_UP,
    Course.SENT_BACK,
    Course.PUT_RIGHT,
    Course.RETRACTED,
    Course.PUT_RIGHT,
)


@dataclass(frozen=True, slots=True)
class Seat:
    """A connection, by the names of those on its two sides."""

    exchange: str
    trader: str
    connection_id: str


class DayPlan:
    """A day on a network."""

    def __init__(self, network: Network, *, seed: int, rounds: int, disputes_percent: float) -> None:
        self.rounds = rounds
        self.seats: Sequence[Seat] = [
            Seat(connection.exchange, trader.name, connection.connection_id)
            for trader in network.traders
            for connection in trader.connections
        ]
        self._seed = seed
        self._disputes_percent = disputes_percent
        self._exchanges = {exchange.name: exchange for exchange in network.exchanges}
        self._markets = {exchange.name: Market.of(str(seed), exchange.currencies) for exchange in network.exchanges}

    def traded(self, seat: Seat, round_number: int) -> Amounts:
        """What the client gained and lost in a round, which is what it must get in the end."""
        net = self._markets[seat.exchange].net(seat.connection_id, round_number)
        return self._in_unit(self._exchanges[seat.exchange], net)

    def expected(self, seat: Seat, round_number: int) -> Mapping[str, int]:
        """The same as the client says it: by the network's names and in base units."""
        return self._markets[seat.exchange].net_base_units(seat.connection_id, round_number)

    def disputes(self, round_number: int) -> Mapping[Seat, Course]:
        """Who disputes the settlement of a round, and what comes of it; the last round only settles the rest."""
        if round_number >= self.rounds:
            return {}
        first, end = self._disputes_until(round_number - 1), self._disputes_until(round_number)
        chosen = random.Random(f"{self._seed} disputes {round_number}")  # noqa: S311 - to be the same again
        seats = chosen.sample(self.seats, end - first)
        return {seat: _TURNS[number % len(_TURNS)] for number, seat in enumerate(seats, start=first)}

    def staged(self, seat: Seat, round_number: int, course: Course | None) -> Amounts:
        """What the exchange settles: wrong where the dispute will be put right."""
        amounts = self.traded(seat, round_number)
        if course is None or not course.exchange_was_wrong:
            return amounts
        smallest = self._smallest(self._exchanges[seat.exchange])
        return {name: _skimmed(amount, smallest[name]) for name, amount in amounts.items()}

    def _disputes_until(self, round_number: int) -> int:
        """Counted over the day, so that a small network has its share of disputes too."""
        return int(len(self.seats) * self._disputes_percent / _PERCENT * round_number)

    def _in_unit(self, exchange: Exchange, amounts: Amounts) -> Amounts:
        if exchange.amount_unit == "decimal":
            return amounts
        by_name = {currency.name: currency for currency in self._markets[exchange.name].currencies}
        return {name: Decimal(by_name[name].base_units(amount)) for name, amount in amounts.items()}

    def _smallest(self, exchange: Exchange) -> Mapping[str, Decimal]:
        return {
            currency.name: currency.smallest if exchange.amount_unit == "decimal" else Decimal(1)
            for currency in self._markets[exchange.name].currencies
        }


def _skimmed(amount: Decimal, smallest: Decimal) -> Decimal:
    """A tenth less of a gain, a tenth more of a loss, and never nothing."""
    skim = max(smallest, (abs(amount) * _SKIMMED).quantize(smallest))
    return amount - skim or amount - 2 * skim
