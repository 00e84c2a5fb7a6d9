"""What each connection has allocated at the exchange, and how much of it is in use. Pure: no clock, no network.

Amounts are in whole units of the exchange's currencies. An account becomes stale when the network may have changed
it without telling the exchange: after a restart, and when a settlement has ended. Its balances are then read again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

Amounts: TypeAlias = Mapping[str, Decimal]
"""By currency."""

_NOTHING: Final = Decimal(0)


class StaleBalancesError(RuntimeError):
    """The amount exceeds the known balance, which is stale and must be read again first."""


class UnknownRequestError(LookupError):
    """The outcome belongs to a request that the exchange never got."""


class Kind(StrEnum):
    """The direction of the funds: to the exchange, or back."""

    ALLOCATION = "allocation"
    DEALLOCATION = "deallocation"


class Outcome(StrEnum):
    """The outcome of a request."""

    CLEARED = "clear"
    RELEASED = "release"


@dataclass(frozen=True, slots=True)
class FundsRequest:
    """An allocation or a deallocation, with the network's id."""

    kind: Kind
    id: str
    connection_id: str
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request: our own id, and the reason if it is refused."""

    own_id: str
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkBalance:
    """The network's balance of a connection in one currency."""

    available: Decimal
    held: Decimal


@dataclass(slots=True)
class Account:
    """The account of one connection.

    Attributes:
        allocated: the allocated amounts, held or not.
        blocked: what the network holds for reasons unknown here, such as earlier settlements and disputes.
        pending: accepted requests whose outcome is not known yet.
        expected_losses: by external id, the losses in each settlement that has not ended.
        opened_before_start: whether the account existed before this start, so that earlier requests are not known.
        stale: whether the balances must be read from the network again.
        changes: counts every change, so that an older answer of the network is not used.
    """

    connection_id: str
    client_id: str
    own_client_id: str
    own_connection_id: str
    allocated: dict[str, Decimal] = field(default_factory=dict)
    blocked: dict[str, Decimal] = field(default_factory=dict)
    pending: dict[str, FundsRequest] = field(default_factory=dict)
    expected_losses: dict[str, Amounts] = field(default_factory=dict)
    opened_before_start: bool = False
    stale: bool = False
    changes: int = 0

    def withdrawable(self, currency: str) -> Decimal:
        """Returns what may be deallocated. The network itself protects what it holds for reasons unknown here."""
        leaving = sum(
            (
                request.amount
                for request in self.pending.values()
                if request.kind is Kind.DEALLOCATION and request.currency == currency
            ),
            _NOTHING,
        )
        return self.allocated.get(currency, _NOTHING) - leaving - self._expected_losses(currency)

    def tradable(self, currency: str) -> Decimal:
        """Returns what may be lost in a trade."""
        return self.withdrawable(currency) - self.blocked.get(currency, _NOTHING)

    def covers(self, amounts: Amounts) -> bool:
        """Returns whether the account covers all losses in these amounts."""
        return all(-amount <= self.tradable(currency) for currency, amount in amounts.items() if amount < 0)

    def set_balances(self, balances: Mapping[str, NetworkBalance]) -> None:
        """Replaces the balances with those of the network."""
        self.allocated = {name: balance.available + balance.held for name, balance in balances.items()}
        self.blocked = {
            name: max(_NOTHING, balance.held - self._expected_losses(name)) for name, balance in balances.items()
        }
        self.stale = False
        self.changes += 1

    def _expected_losses(self, currency: str) -> Decimal:
        return sum((losses.get(currency, _NOTHING) for losses in self.expected_losses.values()), _NOTHING)


def own_id(kind: Kind, request_id: str) -> str:
    """Returns our own id of a request. It depends only on the network's id, so a restart does not change it."""
    return f"{kind}-{request_id}"


class Accounts:
    """All accounts, and the answers given so far."""

    MOST_ANSWERS: Final = 100_000
    """How many answers are kept: many more than the network can still repeat."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._answers: dict[str, tuple[FundsRequest, Answer]] = {}

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())

    def __len__(self) -> int:
        return len(self._accounts)

    def find(self, connection_id: str) -> Account | None:
        """Returns the connection's account, if there is one."""
        return self._accounts.get(connection_id)

    def open(
        self,
        connection_id: str,
        client_id: str,
        *,
        own_client_id: str | None = None,
        own_connection_id: str | None = None,
        opened_before_start: bool = False,
    ) -> Account:
        """Returns the connection's account, and creates it if there is none.

        Our own ids depend only on the network's, so an exchange that lost its state still answers a repeated call
        with the same ids. An account from before the start is stale.
        """
        return self._accounts.setdefault(
            connection_id,
            Account(
                connection_id,
                client_id,
                own_client_id or f"client-{client_id}",
                own_connection_id or f"account-{connection_id}",
                opened_before_start=opened_before_start,
                stale=opened_before_start,
            ),
        )

    def decide(self, request: FundsRequest) -> Answer:
        """Answers an allocation or a deallocation. A repeated request gets the same answer.

        Raises:
            ValueError: an earlier request had the same id but other content.
            StaleBalancesError: the balances must be read first; nothing is kept of the request.
        """
        before = self._answers.get(request.id)
        if before is not None:
            if before[0] != request:
                raise ValueError(f"the {request.kind} {request.id} differs from an earlier one with the same id")
            return before[1]
        answer = Answer(own_id(request.kind, request.id), self._refusal(request))
        while len(self._answers) >= self.MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]
        self._answers[request.id] = request, answer
        account = self.find(request.connection_id)
        if account is not None and answer.refusal is None:
            account.pending[request.id] = request
            account.changes += 1
        return answer

    def apply_outcome(self, connection_id: str, request_id: str, outcome: Outcome) -> None:
        """Applies the outcome that the network reports. A repeated report changes nothing.

        An unknown request may be from before a restart. The network's balances then include it, or soon will, so
        they are read again.

        Raises:
            UnknownRequestError: the request cannot be from before a restart.
        """
        account = self.find(connection_id)
        request = None if account is None else account.pending.pop(request_id, None)
        known = request_id in self._answers
        if account is None or not (request or known or account.opened_before_start):
            raise UnknownRequestError(f"there is no request with the id {request_id}")
        account.changes += 1
        if request is None:
            account.stale = account.stale or not known
            return
        if outcome is Outcome.CLEARED:
            sign = 1 if request.kind is Kind.ALLOCATION else -1
            before = account.allocated.get(request.currency, _NOTHING)
            account.allocated[request.currency] = before + sign * request.amount

    def stage(self, settlement: str, amounts: Mapping[str, Amounts]) -> None:
        """Reserves what the connections lose in a settlement that has not ended."""
        for connection_id, net in amounts.items():
            account = self._accounts[connection_id]
            account.expected_losses[settlement] = {
                currency: -amount for currency, amount in net.items() if amount < 0
            }
            account.changes += 1

    def end(self, settlement: str) -> None:
        """Releases the reserved losses of a settlement that ended or was not staged; its accounts become stale."""
        for account in self._accounts.values():
            if account.expected_losses.pop(settlement, None) is not None:
                account.stale = True
                account.changes += 1

    def mark_stale(self, connection_id: str | None = None) -> None:
        """Marks the connection's account as stale; without a connection, all accounts."""
        for account in self._accounts.values():
            account.stale = account.stale or connection_id in (None, account.connection_id)

    def stale(self) -> dict[str, int]:
        """Returns the stale accounts that can be read again now, with their numbers of changes.

        An account with pending requests must wait, because it is unknown whether the network's balances include
        them.
        """
        return {
            account.connection_id: account.changes
            for account in self._accounts.values()
            if account.stale and not account.pending
        }

    def set_balances(self, connection_id: str, balances: Mapping[str, NetworkBalance], changes: int) -> bool:
        """Replaces the balances, unless the account has changed since they were read. Returns whether it did."""
        account = self._accounts[connection_id]
        if account.changes != changes:
            return False
        account.set_balances(balances)
        return True

    def _refusal(self, request: FundsRequest) -> str | None:
        account = self.find(request.connection_id)
        if account is None:
            return "this connection has no account here"
        if request.kind is Kind.ALLOCATION:
            return None
        free = account.withdrawable(request.currency)
        if request.amount <= free:
            return None
        if account.stale:
            raise StaleBalancesError("the balances must be read from the network first")
        return f"only {free} {request.currency} are available: the rest is needed for unsettled trades"
