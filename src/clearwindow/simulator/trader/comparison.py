"""Whether a settlement says what the trader's own trades say. Pure: values in, values out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from clearwindow.client.answers.disputes import Dispute
from clearwindow.client.answers.settlements import ClientTransfer

Net: TypeAlias = dict[str, int]
"""Per currency, in base units under the network's names: + the connection receives, - it sends. No zeros."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a settlement moves on one connection, beside what the trader holds to be right."""

    connection_id: str
    said: Net
    expected: Net

    @property
    def right(self) -> bool:
        return self.said == self.expected

    @property
    def reason(self) -> str:
        """The difference, in words for whoever reads the dispute."""
        wrong = sorted(currency for currency in self.said | self.expected if self._differs(currency))
        return "; ".join(
            f"{currency}: {self.said.get(currency, 0):+d} settled, {self.expected.get(currency, 0):+d} traded"
            for currency in wrong
        )

    def _differs(self, currency: str) -> bool:
        return self.said.get(currency, 0) != self.expected.get(currency, 0)


def said_of(transfers: Iterable[ClientTransfer], connections: Mapping[str, str]) -> dict[str, Net]:
    """What the transfers move, per connection id.

    Transfers that settle an earlier dispute are left out: they are what that dispute's closure says, and no trades.

    Args:
        transfers: of one settlement.
        connections: the trader's connection ids by their network accounts.
    """
    sums: dict[str, Net] = defaultdict(lambda: defaultdict(int))
    for transfer in transfers:
        if transfer.dispute_closure_id is not None:
            continue
        for account_id, quantity in (
            (transfer.destination_network_account_id, transfer.quantity),
            (transfer.source_network_account_id, -transfer.quantity),
        ):
            if account_id is not None and account_id in connections:
                sums[connections[account_id]][transfer.currency] += quantity
    return {connection_id: without_zeros(net) for connection_id, net in sums.items()}


def without_zeros(net: Mapping[str, int]) -> Net:
    return {currency: quantity for currency, quantity in net.items() if quantity}


def is_put_right(dispute: Dispute) -> bool:
    """Whether a dispute ended with what was expected."""
    closure = dispute.dispute_closure
    return closure is not None and without_zeros(closure.adjusted_transfers) == dict(dispute.expected_transfers)
