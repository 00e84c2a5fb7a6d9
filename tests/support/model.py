"""What a network of one partner must do with money, said a second time: one balance after another, in plain Python.

Written from the protocol (§4 to §6, and docs/decisions/0009 for trades of a broker) and not from the code, so that
the two can disagree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

DISPUTE_MINUTES = 10.0
TOP_UP_MINUTES = 10.0
Key = tuple[str, str]
"""A connection's id and our name of a currency."""


class Move(NamedTuple):
    """From the source, or from the partner where that is None, to the connection; backwards where negative."""

    connection: str
    source: str | None
    currency: str
    quantity: int

    def sides(self) -> list[tuple[Key, str | None, int]]:
        """Each balance that it moves, against whom, and by how much."""
        own = ((self.connection, self.currency), self.source, self.quantity)
        if self.source is None:
            return [own]
        return [own, ((self.source, self.currency), self.connection, -self.quantity)]

    def among(self, connections: Collection[str]) -> bool:
        return self.connection in connections or self.source in connections


def keys_of(moves: Iterable[Move]) -> list[Key]:
    return sorted({key for move in moves for key, _, _ in move.sides()})


def gain(moves: Iterable[Move], key: Key) -> int:
    return sum(quantity for move in moves for side, _, quantity in move.sides() if side == key)


def losses(moves: Iterable[Move], key: Key) -> dict[str | None, int]:
    """What the moves take from a balance, against each counterparty apart."""
    against: defaultdict[str | None, int] = defaultdict(int)
    for move in moves:
        for side, other, quantity in move.sides():
            if side == key:
                against[other] += quantity
    return {other: -quantity for other, quantity in against.items() if quantity < 0}


@dataclass
class Account:
    available: int = 0
    held: int = 0


@dataclass(eq=False)
class ModelDispute:
    settlement: ModelSettlement
    connection: str
    id: str
    number: int
    retracted: bool = False
    closure_id: str | None = None
    closure_status: str | None = None
    closed_by: str = ""
    adjusted: dict[str, int] = field(default_factory=dict)
    made: list[Move] = field(default_factory=list)
    settled_in: ModelSettlement | None = None
    held: defaultdict[Key, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def approved(self) -> bool:
        return self.closure_status == "approved"

    @property
    def upheld(self) -> bool:
        return self.approved and self.closed_by == "admin"


@dataclass(eq=False)
class ModelSettlement:
    id: str
    created_at: float
    new: list[Move]
    pulled: list[Move]
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
        return keys_of([*self.new, *self.pulled])

    def takes_part(self, connection: str) -> bool:
        return any(key[0] == connection for key in keys_of(self.new))

    def final(self) -> list[Move]:
        return [*self.pulled, *(move for move in self.new if not move.among(self.disputed))]

    def standing(self) -> list[ModelDispute]:
        """Those that still keep transfers from running, the earliest first."""
        found = [one for one in self.disputes.values() if one.connection in self.disputed and not one.approved]
        return sorted(found, key=lambda one: one.number)

    def kept_back(self) -> list[tuple[ModelDispute, Move]]:
        """The transfers that wait for a dispute, each with the one dispute that answers for it."""
        upheld = {one.connection for one in self.disputes.values() if one.upheld}
        waiting = []
        for move in self.new:
            answering = [one for one in self.standing() if move.among({one.connection})]
            if answering and not move.among(upheld):
                waiting.append((answering[0], move))
        return waiting

    def target(self, dispute: ModelDispute, key: Key) -> int:
        """What the transfers that a dispute answers for would take from a balance."""
        return sum(losses([move for one, move in self.kept_back() if one is dispute], key).values())


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

    def pulled_in(self) -> list[Move]:
        return [move for dispute in self.waiting_disputes() for move in dispute.made]

    def shortfalls(self, new: Sequence[Move]) -> dict[Key, int]:
        """What staging these amounts would be refused for."""
        pulled = self.pulled_in()
        short = {}
        for key in keys_of([*new, *pulled]):
            already = sum(dispute.held[key] for dispute in self.waiting_disputes())
            missing = worst_case(new, pulled, key) - already - self.accounts[key].available
            if missing > 0:
                short[key] = missing
        return short

    def stage(self, settlement_id: str, new: list[Move]) -> ModelSettlement:
        settlement = ModelSettlement(settlement_id, self.now, new, self.pulled_in())
        settlement.due_at = settlement.dispute_deadline
        for dispute in self.waiting_disputes():
            for key, quantity in dispute.held.items():
                self._free(key, quantity)
            dispute.held.clear()
            dispute.settled_in = settlement
        for key in settlement.touched():
            needed = worst_case(new, settlement.pulled, key)
            self._free(key, -needed)
            settlement.held[key] = needed
        self.settlements.append(settlement)
        return settlement

    def raise_dispute(self, settlement: ModelSettlement, connection: str, dispute_id: str) -> None:
        made = ModelDispute(settlement, connection, dispute_id, len(self.disputes))
        settlement.disputes[connection] = made
        self.disputes.append(made)

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

    def original(self, dispute: ModelDispute) -> dict[str, int]:
        """What the disputed settlement would have brought the client, which it concedes when it closes."""
        keys = [key for key in keys_of(dispute.settlement.new) if key[0] == dispute.connection]
        sums = {key[1]: gain(dispute.settlement.new, key) for key in keys}
        return {currency: quantity for currency, quantity in sums.items() if quantity != 0}

    def approve(self, dispute: ModelDispute) -> set[Key]:
        """Approves the closure of a dispute, or gives the balances that do not cover it."""
        settlement = dispute.settlement
        others = [one for one in settlement.standing() if one is not dispute]
        keys = {*keys_of(settlement.new), *((dispute.connection, currency) for currency in dispute.adjusted)}
        before = {(one, key): settlement.target(one, key) for one in others for key in keys}
        dispute.closure_status = "approved"
        made = self._made(dispute)
        holds = {}
        short = set()
        for key in keys:
            needed = max(0, -gain(made, key))
            free = max(0, dispute.held[key] - needed)
            holds[dispute, key] = needed
            for one in others:
                now, was = settlement.target(one, key), before[one, key]
                takes_over = min(free, max(0, now - was))
                free -= takes_over
                holds[one, key] = min(one.held[key] + takes_over, now)
            more = sum(held - one.held[key] for (one, at), held in holds.items() if at == key)
            if more > self.accounts[key].available:
                short.add(key)
        if short:
            dispute.closure_status = "pending_review"
            return short
        for (one, key), held in holds.items():
            self._free(key, one.held[key] - held)
            one.held[key] = held
        dispute.made = made
        return set()

    def _made(self, dispute: ModelDispute) -> list[Move]:
        if dispute.closed_by == "admin":
            return [Move(dispute.connection, None, name, given) for name, given in dispute.adjusted.items()]
        rivals = dispute.settlement.disputes.values()
        against = {one.connection for one in rivals if one.connection in dispute.settlement.disputed}
        given_in = {one.connection for one in rivals if one.approved and one.closed_by == "client"}
        return [
            move
            for move in dispute.settlement.new
            if move.among({dispute.connection}) and not move.among(against - given_in)
        ]

    def _free(self, key: Key, quantity: int) -> None:
        self.accounts[key].held -= quantity
        self.accounts[key].available += quantity

    def _finalise(self, settlement: ModelSettlement) -> None:
        settlement.disputed = {one.connection for one in settlement.disputes.values() if not one.retracted}
        for key in settlement.touched():
            running = [move for move in settlement.new if not move.among(settlement.disputed)]
            needs = max(0, sum(losses(running, key).values()) - gain(settlement.pulled, key))
            for dispute in settlement.standing():
                spare = max(0, settlement.held[key] - needs)
                dispute.held[key] = min(spare, settlement.target(dispute, key))
                settlement.held[key] -= dispute.held[key]
        settlement.state, settlement.due_at = "top_up_window", settlement.top_up_deadline

    def _execute(self, settlement: ModelSettlement) -> None:
        final = settlement.final()
        change: defaultdict[str, int] = defaultdict(int)
        for move in final:
            if move.source is None:
                change[move.currency] -= move.quantity
        if any(self.partner[currency] + quantity < 0 for currency, quantity in change.items()):
            settlement.state, settlement.due_at = "failed", None
            return
        for key in settlement.touched():
            quantity = gain(final, key)
            self._free(key, settlement.held[key])
            settlement.held[key] = 0
            self.accounts[key].available += quantity
            for dispute in settlement.standing():
                missing = max(0, settlement.target(dispute, key) - dispute.held[key])
                filled = min(max(0, quantity), missing)
                quantity -= filled
                dispute.held[key] += filled
                self._free(key, -filled)
        for currency, quantity in change.items():
            self.partner[currency] += quantity
        settlement.state, settlement.due_at = "completed", None
        if any(quantity > 0 for quantity in change.values()):
            self._wake()

    def _wake(self) -> None:
        for settlement in self.settlements:
            if settlement.state == "failed":
                settlement.due_at = self.now


def worst_case(new: Sequence[Move], pulled: Sequence[Move], key: Key) -> int:
    """Over everyone who may come to dispute, tried out; never below nothing."""
    connections = sorted({side[0] for side in keys_of(new)})
    outcomes = [
        gain(pulled, key) + gain([move for move in new if not move.among(disputing)], key)
        for size in range(len(connections) + 1)
        for disputing in combinations(connections, size)
    ]
    return max(0, *(-outcome for outcome in outcomes))
