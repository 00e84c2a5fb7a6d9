"""What the network has by the model: accounts of custody, of connections and of partners.

Written from protocol §4 to §7. ``tests.support.model`` has settlements with a dispute window; here is the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from tests.support.model import Account, Key, Model

Change = Mapping[Key, int]
"""What a settlement adds to each balance of a connection, and takes from the partner's account."""


class Kind(Enum):
    """How a partner settles: with a dispute window (flat or between connections), at once, or on chain."""

    WINDOW = "window"
    BROKER = "broker"
    AT_ONCE = "at once"
    ON_CHAIN = "on chain"


@dataclass(eq=False)
class AtOnce:
    """A settlement of version 1 as it stands."""

    id: str
    change: Change
    state: str


class Books(Model):
    """One partner: its account, its connections' accounts and its settlements."""

    def __init__(self) -> None:
        super().__init__()
        self.at_once: list[AtOnce] = []
        self.ended = 0

    def execute(self, settlement: AtOnce) -> dict[Key | str, int]:
        """Executes a settlement of version 1 if everything covers it. Returns what is missing else (§5)."""
        partner: defaultdict[str, int] = defaultdict(int)
        for (_, currency), quantity in settlement.change.items():
            partner[currency] -= quantity
        missing: dict[Key | str, int] = {
            key: -(self.accounts[key].available + quantity)
            for key, quantity in settlement.change.items()
            if self.accounts[key].available + quantity < 0
        }
        missing |= {
            currency: -(self.partner[currency] + quantity)
            for currency, quantity in partner.items()
            if self.partner[currency] + quantity < 0
        }
        settlement.state = "failed" if missing else "completed"
        if not missing:
            for key, quantity in settlement.change.items():
                self.accounts[key].available += quantity
            for currency, quantity in partner.items():
                self.partner[currency] += quantity
        return missing

    @property
    def staged(self) -> int:
        """How many settlements with a dispute window there are and were."""
        return self.ended + len(self.settlements)

    def next_moment(self) -> float | None:
        """Returns when the next window of a settlement ends, in minutes; None if none is open."""
        ends = [one.due_at for one in self.settlements if one.due_at is not None]
        return min(ends, default=None)

    def forget_ended(self) -> None:
        """Forgets settlements to which nothing can happen any more, so that a step takes as long after a year."""
        needed = {one.settlement for one in self.disputes if not _is_over(one.approved, one.settled_in)}
        needed |= {one.settled_in for one in self.disputes if one.settled_in is not None and one.settled_in.is_open}
        kept = [one for one in self.settlements if one.is_open or one in needed]
        self.ended += len(self.settlements) - len(kept)
        self.settlements = kept
        # Ended settlements keep disputes that may be closed, and their closures may be taken.
        self.disputes = [
            one
            for one in self.disputes
            if one.settlement in kept or (one.settled_in is not None and one.settled_in.is_open)
        ]
        self.at_once = [one for one in self.at_once if one.state == "failed"]


def _is_over(approved: bool, settled_in: object | None) -> bool:  # noqa: FBT001 - two facts about one dispute
    return approved and settled_in is not None


@dataclass
class Custody:
    """The Go Accounts of the clients, by client and currency."""

    accounts: defaultdict[tuple[str, str], Account] = field(default_factory=lambda: defaultdict(Account))

    def total(self, currency: str, partners: Mapping[str, Books]) -> int:
        """Returns what all accounts of the network have of a currency."""
        own = sum(each.available + each.held for (_, of), each in self.accounts.items() if of == currency)
        for books in partners.values():
            own += books.partner[currency]
            own += sum(each.available + each.held for (_, of), each in books.accounts.items() if of == currency)
        return own
