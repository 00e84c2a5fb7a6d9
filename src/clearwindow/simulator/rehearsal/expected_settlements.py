"""What the market says of every settlement, and what became of those that say something else.

The rehearsal believes neither the exchange nor the trader: it draws the trades once more.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from clearwindow.client import Operator, Partner
from clearwindow.client.answers.disputes import Dispute
from clearwindow.client.answers.settlements import OperatorSettlement, SettlementTransfer
from clearwindow.sandbox.market import Market, round_of

Entry: TypeAlias = tuple[str, str]
"""A settlement's id and a connection's."""

_PAGE_SIZE = 500


@dataclass(frozen=True, slots=True)
class Party:
    """A connection: who trades where."""

    connection_id: str
    exchange: str
    market: Market


@dataclass(slots=True)
class Truth:
    """All settlements so far, beside the market.

    Attributes:
        parties: the connections by their network accounts.
        expected: per entry what the market says, in base units; of every entry that was looked into.
        wrong: the entries that say something else.
    """

    parties: Mapping[str, Party]
    expected: dict[Entry, dict[str, int]] = field(default_factory=dict)
    wrong: set[Entry] = field(default_factory=set)
    _known: set[str] = field(default_factory=set)

    def look(self, operator: Operator, settlements: Iterable[OperatorSettlement]) -> None:
        """Looks into the settlements that it has not seen yet."""
        for settlement in settlements:
            if settlement.id not in self._known:
                self._look_into(settlement, transfers_of(operator, settlement.id))
                self._known.add(settlement.id)

    def _look_into(self, settlement: OperatorSettlement, transfers: Iterable[SettlementTransfer]) -> None:
        round_number = round_of(settlement.external_id)
        if round_number is None:
            return
        said: dict[str, Counter[str]] = defaultdict(Counter)
        for transfer in transfers:
            if transfer.dispute_closure_id is None:
                said[transfer.destination_network_account_id][transfer.currency] += transfer.quantity
        for account_id, net in said.items():
            party = self.parties[account_id]
            entry = (settlement.id, party.connection_id)
            self.expected[entry] = party.market.net_base_units(party.connection_id, round_number)
            if dict(net) != self.expected[entry]:
                self.wrong.add(entry)


def transfers_of(operator: Operator, settlement_id: str) -> list[SettlementTransfer]:
    """All transfers of a settlement."""
    found: list[SettlementTransfer] = []
    while True:
        page_number = len(found) // _PAGE_SIZE
        detail = operator.settlements.get(settlement_id, page_size=_PAGE_SIZE, page_number=page_number)
        found += detail.settlement_transfers
        if len(detail.settlement_transfers) < _PAGE_SIZE:
            return found


def parties_of(partner: Partner, exchange: str, market: Market) -> dict[str, Party]:
    """The connections of an exchange, by their network accounts."""
    return {
        connection.network_account_id: Party(connection.id, exchange, market)
        for connection in partner.connections.list()
    }


@dataclass(frozen=True, slots=True)
class Mending:
    """What became of what was wrong.

    Attributes:
        undisputed: wrong entries that nobody disputes; there must be none.
        put_right: disputes that ended with what the market says, carried out by a later settlement.
        unsettled: disputes of wrong entries that did not end so; there must be none.
        withdrawn: disputes of right entries that were taken back.
        given_up: disputes of right entries that ended with the original amounts.
        astray: disputes of right entries that ended otherwise; there must be none.
    """

    undisputed: frozenset[Entry]
    put_right: int
    unsettled: int
    withdrawn: int
    given_up: int
    astray: int

    @property
    def complete(self) -> bool:
        return not self.undisputed and not self.unsettled and not self.astray


def mending(truth: Truth, disputes: Iterable[Dispute]) -> Mending:
    """Judges all disputes there ever were by what the market says."""
    counts: Counter[str] = Counter()
    disputed: set[Entry] = set()
    for dispute in disputes:
        entry = (dispute.disputed_settlement_id, dispute.connection_id)
        as_traded = is_carried_out(dispute, truth.expected.get(entry, {}))
        if entry in truth.wrong:
            if not dispute.retracted:
                disputed.add(entry)
            counts["put right" if as_traded and not dispute.retracted else "unsettled"] += 1
        elif dispute.retracted:
            counts["withdrawn"] += 1
        else:
            counts["given up" if as_traded else "astray"] += 1
    return Mending(
        frozenset(truth.wrong - disputed),
        counts["put right"],
        counts["unsettled"],
        counts["withdrawn"],
        counts["given up"],
        counts["astray"],
    )


def is_carried_out(dispute: Dispute, expected: Mapping[str, int]) -> bool:
    """Whether a later settlement has moved what is expected instead of what was disputed."""
    closure = dispute.dispute_closure
    if closure is None or dispute.settled_in_settlement_id is None:
        return False
    adjusted = {currency: quantity for currency, quantity in closure.adjusted_transfers.items() if quantity}
    moved = all(transfer.status == "completed" for transfer in closure.adjusted_settlement_transfers)
    return moved and adjusted == dict(expected)
