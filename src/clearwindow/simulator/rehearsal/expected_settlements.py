"""Compares all settlements with the trades of the market, and classifies the disputes about them.

The rehearsal relies on neither exchange nor trader: it computes the trades itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from clearwindow.client import Operator, Partner
from clearwindow.client.answers.disputes import Dispute
from clearwindow.client.answers.settlements import OperatorSettlement, SettlementTransfer
from clearwindow.simulator.market import Market, round_of

Entry: TypeAlias = tuple[str, str]
"""A settlement id and a connection id."""

_PAGE_SIZE = 500


@dataclass(frozen=True, slots=True)
class TradingConnection:
    """A connection with its exchange and market."""

    connection_id: str
    exchange: str
    market: Market


@dataclass(slots=True)
class ExpectedSettlements:
    """All settlements so far, compared with the market.

    Attributes:
        connections: the connections by network account id.
        amounts: by entry, the amounts of the market in base units.
        wrong: the entries with other amounts.
    """

    connections: Mapping[str, TradingConnection]
    amounts: dict[Entry, dict[str, int]] = field(default_factory=dict)
    wrong: set[Entry] = field(default_factory=set)
    _known: set[str] = field(default_factory=set)

    def add(self, operator: Operator, settlements: Iterable[OperatorSettlement]) -> None:
        """Compares the settlements that are new."""
        for settlement in settlements:
            if settlement.id not in self._known:
                self._compare(settlement, transfers_of(operator, settlement.id))
                self._known.add(settlement.id)

    def _compare(self, settlement: OperatorSettlement, transfers: Iterable[SettlementTransfer]) -> None:
        round_number = round_of(settlement.external_id)
        if round_number is None:
            return
        settled: dict[str, Counter[str]] = defaultdict(Counter)
        for transfer in transfers:
            if transfer.dispute_closure_id is None:
                settled[transfer.destination_network_account_id][transfer.currency] += transfer.quantity
        for account_id, net in settled.items():
            trading_connection = self.connections[account_id]
            entry = (settlement.id, trading_connection.connection_id)
            self.amounts[entry] = trading_connection.market.net_base_units(
                trading_connection.connection_id, round_number
            )
            if dict(net) != self.amounts[entry]:
                self.wrong.add(entry)


def transfers_of(operator: Operator, settlement_id: str) -> list[SettlementTransfer]:
    """Returns all transfers of a settlement."""
    found: list[SettlementTransfer] = []
    while True:
        page_number = len(found) // _PAGE_SIZE
        detail = operator.settlements.get(settlement_id, page_size=_PAGE_SIZE, page_number=page_number)
        found += detail.settlement_transfers
        if len(detail.settlement_transfers) < _PAGE_SIZE:
            return found


def connections_of(partner: Partner, exchange: str, market: Market) -> dict[str, TradingConnection]:
    """Returns the connections of an exchange, by network account id."""
    return {
        connection.network_account_id: TradingConnection(connection.id, exchange, market)
        for connection in partner.connections.list()
    }


@dataclass(frozen=True, slots=True)
class DisputeResults:
    """The results of all disputes.

    Attributes:
        undisputed: wrong entries without a dispute. There must be none.
        put_right: disputes of wrong entries that a later settlement settled with the amounts of the market.
        unsettled: disputes of wrong entries with any other result. There must be none.
        withdrawn: disputes of right entries that were retracted.
        given_up: disputes of right entries that were closed with the original amounts.
        ended_wrongly: disputes of right entries with any other result. There must be none.
    """

    undisputed: frozenset[Entry]
    put_right: int
    unsettled: int
    withdrawn: int
    given_up: int
    ended_wrongly: int

    @property
    def complete(self) -> bool:
        return not self.undisputed and not self.unsettled and not self.ended_wrongly


def dispute_results(expected_settlements: ExpectedSettlements, disputes: Iterable[Dispute]) -> DisputeResults:
    """Classifies all disputes, including ended ones, by the amounts of the market."""
    counts: Counter[str] = Counter()
    disputed: set[Entry] = set()
    for dispute in disputes:
        entry = (dispute.disputed_settlement_id, dispute.connection_id)
        as_traded = is_executed(dispute, expected_settlements.amounts.get(entry, {}))
        if entry in expected_settlements.wrong:
            if not dispute.retracted:
                disputed.add(entry)
            counts["put right" if as_traded and not dispute.retracted else "unsettled"] += 1
        elif dispute.retracted:
            counts["withdrawn"] += 1
        else:
            counts["given up" if as_traded else "astray"] += 1
    return DisputeResults(
        frozenset(expected_settlements.wrong - disputed),
        counts["put right"],
        counts["unsettled"],
        counts["withdrawn"],
        counts["given up"],
        counts["astray"],
    )


def is_executed(dispute: Dispute, expected: Mapping[str, int]) -> bool:
    """Returns whether a later settlement executed the expected amounts."""
    closure = dispute.dispute_closure
    if closure is None or dispute.settled_in_settlement_id is None:
        return False
    adjusted = {currency: quantity for currency, quantity in closure.adjusted_transfers.items() if quantity}
    moved = all(transfer.status == "completed" for transfer in closure.adjusted_settlement_transfers)
    return moved and adjusted == dict(expected)
