"""What an account at the simulated exchange allows, whatever the order in which it hears of things."""

from __future__ import annotations

from decimal import Decimal

import pytest

from clearwindow.sandbox.exchange.accounts import (
    Accounts,
    Kind,
    NetworkBalance,
    NotSureError,
    Outcome,
    Question,
    UnknownQuestionError,
)

HERE = "the-connection"


def question(kind: Kind, number: int, amount: str, connection: str = HERE) -> Question:
    return Question(kind, f"q-{number}", connection, "BTC", Decimal(amount))


def allocated(amount: str = "2") -> Accounts:
    accounts = Accounts()
    accounts.open(HERE, "the-client")
    accounts.ask(question(Kind.ALLOCATION, 1, amount))
    accounts.tell(HERE, "q-1", Outcome.CLEARED)
    return accounts


def free(accounts: Accounts) -> tuple[str, str]:
    """What may leave, and what may be lost in a trade."""
    account = accounts.find(HERE)
    assert account is not None
    return str(account.withdrawable("BTC")), str(account.tradable("BTC"))


def test_an_allocation_counts_once_it_is_carried_out() -> None:
    accounts = Accounts()
    accounts.open(HERE, "the-client")
    answer = accounts.ask(question(Kind.ALLOCATION, 1, "2"))
    assert answer.refusal is None
    assert free(accounts) == ("0", "0")
    for _ in range(2):
        accounts.tell(HERE, "q-1", Outcome.CLEARED)
    assert free(accounts) == ("2", "2")
    accounts.ask(question(Kind.ALLOCATION, 2, "5"))
    accounts.tell(HERE, "q-2", Outcome.RELEASED)
    assert free(accounts) == ("2", "2")
    accounts.ask(question(Kind.DEALLOCATION, 3, "0.5"))
    for _ in range(2):
        assert free(accounts) == ("1.5", "1.5")
        accounts.tell(HERE, "q-3", Outcome.CLEARED)


def test_a_repeat_is_answered_as_the_first_time() -> None:
    accounts = allocated("2")
    leaving = question(Kind.DEALLOCATION, 2, "2")
    first = accounts.ask(leaving)
    assert accounts.ask(leaving) == first
    refused = accounts.ask(question(Kind.DEALLOCATION, 3, "1"))
    assert refused.refusal == "only 0 BTC are free: the rest is bound by trades that are not settled yet"
    accounts.tell(HERE, "q-2", Outcome.RELEASED)
    assert accounts.ask(question(Kind.DEALLOCATION, 3, "1")) == refused
    with pytest.raises(ValueError, match="was another one"):
        accounts.ask(question(Kind.DEALLOCATION, 3, "0.5"))


def test_what_a_settlement_may_cost_cannot_leave() -> None:
    accounts = allocated("2")
    accounts.stage("round-1", {HERE: {"BTC": Decimal("-1.5"), "USDC": Decimal(90_000)}})
    assert free(accounts) == ("0.5", "0.5")
    assert accounts.ask(question(Kind.DEALLOCATION, 2, "0.6")).refusal is not None
    account = accounts.find(HERE)
    assert account is not None
    assert not account.covers({"BTC": Decimal("-0.6")})
    assert account.covers({"BTC": Decimal("-0.5"), "USDC": Decimal(1)})
    accounts.end("round-1")
    assert free(accounts) == ("2", "2")
    # What it did is the network's to say.
    assert accounts.unsure().keys() == {HERE}


def test_the_networks_word_is_taken_when_nothing_is_under_way() -> None:
    accounts = allocated("2")
    accounts.stage("round-1", {HERE: {"BTC": Decimal("-0.5")}})
    accounts.doubt()
    changes = accounts.unsure()[HERE]
    balances = {"BTC": NetworkBalance(Decimal(1), Decimal("0.75"))}
    accounts.ask(question(Kind.ALLOCATION, 2, "1"))
    assert not accounts.adopt(HERE, balances, changes)
    # Nobody can say whether the network's balances have it yet.
    assert accounts.unsure() == {}
    accounts.tell(HERE, "q-2", Outcome.RELEASED)
    assert accounts.adopt(HERE, balances, accounts.unsure()[HERE])
    # A quarter is held for a reason that only the network knows: it may leave, if the network says so.
    assert free(accounts) == ("1.25", "1.00")
    assert accounts.unsure() == {}


def test_what_was_asked_before_a_restart_is_asked_of_the_network() -> None:
    accounts = Accounts()
    accounts.open(HERE, "the-client", own_connection_id="as-it-was", is_older=True)
    with pytest.raises(NotSureError):
        accounts.ask(question(Kind.DEALLOCATION, 1, "1"))
    accounts.adopt(HERE, {"BTC": NetworkBalance(Decimal(4), Decimal(0))}, accounts.unsure()[HERE])
    accounts.tell(HERE, "from-before", Outcome.CLEARED)
    assert free(accounts) == ("4", "4")
    assert accounts.unsure().keys() == {HERE}
    # What is doubtful is never more than what is known to be free.
    assert accounts.ask(question(Kind.DEALLOCATION, 1, "4")).refusal is None
    with pytest.raises(NotSureError):
        accounts.ask(question(Kind.DEALLOCATION, 2, "1"))
    with pytest.raises(UnknownQuestionError):
        accounts.tell("nobody", "q-9", Outcome.CLEARED)


def test_of_an_account_that_began_here_all_questions_are_known() -> None:
    accounts = Accounts()
    accounts.open(HERE, "the-client")
    with pytest.raises(UnknownQuestionError):
        accounts.tell(HERE, "never-asked", Outcome.CLEARED)
    assert accounts.unsure() == {}
    refusal = accounts.ask(question(Kind.DEALLOCATION, 1, "1")).refusal
    assert refusal is not None
    accounts.tell(HERE, "q-1", Outcome.RELEASED)


def test_ids_of_ours_survive_forgetting() -> None:
    answers = [Accounts().open(HERE, "the-client") for _ in range(2)]
    assert answers[0].own_connection_id == answers[1].own_connection_id
    assert Accounts().open(HERE, "the-client", own_connection_id="theirs").own_connection_id == "theirs"
    assert Accounts().ask(question(Kind.ALLOCATION, 1, "2", "elsewhere")).refusal is not None


def test_only_so_many_answers_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Accounts, "MOST_ANSWERS", 3)
    accounts = allocated("2")
    for number in range(2, 9):
        accounts.ask(question(Kind.ALLOCATION, number, "1"))
    with pytest.raises(ValueError, match="was another one"):
        accounts.ask(question(Kind.ALLOCATION, 8, "9"))
    assert accounts.ask(question(Kind.ALLOCATION, 2, "9")).refusal is None
