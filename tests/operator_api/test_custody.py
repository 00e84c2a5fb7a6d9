"""Deposits and withdrawals: once for each reference, within the balance."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from clearwindow.core.clock import ManualClock
from tests.support.operators import OperatorClient

MOST = 10**78 - 1


@pytest.fixture
def account(operator: OperatorClient) -> str:
    operator.enterprise("acme")
    return operator.go_account("acme").id


def test_a_deposit_and_a_withdrawal_move_the_balance(operator: OperatorClient, account: str) -> None:
    made = operator.deposit(account, "btc", 100, "wire-1")
    assert made == {
        "entry": {
            "id": made["entry"]["id"],
            "kind": "deposit",
            "goAccountId": account,
            "currency": "ofcbtc",
            "quantity": "100",
            "reference": "wire-1",
            "createdAt": "2026-01-05T12:00:00.000Z",
        },
        "balance": {"currency": "ofcbtc", "available": "100", "held": "0"},
    }
    assert operator.withdraw(account, "ofcbtc", 30)["balance"]["available"] == "70"
    assert operator.balances(account) == {"ofcbtc": (70, 0)}
    assert operator.check() == []


def test_repeated_reference_returns_the_same_entry(
    operator: OperatorClient, account: str, clock: ManualClock
) -> None:
    first = operator.move("deposits", account, "ofcbtc", 100, "wire-1")
    assert "Idempotent-Replayed" not in first.headers
    operator.withdraw(account, "ofcbtc", 40)
    clock.advance(minutes=1)
    again = operator.move("deposits", account, "btc", 100, "wire-1")
    assert again.status_code == 200
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["entry"] == first.json()["entry"]
    assert again.json()["balance"]["available"] == "60"

    for other in (
        operator.move("deposits", account, "ofcbtc", 101, "wire-1"),
        operator.move("deposits", account, "ofceth", 100, "wire-1"),
        operator.move("withdrawals", account, "ofcbtc", 100, "wire-1"),
    ):
        assert (other.status_code, other.json()["name"]) == (409, "reference_used")
    assert operator.balances(account) == {"ofcbtc": (60, 0)}
    assert len(operator.audit_log(action="deposit.made")) == 1


def test_another_account_may_use_the_same_reference(operator: OperatorClient, account: str) -> None:
    other = operator.go_account("acme").id
    operator.deposit(account, "ofcbtc", 1, "wire-1")
    operator.deposit(other, "ofcbtc", 2, "wire-1")
    assert operator.balances(other) == {"ofcbtc": (2, 0)}


def test_concurrent_identical_deposits_make_one_entry(operator: OperatorClient, account: str) -> None:
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: operator.move("deposits", account, "ofcbtc", 7, "wire-1"), range(20)))
    assert [answer.status_code for answer in answers] == [200] * 20
    assert len({answer.json()["entry"]["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert operator.balances(account) == {"ofcbtc": (7, 0)}
    assert len(operator.entries()) == len(operator.events()) == 1


def test_identical_deposits_that_wait_for_the_same_balance_make_one_entry(
    operator: OperatorClient, account: str, dsn: str
) -> None:
    """A lock holds all five requests until the last of them has started."""
    operator.deposit(account, "ofcbtc", 1)
    with psycopg.connect(dsn) as holder, ThreadPoolExecutor(5) as threads:
        holder.execute("SELECT FROM balance FOR UPDATE")
        futures = [threads.submit(operator.move, "deposits", account, "ofcbtc", 7, "wire-1") for _ in range(5)]
        _wait_for_blocked(dsn, 5)
        holder.rollback()
        answers = [future.result() for future in futures]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert len({answer.json()["entry"]["id"] for answer in answers}) == 1
    assert operator.balances(account) == {"ofcbtc": (8, 0)}


def _wait_for_blocked(dsn: str, count: int) -> None:
    give_up_at = time.monotonic() + 120
    blocked = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with psycopg.connect(dsn, autocommit=True) as watcher:
        while watcher.execute(blocked).fetchone() != (count,):
            assert time.monotonic() < give_up_at, "the deposits did not wait for the lock"
            time.sleep(0.01)


def test_concurrent_deposits_with_one_reference_move_one_currency(operator: OperatorClient, account: str) -> None:
    currencies = ["ofcbtc", "ofceth", "ofcsol", "ofcxrp"] * 3
    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(lambda name: operator.move("deposits", account, name, 7, "wire-1"), currencies))
    assert {answer.status_code for answer in answers} == {200, 409}
    assert list(operator.balances(account).values()) == [(7, 0)]
    assert operator.check() == []


def test_concurrent_withdrawals_never_exceed_the_balance(operator: OperatorClient, account: str) -> None:
    operator.deposit(account, "ofcbtc", 100)
    with ThreadPoolExecutor(10) as threads:
        answers = list(
            threads.map(
                lambda number: operator.move("withdrawals", account, "ofcbtc", 30, f"out-{number}"), range(10)
            )
        )
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [422] * 7
    assert operator.balances(account) == {"ofcbtc": (10, 0)}
    assert operator.check() == []


def test_withdrawal_beyond_the_balance_reports_the_shortfall(operator: OperatorClient, account: str) -> None:
    operator.deposit(account, "ofcbtc", 100)
    refused = operator.move("withdrawals", account, "ofcbtc", 130, "out-1")
    assert refused.status_code == 422
    assert refused.json()["name"] == "insufficient_funds"
    assert refused.json()["details"] == {"currency": "ofcbtc", "available": "100", "shortfall": "30"}
    nothing = operator.move("withdrawals", account, "ofceth", 1, "out-1")
    assert nothing.json()["details"] == {"currency": "ofceth", "available": "0", "shortfall": "1"}
    # A rejected request does not use its reference.
    operator.deposit(account, "ofcbtc", 30)
    assert operator.move("withdrawals", account, "ofcbtc", 130, "out-1").status_code == 200


def test_the_largest_balance_has_78_digits(operator: OperatorClient, account: str) -> None:
    assert operator.deposit(account, "ofceth", MOST)["balance"]["available"] == str(MOST)
    refused = operator.move("deposits", account, "ofceth", 1, "one-more")
    assert refused.status_code == 422
    assert "78 digits" in refused.json()["error"]
    assert operator.withdraw(account, "ofceth", MOST)["balance"]["available"] == "0"
    assert operator.check() == []


def test_unknown_currency_or_account_is_rejected(operator: OperatorClient, account: str) -> None:
    unknown = operator.move("deposits", account, "ofcnothing", 1)
    assert (unknown.status_code, unknown.json()["name"]) == (400, "currency_unknown")
    for place in ("0" * 32, "nothing", account.upper(), account + "%00"):
        missing = operator.move("deposits", place, "ofcbtc", 1)
        assert (missing.status_code, missing.json()["name"]) == (404, "go_account_unknown")
        assert operator.get(f"/go-accounts/{place}/balances").status_code == 404
    assert operator.get(f"/go-accounts/{account}/balances").json() == {"balances": {}}


def test_movement_is_audited_and_recorded_as_an_event(operator: OperatorClient, account: str) -> None:
    answer = operator.move("deposits", account, "ofcbtc", 100, "wire-1")
    entry = answer.json()["entry"]
    record = operator.audit_log(subjectId=account, action="deposit.made")[0]
    assert record["requestId"] == answer.headers["X-Request-Id"]
    assert record["actorKind"] == "operator"
    assert record["details"] == {
        "entryId": entry["id"],
        "kind": "deposit",
        "currency": "ofcbtc",
        "quantity": "100",
        "reference": "wire-1",
    }
    told = operator.events(enterpriseId="acme", types="balance.changed")
    assert [event["payload"] for event in told] == [
        {
            "goAccountId": account,
            "entryId": entry["id"],
            "kind": "deposit",
            "currency": "ofcbtc",
            "quantity": "100",
            "available": "100",
            "held": "0",
        }
    ]
