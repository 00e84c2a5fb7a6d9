"""The plan of a day: trades, wrong amounts and disputes. It depends only on the seed and the network."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from clearwindow.simulator.market import Market
from clearwindow.simulator.network.file import Exchange, Network

MINUTES_OF_A_DAY: Final = 24 * 60
_REDUCTION: Final = Decimal("0.1")
_PERCENT: Final = 100

Amounts = Mapping[str, Decimal]
"""What a client gains and loses, by the exchange's currency names and in its unit."""


class DayError(RuntimeError):
    """A day cannot run on this network; the message says why and what to do."""


class Resolution(StrEnum):
    """How a dispute ends. The exchange was wrong only in the first two cases."""

    PUT_RIGHT = "closed with the client's amounts"
    SENT_BACK = "closed with wrong amounts, rejected in review, closed with the client's amounts"
    GIVEN_UP = "closed by the client with the exchange's amounts"
    RETRACTED = "retracted by the client inside the dispute window"

    @property
    def exchange_was_wrong(self) -> bool:
        return self in (Resolution.PUT_RIGHT, Resolution.SENT_BACK)


_RESOLUTION_CYCLE: Final = (
    Resolution.PUT_RIGHT,
    Resolution.RETRACTED,
    Resolution.GIVEN_UP,
    Resolution.SENT_BACK,
    Resolution.PUT_RIGHT,
    Resolution.RETRACTED,
    Resolution.PUT_RIGHT,
)


@dataclass(frozen=True, slots=True)
class DayConnection:
    """A connection, with the names of its exchange and trader."""

    exchange: str
    trader: str
    connection_id: str


class DayPlan:
    """The plan of a day on a network."""

    def __init__(self, network: Network, *, seed: int, rounds: int, disputes_percent: float) -> None:
        self.rounds = rounds
        self.connections: Sequence[DayConnection] = [
            DayConnection(connection.exchange, trader.name, connection.connection_id)
            for trader in network.traders
            for connection in trader.connections
        ]
        self._seed = seed
        self._disputes_percent = disputes_percent
        self._exchanges = {exchange.name: exchange for exchange in network.exchanges}
        self._markets = {exchange.name: Market.of(str(seed), exchange.currencies) for exchange in network.exchanges}

    def traded(self, connection: DayConnection, round_number: int) -> Amounts:
        """Returns what the client gained and lost in a round, which is what must be settled in the end."""
        net = self._markets[connection.exchange].net(connection.connection_id, round_number)
        return self._in_unit(self._exchanges[connection.exchange], net)

    def expected(self, connection: DayConnection, round_number: int) -> Mapping[str, int]:
        """Returns the same by the network's currency names and in base units, as a client sends it."""
        return self._markets[connection.exchange].net_base_units(connection.connection_id, round_number)

    def disputes(self, round_number: int) -> Mapping[DayConnection, Resolution]:
        """Returns the disputes of a round and how they end. The last round has none; it settles closed disputes."""
        if round_number >= self.rounds:
            return {}
        first, end = self._disputes_until(round_number - 1), self._disputes_until(round_number)
        chosen = random.Random(f"{self._seed} disputes {round_number}")  # noqa: S311 - must be repeatable
        connections = chosen.sample(self.connections, end - first)
        return {
            connection: _RESOLUTION_CYCLE[number % len(_RESOLUTION_CYCLE)]
            for number, connection in enumerate(connections, start=first)
        }

    def staged(self, connection: DayConnection, round_number: int, resolution: Resolution | None) -> Amounts:
        """Returns what the exchange stages: wrong amounts if the dispute ends with the client's amounts."""
        amounts = self.traded(connection, round_number)
        if resolution is None or not resolution.exchange_was_wrong:
            return amounts
        smallest = self._smallest(self._exchanges[connection.exchange])
        return {name: _reduced(amount, smallest[name]) for name, amount in amounts.items()}

    def _disputes_until(self, round_number: int) -> int:
        """Returns the number of disputes up to a round. Counting over the day gives small networks disputes too."""
        return int(len(self.connections) * self._disputes_percent / _PERCENT * round_number)

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


def _reduced(amount: Decimal, smallest: Decimal) -> Decimal:
    """Returns a tenth less of a gain or a tenth more of a loss, and never zero."""
    reduction = max(smallest, (abs(amount) * _REDUCTION).quantize(smallest))
    return amount - reduction or amount - 2 * reduction
