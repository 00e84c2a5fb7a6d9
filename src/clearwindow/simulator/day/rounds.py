"""The rounds of a day: exchanges settle, clients dispute, operators close and review."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final

from clearwindow.client import UnprocessableError
from clearwindow.client.answers.settlements import StagedSettlement
from clearwindow.simulator.concurrency import map_concurrently
from clearwindow.simulator.day.participants import Participants
from clearwindow.simulator.day.plan import Amounts, DayConnection, DayPlan, Resolution
from clearwindow.simulator.market import external_id
from clearwindow.simulator.network.file import Exchange, Network

NOT_COVERED: Final = "liabilities_exceed_balance"


@dataclass(slots=True)
class Tally:
    """The counts of a day so far.

    Attributes:
        settlements: the exchange's name by settlement id.
        disputes: how many disputes ended in each way; ``dispute_ids`` has their ids.
        withheld: how many amounts exchanges left out because the connection could not cover them.
        moved: by connection, the settled amounts, by the exchange's currency names and in its unit.
        topped_up: by exchange and network currency, what operators deposited, in base units.
        transfers: how many amounts the settlements had, including those of closed disputes.
    """

    settlements: dict[str, str] = field(default_factory=dict)
    disputes: Counter[Resolution] = field(default_factory=Counter)
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
class _PendingAdjustments:
    """The adjusted transfers of closed disputes that an exchange's next settlement includes, in base units."""

    quantities: Counter[str] = field(default_factory=Counter)
    transfers: int = 0


@dataclass(frozen=True, slots=True)
class OpenDispute:
    """A dispute that is not retracted, and the transfers that its client expects."""

    connection: DayConnection
    id: str
    resolution: Resolution
    expected: Mapping[str, int]


class Rounds:
    """Runs the rounds of a day, one after another."""

    def __init__(
        self,
        network: Network,
        participants: Participants,
        plan: DayPlan,
        decimals: Mapping[str, int],
        *,
        prefix: str,
        at_once: int,
    ) -> None:
        self._participants = participants
        self._plan = plan
        self._decimals = decimals
        self._prefix = prefix
        self._at_once = at_once
        self._exchanges = {exchange.name: exchange for exchange in network.exchanges}
        self._pending_adjustments = {name: _PendingAdjustments() for name in self._exchanges}
        self.tally = Tally()

    async def settle(self, number: int, cutoff_at: datetime) -> list[OpenDispute]:
        """Settles a round of every exchange, raises the disputes, deposits what exchanges lack.

        Returns the disputes that are still open.
        """
        disputes = self._plan.disputes(number)
        open_disputes = await map_concurrently(
            self._exchanges.values(),
            lambda exchange: self._settle_one(exchange, number, cutoff_at, disputes),
            at_once=self._at_once,
        )
        return [dispute for disputes_of_one in open_disputes for dispute in disputes_of_one]

    async def close(self, open_disputes: list[OpenDispute]) -> None:
        """Closes and reviews the disputes, each by two users."""
        await map_concurrently(open_disputes, self._close_one, at_once=self._at_once)

    async def _settle_one(
        self, exchange: Exchange, number: int, cutoff_at: datetime, disputes: Mapping[DayConnection, Resolution]
    ) -> list[OpenDispute]:
        connections = {
            connection.connection_id: connection
            for connection in self._plan.connections
            if connection.exchange == exchange.name
        }
        amounts = {
            connection_id: self._plan.staged(connection, number, disputes.get(connection))
            for connection_id, connection in connections.items()
        }
        amounts = {connection_id: given for connection_id, given in amounts.items() if given}
        if not amounts:
            return []
        settlement, covered = await self._stage(exchange, number, cutoff_at, amounts)
        self.tally.settlements[settlement.id] = exchange.name
        self.tally.transfers += sum(map(len, covered.values()))
        for connection_id in covered:
            self.tally.add_moved(connection_id, self._plan.traded(connections[connection_id], number))
        open_disputes = []
        for connection, resolution in disputes.items():
            if connection.connection_id in covered:
                dispute = await self._dispute(settlement.id, connection, number, resolution)
                if resolution is not Resolution.RETRACTED:
                    open_disputes.append(dispute)
        disputed = {dispute.connection.connection_id for dispute in open_disputes}
        await self._fund(exchange, number, {key: given for key, given in covered.items() if key not in disputed})
        return open_disputes

    async def _stage(
        self, exchange: Exchange, number: int, cutoff_at: datetime, amounts: dict[str, Amounts]
    ) -> tuple[StagedSettlement, dict[str, Amounts]]:
        """Stages the amounts that are covered. The others are left out, as if they had not been traded."""
        settlements = self._participants.exchanges[exchange.name].settlements
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

    async def _dispute(
        self, settlement_id: str, connection: DayConnection, number: int, resolution: Resolution
    ) -> OpenDispute:
        """Raises the dispute. If the exchange was right, the client expects no transfers at first, by mistake."""
        client = self._participants.traders[connection.trader]
        expected = self._plan.expected(connection, number)
        raised = await client.disputes.create(
            settlement_id,
            connection_id=connection.connection_id,
            expected_transfers=expected if resolution.exchange_was_wrong else {},
            reason=f"{connection.trader} has other trades in round {number}",
        )
        self.tally.disputes[resolution] += 1
        self.tally.dispute_ids.add(raised.id)
        if resolution is Resolution.RETRACTED:
            await client.disputes.update(
                raised.id,
                connection_id=connection.connection_id,
                retracted=True,
                reason="checked again: the amounts are right",
            )
        return OpenDispute(connection, raised.id, resolution, expected)

    async def _fund(self, exchange: Exchange, number: int, executing: Mapping[str, Amounts]) -> None:
        """Deposits what the exchange lacks for its settlement and the closed disputes that it includes."""
        pending = self._pending_adjustments[exchange.name]
        self._pending_adjustments[exchange.name] = _PendingAdjustments()
        self.tally.transfers += pending.transfers
        due = pending.quantities
        for given in executing.values():
            for name, amount in given.items():
                due[exchange.currencies[name]] += self._base_units(exchange, name, amount)
        to_pay = {currency: needed for currency, needed in due.items() if needed > 0}
        balances = await self._participants.ada.go_accounts.balances(exchange.go_account_id) if to_pay else {}
        for currency, needed in to_pay.items():
            available = balances[currency].available if currency in balances else 0
            if needed > available:
                await self._participants.ada.go_accounts.deposit(
                    exchange.go_account_id,
                    currency=currency,
                    quantity=needed - available,
                    reference=f"{self._prefix}, round {number}, {currency}",
                )
                self.tally.topped_up.setdefault(exchange.name, Counter())[currency] += needed - available

    async def _close_one(self, dispute: OpenDispute) -> None:
        ada, ben = self._participants.ada, self._participants.ben
        if dispute.resolution is Resolution.GIVEN_UP:
            client = self._participants.traders[dispute.connection.trader]
            given_up = await client.disputes.close(dispute.id, notes="checked again: the exchange was right")
            await ben.dispute_closures.review(given_up.id, decision="approved")
        else:
            if dispute.resolution is Resolution.SENT_BACK:
                wrong = await ada.disputes.close(dispute.id, adjusted_transfers={}, notes="nothing was traded")
                await ben.dispute_closures.review(wrong.id, decision="rejected", notes="there are trades")
            closure = await ada.disputes.close(
                dispute.id, adjusted_transfers=dispute.expected, notes="the amounts of the trades"
            )
            await ben.dispute_closures.review(closure.id, decision="approved")
        pending = self._pending_adjustments[dispute.connection.exchange]
        pending.quantities.update(dispute.expected)
        pending.transfers += len(dispute.expected)

    def _base_units(self, exchange: Exchange, name: str, amount: Decimal) -> int:
        if exchange.amount_unit == "base":
            return int(amount)
        return int(amount.scaleb(self._decimals[exchange.currencies[name]]))
