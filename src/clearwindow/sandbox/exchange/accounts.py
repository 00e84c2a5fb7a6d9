"""What each connection has allocated at the exchange, and what of it is spoken for. Pure: no clock, no network.

Amounts are whole units of the exchange's own currencies. The network is asked anew for an account whenever
something may have happened that nobody told us of: after a restart, and when a settlement has ended.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeAlias

Amounts: TypeAlias = Mapping[str, Decimal]
"""Per currency."""

_NOTHING: Final = Decimal(0)


class NotSureError(RuntimeError):
    """More is asked for than is known to be there, and what is there must be read anew first."""


class UnknownQuestionError(LookupError):
    """The outcome of something that was never asked here."""


class Kind(StrEnum):
    """Which way funds move: to the exchange, or back."""

    ALLOCATION = "allocation"
    DEALLOCATION = "deallocation"


class Outcome(StrEnum):
    """What became of what was asked."""

    CLEARED = "clear"
    RELEASED = "release"


@dataclass(frozen=True, slots=True)
class Question:
    """An allocation or deallocation under the network's own id."""

    kind: Kind
    id: str
    connection_id: str
    currency: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Answer:
    """Yes under an id of ours, or no and why."""

    own_id: str
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkBalance:
    """What the network has on a connection in one currency."""

    available: Decimal
    held: Decimal


@dataclass(slots=True)
class Account:
    """One connection's.

    Attributes:
        allocated: what the network has for it, under whatever hold.
        blocked: what the network holds of that for reasons that are not known here: older settlements, disputes.
        asked: what was said yes to and is not carried out yet.
        owed: what it loses in each settlement that is under way, by our own name of the settlement.
        is_older: whether it was there before our start, so that we do not know all that was asked.
        unsure: whether the network must be asked what is allocated.
        changes: counts every change, so that an answer of the network that is older than one is not taken.
    """

    connection_id: str
    client_id: str
    own_client_id: str
    own_connection_id: str
    allocated: dict[str, Decimal] = field(default_factory=dict)
    blocked: dict[str, Decimal] = field(default_factory=dict)
    asked: dict[str, Question] = field(default_factory=dict)
    owed: dict[str, Amounts] = field(default_factory=dict)
    is_older: bool = False
    unsure: bool = False
    changes: int = 0

    def withdrawable(self, currency: str) -> Decimal:
        """What may leave. What the network holds for a reason that only it knows is the network's to keep back."""
        leaving = sum(
            (
                question.amount
                for question in self.asked.values()
                if question.kind is Kind.DEALLOCATION and question.currency == currency
            ),
            _NOTHING,
        )
        return self.allocated.get(currency, _NOTHING) - leaving - self._owed(currency)

    def tradable(self, currency: str) -> Decimal:
        """What may be lost in a trade."""
        return self.withdrawable(currency) - self.blocked.get(currency, _NOTHING)

    def covers(self, amounts: Amounts) -> bool:
        """Whether all losses of a round can be lost."""
        return all(-amount <= self.tradable(currency) for currency, amount in amounts.items() if amount < 0)

    def adopt(self, balances: Mapping[str, NetworkBalance]) -> None:
        """Takes the network's word for what is allocated."""
        self.allocated = {name: balance.available + balance.held for name, balance in balances.items()}
        self.blocked = {name: max(_NOTHING, balance.held - self._owed(name)) for name, balance in balances.items()}
        self.unsure = False
        self.changes += 1

    def _owed(self, currency: str) -> Decimal:
        return sum((losses.get(currency, _NOTHING) for losses in self.owed.values()), _NOTHING)


def own_id(kind: Kind, question_id: str) -> str:
    """What we call a question: made from the network's id, so that it is the same after a restart."""
    return f"{kind}-{question_id}"


class Accounts:
    """All accounts, with the answers that were given."""

    MOST_ANSWERS: Final = 100_000
    """How many answers are remembered: far more than the network still asks about."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._answers: dict[str, tuple[Question, Answer]] = {}

    def __iter__(self) -> Iterator[Account]:
        return iter(self._accounts.values())

    def __len__(self) -> int:
        return len(self._accounts)

    def find(self, connection_id: str) -> Account | None:
        return self._accounts.get(connection_id)

    def open(
        self,
        connection_id: str,
        client_id: str,
        *,
        own_client_id: str | None = None,
        own_connection_id: str | None = None,
        is_older: bool = False,
    ) -> Account:
        """The connection's account, made where there is none; one that is older is asked about before it is used.

        Our own ids are made from the network's, so that even an exchange that has forgotten everything answers a
        repeat as it answered the first time.
        """
        return self._accounts.setdefault(
            connection_id,
            Account(
                connection_id,
                client_id,
                own_client_id or f"client-{client_id}",
                own_connection_id or f"account-{connection_id}",
                is_older=is_older,
                unsure=is_older,
            ),
        )

    def ask(self, question: Question) -> Answer:
        """Answers an allocation or a deallocation; the same one again as the first time.

        Raises:
            ValueError: another question was asked under this id.
            NotSureError: it cannot be said yet; nothing is remembered of the question.
        """
        before = self._answers.get(question.id)
        if before is not None:
            if before[0] != question:
                raise ValueError(f"the {question.kind} {question.id} was another one when it was first asked")
            return before[1]
        answer = Answer(own_id(question.kind, question.id), self._refusal(question))
        while len(self._answers) >= self.MOST_ANSWERS:
            del self._answers[next(iter(self._answers))]
        self._answers[question.id] = question, answer
        account = self.find(question.connection_id)
        if account is not None and answer.refusal is None:
            account.asked[question.id] = question
            account.changes += 1
        return answer

    def tell(self, connection_id: str, question_id: str, outcome: Outcome) -> None:
        """Carries out what the network says became of a question; what is told again changes nothing.

        What we know nothing of was asked before a restart, so that the network's balances have it already, or soon
        will: they are read anew.

        Raises:
            UnknownQuestionError: nor can it have been asked before a restart.
        """
        account = self.find(connection_id)
        question = None if account is None else account.asked.pop(question_id, None)
        known = question_id in self._answers
        if account is None or not (question or known or account.is_older):
            raise UnknownQuestionError(f"nothing was asked here under the id {question_id}")
        account.changes += 1
        if question is None:
            account.unsure = account.unsure or not known
            return
        if outcome is Outcome.CLEARED:
            sign = 1 if question.kind is Kind.ALLOCATION else -1
            before = account.allocated.get(question.currency, _NOTHING)
            account.allocated[question.currency] = before + sign * question.amount

    def stage(self, settlement: str, amounts: Mapping[str, Amounts]) -> None:
        """Keeps back what connections lose in a settlement that is under way."""
        for connection_id, net in amounts.items():
            account = self._accounts[connection_id]
            account.owed[settlement] = {currency: -amount for currency, amount in net.items() if amount < 0}
            account.changes += 1

    def end(self, settlement: str) -> None:
        """A settlement has ended, or was not staged after all: the network knows what it did to each account."""
        for account in self._accounts.values():
            if account.owed.pop(settlement, None) is not None:
                account.unsure = True
                account.changes += 1

    def doubt(self, connection_id: str | None = None) -> None:
        """Has the connection's account read anew, or all of them."""
        for account in self._accounts.values():
            account.unsure = account.unsure or connection_id in (None, account.connection_id)

    def unsure(self) -> dict[str, int]:
        """The accounts that can be read anew now, with how often each was changed so far.

        Where something that was asked is not carried out yet, nobody knows whether the network's balances have it:
        such an account waits until it is told.
        """
        return {
            account.connection_id: account.changes
            for account in self._accounts.values()
            if account.unsure and not account.asked
        }

    def adopt(self, connection_id: str, balances: Mapping[str, NetworkBalance], changes: int) -> bool:
        """Takes the network's balances, unless something has happened since they were asked for."""
        account = self._accounts[connection_id]
        if account.changes != changes:
            return False
        account.adopt(balances)
        return True

    def _refusal(self, question: Question) -> str | None:
        account = self.find(question.connection_id)
        if account is None:
            return "no account of this connection is kept here"
        if question.kind is Kind.ALLOCATION:
            return None
        free = account.withdrawable(question.currency)
        if question.amount <= free:
            return None
        if account.unsure:
            raise NotSureError("the network's balances must be read before this can be answered")
        return f"only {free} {question.currency} are free: the rest is bound by trades that are not settled yet"
