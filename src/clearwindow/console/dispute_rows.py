"""A dispute side by side: what is in the settlement, what is expected and what is adjusted. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clearwindow.settlements.disputes.schemas import DisputeWithClosureOutput


@dataclass(frozen=True, slots=True)
class Row:
    """One currency of a dispute, in base units as the client sees them. None: it is not named."""

    currency: str
    settled: int
    expected: int
    adjusted: int | None

    @property
    def difference(self) -> int:
        return self.expected - self.settled


def rows_of(dispute: DisputeWithClosureOutput, settled: Mapping[str, int]) -> list[Row]:
    """Returns the currencies of a dispute side by side: settled, expected, adjusted."""
    closure = dispute.dispute_closure
    expected = {name: int(amount) for name, amount in dispute.expected_transfers.items()}
    adjusted = {name: int(amount) for name, amount in closure.adjusted_transfers.items()} if closure else {}
    return [
        Row(name, settled.get(name, 0), expected.get(name, 0), adjusted.get(name, 0) if closure else None)
        for name in sorted({*settled, *expected, *adjusted})
    ]
