"""What the network has by the model: accounts of custody, of connections and of partners.

Written from protocol §4 to §7. ``tests.support.model`` has settlements with a dispute window; here is the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from tests.simulate.on_chain import OnChain
from tests.support.model import Account, Key, Model, ModelDispute, ModelSettlement, Move

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


@dataclass(eq=False)
class Reserved:
    """An allocation or a deallocation that waits for the partner's decision, or has had it."""

    what: str
    id: str
    client: str
    connection: str
    currency: str
    quantity: int
    status: str = "reserved"


class Books(Model):
    """One partner: its account, its connections' accounts and its settlements."""

    def __init__(self) -> None:
        super().__init__()
        self.at_once: list[AtOnce] = []
        self.on_chain: list[OnChain] = []
        self.reserved: list[Reserved] = []
        self.partner_held: defaultdict[str, int] = defaultdict(int)
        self.told: defaultdict[str, list[str]] = defaultdict(list)
        """What has happened to each settlement with a dispute window, as everybody in it is told."""
        self.others: set[str] = set()
        """The settlements without a dispute window, of which this is not compared."""
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

    @property
    def is_due(self) -> bool:
        """Whether a settlement is due at once, as one is that waited for money."""
        return any(one.due_at is not None and one.due_at <= self.now for one in self.settlements)

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
        self.on_chain = [one for one in self.on_chain if one.is_open]

    def advance(self, minutes: float) -> None:
        """Lets the time pass from one due moment to the next, as a sandbox's clock moves.

        So what an execution wakes is tried again at that moment, and not after all that is due later.
        """
        end = self.now + minutes
        while (moment := self.next_moment()) is not None and moment <= end:
            super().advance(max(0.0, moment - self.now))
        super().advance(max(0.0, end - self.now))

    # What happens to a settlement is told to everybody in it.

    def stage(self, settlement_id: str, new: list[Move]) -> ModelSettlement:
        self.told[settlement_id].append("initiated")
        return super().stage(settlement_id, new)

    def reject(self, settlement: ModelSettlement) -> None:
        super().reject(settlement)
        self.told[settlement.id].append("rejected")

    def withdraw(self, settlement: ModelSettlement) -> None:
        super().withdraw(settlement)
        self.told[settlement.id].append("withdrawn")

    def cancel(self, dispute: ModelDispute) -> set[Key]:
        short = super().cancel(dispute)
        settlement = dispute.settled_in
        if settlement is not None and settlement.withdrawn and settlement.state == "rejected":
            self.told[settlement.id].append("rejected")
        return short

    def _finalise(self, settlement: ModelSettlement) -> None:
        super()._finalise(settlement)
        self.told[settlement.id].append("finalizing")

    def _execute(self, settlement: ModelSettlement) -> None:
        before = settlement.state
        super()._execute(settlement)
        # Closures of a rejected settlement end nothing, and what has failed before is not told again.
        if settlement.state != before:
            self.told[settlement.id].append(settlement.state)


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
            own += books.partner[currency] + books.partner_held[currency] + books.spare[currency]
            own += sum(each.available + each.held for (_, of), each in books.accounts.items() if of == currency)
        return own
