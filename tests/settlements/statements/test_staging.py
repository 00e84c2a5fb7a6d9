"""What is stored of a request's amounts, and which rows a statement locks."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from clearwindow.ledger import store as ledger
from clearwindow.ledger.models import AccountKind, BalanceKey
from clearwindow.postgres.pool import Transaction
from clearwindow.postgres.queries import Relation
from clearwindow.settlements import store as settlements
from clearwindow.settlements.disputes import store as disputes
from clearwindow.settlements.onchain import store as onchain
from clearwindow.settlements.transfers import store
from clearwindow.settlements.transfers.models import AmountArrays, Quantity
from tests.conftest import START
from tests.settlements.statements import rows

FIRST, SECOND, PARTNER, CLOSURE = (UUID(int=number) for number in range(1, 5))
ANN, BOB, CAT = (UUID(int=number) for number in range(11, 14))
ACCOUNTS = {ANN: UUID(int=21), BOB: UUID(int=22)}
CURRENCIES, DECIMALS = ["ofcbtc", "ofceth"], [2, 0]
Row = tuple[object, ...]


def amounts(*written: tuple[int, int, str], sources: list[str] | None = None) -> AmountArrays:
    """Returns amounts: the place of the connection, the number of the currency, and what is written."""
    return AmountArrays(
        list(ACCOUNTS),
        list(ACCOUNTS.values()),
        [str(place) for place, *_ in written],
        sources,
        [str(number) for _, number, _ in written],
        [amount for *_, amount in written],
    )


def insert(tx: Transaction, given: AmountArrays, settlement_id: UUID = FIRST) -> None:
    store.insert_staged(
        tx,
        given,
        settlement_id=settlement_id,
        partner_id=PARTNER,
        dispute_deadline_at=START,
        currencies=CURRENCIES,
        decimals=DECIMALS,
    )


def stored(tx: Transaction) -> set[Row]:
    found = tx.connection.execute(
        "SELECT settlement_id, dispute_closure_id, connection_id, network_account_id, counterparty_connection_id,"
        " counterparty_account_id, currency, quantity::bigint FROM settlement_transfer"
    ).fetchall()
    return set(found)


ALONE = [(1, 1, "-1.50"), (2, 1, "2"), (2, 2, "7")]


def test_each_connection_is_a_party_and_each_amount_a_transfer(tx: Transaction) -> None:
    insert(tx, amounts(*ALONE))
    assert store.party_connections(tx, FIRST) == [ANN, BOB]
    assert stored(tx) == {
        (FIRST, None, ANN, ACCOUNTS[ANN], None, None, "ofcbtc", -150),
        (FIRST, None, BOB, ACCOUNTS[BOB], None, None, "ofcbtc", 200),
        (FIRST, None, BOB, ACCOUNTS[BOB], None, None, "ofceth", 7),
    }


def test_amount_with_a_source_is_between_two_connections(tx: Transaction) -> None:
    insert(tx, amounts((1, 2, "-3"), sources=["2"]))
    assert stored(tx) == {(FIRST, None, ANN, ACCOUNTS[ANN], BOB, ACCOUNTS[BOB], "ofceth", -3)}


@pytest.mark.parametrize(
    ("given", "same"),
    [
        (ALONE, True),
        (list(reversed(ALONE)), True),
        ([(1, 1, "-1.5"), *ALONE[1:]], True),
        (ALONE[:2], False),
        ([*ALONE, ALONE[0]], False),
        ([*ALONE[:2], (2, 2, "8")], False),
        ([*ALONE[:2], (1, 2, "7")], False),
        ([*ALONE[:2], (2, 1, "7")], False),
    ],
)
def test_repeated_request_has_the_same_amounts(
    tx: Transaction, given: list[tuple[int, int, str]], *, same: bool
) -> None:
    insert(tx, amounts(*ALONE))
    rows.transfer(tx, FIRST, CAT, 5, dispute_closure_id=CLOSURE)
    rows.transfer(tx, SECOND, CAT, 5)
    assert store.has_staged_amounts(tx, amounts(*given), FIRST, CURRENCIES, DECIMALS) is same


def test_amounts_between_connections_are_compared_with_their_counterparty(tx: Transaction) -> None:
    insert(tx, amounts((1, 2, "-3"), sources=["2"]))
    same = amounts((1, 2, "-3"), sources=["2"])
    assert store.has_staged_amounts(tx, same, FIRST, CURRENCIES, DECIMALS)
    assert not store.has_staged_amounts(tx, amounts((1, 2, "-3")), FIRST, CURRENCIES, DECIMALS)


def test_currencies_are_unbalanced_whose_sum_is_not_zero(tx: Transaction) -> None:
    given = amounts((1, 1, "-1.5"), (2, 1, "1.50"), (1, 2, "3"), (2, 2, "-1"))
    assert store.unbalanced_currencies(tx, given, CURRENCIES)() == {"ofceth": 2}


def test_transfers_of_a_closure_wait_for_a_settlement(tx: Transaction) -> None:
    store.insert_closure_transfers(
        tx,
        partner_id=PARTNER,
        closure_id=CLOSURE,
        connection_id=ANN,
        account_id=ACCOUNTS[ANN],
        quantities=[Quantity(BOB, ACCOUNTS[BOB], "ofcbtc", -5), Quantity(None, None, "ofceth", 4)],
    )
    assert stored(tx) == {
        (None, CLOSURE, ANN, ACCOUNTS[ANN], BOB, ACCOUNTS[BOB], "ofcbtc", -5),
        (None, CLOSURE, ANN, ACCOUNTS[ANN], None, None, "ofceth", 4),
    }


PARTY = ("settlement_id", "connection_id")


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        (lambda tx: store.lock_party(tx, FIRST, BOB), {(FIRST, BOB)}),
        (lambda tx: store.lock_parties(tx, FIRST), {(FIRST, ANN), (FIRST, BOB)}),
        (lambda tx: store.lock_parties_of(tx, [FIRST, CLOSURE]), {(FIRST, ANN), (FIRST, BOB)}),
    ],
)
def test_parties_are_locked_and_no_others(
    tx: Transaction, lock: Callable[[Transaction], object], expected: set[Row]
) -> None:
    for settlement_id in (FIRST, SECOND):
        for connection_id in (ANN, BOB):
            rows.party(tx, settlement_id, connection_id)
    assert rows.locked(tx, "settlement_party", *PARTY) == set()
    lock(tx)
    assert rows.locked(tx, "settlement_party", *PARTY) == expected


def test_settlements_are_locked_and_no_others(tx: Transaction) -> None:
    first = rows.settlement(tx, PARTNER)
    rows.settlement(tx, PARTNER)
    due = rows.settlement(tx, PARTNER, due_at=START)
    rows.settlement(tx, uuid4(), due_at=START)
    assert settlements.lock(tx, first).id == first
    assert rows.locked(tx, "settlement") == {(first,)}
    assert [each.id for each in settlements.lock_due(tx, PARTNER, 5)] == [due]
    assert rows.locked(tx, "settlement") == {(first,), (due,)}


def test_disputes_are_locked_and_no_others(tx: Transaction) -> None:
    alone, closing = rows.dispute(tx, FIRST, ANN), rows.dispute(tx, FIRST, BOB, partner_id=PARTNER)
    closure = rows.closure(tx, closing)
    assert disputes.lock_dispute(tx, alone).id == alone
    assert rows.locked(tx, "dispute") == {(alone,)}
    assert [each.closure_id for each in disputes.lock_approved_closures(tx, PARTNER)()] == [closure]
    assert rows.locked(tx, "dispute") == {(alone,), (closing,)}
    assert rows.locked(tx, "dispute_closure") == set()


def test_deposits_are_locked_and_no_others(tx: Transaction) -> None:
    pending, confirmed = rows.deposit(tx, FIRST), rows.deposit(tx, FIRST, "confirmed")
    rows.deposit(tx, SECOND, "confirmed")
    assert onchain.lock_deposit(tx, pending).id == pending
    assert rows.locked(tx, "onchain_deposit") == {(pending,)}
    assert [each.id for each in onchain.confirmed_deposits(tx, FIRST)] == [confirmed]
    assert rows.locked(tx, "onchain_deposit") == {(pending,), (confirmed,)}


BALANCE = ("account_id", "currency")


def fresh_balances(tx: Transaction) -> None:
    """Makes a balance of each account and currency, which nobody has locked."""
    tx.connection.execute("DELETE FROM balance")
    tx.connection.execute(
        "INSERT INTO balance (account_id, currency, account_number, currency_number, available, held)"
        " SELECT account.id, currency.name, account.number, currency.number, 100, 0"
        " FROM account CROSS JOIN currency WHERE currency.name = ANY(%s)",
        [CURRENCIES],
    )


def test_balances_are_locked_and_no_others(tx: Transaction) -> None:
    for account in (ANN, BOB):
        ledger.insert_account(tx, account, AccountKind.NETWORK, PARTNER)
    fresh_balances(tx)
    ledger.lock_balances(tx, [BalanceKey(ANN, "ofcbtc"), BalanceKey(BOB, "ofceth")])
    assert rows.locked(tx, "balance", *BALANCE) == {(ANN, "ofcbtc"), (BOB, "ofceth")}
    fresh_balances(tx)
    run = Relation(
        "SELECT account_id, currency, quantity FROM unnest("
        "%(run_of)s::uuid[], %(run_names)s::text[], %(run_quantities)s::numeric[])"
        " AS given (account_id, currency, quantity)",
        {"run_of": [ANN, ANN, BOB], "run_names": [*CURRENCIES, "ofcbtc"], "run_quantities": [-5, 5, 0]},
    )
    assert ledger.uncovered_losses(tx, run) == []
    assert rows.locked(tx, "balance", *BALANCE) == {(ANN, "ofcbtc")}
