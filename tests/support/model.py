"""A second implementation of what a network with one partner does with money: balance by balance, in plain Python.

It is written from the protocol (§4 to §6, and docs/decisions/0009 for trades of a broker) and not from the code, so
that the two can disagree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

DISPUTE_MINUTES = 10.0
TOP_UP_MINUTES = 10.0
Key = tuple[str, str]
"""The id of a connection and our name of a currency."""


class Move(NamedTuple):
    """A move from the source, or from the partner if it is None, to the connection. Negative moves go back."""

    connection: str
    source: str | None
    currency: str
    quantity: int

    def sides(self) -> list[tuple[Key, str | None, int]]:
        """Returns each balance that it changes, the counterparty, and the change."""
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
    """Returns what the moves take from a balance, per counterparty."""
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
    cancelled: bool = False
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
    closures_wait: bool = False
    withdrawn: bool = False
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

    @property
    def without_new(self) -> bool:
        return self.state == "rejected" or self.withdrawn

    def running(self) -> list[Move]:
        """Returns its own transfers that still run."""
        return [] if self.without_new else [move for move in self.new if not move.among(self.disputed)]

    def final(self) -> list[Move]:
        return [*self.pulled, *self.running()]

    def takes(self, key: Key) -> int:
        """Returns what the transfers that still run can take from a balance."""
        return max(0, sum(losses(self.running(), key).values()) - gain(self.pulled, key))

    @property
    def is_open(self) -> bool:
        return self.state not in ("completed", "rejected") or self.closures_wait

    def standing(self) -> list[ModelDispute]:
        """Returns the disputes that still keep transfers from running, earliest first."""
        if self.without_new:
            return []
        found = [one for one in self.disputes.values() if one.connection in self.disputed and not one.approved]
        return sorted(found, key=lambda one: one.number)

    def kept_back(self) -> list[tuple[ModelDispute, Move]]:
        """Returns the transfers that wait for a dispute, each with the one dispute that covers it."""
        upheld = {one.connection for one in self.disputes.values() if one.upheld}
        waiting = []
        for move in self.new:
            answering = [one for one in self.standing() if move.among({one.connection})]
            if answering and not move.among(upheld):
                waiting.append((answering[0], move))
        return waiting

    def target(self, dispute: ModelDispute, key: Key) -> int:
        """Returns what the transfers that a dispute covers would take from a balance."""
        return sum(losses([move for one, move in self.kept_back() if one is dispute], key).values())


class Model:
    def __init__(self) -> None:
        self.now = 0.0
        self.partner: defaultdict[str, int] = defaultdict(int)
        self.spare: defaultdict[str, int] = defaultdict(int)
        self.standing: dict[str, int] = {}
        self.accounts: defaultdict[Key, Account] = defaultdict(Account)
        self.settlements: list[ModelSettlement] = []
        self.disputes: list[ModelDispute] = []

    def waiting_disputes(self) -> list[ModelDispute]:
        """Returns the disputes that are approved and not settled yet."""
        return [dispute for dispute in self.disputes if dispute.approved and dispute.settled_in is None]

    def pulled_in(self) -> list[Move]:
        return [move for dispute in self.waiting_disputes() for move in dispute.made]

    def shortfalls(self, new: Sequence[Move]) -> dict[Key, int]:
        """Returns the shortfalls for which staging these amounts is refused."""
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
            for settlement in sorted(due, key=lambda one: (one.due_at, one.created_at)):
                if settlement.state == "dispute_window":
                    self._finalise(settlement)
                elif settlement.due_at is None:
                    continue
                else:
                    self._execute(settlement)

    def fund(self, currency: str, quantity: int) -> None:
        self.partner[currency] += quantity
        self._wake()

    def fund_spare(self, currency: str, quantity: int) -> None:
        """Pays into the account from which standing top-ups come."""
        self.spare[currency] += quantity
        if self.standing:
            self._wake()

    def instruct(self, currency: str, per_settlement: int) -> None:
        self.standing[currency] = per_settlement
        self._wake()

    def original(self, dispute: ModelDispute) -> dict[str, int]:
        """Returns the client's original amounts of the settlement, which it accepts when it closes the dispute."""
        keys = [key for key in keys_of(dispute.settlement.new) if key[0] == dispute.connection]
        sums = {key[1]: gain(dispute.settlement.new, key) for key in keys}
        return {currency: quantity for currency, quantity in sums.items() if quantity != 0}

    def approve(self, dispute: ModelDispute) -> set[Key]:
        """Approves the closure of a dispute, or returns the balances that do not cover it."""
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

    def out_of_reach(
        self, dispute: ModelDispute, adjusted: Mapping[str, int], custody: Mapping[str, int]
    ) -> set[str]:
        """Returns the currencies of which nobody could ever pay as much. ``custody`` is what all accounts have."""
        beyond = set()
        for currency, quantity in adjusted.items():
            own = sum(abs(move.quantity) for move in dispute.settlement.new if move.currency == currency)
            account = self.accounts[dispute.connection, currency]
            pays = custody.get(currency, 0) if quantity > 0 else account.available + account.held
            if abs(quantity) > pays + own:
                beyond.add(currency)
        return beyond

    def needs_two(self, settlement: ModelSettlement) -> bool:
        disputed = any(not one.retracted for one in settlement.disputes.values())
        return disputed or any(one.settled_in is settlement for one in self.disputes)

    def reject(self, settlement: ModelSettlement) -> None:
        for dispute in settlement.disputes.values():
            if not dispute.approved:
                for key, held in dispute.held.items():
                    self._free(key, held)
                dispute.held.clear()
        settlement.state = "rejected"
        settlement.closures_wait = bool(settlement.pulled)
        settlement.due_at = max(self.now, settlement.top_up_deadline) if settlement.pulled else None
        self._rehold(settlement)

    def withdraw(self, settlement: ModelSettlement) -> None:
        """The partner takes a settlement back inside its window. With closures, it goes on for them alone."""
        settlement.withdrawn = True
        if not settlement.pulled:
            settlement.state, settlement.due_at = "rejected", None
        self._rehold(settlement)

    def cancel(self, dispute: ModelDispute) -> set[Key]:
        """Cancels a taken closure, or returns the balances that do not cover what its gain has covered."""
        settlement = dispute.settled_in
        assert settlement is not None
        before = settlement.pulled
        settlement.pulled = [
            move
            for one in self.disputes
            if one.settled_in is settlement and one is not dispute and not one.cancelled
            for move in one.made
        ]
        keys = {*keys_of([*before, *settlement.new])}
        short = {key for key in keys if settlement.takes(key) - settlement.held[key] > self.accounts[key].available}
        if short:
            settlement.pulled = before
            return short
        dispute.cancelled = True
        self._rehold(settlement, keys)
        if settlement.closures_wait and not settlement.pulled:
            settlement.closures_wait, settlement.due_at = False, None
        if settlement.withdrawn and settlement.is_open and not settlement.pulled:
            settlement.state, settlement.due_at = "rejected", None
        self._wake()
        return set()

    def _rehold(self, settlement: ModelSettlement, keys: Iterable[Key] | None = None) -> None:
        for key in keys or settlement.touched():
            needed = settlement.takes(key)
            self._free(key, settlement.held[key] - needed)
            settlement.held[key] = needed

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
        disputing = {one.connection for one in settlement.disputes.values() if not one.retracted}
        settlement.disputed = set() if settlement.withdrawn else disputing
        for key in settlement.touched():
            needs = settlement.takes(key)
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
        short = {
            currency: -(self.partner[currency] + quantity)
            for currency, quantity in change.items()
            if self.partner[currency] + quantity < 0
        }
        if not self._topped_up(short):
            settlement.due_at = None
            if not settlement.closures_wait:
                settlement.state = "failed"
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
        settlement.due_at = None
        if not settlement.closures_wait:
            settlement.state = "completed"
        settlement.closures_wait = False
        if any(quantity > 0 for quantity in change.values()):
            self._wake()

    def _topped_up(self, short: Mapping[str, int]) -> bool:
        """Brings exactly what is short of every currency, or nothing and returns False."""
        for currency, quantity in short.items():
            if quantity > self.standing.get(currency, 0) or quantity > self.spare[currency]:
                return False
        for currency, quantity in short.items():
            self.spare[currency] -= quantity
            self.partner[currency] += quantity
        return True

    def retry(self, settlement: ModelSettlement) -> None:
        """Makes a failed settlement pending. All that have failed are tried, oldest first."""
        settlement.state, settlement.due_at = "top_up_window", self.now
        self._wake()

    def _wake(self) -> None:
        for settlement in self.settlements:
            if (settlement.state == "failed" or settlement.closures_wait) and settlement.due_at is None:
                settlement.due_at = self.now


def worst_case(new: Sequence[Move], pulled: Sequence[Move], key: Key) -> int:
    """Returns the largest liability over all sets of connections that may dispute; at least 0."""
    connections = sorted({side[0] for side in keys_of(new)})
    outcomes = [
        gain(pulled, key) + gain([move for move in new if not move.among(disputing)], key)
        for size in range(len(connections) + 1)
        for disputing in combinations(connections, size)
    ]
    return max(0, *(-outcome for outcome in outcomes))
