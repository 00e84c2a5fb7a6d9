"""Compares a settlement with the trader's own trades. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from clearwindow.client.answers.disputes import Dispute
from clearwindow.client.answers.settlements import ClientTransfer

Net: TypeAlias = dict[str, int]
"""By the network's currency names, in base units: positive if the connection receives, else negative. No zeros."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The settled and the expected amounts of one connection."""

    connection_id: str
    settled: Net
    expected: Net

    @property
    def right(self) -> bool:
        return self.settled == self.expected

    @property
    def reason(self) -> str:
        """The differences in words, for readers of the dispute."""
        wrong = sorted(currency for currency in self.settled | self.expected if self._differs(currency))
        return "; ".join(
            f"{currency}: {self.settled.get(currency, 0):+d} settled, {self.expected.get(currency, 0):+d} traded"
            for currency in wrong
        )

    def _differs(self, currency: str) -> bool:
        return self.settled.get(currency, 0) != self.expected.get(currency, 0)


def settled_amounts(transfers: Iterable[ClientTransfer], connections: Mapping[str, str]) -> dict[str, Net]:
    """Returns the sums of the transfers, by connection id.

    Transfers that settle an earlier dispute are left out, because they are not trades of this settlement.

    Args:
        transfers: the transfers of one settlement.
        connections: the trader's connection ids, by network account id.
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


def ended_as_expected(dispute: Dispute) -> bool:
    """Returns whether the dispute was closed with the transfers that the trader expected."""
    closure = dispute.dispute_closure
    return closure is not None and without_zeros(closure.adjusted_transfers) == dict(dispute.expected_transfers)
