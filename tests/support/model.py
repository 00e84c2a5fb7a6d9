"""What a network of one partner must do with money, said a second time: one balance after another, in plain Python.

Written from the protocol (§4 to §6) and not from the code, so that the two can disagree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

DISPUTE_MINUTES = 10.0
TOP_UP_MINUTES = 10.0
Key = tuple[str, str]
"""A connection's id and our name of a currency."""


@dataclass
class Account:
    available: int = 0
    held: int = 0


@dataclass(eq=False)
class ModelDispute:
    settlement: ModelSettlement
    connection: str
    id: str
    retracted: bool = False
    closure_id: str | None = None
    closure_status: str | None = None
    closed_by: str = ""
    adjusted: dict[str, int] = field(default_factory=dict)
    settled_in: ModelSettlement | None = None
    held: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def approved(self) -> bool:
        return self.closure_status == "approved"


@dataclass(eq=False)
class ModelSettlement:
    id: str
    created_at: float
    new: dict[Key, int]
    pulled: dict[Key, int]
    state: str = "dispute_window"
    due_at: float | None = 0.0
    disputes: dict[str, ModelDispute] = field(default_factory=dict)
    disputed: set[str] = field(default_factory=set)
    held: defaultdict[Key, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def dispute_deadline(self) -> float:
        return self.created_at + DISPUTE_MINUTES

    @property
    def top_up_deadline(self) -> float:
        return self.dispute_deadline + TOP_UP_MINUTES

    def touched(self) -> list[Key]:
        return sorted({*self.new, *self.pulled})

    def takes_part(self, connection: str) -> bool:
        return any(key[0] == connection for key in self.new)


class Model:
    def __init__(self) -> None:
        self.now = 0.0
        self.partner: defaultdict[str, int] = defaultdict(int)
        self.accounts: defaultdict[Key, Account] = defaultdict(Account)
        self.settlements: list[ModelSettlement] = []
        self.disputes: list[ModelDispute] = []

    def waiting_disputes(self) -> list[ModelDispute]:
        """Approved and not settled yet."""
        return [dispute for dispute in self.disputes if dispute.approved and dispute.settled_in is None]

    def pulled_in(self) -> dict[Key, int]:
        pulled: defaultdict[Key, int] = defaultdict(int)
        for dispute in self.waiting_disputes():
            for currency, quantity in dispute.adjusted.items():
                pulled[dispute.connection, currency] += quantity
        return dict(pulled)

    def shortfalls(self, new: Mapping[Key, int]) -> dict[Key, int]:
        """What staging these amounts would be refused for."""
        pulled = self.pulled_in()
        short = {}
        for key in {*new, *pulled}:
            needed = worst_case(new.get(key, 0), pulled.get(key, 0))
            already = sum(
                dispute.held[key[1]] for dispute in self.waiting_disputes() if dispute.connection == key[0]
            )
            missing = needed - already - self.accounts[key].available
            if missing > 0:
                short[key] = missing
        return short

    def stage(self, settlement_id: str, new: dict[Key, int]) -> ModelSettlement:
        settlement = ModelSettlement(settlement_id, self.now, new, self.pulled_in())
        settlement.due_at = settlement.dispute_deadline
        for dispute in self.waiting_disputes():
            for currency, quantity in dispute.held.items():
                self.accounts[dispute.connection, currency].held -= quantity
                self.accounts[dispute.connection, currency].available += quantity
            dispute.held.clear()
            dispute.settled_in = settlement
        for key in settlement.touched():
            self._hold(settlement, key, worst_case(new.get(key, 0), settlement.pulled.get(key, 0)))
        self.settlements.append(settlement)
        return settlement

    def advance(self, minutes: float) -> None:
        self.now += minutes
        while due := [one for one in self.settlements if one.due_at is not None and one.due_at <= self.now]:
            for settlement in sorted(due, key=lambda one: (one.due_at, one.id)):
                if settlement.state == "dispute_window":
                    self._finalise(settlement)
                else:
                    self._execute(settlement)

    def fund(self, currency: str, quantity: int) -> None:
        self.partner[currency] += quantity
        self._wake()

    def approve(self, dispute: ModelDispute) -> dict[str, int]:
        """Approves the closure of a dispute, or gives what its adjustment is short of."""
        short = {}
        for currency in {*dispute.held, *dispute.adjusted}:
            needed = max(0, -dispute.adjusted.get(currency, 0))
            missing = needed - dispute.held[currency] - self.accounts[dispute.connection, currency].available
            if missing > 0:
                short[currency] = missing
        if short:
            return short
        for currency in {*dispute.held, *dispute.adjusted}:
            needed = max(0, -dispute.adjusted.get(currency, 0))
            account = self.accounts[dispute.connection, currency]
            account.available -= needed - dispute.held[currency]
            account.held += needed - dispute.held[currency]
            dispute.held[currency] = needed
        dispute.closure_status = "approved"
        return {}

    def _hold(self, settlement: ModelSettlement, key: Key, quantity: int) -> None:
        self.accounts[key].available -= quantity
        self.accounts[key].held += quantity
        settlement.held[key] += quantity

    def _finalise(self, settlement: ModelSettlement) -> None:
        for connection, dispute in settlement.disputes.items():
            if dispute.retracted:
                continue
            settlement.disputed.add(connection)
            for key in settlement.touched():
                if key[0] == connection:
                    keeps = min(settlement.held[key], max(0, -settlement.pulled.get(key, 0)))
                    dispute.held[key[1]] = settlement.held[key] - keeps
                    settlement.held[key] = keeps
        settlement.state, settlement.due_at = "top_up_window", settlement.top_up_deadline

    def _execute(self, settlement: ModelSettlement) -> None:
        runs = {key: self._final(settlement, key) for key in settlement.touched()}
        change: defaultdict[str, int] = defaultdict(int)
        for (_, currency), quantity in runs.items():
            change[currency] -= quantity
        if any(self.partner[currency] + quantity < 0 for currency, quantity in change.items()):
            settlement.state, settlement.due_at = "failed", None
            return
        for key, quantity in runs.items():
            account, free = self.accounts[key], quantity + settlement.held[key]
            account.held -= settlement.held[key]
            settlement.held[key] = 0
            dispute = settlement.disputes.get(key[0])
            if dispute and key[0] in settlement.disputed and not dispute.approved and quantity > 0:
                room = max(0, max(0, -settlement.new.get(key, 0)) - dispute.held[key[1]])
                filled = min(quantity, room)
                dispute.held[key[1]] += filled
                account.held += filled
                free -= filled
            account.available += free
        for currency, quantity in change.items():
            self.partner[currency] += quantity
        settlement.state, settlement.due_at = "completed", None
        if any(quantity > 0 for quantity in change.values()):
            self._wake()

    def _final(self, settlement: ModelSettlement, key: Key) -> int:
        disputed = key[0] in settlement.disputed
        return settlement.pulled.get(key, 0) + (0 if disputed else settlement.new.get(key, 0))

    def _wake(self) -> None:
        for settlement in self.settlements:
            if settlement.state == "failed":
                settlement.due_at = self.now


def worst_case(new: int, pulled: int) -> int:
    """Over "the client disputes" and "does not"; never below nothing."""
    if_not_disputed = -(new + pulled)
    if_disputed = -pulled
    return max(0, if_not_disputed, if_disputed)
