"""One round of a day: exchanges settle, clients dispute, time passes, operators close and review."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from clearwindow.client import UnprocessableError
from clearwindow.client.answers.settlements import StagedSettlement
from clearwindow.sandbox.day.people import People
from clearwindow.sandbox.day.plan import Amounts, Course, DayPlan, Seat
from clearwindow.sandbox.market import external_id
from clearwindow.sandbox.network.file import Exchange, Network
from clearwindow.sandbox.together import together

NOT_COVERED: Final = "liabilities_exceed_balance"


@dataclass(slots=True)
class Tally:
    """What has happened so far.

    Attributes:
        settlements: the exchange's name per settlement's id.
        disputes: how many there were of each course, and in ``dispute_ids`` which.
        withheld: amounts that a connection could not cover, left out of the settlement by the exchange.
        moved: per connection what the day has changed in the end, by the exchange's names and in its unit.
        topped_up: per exchange and network currency what operators paid in, in base units.
        transfers: how many amounts settlements had, those of closed disputes included.
    """

    settlements: dict[str, str] = field(default_factory=dict)
    disputes: Counter[Course] = field(default_factory=Counter)
    dispute_ids: set[str] = field(default_factory=set)
    withheld: int = 0
    moved: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    topped_up: dict[str, Counter[str]] = field(default_factory=dict)
    transfers: int = 0

    def add_moved(self, connection_id: str, amounts: Amounts) -> None:
        moved = self.moved.setdefault(connection_id, {})
        for name, amount in amounts.items():
            moved[name] = moved.get(name, Decimal(0)) + amount


@dataclass(slots=True)
class _Carried:
    """What an exchange's next settlement carries out for disputes that are closed, in base units."""

    quantities: Counter[str] = field(default_factory=Counter)
    transfers: int = 0


@dataclass(frozen=True, slots=True)
class OpenDispute:
    """A dispute that stands, and what its client expects."""

    seat: Seat
    id: str
    course: Course
    expected: Mapping[str, int]


class Rounds:
    """Plays the rounds of a day, one after another."""

    def __init__(
        self,
        network: Network,
        people: People,
        plan: DayPlan,
        decimals: Mapping[str, int],
        *,
        prefix: str,
        at_once: int,
    ) -> None:
        self._people = people
        self._plan = plan
        self._decimals = decimals
        self._prefix = prefix
        self._at_once = at_once
        self._exchanges = {exchange.name: exchange for exchange in network.exchanges}
        self._carried = {name: _Carried() for name in self._exchanges}
        self.tally = Tally()

    async def settle(self, number: int, cutoff_at: datetime) -> list[OpenDispute]:
        """Has every exchange settle and be able to pay, and the clients dispute; gives the disputes that stand."""
        disputes = self._plan.disputes(number)
        standing = await together(
            self._exchanges.values(),
            lambda exchange: self._settle_one(exchange, number, cutoff_at, disputes),
            at_once=self._at_once,
        )
        return [dispute for of_one in standing for dispute in of_one]

    async def close(self, standing: list[OpenDispute]) -> None:
        """Has the disputes closed and reviewed, by two people each."""
        await together(standing, self._close_one, at_once=self._at_once)

    async def _settle_one(
        self, exchange: Exchange, number: int, cutoff_at: datetime, disputes: Mapping[Seat, Course]
    ) -> list[OpenDispute]:
        seats = {seat.connection_id: seat for seat in self._plan.seats if seat.exchange == exchange.name}
        amounts = {
            connection_id: self._plan.staged(seat, number, disputes.get(seat))
            for connection_id, seat in seats.items()
        }
        amounts = {connection_id: given for connection_id, given in amounts.items() if given}
        if not amounts:
            return []
        settlement, covered = await self._stage(exchange, number, cutoff_at, amounts)
        self.tally.settlements[settlement.id] = exchange.name
        self.tally.transfers += sum(map(len, covered.values()))
        for connection_id in covered:
            self.tally.add_moved(connection_id, self._plan.traded(seats[connection_id], number))
        standing = []
        for seat, course in disputes.items():
            if seat.connection_id in covered:
                dispute = await self._dispute(settlement.id, seat, number, course)
                if course is not Course.RETRACTED:
                    standing.append(dispute)
        disputed = {dispute.seat.connection_id for dispute in standing}
        await self._fund(exchange, number, {key: given for key, given in covered.items() if key not in disputed})
        return standing

    async def _stage(
        self, exchange: Exchange, number: int, cutoff_at: datetime, amounts: dict[str, Amounts]
    ) -> tuple[StagedSettlement, dict[str, Amounts]]:
        """Stages what is covered: who is short is left out, and was not paid for it either."""
        settlements = self._people.exchanges[exchange.name].settlements
        while True:
            try:
                staged = await settlements.create(
                    external_id=external_id(self._prefix, number), settlement_amounts=amounts, cutoff_at=cutoff_at
                )
            except UnprocessableError as error:
                short = {str(gap["connectionId"]) for gap in error.details.get("shortfalls", ())}
                left = {key: given for key, given in amounts.items() if key not in short}
                if error.name != NOT_COVERED or not short or not left:
                    raise
                self.tally.withheld += sum(len(amounts[key]) for key in short & amounts.keys())
                amounts = left
            else:
                return staged, amounts

    async def _dispute(self, settlement_id: str, seat: Seat, number: int, course: Course) -> OpenDispute:
        """Raises the dispute; what its client will see to be wrong again, it does not see at first."""
        client = self._people.traders[seat.trader]
        expected = self._plan.expected(seat, number)
        raised = await client.disputes.create(
            settlement_id,
            connection_id=seat.connection_id,
            expected_transfers=expected if course.exchange_was_wrong else {},
            reason=f"{seat.trader} has other trades of round {number}",
        )
        self.tally.disputes[course] += 1
        self.tally.dispute_ids.add(raised.id)
        if course is Course.RETRACTED:
            await client.disputes.update(
                raised.id, connection_id=seat.connection_id, retracted=True, reason="counted again: it was right"
            )
        return OpenDispute(seat, raised.id, course, expected)

    async def _fund(self, exchange: Exchange, number: int, executing: Mapping[str, Amounts]) -> None:
        """Pays in what the exchange lacks to carry out its settlement, with the disputes that it settles."""
        carried = self._carried[exchange.name]
        self._carried[exchange.name] = _Carried()
        self.tally.transfers += carried.transfers
        due = carried.quantities
        for given in executing.values():
            for name, amount in given.items():
                due[exchange.currencies[name]] += self._base_units(exchange, name, amount)
        to_pay = {currency: needed for currency, needed in due.items() if needed > 0}
        balances = await self._people.ada.go_accounts.balances(exchange.go_account_id) if to_pay else {}
        for currency, needed in to_pay.items():
            available = balances[currency].available if currency in balances else 0
            if needed > available:
                await self._people.ada.go_accounts.deposit(
                    exchange.go_account_id,
                    currency=currency,
                    quantity=needed - available,
                    reference=f"{self._prefix}, round {number}, {currency}",
                )
                self.tally.topped_up.setdefault(exchange.name, Counter())[currency] += needed - available

    async def _close_one(self, dispute: OpenDispute) -> None:
        ada, ben = self._people.ada, self._people.ben
        if dispute.course is Course.GIVEN_UP:
            client = self._people.traders[dispute.seat.trader]
            given_up = await client.disputes.close(dispute.id, notes="counted again: the exchange was right")
            await ada.dispute_closures.review(given_up.id, decision="approved")
        else:
            closing, reviewing = ada, ben
            if dispute.course is Course.SENT_BACK:
                wrong = await ada.disputes.close(dispute.id, adjusted_transfers={}, notes="nothing was traded")
                await ben.dispute_closures.review(wrong.id, decision="rejected", notes="there are trades")
                closing, reviewing = ben, ada
            closure = await closing.disputes.close(
                dispute.id, adjusted_transfers=dispute.expected, notes="as the trades of both sides say"
            )
            await reviewing.dispute_closures.review(closure.id, decision="approved")
        carried = self._carried[dispute.seat.exchange]
        carried.quantities.update(dispute.expected)
        carried.transfers += len(dispute.expected)

    def _base_units(self, exchange: Exchange, name: str, amount: Decimal) -> int:
        if exchange.amount_unit == "base":
            return int(amount)
        return int(amount.scaleb(self._decimals[exchange.currencies[name]]))
