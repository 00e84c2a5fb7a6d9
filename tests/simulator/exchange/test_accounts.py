"""The accounts of the simulated exchange: what may be deallocated and traded, in any order of calls."""

from __future__ import annotations

from decimal import Decimal

import pytest

from clearwindow.simulator.exchange.accounts import (
    Accounts,
    FundsRequest,
    Kind,
    NetworkBalance,
    Outcome,
    StaleBalancesError,
    UnknownRequestError,
)

HERE = "the-connection"


def funds_request(kind: Kind, number: int, amount: str, connection: str = HERE) -> FundsRequest:
    return FundsRequest(kind, f"q-{number}", connection, "BTC", Decimal(amount))


def allocated(amount: str = "2") -> Accounts:
    accounts = Accounts()
    accounts.open(HERE, "the-client")
    accounts.decide(funds_request(Kind.ALLOCATION, 1, amount))
    accounts.apply_outcome(HERE, "q-1", Outcome.CLEARED)
    return accounts


def free(accounts: Accounts) -> tuple[str, str]:
    """Returns what may be deallocated, and what may be lost in a trade."""
    account = accounts.find(HERE)
    assert account is not None
    return str(account.withdrawable("BTC")), str(account.tradable("BTC"))


def test_an_allocation_counts_after_its_clear_and_only_once() -> None:
    accounts = Accounts()
    accounts.open(HERE, "the-client")
    answer = accounts.decide(funds_request(Kind.ALLOCATION, 1, "2"))
    assert answer.refusal is None
    assert free(accounts) == ("0", "0")
    for _ in range(2):
        accounts.apply_outcome(HERE, "q-1", Outcome.CLEARED)
    assert free(accounts) == ("2", "2")
    accounts.decide(funds_request(Kind.ALLOCATION, 2, "5"))
    accounts.apply_outcome(HERE, "q-2", Outcome.RELEASED)
    assert free(accounts) == ("2", "2")
    accounts.decide(funds_request(Kind.DEALLOCATION, 3, "0.5"))
    for _ in range(2):
        assert free(accounts) == ("1.5", "1.5")
        accounts.apply_outcome(HERE, "q-3", Outcome.CLEARED)


def test_a_repeated_request_gets_the_same_answer() -> None:
    accounts = allocated("2")
    leaving = funds_request(Kind.DEALLOCATION, 2, "2")
    first = accounts.decide(leaving)
    assert accounts.decide(leaving) == first
    refused = accounts.decide(funds_request(Kind.DEALLOCATION, 3, "1"))
    assert refused.refusal == "only 0 BTC are available: the rest is needed for unsettled trades"
    accounts.apply_outcome(HERE, "q-2", Outcome.RELEASED)
    assert accounts.decide(funds_request(Kind.DEALLOCATION, 3, "1")) == refused
    with pytest.raises(ValueError, match="differs from an earlier one"):
        accounts.decide(funds_request(Kind.DEALLOCATION, 3, "0.5"))


def test_the_possible_loss_of_a_settlement_cannot_be_deallocated() -> None:
    accounts = allocated("2")
    accounts.stage("round-1", {HERE: {"BTC": Decimal("-1.5"), "USDC": Decimal(90_000)}})
    assert free(accounts) == ("0.5", "0.5")
    assert accounts.decide(funds_request(Kind.DEALLOCATION, 2, "0.6")).refusal is not None
    account = accounts.find(HERE)
    assert account is not None
    assert not account.covers({"BTC": Decimal("-0.6")})
    assert account.covers({"BTC": Decimal("-0.5"), "USDC": Decimal(1)})
    accounts.end("round-1")
    assert free(accounts) == ("2", "2")
    # The network's balances show what the settlement did.
    assert accounts.stale().keys() == {HERE}


def test_the_networks_balances_are_used_only_if_nothing_is_pending() -> None:
    accounts = allocated("2")
    accounts.stage("round-1", {HERE: {"BTC": Decimal("-0.5")}})
    accounts.mark_stale()
    changes = accounts.stale()[HERE]
    balances = {"BTC": NetworkBalance(Decimal(1), Decimal("0.75"))}
    accounts.decide(funds_request(Kind.ALLOCATION, 2, "1"))
    assert not accounts.set_balances(HERE, balances, changes)
    # It is unknown whether the network's balances include the request already.
    assert accounts.stale() == {}
    accounts.apply_outcome(HERE, "q-2", Outcome.RELEASED)
    assert accounts.set_balances(HERE, balances, accounts.stale()[HERE])
    # A quarter is held for a reason that only the network knows. The network decides whether it may leave.
    assert free(accounts) == ("1.25", "1.00")
    assert accounts.stale() == {}


def test_after_a_restart_the_balances_are_read_from_the_network() -> None:
    accounts = Accounts()
    accounts.open(HERE, "the-client", own_connection_id="as-it-was", opened_before_start=True)
    with pytest.raises(StaleBalancesError):
        accounts.decide(funds_request(Kind.DEALLOCATION, 1, "1"))
    accounts.set_balances(HERE, {"BTC": NetworkBalance(Decimal(4), Decimal(0))}, accounts.stale()[HERE])
    accounts.apply_outcome(HERE, "from-before", Outcome.CLEARED)
    assert free(accounts) == ("4", "4")
    assert accounts.stale().keys() == {HERE}
    # A stale account still grants what is known to be available.
    assert accounts.decide(funds_request(Kind.DEALLOCATION, 1, "4")).refusal is None
    with pytest.raises(StaleBalancesError):
        accounts.decide(funds_request(Kind.DEALLOCATION, 2, "1"))
    with pytest.raises(UnknownRequestError):
        accounts.apply_outcome("nobody", "q-9", Outcome.CLEARED)


def test_an_account_opened_after_the_start_rejects_unknown_outcomes() -> None:
    accounts = Accounts()
    accounts.open(HERE, "the-client")
    with pytest.raises(UnknownRequestError):
        accounts.apply_outcome(HERE, "never-asked", Outcome.CLEARED)
    assert accounts.stale() == {}
    refusal = accounts.decide(funds_request(Kind.DEALLOCATION, 1, "1")).refusal
    assert refusal is not None
    accounts.apply_outcome(HERE, "q-1", Outcome.RELEASED)


def test_own_ids_are_the_same_after_a_restart() -> None:
    answers = [Accounts().open(HERE, "the-client") for _ in range(2)]
    assert answers[0].own_connection_id == answers[1].own_connection_id
    assert Accounts().open(HERE, "the-client", own_connection_id="theirs").own_connection_id == "theirs"
    assert Accounts().decide(funds_request(Kind.ALLOCATION, 1, "2", "elsewhere")).refusal is not None


def test_the_number_of_kept_answers_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Accounts, "MOST_ANSWERS", 3)
    accounts = allocated("2")
    for number in range(2, 9):
        accounts.decide(funds_request(Kind.ALLOCATION, number, "1"))
    with pytest.raises(ValueError, match="differs from an earlier one"):
        accounts.decide(funds_request(Kind.ALLOCATION, 8, "9"))
    assert accounts.decide(funds_request(Kind.ALLOCATION, 2, "9")).refusal is None
