"""A settlement on chain by the model. Written from protocol §7."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Final

from tests.support.model import Account, Key

Money = MutableMapping[str, int]
"""What a partner's account has, by currency."""

TRIES: Final = 5
"""After this many failures of a transfer a person must have it tried again."""


@dataclass(eq=False)
class OnChain:
    """Losses are paid first, then deposits must cover the gains, then gains are paid."""

    id: str
    external_id: str
    change: Mapping[Key, int]
    phase: str = "losses"
    state: str = "onchain"
    paid: set[Key] = field(default_factory=set)
    failures: Counter[Key] = field(default_factory=Counter)
    deposited: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    given: set[str] = field(default_factory=set)
    """The currencies of which the partner has sent a deposit."""

    @property
    def is_open(self) -> bool:
        return self.state not in ("completed", "rejected")

    @property
    def gains(self) -> dict[str, int]:
        """What all gains need, by currency."""
        needed: Counter[str] = Counter()
        for (_, currency), quantity in self.change.items():
            needed[currency] += max(0, quantity)
        return {currency: quantity for currency, quantity in needed.items() if quantity}

    @property
    def unpaid(self) -> list[Key]:
        """The transfers that the chain has in this phase, or has given up too often."""
        if not self.is_open or self.phase == "deposits":
            return []
        sign = -1 if self.phase == "losses" else 1
        return [key for key, quantity in self.change.items() if sign * quantity > 0 and key not in self.paid]

    @property
    def under_way(self) -> list[Key]:
        return [key for key in self.unpaid if self.failures[key] < TRIES] if self.state == "onchain" else []

    @property
    def may_be_rejected(self) -> bool:
        """Whether the chain has paid nothing and can pay nothing any more."""
        return self.is_open and not self.paid and not self.under_way

    def begin(self, accounts: MutableMapping[Key, Account], available: Money, held: Money) -> None:
        """Holds the losses. Without any, the settlement goes on at once."""
        for key, quantity in self.change.items():
            accounts[key].available += min(0, quantity)
            accounts[key].held -= min(0, quantity)
        self.proceed(available, held)

    def pay(self, key: Key, accounts: MutableMapping[Key, Account], held: Money) -> None:
        """Books a payment that the chain has confirmed."""
        quantity = self.change[key]
        self.paid.add(key)
        if quantity < 0:
            accounts[key].held += quantity
        else:
            accounts[key].available += quantity
            held[key[1]] -= quantity

    def deposit(self, currency: str, quantity: int, available: Money, held: Money) -> None:
        """Books a confirmed deposit: held for the gains, or available once they have what they need."""
        if self.phase == "gains":
            available[currency] += quantity
            return
        self.deposited[currency] += quantity
        held[currency] += quantity

    def proceed(self, available: Money, held: Money) -> None:
        """Takes all steps that nothing keeps back."""
        if self.state != "onchain":
            return
        if self.phase == "losses" and not self.unpaid:
            self.phase = "deposits"
        if self.phase == "deposits" and all(self.deposited[name] >= need for name, need in self.gains.items()):
            for name, quantity in self.deposited.items():
                surplus = quantity - self.gains.get(name, 0)
                held[name] -= surplus
                available[name] += surplus
            self.deposited.clear()
            self.phase = "gains"
        if self.phase == "gains" and not self.unpaid:
            self.state = "completed"
        if self.unpaid and not self.under_way:
            self.state = "failed"

    def retry(self) -> None:
        """Hands over again what was given up."""
        self.state = "onchain"
        self.failures.clear()

    def reject(self, accounts: MutableMapping[Key, Account], available: Money, held: Money) -> None:
        """Ends it. What it and its deposits hold is available again."""
        for key, quantity in self.change.items():
            accounts[key].available -= min(0, quantity)
            accounts[key].held += min(0, quantity)
        # Once the gains are covered, the account holds what they need, and nothing has been paid.
        for name, quantity in (self.gains if self.phase == "gains" else self.deposited).items():
            held[name] -= quantity
            available[name] += quantity
        self.deposited.clear()
        self.state = "rejected"
