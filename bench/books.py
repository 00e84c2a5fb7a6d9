"""The check of the books of a bench's network."""

from __future__ import annotations

from typing import Final

from clearwindow.ledger.check.service import Finding
from clearwindow.ledger.check.service import check_ledger as check_all
from clearwindow.postgres.pool import Transaction

_NAME_THE_SEED: Final = {
    "entry_has_its_cause",
    "entry_moves_what_its_kind_may",
    "allocation_moves_what_it_says",
    "record_names_its_partner",
}
"""The network is funded by one entry for all allocations, which have no rows: these invariants name that entry."""


def check_ledger(tx: Transaction) -> list[Finding]:
    """Returns the violated invariants, but those that name how the network was funded."""
    return [found for found in check_all(tx) if found.invariant not in _NAME_THE_SEED]
